"""NTU RGB+D: names and protocols, skeleton files written by the grammar, persons of several bodies, a common pose."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdbench.datasets.ntu.names import (
    MUTUAL,
    PROTOCOLS,
    Name,
    groups,
    in_split,
    protocol_of,
    read_missing,
)
from kdbench.datasets.ntu.persons import motion, pre_normalised, two_persons
from kdbench.datasets.ntu.skeleton_file import Body, Recording, parse_skeletons, read_skeleton_file
from kdbench.spec import InvalidDataError

names = st.builds(
    Name, st.integers(1, 32), st.integers(1, 3), st.integers(1, 106), st.integers(1, 2), st.integers(1, 120)
)


@given(names)
def test_a_name_reads_as_it_is_written(name: Name) -> None:
    assert Name.parse(f"{name}_rgb.avi") == name
    assert name.label == name.action - 1


def test_what_is_no_name_says_how_names_are() -> None:
    with pytest.raises(InvalidDataError, match=r"'S1C1\.skeleton' is no name of NTU"):
        Name.parse("S1C1.skeleton")


@pytest.mark.parametrize("ending", ["", "_rgb", ".mp4", ".skeleton", "_rgb.avi"])
def test_a_name_may_have_an_ending(ending: str) -> None:
    assert Name.parse(f"S001C002P003R002A013{ending}") == Name(1, 2, 3, 2, 13)


@pytest.mark.parametrize("tail", [" (1).skeleton", "4", "\n", ".skeleton.bak", "_ir.avi", ".", "_rgb_rgb"])
def test_a_name_has_no_other_tail(tail: str) -> None:
    with pytest.raises(InvalidDataError, match="is no name of NTU"):
        Name.parse(f"S001C002P003R002A013{tail}")


@pytest.mark.parametrize("letter", "SCPRA")
def test_numbers_of_a_name_count_from_1(letter: str) -> None:
    before, after = "S001C001P001R001A001".split(f"{letter}001")
    with pytest.raises(InvalidDataError, match=f"{letter}000.* is no name of NTU"):
        Name.parse(f"{before}{letter}000{after}")


@given(st.lists(names, min_size=1, max_size=30), st.sampled_from(sorted(PROTOCOLS)))
def test_train_and_test_are_a_partition_of_the_edition(samples: list[Name], protocol: str) -> None:
    train, test = (in_split(samples, protocol, split) for split in ("train", "test"))
    edition = protocol_of(protocol).edition
    assert sorted([*train, *test]) == sorted(name for name in samples if name.is_in(edition))
    assert not {*train} & {*test}


def test_protocols_are_the_published_rules() -> None:
    assert len(PROTOCOLS["xsub-60"].train) == 20
    assert len(PROTOCOLS["xsub-120"].train) == 53
    assert PROTOCOLS["xsub-60"].train < PROTOCOLS["xsub-120"].train
    assert PROTOCOLS["xset-120"].train == {*range(2, 33, 2)}
    assert len(MUTUAL) == 26
    with pytest.raises(ValueError, match="protocol 'xsub60' is unknown; did you mean: xsub-60"):
        protocol_of("xsub60")
    with pytest.raises(ValueError, match="protocol 'xsub-60' has no split 'val'; there is: train, test"):
        in_split([], "xsub-60", "val")


@given(st.lists(names, max_size=40), st.sampled_from(["xsub-60", "xsub-120", "xset-120"]))
def test_cameras_of_a_take_are_never_in_two_splits(samples: list[Name], protocol: str) -> None:
    for members in groups([*dict.fromkeys(samples)], protocol).values():
        assert 1 <= len(members) <= 3
        assert len({protocol_of(protocol).split(name) for name in members}) == 1
        assert [name.camera for name in members] == sorted({name.camera for name in members})


def test_cross_view_protocols_have_no_groups() -> None:
    with pytest.raises(
        ValueError, match="'xview-60' splits by camera, so no take has views; there is: xsub-60"
    ):
        groups([], "xview-60")


def test_a_list_of_missing_skeletons_is_read_past_its_prose(tmp_path: Path) -> None:
    file = tmp_path / "missing.txt"
    file.write_text(
        "The following samples have missing\nskeletons:\n\nS001C002P005R002A008\r\nS001C002P006R001A008\n"
    )
    assert read_missing(file) == {Name(1, 2, 5, 2, 8), Name(1, 2, 6, 1, 8)}
    file.write_text("nothing here")
    with pytest.raises(InvalidDataError, match="names no sample"):
        read_missing(file)
    with pytest.raises(InvalidDataError, match="is missing"):
        read_missing(tmp_path / "absent.txt")
    with pytest.raises(InvalidDataError, match=r"was not read: .*Is a directory"):
        read_missing(tmp_path)
    file.write_bytes(b"S001C002P005R002A008\n\xff\n")
    with pytest.raises(InvalidDataError, match=r"missing\.txt.* was not read: 'utf-8' codec"):
        read_missing(file)


def made_bodies(seed: int, frames: int, tracked: dict[int, list[int]]) -> Recording:
    """A recording with random numbers: id -> frames in which it is there."""
    rng = np.random.default_rng(seed)
    bodies = []
    for identity, there in tracked.items():
        joints = rng.normal(size=(len(there), 25, 12)).round(6)
        joints[..., 11] = rng.integers(0, 3, (len(there), 25))
        bodies.append(Body(identity, np.array(there), joints))
    return Recording(frames, tuple(sorted(bodies, key=lambda body: body.frames[0])))


def written(recording: Recording, newline: str = "\n", no_colour: bool = False) -> bytes:
    """The recording by the grammar of the files."""
    lines = [str(recording.frames)]
    for frame in range(recording.frames):
        present = [body for body in recording.bodies if frame in body.frames]
        lines.append(str(len(present)))
        for body in present:
            lines += [f"{body.id} 0 1 1 1 1 0 0.5 -0.25 2", "25"]
            for joint in body.joints[np.searchsorted(body.frames, frame)]:
                words = [repr(float(number)) for number in joint[:-1]] + [str(int(joint[-1]))]
                if no_colour:
                    words[3:7] = ["NaN"] * 4
                lines.append(" ".join(words))
    return newline.join(lines).encode() + newline.encode()


@st.composite
def recordings(draw: st.DrawFn) -> Recording:
    frames = draw(st.integers(1, 6))
    ids = draw(st.lists(st.integers(2**56, 2**62), max_size=3, unique=True))
    anywhere = st.lists(st.integers(0, frames - 1), min_size=1, unique=True).map(sorted)
    return made_bodies(draw(st.integers(0, 9)), frames, {identity: draw(anywhere) for identity in ids})


def by_id(recording: Recording) -> dict[int, Body]:
    return {body.id: body for body in recording.bodies}


@settings(max_examples=40)
@given(recordings(), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_a_file_reads_as_it_was_written(recording: Recording, newline: str, no_colour: bool) -> None:
    found = parse_skeletons(written(recording, newline, no_colour))
    assert found.frames == recording.frames
    assert {*by_id(found)} == {*by_id(recording)}  # to the last of 64 bits
    for identity, body in by_id(found).items():
        own = by_id(recording)[identity]
        assert body.frames.tolist() == own.frames.tolist()
        np.testing.assert_array_equal(body.position, own.position)
        assert np.isnan(body.joints[..., 3:7]).all() == no_colour


@settings(max_examples=60)
@given(recordings(), st.floats(0, 0.999))
def test_a_truncated_file_is_never_read(recording: Recording, share: float) -> None:
    text = written(recording)
    words = text.split()
    with pytest.raises(InvalidDataError):
        parse_skeletons(b" ".join(words[: int(share * len(words))]))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "ends where the number of frames should stand"),
        (b"0", "has 0 as the number of frames"),
        (b"1.5", "has 1.5 as the number of frames"),
        (b"inf", "has inf as the number of frames"),
        (b"1 -1", "has -1 as the number of bodies in frame 0"),
        (b"1 1", "ends within frame 0"),
        (b"1 1 7.5 0 0 0 0 0 0 0 0 0 25", "has 7.5 as the id of a body in frame 0"),
        (b"1 1 7 0 0 0 0 0 0 0 0 0 24", "has 24 joints in frame 0, not 25"),
        (b"1 0 9", "goes on for 1 words after its last frame"),
        (b"1 zero", "word 2 of 2, b'zero', is no number"),
    ],
)
def test_damage_is_named(tmp_path: Path, text: bytes, message: str) -> None:
    file = tmp_path / "S001C001P001R001A001.skeleton"
    file.write_bytes(text)
    with pytest.raises(InvalidDataError, match=f"{file}: {message}; take that file from the source again"):
        read_skeleton_file(file)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "S001C001P001R001A001.skeleton"
    folder.mkdir()
    with pytest.raises(InvalidDataError, match=f"{folder}: cannot be read: Is a directory"):
        read_skeleton_file(folder)


@pytest.mark.parametrize("value", [np.nan, 1e300])
def test_a_position_that_is_not_finite_is_damage(value: float) -> None:
    recording = made_bodies(0, 1, {5: [0]})
    recording.bodies[0].joints[0, 3, 1] = value  # 1e300 is infinite in float32
    with pytest.raises(InvalidDataError, match="has a position that is not finite in frame 0"):
        parse_skeletons(written(recording))


def tall(body: Body, size: float = 1.0) -> Body:
    """The body as high as wide bodies are not, its movement scaled."""
    body.joints[..., :3] *= size
    body.joints[..., 1] *= 10
    return body


def person(identity: int, frames: range, size: float = 1.0) -> Body:
    made = made_bodies(identity, max(frames) + 1, {identity: [*frames]}).bodies[0]
    return tall(made, size)


def test_one_body_is_one_person_whatever_it_looks_like() -> None:
    body = made_bodies(0, 3, {1: [0, 2]}).bodies[0]
    persons = two_persons(Recording(3, (body,)))
    assert persons.shape == (1, 2, 25, 3)  # the frame that shows nobody is gone
    np.testing.assert_array_equal(persons[0], body.position.astype(np.float32))


def test_glimpses_and_furniture_are_no_persons() -> None:
    mover, glimpse = person(1, range(30)), person(2, range(11), size=9)
    wide = made_bodies(3, 30, {3: [*range(30)]}).bodies[0]
    wide.joints[..., 0] *= 50
    persons = two_persons(Recording(30, (mover, glimpse, wide)))
    assert persons.shape == (1, 30, 25, 3)
    np.testing.assert_array_equal(persons[0], mover.position.astype(np.float32))


def shape(seed: int, frames: range, width: float, height: float, step: float = 0) -> Body:
    """A body of joints along its diagonal, which goes on by ``step`` a frame."""
    made = made_bodies(seed, max(frames) + 1, {seed: [*frames]}).bodies[0]
    along = np.linspace(-0.5, 0.5, 25)[:, None] * [width, height, 0]
    made.joints[..., :3] = along + step * np.arange(len(frames))[:, None, None] * [0, 0, 1]
    return made


def test_motion_is_the_variance_over_frames_and_joints_together() -> None:
    tall_one, stepping = shape(1, range(20), 0, 2), shape(2, range(20), 0, 0.2, step=0.05)
    assert motion(tall_one.position) == pytest.approx(np.linspace(-1, 1, 25).var())
    assert motion(stepping.position) == pytest.approx(
        np.linspace(-0.1, 0.1, 25).var() + 0.05**2 * np.arange(20).var()
    )
    persons = two_persons(Recording(20, (stepping, tall_one)))
    np.testing.assert_array_equal(persons[0], tall_one.position.astype(np.float32))


def test_a_sole_body_that_lasts_is_taken_though_it_is_wide() -> None:
    wide, glimpse = shape(1, range(12), 2, 1), shape(2, range(11), 0, 3)
    persons = two_persons(Recording(12, (wide, glimpse)))
    np.testing.assert_array_equal(persons, wide.position.astype(np.float32)[None])


def test_a_body_is_narrow_up_to_the_limit() -> None:
    at_limit, other = shape(1, range(12), 0.8, 1), shape(2, range(12), 0, 3)
    assert len(two_persons(Recording(12, (at_limit, other)))) == 2
    beyond = shape(1, range(12), 0.81, 1)
    assert len(two_persons(Recording(12, (beyond, other)))) == 1


def test_wide_frames_do_not_make_a_body_mobile() -> None:
    mixed, other = shape(1, range(20), 0, 1), shape(2, range(20), 0, 2)
    mixed.joints[:13, :, 0] = np.linspace(-9, 9, 25)  # 65 % of the frames
    assert motion(mixed.position) > motion(other.position) > motion(mixed.position[13:])
    persons = two_persons(Recording(20, (mixed, other)))
    np.testing.assert_array_equal(persons[0], other.position.astype(np.float32))
    mixed.joints[:14, :, 0] = np.linspace(-9, 9, 25)  # 70 %
    assert len(two_persons(Recording(20, (mixed, other)))) == 1


def test_where_nobody_passes_all_bodies_are_taken() -> None:
    one, other = shape(1, range(5), 0, 2), shape(2, range(5), 0, 1)
    assert len(two_persons(Recording(5, (one, other)))) == 2


def test_a_third_body_at_the_same_time_is_left_out() -> None:
    bodies = tuple(shape(size, range(30), 0, size) for size in (1, 2, 3))
    persons = two_persons(Recording(30, bodies))
    for found, body in zip(persons, bodies[:0:-1], strict=True):
        np.testing.assert_array_equal(found, body.position.astype(np.float32))


def test_the_second_person_takes_bodies_that_follow_it_and_none_before() -> None:
    first, second = shape(9, range(60), 0, 9), shape(8, range(15, 35), 0, 8)
    follower, earlier = shape(7, range(35, 50), 0, 7), shape(6, range(15), 0, 6)
    persons = two_persons(Recording(60, (first, second, follower, earlier)))
    heights = np.ptp(persons[1, :, :, 1], axis=1)
    np.testing.assert_allclose(heights, [0] * 15 + [8] * 20 + [7] * 15 + [0] * 10)


def test_the_most_mobile_is_first_and_takes_bodies_that_follow_it() -> None:
    calm, mover = person(1, range(40)), person(2, range(20), size=3)
    later = person(3, range(20, 40))
    assert motion(mover.position) > motion(calm.position)
    persons = two_persons(Recording(40, (calm, mover, later)))
    expected = np.concatenate((mover.position, later.position)).astype(np.float32)
    order = sorted((calm, later), key=lambda body: motion(body.position), reverse=True)
    assert order[0] is later or persons.shape[0] == 2
    np.testing.assert_array_equal(persons[0], expected)
    np.testing.assert_array_equal(persons[1], calm.position.astype(np.float32))


def test_the_person_who_starts_is_the_first() -> None:
    mover, early = person(1, range(10, 40), size=3), person(2, range(30))
    persons = two_persons(Recording(40, (mover, early)))
    assert persons[0, 0].any()
    np.testing.assert_array_equal(persons[1, 10:], mover.position.astype(np.float32))
    assert not persons[1, :10].any()


def test_a_recording_of_zeros_is_refused() -> None:
    body = made_bodies(0, 3, {1: [0, 2]}).bodies[0]
    body.joints[..., :3] = 0
    with pytest.raises(InvalidDataError, match="all positions are zero"):
        two_persons(Recording(3, (body,)))


def test_a_recording_of_nobody_is_refused() -> None:
    with pytest.raises(InvalidDataError, match="no frame shows a body"):
        two_persons(parse_skeletons(b"2 0 0"))


@settings(max_examples=30)
@given(st.integers(0, 1000), st.integers(1, 2))
def test_the_common_pose_keeps_distances_and_puts_spine_and_shoulders_in_place(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    persons = rng.normal(size=(count, 5, 25, 3)).astype(np.float32)
    found = pre_normalised(persons)
    np.testing.assert_allclose(found[0, 0, 1], 0, atol=1e-5)
    shoulders = found[0, 0, 8] - found[0, 0, 4]
    np.testing.assert_allclose(shoulders / np.linalg.norm(shoulders), (1, 0, 0), atol=1e-4)
    for a, b in ((0, 24), (3, 17)):
        before, after = (np.linalg.norm(x[:, :, a] - x[:, :, b], axis=-1) for x in (persons, found))
        np.testing.assert_allclose(after, before, rtol=1e-4)


@settings(max_examples=30)
@given(st.integers(0, 1000), st.floats(-60, 60))
def test_who_faces_the_camera_stands_upright_however_noisy_the_shoulders(seed: int, degrees: float) -> None:
    rng = np.random.default_rng(seed)
    person = np.zeros((1, 2, 25, 3), np.float32)
    person[..., 0, :], person[..., 3, :] = (0, -0.3, 0), (0, 0.5, 0)  # base of the spine, head
    for shoulder, side in ((4, -0.2), (8, 0.2)):  # Kinect's x grows to the right of who faces it
        turned = side * np.cos(np.radians(degrees)), 0.3, side * np.sin(np.radians(degrees))
        person[..., shoulder, :] = turned + rng.normal(scale=0.01, size=3)
    person[..., 2] += 3
    head = pre_normalised(person)[0, 0, 3]
    assert head[2] > 0.9 * np.linalg.norm(head)


def test_absent_persons_stay_zero_and_frames_without_the_first_go() -> None:
    rng = np.random.default_rng(0)
    persons = rng.normal(size=(2, 6, 25, 3)).astype(np.float32)
    persons[0, 4] = 0
    persons[1, 1:4] = 0
    found = pre_normalised(persons)
    assert found.shape == (2, 5, 25, 3)
    assert not found[1, 1:4].any()
    assert found[1, 0].any()


def test_the_person_with_more_frames_is_the_first() -> None:
    rng = np.random.default_rng(1)
    persons = rng.normal(size=(2, 6, 25, 3)).astype(np.float32)
    persons[0, 2:] = 0
    found = pre_normalised(persons)
    assert found.shape[1] == 6
    assert found[0].any((1, 2)).all()
    assert found[1].any((1, 2)).tolist() == [True, True, False, False, False, False]
