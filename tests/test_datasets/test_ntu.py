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


def test_a_position_that_is_not_finite_is_damage() -> None:
    recording = made_bodies(0, 1, {5: [0]})
    recording.bodies[0].joints[0, 3, 1] = np.nan
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


def test_the_most_mobile_is_first_and_takes_bodies_that_follow_it() -> None:
    calm, mover = person(1, range(40)), person(2, range(20), size=3)
    later = person(3, range(20, 40))
    assert motion(mover) > motion(calm)
    persons = two_persons(Recording(40, (calm, mover, later)))
    expected = np.concatenate((mover.position, later.position)).astype(np.float32)
    order = sorted((calm, later), key=motion, reverse=True)
    assert order[0] is later or persons.shape[0] == 2
    np.testing.assert_array_equal(persons[0], expected)
    np.testing.assert_array_equal(persons[1], calm.position.astype(np.float32))


def test_the_person_who_starts_is_the_first() -> None:
    mover, early = person(1, range(10, 40), size=3), person(2, range(30))
    persons = two_persons(Recording(40, (mover, early)))
    assert persons[0, 0].any()
    np.testing.assert_array_equal(persons[1, 10:], mover.position.astype(np.float32))
    assert not persons[1, :10].any()


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
    shoulders = found[0, 0, 4] - found[0, 0, 8]
    np.testing.assert_allclose(shoulders / np.linalg.norm(shoulders), (1, 0, 0), atol=1e-4)
    for a, b in ((0, 24), (3, 17)):
        before, after = (np.linalg.norm(x[:, :, a] - x[:, :, b], axis=-1) for x in (persons, found))
        np.testing.assert_allclose(after, before, rtol=1e-4)


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
