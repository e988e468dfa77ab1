import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdbench.datasets.depth_rendering import Camera, front_view, to_points
from kdbench.datasets.transforms import (
    AugmentDepth,
    AugmentInertial,
    AugmentSkeleton,
    BoxSkeleton,
    Resample,
    SampleDepth,
)
from kdbench.datasets.transforms.depth import closeness_and_mask
from kdbench.datasets.transforms.inertial import scaled_inertial
from kdbench.datasets.transforms.rotation import rotation
from kdbench.datasets.transforms.skeleton import canonical_skeleton
from kdbench.datasets.transforms.time import interpolate, resample, warped_positions

seeds = st.integers(0, 2**31)
angles = st.floats(-3, 3)


def random(seed):
    return np.random.Generator(np.random.Philox(seed))


@given(seeds, st.integers(2, 200), st.integers(2, 64), st.floats(0.1, 1), st.floats(0, 0.9))
def test_warped_time_rises_and_covers_its_share(seed, length, frames, min_crop, warp):
    positions = warped_positions(random(seed), length, frames, min_crop, warp)
    assert positions.shape == (frames,)
    assert (np.diff(positions) > 0).all()
    assert positions[0] >= 0
    assert positions[-1] <= length - 1
    assert positions[-1] - positions[0] >= min_crop * (length - 1) - 1e-6


@given(st.integers(1, 30), st.integers(1, 60))
def test_resampling_a_line_gives_a_line(length, frames):
    clip = np.arange(length, dtype=np.float64)[:, None, None] * np.ones((1, 2, 3))
    assert np.allclose(resample(clip, frames)[:, 1, 2], np.linspace(0, length - 1, frames))


@given(st.integers(2, 30))
def test_resampling_at_the_own_length_changes_nothing(length):
    clip = random(length).random((length, 4), dtype=np.float32)
    assert np.allclose(resample(clip, length), clip, atol=1e-6)
    assert resample(clip, length).dtype == np.float32


def test_interpolation_stays_within_the_clip():
    assert interpolate(np.array([1.0, 3.0]), np.array([0.0, 0.5, 1.0])).tolist() == [1, 2, 3]


@given(angles, angles, angles)
def test_rotations_are_orthogonal_and_keep_handedness(x, y, z):
    turn = rotation(x, y, z)
    assert np.allclose(turn @ turn.T, np.eye(3))
    assert np.isclose(np.linalg.det(turn), 1)


@given(angles)
def test_each_angle_turns_about_its_own_axis(angle):
    for axis, name in enumerate("xyz"):
        turn = rotation(**{name: angle})
        assert np.allclose(turn[axis], np.eye(3)[axis])
        nxt = (axis + 1) % 3  # a right-handed turn takes the next axis towards the one after it
        assert np.isclose(turn[(axis + 2) % 3, nxt], np.sin(angle))


@given(seeds, angles, st.floats(0.2, 5), st.lists(st.floats(-4, 4), min_size=3, max_size=3))
def test_the_canonical_pose_forgets_place_direction_and_size(seed, angle, size, place):
    pose = random(seed).normal(size=(20, 3)) * 0.1 + np.linspace(0, 1, 20)[:, None] * (0.2, 1, 0.1)
    pose[[8, 16]] += (0.4, 0, 0)
    clip = pose + random(seed).normal(size=(30, 20, 3)) * 0.01
    options = {"hip_centre": 3, "shoulder_centre": 1, "left": (4, 12), "right": (8, 16)}
    moved = size * clip @ rotation(y=angle).T + place
    canonical = canonical_skeleton(clip, **options)
    # medians of turned coordinates are not exactly turned medians
    assert np.abs(canonical - canonical_skeleton(moved, **options)).max() < 0.2
    assert np.allclose(np.median(canonical[:, 3], axis=0), 0, atol=0.1)
    across = np.median((canonical[:, [8, 16]] - canonical[:, [4, 12]]).mean(axis=1), axis=0)
    assert across[0] > 0
    assert abs(across[2]) < 0.1 * across[0]
    assert np.isclose(np.median(np.linalg.norm(canonical[:, 1] - canonical[:, 3], axis=1)), 1, atol=1e-4)


@given(seeds)
def test_augmented_clips_have_their_shapes_and_come_again_from_the_same_seed(seed):
    depth = tuple(random(v).integers(0, 256, (32, 64, 48), dtype=np.uint8) for v in range(3))
    clips = {
        "skeleton": random(1).normal(size=(96, 20, 3)).astype(np.float32),
        "inertial": random(2).normal(size=(192, 6)).astype(np.float32),
        "depth": depth,
    }
    kept = {name: np.array(clip) for name, clip in clips.items()}
    shapes = {"skeleton": (48, 20, 3), "inertial": (128, 6), "depth": (16, 2, 64, 48)}
    for transform in (AugmentSkeleton(), AugmentInertial(), AugmentDepth()):
        name = transform.modality
        sample = {"inputs": clips, "target": 3}
        one, same = (transform(sample, random(seed)) for _ in range(2))
        assert one["target"] == 3
        assert one["inputs"][name].shape == shapes[name]
        assert one["inputs"][name].dtype == np.float32
        assert np.isfinite(one["inputs"][name]).all()
        assert (one["inputs"][name] == same["inputs"][name]).all()
        assert (one["inputs"][name] != transform(sample, random(seed + 1))["inputs"][name]).any()
        assert all(one["inputs"][other] is clips[other] for other in clips if other != name)
    assert all((np.array(clips[name]) == kept[name]).all() for name in clips)


def test_augmentation_of_size_zero_is_resampling():
    clip = random(0).normal(size=(96, 20, 3)).astype(np.float32)
    still = AugmentSkeleton(min_crop=1, warp=0, yaw=0, tilt=0, scale=0, offset=0, noise=0)
    assert np.allclose(still.apply(clip, random(1)), resample(clip, 48), atol=1e-6)
    clip = random(0).normal(size=(192, 6)).astype(np.float32)
    still = AugmentInertial(min_crop=1, warp=0, angle=0, scale=0, channel_scale=0, noise=0)
    assert np.allclose(still.apply(clip, random(1)), resample(clip, 128), atol=1e-6)


@given(seeds)
def test_a_boxed_skeleton_fills_its_box_whatever_its_place_and_size(seed):
    clip = random(seed).normal(size=(30, 20, 3)).astype(np.float32)
    still = BoxSkeleton(random=False).apply(clip, random(1))
    assert still.shape == (52, 20, 3)
    assert (np.unique(still, axis=0).min((0, 1)), np.unique(still, axis=0).max((0, 1))) == (
        pytest.approx((-1, -1, -1)),
        pytest.approx((1, 1, 1)),
    )
    moved = BoxSkeleton(random=False).apply(3 * clip + 2, random(1))
    assert np.allclose(moved, still, atol=1e-5)
    assert np.allclose(
        np.diff(still[[0, 51], 0], axis=0) * np.ptp(clip, axis=(0, 1)) / 2,
        clip[29, 0] - clip[0, 0],
        atol=1e-5,
    )


@given(seeds)
def test_random_boxes_are_turns_of_the_clip_with_frames_in_order(seed):
    clip = np.linspace(0, 1, 40, dtype=np.float32)[:, None, None] * np.float32((0, 1, 0)) + np.zeros(
        (40, 4, 3), np.float32
    )
    clip[:, 1:] += random(0).normal(size=(3, 3)).astype(np.float32) * 0.1
    unturned = BoxSkeleton(angle=0).apply(clip, random(seed))
    assert (np.diff(unturned[:, 0, 1]) >= 0).all()
    assert len(np.unique(unturned[:, 0, 1])) > 10
    turned, again = (BoxSkeleton().apply(clip, random(seed)) for _ in range(2))
    assert (turned == again).all()
    assert np.abs(turned).max() <= 1 + 1e-6
    assert np.isfinite(BoxSkeleton().apply(np.zeros((1, 20, 3), np.float32), random(seed))).all()


@given(seeds)
def test_one_rotation_turns_both_sensors(seed):
    clip = random(0).normal(size=(192, 3)).astype(np.float32)
    turned = AugmentInertial(scale=0, channel_scale=0, noise=0).apply(np.hstack((clip, clip)), random(seed))
    assert np.allclose(turned[:, :3], turned[:, 3:], atol=1e-6)
    norms = np.linalg.norm(
        AugmentInertial(min_crop=1, warp=0, scale=0, channel_scale=0, noise=0).apply(
            np.hstack((clip, clip)), random(seed)
        ),
        axis=1,
    )
    assert np.allclose(norms, np.linalg.norm(resample(np.hstack((clip, clip)), 128), axis=1), atol=1e-5)


def test_the_gyroscope_is_scaled_and_the_accelerometer_is_not():
    assert scaled_inertial(np.full((2, 6), 200.0))[0].tolist() == [200] * 3 + [1] * 3


@given(st.integers(-6, 6), st.integers(-6, 6), st.floats(0.9, 1.1))
def test_a_shift_moves_pixels_and_leaves_background(rows, columns, gain):
    clip = np.zeros((2, 20, 16), dtype=np.uint8)
    clip[:, 8, 7] = 168
    made = closeness_and_mask(clip, gain, rows, columns)
    assert made.shape == (2, 2, 20, 16)
    assert made[:, 1].sum() == 2
    assert (made[:, 1, 8 + rows, 7 + columns] == 1).all()
    assert np.allclose(made[:, 0, 8 + rows, 7 + columns], gain)
    assert np.count_nonzero(made[:, 0]) == 2


def test_tested_depth_is_straight_and_takes_the_middle_frames():
    frames = np.arange(1, 33, dtype=np.uint8)[:, None, None] * np.ones((1, 4, 4), dtype=np.uint8)
    made = SampleDepth(frames=16).apply((frames, 0 * frames), random(0))
    assert (made[:, 1] == 1).all()
    assert np.allclose(made[:, 0, 0, 0] * 40 + 128, np.arange(2, 33, 2))


@given(seeds)
def test_augmented_depth_takes_one_frame_of_each_segment_of_one_rendering(seed):
    clips = tuple(
        np.full((32, 4, 4), 0, np.uint8) + np.arange(1 + 100 * v, 33 + 100 * v, dtype=np.uint8)[:, None, None]
        for v in range(2)
    )
    made = AugmentDepth(frames=16, shift=0, gain=0).apply(clips, random(seed))
    bytes_ = np.rint(made[:, 0, 0, 0] * 40 + 128).astype(int) - 1
    assert len(set(bytes_ // 100)) == 1
    assert (bytes_ % 100 // 2).tolist() == list(range(16))


def test_a_sample_without_the_modality_passes():
    sample = {"inputs": {"rgb": np.zeros(3)}, "target": 0}
    assert AugmentSkeleton()(sample, random(0)) is sample
    assert Resample("skeleton", 4)(sample, random(0)) is sample


CAMERA = Camera(142.8, 79.5, 59.5)


def person(distance=2.5):
    """A board of 0.36 m x 1.75 m that stands at a distance."""
    metres = np.zeros((3, 120, 160), dtype=np.float32)
    metres[:, 10:110, 70:90] = distance
    return metres


@given(st.floats(2, 3.5))
def test_a_view_is_orthographic_and_framed_by_the_head(distance):
    view = front_view(to_points(person(distance), CAMERA), np.eye(3))
    assert view.shape == (3, 64, 48)
    rows, columns = np.flatnonzero((view[0] > 0).any(axis=1)), np.flatnonzero((view[0] > 0).any(axis=0))
    pixels = 64 / 2.4 * distance / 142.8  # of the view, for a pixel of the camera
    assert abs(rows[0] - 0.45 / 2.4 * 64) <= 1
    assert abs(len(columns) - 20 * pixels) <= 2.5  # two taps widen by half a pixel
    if 0.45 + 100 * distance / 142.8 < 2.4:
        assert abs(len(rows) - 100 * pixels) <= 2
    assert set(np.unique(view)) == {0, 128}


def test_the_nearest_point_wins():
    metres = person()
    metres[:, 50:54, 74:78] = 2.2
    view = front_view(to_points(metres, CAMERA), np.eye(3))
    assert view.max() == 128 + round(127 * 0.3 / 1.5)
    assert (front_view(to_points(metres, CAMERA), rotation(y=np.pi)) == 128).sum() > 0


def test_turning_a_board_makes_it_narrow():
    points = to_points(person(), CAMERA)
    widths = [(front_view(points, rotation(y=a))[0] > 0).any(axis=0).sum() for a in (0, 0.8, 1.5)]
    assert widths[0] > widths[1] > widths[2]


def test_a_clip_without_anybody_is_refused():
    with pytest.raises(ValueError, match="nobody"):
        to_points(np.zeros((2, 120, 160), dtype=np.float32), CAMERA)


def test_frames_without_anybody_are_empty():
    metres = person()
    metres[1] = 0
    view = front_view(to_points(metres, CAMERA), np.eye(3))
    assert not view[1].any()
    assert view[2].any()


@pytest.mark.parametrize(("kind", "shape"), [(AugmentInertial, (128, 6)), (AugmentSkeleton, (48, 20, 3))])
def test_a_variant_may_go_into_another_input(kind, shape):
    clip = random(0).standard_normal(shape, dtype=np.float32)
    sample = {"inputs": {kind.modality: clip}, "target": 3}
    found = kind(into=f"{kind.modality}_strong")(sample, random(1))
    assert found["inputs"][kind.modality] is clip
    alone = kind()(sample, random(1))["inputs"][kind.modality]
    assert np.array_equal(found["inputs"][f"{kind.modality}_strong"], alone)
    assert kind(into="other")({"inputs": {}}, random(1)) == {"inputs": {}}


def test_views_of_a_clip_have_the_same_frames_shift_and_gain():
    clip = np.random.default_rng(0).integers(
        0, 256, (2, 3, 32, 8, 6), dtype=np.uint8
    )  # renderings, views, ...
    for transform in (AugmentDepth(frames=8), SampleDepth(frames=8)):
        whole = transform.apply(tuple(clip), random(5))
        assert whole.shape == (3, 8, 2, 8, 6)
        for view in range(3):
            assert np.array_equal(whole[view], transform.apply(tuple(clip[:, view]), random(5)))
