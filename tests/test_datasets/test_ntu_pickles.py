"""NTU RGB+D: pickles of all ways to write an array, pickles that attack, and those with bad samples."""

import pickle
import struct
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kdbench.datasets.ntu.annotation import Annotation, read_annotations
from kdbench.datasets.ntu.store import SkeletonStore
from kdbench.spec import InvalidDataError
from tests.scripts import script
from tests.test_datasets.test_ntu_store import annotations

tool = script("prepare/ntu")
# NumPy's own, which have moved between its versions
RECONSTRUCT, SCALAR, FROMBUFFER = (
    reduced[0]
    for reduced in (np.ones(1).__reduce__(), np.float64(1).__reduce__(), np.ones(1).__reduce_ex__(5))
)
NAME = "S001C001P001R001A001"
ADDRESS = struct.pack("<Q", 0x4141414141414141)


class Calls:
    """Pickled as a call, and a state for its result."""

    def __init__(self, function: Any, *arguments: Any, state: Any = None):
        self.reduced = (function, arguments) if state is None else (function, arguments, state)

    def __reduce__(self) -> tuple[Any, ...]:
        return self.reduced


def flagless() -> Calls:
    """The dtype of objects, told to hold none."""
    return Calls(np.dtype, "O8", False, True, state=(3, "|", None, None, None, -1, -1, 0))


def of_state(code: str, *state: Any) -> Calls:
    return Calls(np.dtype, code, False, True, state=state)


def array(dtype: Any, raw: bytes, shape: Any = (1,)) -> Calls:
    return Calls(RECONSTRUCT, np.ndarray, (0,), b"b", state=(1, shape, dtype, False, raw))


ATTACKS = {
    "flags": array(flagless(), ADDRESS),
    "fields": array(
        of_state("V16", 3, "|", None, ("a",), {"a": (np.dtype("O"), 0)}, 16, 1, 0), ADDRESS + ADDRESS
    ),
    "scalar": Calls(SCALAR, flagless(), ADDRESS),
    "objects": array(Calls(np.dtype, "O8", False, True), ADDRESS),
    "records": array(Calls(np.dtype, "V8", False, True), ADDRESS),
    "no dtype code": array(Calls(np.dtype, "f4,f4", False, True), ADDRESS),
    "array": Calls(np.ndarray, (1,), flagless(), ADDRESS),
    "frombuffer": Calls(FROMBUFFER, ADDRESS, flagless(), (1,), "C"),
    "strides": Calls(np.ndarray, (4,), np.dtype("f4"), bytes(16), 0, (1 << 40,)),
    "plain fields": array(of_state("f8", 3, "<", None, ("a",), {"a": (np.dtype("f8"), 0)}, 8, 8, 0), ADDRESS),
    "plain flags": array(of_state("f8", 3, "<", None, None, None, -1, -1, 63), ADDRESS),
    "subarray": array(of_state("f8", 3, "<", (np.dtype("f8"), (9,)), None, None, -1, -1, 0), ADDRESS),
    "metadata": array(of_state("f8", 4, "<", None, None, None, -1, -1, 0, {}), ADDRESS),
    "state of a scalar": Calls(np.dtype, "f8", False, True, state=[1, 2]),
    "negative shape": array(np.dtype("f8"), ADDRESS, (-1,)),
    "shape of texts": array(np.dtype("f8"), ADDRESS, ("1",)),
    "a list as values": Calls(
        RECONSTRUCT, np.ndarray, (0,), b"b", state=(1, (1,), np.dtype("f8"), False, [1])
    ),
    "another kind of array": Calls(RECONSTRUCT, np.dtype, (0,), b"b"),
    "another class": OrderedDict(),
}


def annotation(path: Path, content: dict[str, Any], protocol: int = 4) -> Annotation:
    path.write_bytes(pickle.dumps(content, protocol))
    return next(read_annotations(path)[1])


def of_keypoint(keypoint: Any, **others: Any) -> dict[str, Any]:
    return {"annotations": [{"frame_dir": NAME, "label": 0, "keypoint": keypoint, **others}]}


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("what", ATTACKS)
def test_an_attack_is_refused_before_anything_is_made(tmp_path: Path, what: str, protocol: int) -> None:
    with pytest.raises(InvalidDataError, match=r"was not read: .*it should be mmaction2's"):
        annotation(tmp_path / "ntu.pkl", of_keypoint(ATTACKS[what]), protocol)


def test_values_that_do_not_fill_their_shape_are_refused(tmp_path: Path) -> None:
    content = of_keypoint(np.ones((1, 1, 25, 3)))
    content["annotations"][0]["frame_dir"] = Calls(SCALAR, np.dtype("U20"), bytes(7))
    with pytest.raises(InvalidDataError, match="annotation 1: has an array that is not whole: buffer size"):
        annotation(tmp_path / "ntu.pkl", content)
    with pytest.raises(InvalidDataError, match="not whole: cannot reshape"):
        annotation(tmp_path / "ntu.pkl", of_keypoint(array(np.dtype("f4"), bytes(16), (1, 1, 25, 3))))
    with pytest.raises(InvalidDataError, match="not whole: there are no values"):
        annotation(tmp_path / "ntu.pkl", of_keypoint(Calls(RECONSTRUCT, np.ndarray, (0,), b"b")))


def test_what_a_pickle_may_use_it_may_not_change(tmp_path: Path) -> None:
    # A global, then a state of attributes for it.
    text = b"cnumpy\ndtype\n(N}S'__defaults__'\nNsS'b'\nNstb."
    (tmp_path / "ntu.pkl").write_bytes(text)
    with pytest.raises(InvalidDataError, match="it changes what it may only use"):
        read_annotations(tmp_path / "ntu.pkl")


def test_no_codec_but_that_of_bytes_is_looked_up(tmp_path: Path) -> None:
    (tmp_path / "ntu.pkl").write_bytes(b"c_codecs\nencode\n(S'a'\nS'idna'\ntR.")
    with pytest.raises(InvalidDataError, match="another codec than latin1"):
        read_annotations(tmp_path / "ntu.pkl")


@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.parametrize("dtype", ["<f2", "<f4", "<f8", ">f4"])
@pytest.mark.parametrize("order", ["C", "F", "K", "strided"])
def test_every_way_to_write_an_array_is_read(tmp_path: Path, protocol: int, dtype: str, order: str) -> None:
    made = np.random.default_rng(0).normal(size=(2, 6, 25, 3)).astype(dtype)
    keypoint = {"C": made, "F": np.asfortranarray(made), "strided": made[:, ::2]}.get(order)
    if keypoint is None:
        keypoint = made.transpose(0, 2, 1, 3).copy().transpose(0, 2, 1, 3)
    found = annotation(tmp_path / "ntu.pkl", of_keypoint(keypoint), protocol)
    assert type(found.keypoint) is np.ndarray
    assert found.keypoint.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(found.keypoint, keypoint)


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_scalars_and_texts_of_numpy_are_real_ones(tmp_path: Path, protocol: int) -> None:
    score = np.ones((1, 2, 25), np.float16)
    content = of_keypoint(np.ones((1, 2, 25, 3)), keypoint_score=score)
    content["annotations"][0] |= {"frame_dir": np.str_(NAME), "label": np.int64(0)}
    content["split"] = {np.str_("train"): np.array([NAME]), "test": [np.str_(NAME)]}
    found = annotation(tmp_path / "ntu.pkl", content, protocol)
    assert (found.name, found.label) == (NAME, 0)
    assert (type(found.name), type(found.label)) == (str, int)
    np.testing.assert_array_equal(found.score, score)
    assert read_annotations(tmp_path / "ntu.pkl")[0] == {"train": [NAME], "test": [NAME]}


@pytest.mark.parametrize("split", [["train"], None, {"train": 3}, {Calls(SCALAR, np.dtype("f8"), b""): []}])
def test_a_split_is_a_dict_of_lists(tmp_path: Path, split: Any) -> None:
    (tmp_path / "ntu.pkl").write_bytes(pickle.dumps({**annotations(), "split": split}))
    with pytest.raises(InvalidDataError, match="has no dict of lists 'split'"):
        read_annotations(tmp_path / "ntu.pkl")


def converted(folder: Path, content: dict[str, Any], *options: str) -> int:
    (folder / "ntu.pkl").write_bytes(pickle.dumps(content))
    return tool.main([str(folder / "ntu.pkl"), str(folder / "ntu"), *options])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"label": 7}, "has the label 7, not that of its name"),
        ({"label": None}, "lacks or misstates int"),
        ({"keypoint": np.full((1, 3, 25, 3), np.nan)}, "keypoint has a position that is not finite"),
        ({"keypoint": np.full((1, 3, 25, 3), 1e300)}, "keypoint has a position that is not finite"),
        ({"keypoint": np.zeros((2, 3, 25, 3))}, "all positions are zero"),
        ({"keypoint": np.ones((2, 3, 17, 2))}, r"has keypoints (2, 3, 17, 2), not 25 joints in space"),
        ({"keypoint": np.ones((2, 3))}, "keypoint has the shape (2, 3), not (M, T, V, C)"),
    ],
)
def test_a_bad_sample_is_skipped_with_its_reason(tmp_path: Path, change: dict[str, Any], reason: str) -> None:
    content = annotations()
    content["annotations"][1].update(change)
    assert converted(tmp_path, content) == 0
    store = SkeletonStore(tmp_path / "ntu")
    (name,) = store.index.skipped
    assert name == content["annotations"][1]["frame_dir"]
    assert store.index.skipped[name].startswith(reason)
    assert len(store) == 2
    assert converted(tmp_path, content, "--strict") == 1


@pytest.mark.parametrize("entry", [{"frame_dir": "clip"}, {"frame_dir": 3}, {}, [1]])
def test_a_sample_without_a_name_is_skipped_by_its_place(
    tmp_path: Path, entry: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    content = annotations()
    content["annotations"][1] = entry
    assert converted(tmp_path, content) == 0
    assert [*SkeletonStore(tmp_path / "ntu").index.skipped] == ["annotation 2"]
    assert "skipped annotation 2: " in capsys.readouterr().out


def test_the_same_sample_twice_is_refused_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = annotations()
    content["annotations"].append({**content["annotations"][0], "label": 7})
    content["annotations"][-1]["frame_dir"] += "_rgb"
    assert converted(tmp_path, content) == 1
    assert f"{NAME} is there 2 times" in capsys.readouterr().err


def test_a_pickle_of_other_skeletons_is_refused_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert converted(tmp_path, of_keypoint(np.ones((1, 3, 17, 2)))) == 1
    assert f"no sample of 25 joints in space: {NAME} has keypoints (1, 3, 17, 2)" in capsys.readouterr().err
    assert converted(tmp_path, {"annotations": []}) == 1
    assert "it has no annotation" in capsys.readouterr().err
    assert not (tmp_path / "ntu").exists()
