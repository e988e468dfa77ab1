"""NTU RGB+D: the store gives back what was written, and the pickles of other frameworks are read as data only."""

import pickle
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kdbench.datasets.ntu.annotation import read_annotations
from kdbench.datasets.ntu.store import (
    INDEX,
    SKELETONS,
    Part,
    SkeletonStore,
    read_part,
    write_part,
    write_store,
)
from kdbench.spec import InvalidDataError


def samples(setup: int, count: int = 3) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(setup)
    return {
        f"S{setup:03}C001P001R001A{action:03}": rng.normal(size=(1 + action % 2, 2 + action, 25, 3)).astype(
            np.float32
        )
        for action in range(1, count + 1)
    }


def made_store(folder: Path) -> dict[str, np.ndarray]:
    everything = {}
    for setup in (1, 2, 3):
        own = samples(setup) if setup != 2 else {}  # a setup without a whole file is a part all the same
        write_part(
            folder / f"S{setup:03}.npz", Part.of(own, {f"S{setup:03}C001P001R001A060": "word 3 is no number"})
        )
        everything |= own
    assert write_store(folder, sorted(folder.glob("S*.npz"))) == len(everything)
    return everything


def test_a_store_gives_back_every_sample(tmp_path: Path) -> None:
    everything = made_store(tmp_path)
    store = SkeletonStore(tmp_path)
    assert [str(name) for name in store.names] == sorted(everything)
    for name, persons in everything.items():
        assert name in store
        np.testing.assert_array_equal(store.persons(name), persons)
    assert {*store.index.skipped} == {f"S00{setup}C001P001R001A060" for setup in (1, 2, 3)}
    assert not store.persons(next(iter(everything))).flags.owndata  # memory-mapped


def test_a_store_travels_to_another_process_without_its_data(tmp_path: Path) -> None:
    everything = made_store(tmp_path)
    store = SkeletonStore(tmp_path)
    name = next(iter(everything))
    assert len(pickle.dumps(store)) < 10_000
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(store)).persons(name), store.persons(name))


def test_parts_are_read_as_they_were_written(tmp_path: Path) -> None:
    part = Part.of(samples(4), {})._replace(fingerprint="made of this")
    write_part(tmp_path / "part.npz", part)
    found = read_part(tmp_path / "part.npz")
    assert (found.names, found.fingerprint) == (part.names, "made of this")
    np.testing.assert_array_equal(found.skeletons, part.skeletons)
    (tmp_path / "part.npz").write_bytes((tmp_path / "part.npz").read_bytes()[:-200])
    with pytest.raises(InvalidDataError, match="truncated or damaged"):
        read_part(tmp_path / "part.npz")


def test_a_store_that_is_not_whole_is_refused(tmp_path: Path) -> None:
    made_store(tmp_path)
    whole = (tmp_path / SKELETONS).read_bytes()
    (tmp_path / SKELETONS).write_bytes(whole[:-100])
    with pytest.raises(InvalidDataError, match="truncated or damaged"):
        SkeletonStore(tmp_path)
    np.save(tmp_path / SKELETONS, np.zeros((4, 25, 3), np.float32))
    with pytest.raises(InvalidDataError, match=r"has the shape \(4, 25, 3\), its index wants"):
        SkeletonStore(tmp_path)
    (tmp_path / INDEX).unlink()
    with pytest.raises(InvalidDataError, match=r"index.npz is missing; make it with tools/prepare/ntu.py"):
        SkeletonStore(tmp_path)


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """No file becomes larger than ``size`` bytes; the error is another than a full disk's, and comes the same way."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_an_error_and_leaves_the_earlier_store(tmp_path: Path) -> None:
    everything = made_store(tmp_path)
    size = (tmp_path / SKELETONS).stat().st_size
    larger = samples(9, 60)
    write_part(tmp_path / "S009.npz", Part.of(larger, {}))
    files = {path.name for path in tmp_path.iterdir()}
    with full_disk(2 * size), pytest.raises(OSError, match=r"; 1 MB are needed: .*skeletons\.npy"):
        write_store(tmp_path, [tmp_path / "S009.npz"])
    assert {path.name for path in tmp_path.iterdir()} == files
    name = next(iter(everything))
    np.testing.assert_array_equal(SkeletonStore(tmp_path).persons(name), everything[name])


def test_skeletons_are_appended_so_that_the_disk_is_asked_for_every_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []

    def seen(path: Path) -> Part:
        sizes.extend(file.stat().st_size for file in tmp_path.glob(".skeletons.*"))
        return read_part(path)

    monkeypatch.setattr("kdbench.datasets.ntu.store.read_part", seen)
    made_store(tmp_path)
    assert sizes[0] == 0
    assert sizes[-1] < (tmp_path / SKELETONS).stat().st_size


def test_a_store_without_any_sample_is_one(tmp_path: Path) -> None:
    write_part(tmp_path / "part.npz", Part.of({}, {"S001C001P001R001A001": "empty"}))
    assert write_store(tmp_path, [tmp_path / "part.npz"]) == 0
    assert SkeletonStore(tmp_path).index.skipped == {"S001C001P001R001A001": "empty"}


def annotations() -> dict[str, Any]:
    entries = [
        {
            "frame_dir": name,
            "label": int(name[-3:]) - 1,
            "total_frames": keypoint.shape[1],
            "keypoint": keypoint,
        }
        for name, keypoint in samples(1).items()
    ]
    return {"split": {"xsub_train": [entries[0]["frame_dir"]], "xsub_val": []}, "annotations": entries}


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_a_pickle_of_arrays_is_read(tmp_path: Path, protocol: int) -> None:
    content = annotations()
    content["annotations"][0]["keypoint"] = content["annotations"][0]["keypoint"].astype(np.float16)
    (tmp_path / "ntu.pkl").write_bytes(pickle.dumps(content, protocol))
    splits, entries = read_annotations(tmp_path / "ntu.pkl")
    assert splits == content["split"]
    for found, entry in zip(entries, content["annotations"], strict=True):
        assert (found.name, found.label) == (entry["frame_dir"], entry["label"])
        np.testing.assert_array_equal(found.keypoint, entry["keypoint"])


def test_names_of_numpy_1_are_known(tmp_path: Path) -> None:
    text = pickle.dumps(annotations(), 2).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    (tmp_path / "ntu.pkl").write_bytes(text)
    _, entries = read_annotations(tmp_path / "ntu.pkl")
    assert len([*entries]) == 3


class Harmful:
    def __init__(self, sentinel: Path):
        self.sentinel = sentinel

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.sentinel,)


def test_a_pickle_that_would_execute_is_refused_before_it_does(tmp_path: Path) -> None:
    content = {**annotations(), "extra": Harmful(tmp_path / "sentinel")}
    (tmp_path / "ntu.pkl").write_bytes(pickle.dumps(content))
    with pytest.raises(InvalidDataError, match="which is no array"):
        read_annotations(tmp_path / "ntu.pkl")
    assert not (tmp_path / "sentinel").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": 7}, "has the label 7, not that of its name"),
        ({"keypoint": np.zeros((2, 3))}, r"has the shape \(2, 3\), not"),
        ({"frame_dir": "clip"}, "'clip' is no name of NTU"),
        ({"keypoint": None}, "not"),
    ],
)
def test_a_bad_annotation_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    content = annotations()
    content["annotations"][1].update(change)
    (tmp_path / "ntu.pkl").write_bytes(pickle.dumps(content))
    _, entries = read_annotations(tmp_path / "ntu.pkl")
    with pytest.raises(InvalidDataError, match=message):
        list(entries)


def test_what_is_no_pickle_of_skeletons_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "ntu.pkl"
    with pytest.raises(InvalidDataError, match="is missing"):
        read_annotations(file)
    for text in (b"", b"text", pickle.dumps([1, 2]), pickle.dumps(annotations())[:-50]):
        file.write_bytes(text)
        with pytest.raises(InvalidDataError, match="it should be mmaction2's or PYSKL's pickle"):
            read_annotations(file)
