"""Crop and mirror, and RandAugment: identities, and Pillow's own operations."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdbench.datasets.transforms import AugmentImage, RandAugment
from kdbench.datasets.transforms import rand_augment as ra
from kdbench.datasets.transforms.image import moved

Image = pytest.importorskip("PIL.Image")
from PIL import ImageEnhance, ImageOps  # noqa: E402

seeds = st.integers(0, 2**31)
sizes = st.tuples(st.just(3), st.integers(1, 20), st.integers(1, 20))
strengths = st.floats(-1, 1)


def random(seed):
    return np.random.Generator(np.random.Philox(seed))


def noise(seed, shape=(3, 32, 32)):
    return random(seed).integers(0, 256, shape, dtype=np.uint8)


def smooth(seed):
    """A picture of slow changes, so that no pixel hides a wrong neighbour."""
    rows, columns = np.mgrid[:32, :32] / 32
    waves = random(seed).uniform(1, 6, (3, 2))
    return np.stack([128 + 120 * np.sin(a * rows + b * columns) for a, b in waves]).astype(np.uint8)


@settings(max_examples=40, deadline=None)
@given(seeds, sizes, st.integers(-25, 25), st.integers(-25, 25), st.booleans())
def test_moving_is_a_crop_of_the_padded_picture(seed, shape, rows, columns, is_mirrored):
    image = noise(seed, shape)
    padded = np.pad(image, ((0, 0), (25, 25), (25, 25)))
    crop = padded[:, 25 - rows :, 25 - columns :][:, : shape[1], : shape[2]]
    made = moved(image, rows, columns, is_mirrored)
    assert (made == (crop[..., ::-1] if is_mirrored else crop)).all()
    assert made.flags.c_contiguous
    assert (image == noise(seed, shape)).all()


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_a_crop_comes_again_from_its_seed_and_stays_within_the_padding(seed):
    image = noise(1)
    one, same = (AugmentImage(padding=4).apply(image, random(seed)) for _ in range(2))
    assert (one == same).all()
    places = [(r, c, m) for r in range(-4, 5) for c in range(-4, 5) for m in (False, True)]
    assert sum((moved(image, *place) == one).all() for place in places) == 1


def test_all_places_are_drawn_alike():
    corner = np.zeros((3, 9, 9), int)
    corner[:, 4, 4] = 1
    rng = random(0)
    seen = np.sum([AugmentImage(padding=4).apply(corner, rng)[0] for _ in range(81 * 200)], axis=0)
    assert abs(seen - 200).max() < 5 * 200**0.5
    still = AugmentImage(padding=0, mirror=0)
    assert (still.apply(noise(1), rng) == noise(1)).all()
    assert (AugmentImage(padding=0, mirror=1).apply(noise(1), rng) == noise(1)[..., ::-1]).all()


@pytest.mark.parametrize("options", [{"padding": -1}, {"mirror": 1.5}])
def test_a_bad_crop_is_refused(options):
    with pytest.raises(ValueError, match="padding is at least 0"):
        AugmentImage(**options)


@settings(max_examples=40, deadline=None)
@given(seeds, sizes)
def test_at_strength_zero_nothing_changes(seed, shape):
    image = noise(seed, shape)
    for operation in ra.LEVELS:
        if operation not in (ra.auto_contrast, ra.equalize):
            assert (operation(image, 0.0) == image).all(), operation
    for matrix in ra.PLACES:
        assert (ra.resampled(image, matrix(0.0, *shape[1:]), 0) == image).all(), matrix


@settings(max_examples=40, deadline=None)
@given(seeds, sizes, strengths)
def test_operations_keep_extent_type_and_source(seed, shape, strength):
    image = noise(seed, shape)
    made = [operation(image, strength) for operation in ra.LEVELS]
    made += [ra.resampled(image, matrix(strength, *shape[1:]), 128) for matrix in ra.PLACES]
    assert {(one.shape, one.dtype) for one in made} == {(shape, np.dtype(np.uint8))}
    assert (image == noise(seed, shape)).all()


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_identities_of_single_operations(seed):
    image = noise(seed)
    assert (ra.solarize(image, 1.0) == 255 - image).all()
    assert (ra.solarize(ra.solarize(image, 1.0), 1.0) == image).all()
    assert (ra.posterize(image, 1.0) % 16 == 0).all()
    assert (ra.posterize(ra.posterize(image, 0.5), 0.5) == ra.posterize(image, 0.5)).all()
    full = ra.auto_contrast(image, 0.3)
    assert full.min(axis=(1, 2)).tolist() == [0] * 3
    assert full.max(axis=(1, 2)).tolist() == [255] * 3
    grey = np.repeat(image[:1], 3, axis=0)
    assert abs(ra.colour(grey, 0.7).astype(int) - grey).max() <= 1
    flat = np.full_like(image, seed % 256)
    for operation in (ra.auto_contrast, ra.equalize, ra.contrast, ra.sharpness):
        assert abs(operation(flat, 0.7).astype(int) - flat).max() <= 1
    whole = ra.LARGEST_MOVE * 32  # one pixel is 1 / whole of full strength
    shifted = ra.resampled(image, ra.moving_columns(3 / whole, 32, 32), 7)
    assert (shifted[..., :-3] == image[..., 3:]).all()
    assert (shifted[..., -3:] == 7).all()
    half_turn = np.array([[-1, 0, 32], [0, -1, 32.0]])
    assert (ra.resampled(image, half_turn, 0) == image[:, ::-1, ::-1]).all()


def by_pillow(image, operation):
    made = operation(Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0))))
    return np.asarray(made).transpose(2, 0, 1)


def affine(*matrix):
    return lambda p: p.transform(p.size, Image.Transform.AFFINE, matrix, fillcolor=(128,) * 3)


@settings(max_examples=40, deadline=None)
@given(seeds, strengths, st.sampled_from([noise, smooth]))
def test_levels_are_those_of_pillow(seed, strength, source):
    image, factor, size = source(seed), 1 + 0.9 * strength, abs(strength)
    for ours, theirs in (
        (ra.auto_contrast, ImageOps.autocontrast),
        (ra.equalize, ImageOps.equalize),
        (ra.solarize, lambda p: ImageOps.solarize(p, 256 * (1 - size))),
        (ra.posterize, lambda p: ImageOps.posterize(p, 8 - round(4 * size))),
        (ra.colour, lambda p: ImageEnhance.Color(p).enhance(factor)),
        (ra.contrast, lambda p: ImageEnhance.Contrast(p).enhance(factor)),
        (ra.brightness, lambda p: ImageEnhance.Brightness(p).enhance(factor)),
        (ra.sharpness, lambda p: ImageEnhance.Sharpness(p).enhance(factor)),
    ):
        difference = ours(image, strength).astype(int) - by_pillow(image, theirs)
        # the contrast's mean grey may round the other way, which moves everything by up to one level more
        assert abs(difference).max() <= (2 if ours is ra.contrast else 1), ours


@settings(max_examples=40, deadline=None)
@given(seeds, strengths)
def test_places_are_those_of_pillow(seed, strength):
    image, shear, move = smooth(seed), 0.3 * strength, 150 / 331 * 32 * strength
    for ours, theirs in (
        (ra.turning, lambda p: p.rotate(30 * strength, fillcolor=(128,) * 3)),
        (ra.shearing_columns, affine(1, shear, 0, 0, 1, 0)),
        (ra.shearing_rows, affine(1, 0, 0, shear, 1, 0)),
        (ra.moving_columns, affine(1, 0, move, 0, 1, 0)),
        (ra.moving_rows, affine(1, 0, 0, 0, 1, move)),
    ):
        made = ra.resampled(image, ours(strength, 32, 32), 128)
        # Pillow counts in 1 / 65536 of a pixel, so that a place on the very edge between two may fall to the other
        assert (made == by_pillow(image, theirs)).mean() > 0.95, ours


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_a_second_view_stands_beside_the_first_and_comes_again(seed):
    sample = {"inputs": {"image": noise(1)}, "target": 3}
    one, same = (RandAugment(into="image_strong")(sample, random(seed)) for _ in range(2))
    assert one["inputs"]["image"] is sample["inputs"]["image"]
    assert one["inputs"]["image_strong"].shape == (3, 32, 32)
    assert (one["inputs"]["image_strong"] == same["inputs"]["image_strong"]).all()
    assert list(RandAugment()(sample, random(seed))["inputs"]) == ["image"]
    assert (RandAugment(num_ops=0)(sample, random(seed))["inputs"]["image"] == noise(1)).all()
    other = {"inputs": {"audio": noise(1)}}
    assert RandAugment()(other, random(seed)) is other


def test_every_operation_is_drawn_and_both_directions():
    image, rng = smooth(1), random(0)
    made = {RandAugment(num_ops=1, magnitude=15).apply(image, rng).tobytes() for _ in range(1000)}
    wanted = {operation(image, s).tobytes() for operation in ra.LEVELS for s in (0.5, -0.5)}
    wanted |= {
        ra.resampled(image, matrix(s, 32, 32), 128).tobytes() for matrix in ra.PLACES for s in (0.5, -0.5)
    }
    assert made == wanted


@pytest.mark.parametrize("options", [{"num_ops": -1}, {"magnitude": 31}, {"fill": 256}, {"max_magnitude": 0}])
def test_a_bad_augmentation_is_refused(options):
    with pytest.raises(ValueError, match="magnitude from 0 to max_magnitude"):
        RandAugment(**options)


@given(st.integers(0, 1000))
def test_all_pictures_of_a_video_are_moved_alike(seed):
    video = np.stack([np.stack([noise(v * 3 + t) for t in range(3)]) for v in range(2)])
    made = AugmentImage(padding=5).apply(video, random(seed))
    for view in range(2):
        for time in range(3):
            assert (made[view, time] == AugmentImage(padding=5).apply(video[view, time], random(seed))).all()
