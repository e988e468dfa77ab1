"""NTU RGB+D from .skeleton files to training clips: the prepare tool on a tree, the data set, its transforms."""

import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdbench.datasets import NTU, CropFrames, Draw, TurnSkeleton, UniformFrames
from kdbench.datasets.ntu.names import Name
from kdbench.datasets.ntu.persons import pre_normalised, two_persons
from kdbench.datasets.ntu.skeleton_file import Recording
from kdbench.datasets.ntu.store import SKELETONS, SkeletonStore, read_part
from kdbench.spec import IGNORED, InvalidDataError
from tests.scripts import PREPARE, script
from tests.test_datasets.test_ntu import made_bodies, person, written

tool = script("prepare/ntu")
SAMPLES = [
    Name(setup, camera, performer, 1, action)
    for setup in (1, 18)
    for camera in (1, 2, 3)
    for performer in (1, 3)
    for action in (1, 50)
]
EMPTY, TRUNCATED, WORD, LISTED = (str(SAMPLES[i]) for i in (0, 7, 13, 20))


def recording(name: Name) -> Recording:
    """One person, or two for an action of two."""
    bodies = tuple(
        person(2**57 + i, range(12 + i, 26 + 2 * name.camera)) for i in range(1 + (name.action == 50))
    )
    return Recording(60, bodies)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("ntu")
    folder = root / "nturgb+d_skeletons"
    folder.mkdir()
    for name in SAMPLES:
        (folder / f"{name}.skeleton").write_bytes(written(recording(name)))
    (folder / f"{EMPTY}.skeleton").write_bytes(b"")
    text = (folder / f"{TRUNCATED}.skeleton").read_bytes()
    (folder / f"{TRUNCATED}.skeleton").write_bytes(text[: text.index(b"\n", len(text) // 2)])
    (folder / f"{WORD}.skeleton").write_bytes(b"1 none")
    (root / "missing.txt").write_text(f"Samples with\nmissing skeletons\n\n{LISTED}\n")
    return root


@pytest.fixture(scope="module")
def out(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("out") / "ntu"
    arguments = [str(source), str(folder), "--missing", str(source / "missing.txt"), "--jobs", "1"]
    assert tool.main(arguments) == 0
    return folder


def test_every_file_is_in_the_store_or_named_with_its_reason(out: Path) -> None:
    store = SkeletonStore(out)
    assert store.index.skipped == {
        EMPTY: "ends where the number of frames should stand; take that file from the source again",
        TRUNCATED: store.index.skipped[TRUNCATED],
        WORD: "word 2 of 2, b'none', is no number; take that file from the source again",
        LISTED: "in the list of missing skeletons",
    }
    assert "ends within frame" in store.index.skipped[TRUNCATED]
    assert {*map(str, SAMPLES)} == {*store.index.names} | {*store.index.skipped}
    for name in store.names:
        np.testing.assert_array_equal(store.persons(name), two_persons(recording(name)))


def test_the_report_names_what_was_skipped(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tool.report(out, dict(SkeletonStore(out).index.skipped))
    printed = capsys.readouterr().out
    assert f"skipped {WORD}: word 2 of 2" in printed
    assert LISTED not in printed
    assert "xsub-60: 5 train, 5 test; whole: 40091 and 16487" in printed


def test_strict_says_that_files_could_not_be_used(source: Path, tmp_path: Path) -> None:
    assert tool.main([str(source), str(tmp_path / "ntu"), "--jobs", "1", "--strict"]) == 1
    assert len(SkeletonStore(tmp_path / "ntu")) == len(SAMPLES) - 3  # written all the same


def test_a_killed_run_goes_on_and_ends_with_the_same_store(source: Path, out: Path, tmp_path: Path) -> None:
    arguments = [str(source), str(tmp_path / "ntu"), "--missing", str(source / "missing.txt")]
    command = [sys.executable, str(PREPARE / "ntu.py"), *arguments, "--jobs", "1"]
    environment = {**os.environ, "PYTHONPATH": str(PREPARE.parents[1])}
    run = subprocess.Popen(command, env=environment)
    parts = tmp_path / "ntu" / "parts"
    while not list(parts.glob("S*.npz")) and run.poll() is None:
        time.sleep(0.01)
    run.send_signal(signal.SIGKILL)
    run.wait()
    first = next(iter(parts.glob("S*.npz")), None)
    when = first.stat().st_mtime_ns if first else None
    setup = tool.Setup(
        tuple(sorted((source / "nturgb+d_skeletons").glob("S001*"))), frozenset(), parts / "S001.npz"
    )
    if first and first.name == "S001.npz":
        tool.convert(setup)
        assert first.stat().st_mtime_ns == when  # what is done is not done again
    subprocess.run([*command[:-1], "2"], check=True, env=environment)
    assert (tmp_path / "ntu" / SKELETONS).read_bytes() == (out / SKELETONS).read_bytes()
    assert SkeletonStore(tmp_path / "ntu").index.names == SkeletonStore(out).index.names
    assert not parts.exists()


def test_a_pickle_gives_the_store_of_its_arrays(tmp_path: Path) -> None:
    entries = []
    for name in SAMPLES[:4]:
        keypoint = two_persons(recording(name)).astype(np.float16)
        entries.append({"frame_dir": str(name), "label": name.label, "keypoint": keypoint, "total_frames": 9})
    (tmp_path / "ntu60_3d.pkl").write_bytes(pickle.dumps({"split": {}, "annotations": entries}))
    assert tool.main([str(tmp_path / "ntu60_3d.pkl"), str(tmp_path / "ntu")]) == 0
    store = SkeletonStore(tmp_path / "ntu")
    for entry in entries:
        np.testing.assert_array_equal(store.persons(entry["frame_dir"]), entry["keypoint"].astype(np.float32))


def test_a_folder_without_skeletons_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tool.main([str(tmp_path), str(tmp_path / "ntu")]) == 1
    assert "holds no .skeleton file" in capsys.readouterr().err
    (tmp_path / "clip.skeleton").touch()
    assert tool.main([str(tmp_path), str(tmp_path / "ntu")]) == 1
    assert "'clip.skeleton' is no name of NTU RGB+D" in capsys.readouterr().err
    assert not (tmp_path / "ntu").exists()


@pytest.fixture
def few(tmp_path: Path) -> Path:
    """A folder of two files."""
    folder = tmp_path / "few"
    folder.mkdir()
    for name in SAMPLES[:2]:
        (folder / f"{name}.skeleton").write_bytes(written(recording(name)))
    return folder


def test_odd_files_are_skipped_with_their_reason(few: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name, folder = SAMPLES[0], SAMPLES[2]
    odd = (f"._{name}.skeleton", f"{name} (1).skeleton", "clip.skeleton")
    for file in odd:
        (few / file).write_bytes(b"\0\5")
    (few / f"{folder}.skeleton").mkdir()
    out = few.parent / "ntu"
    assert tool.main([str(few), str(out), "--jobs", "1"]) == 0
    store = SkeletonStore(out)
    assert store.names == SAMPLES[:2]
    assert store.index.skipped[str(folder)] == "cannot be read: Is a directory"
    assert {*store.index.skipped} == {str(folder), *odd}
    printed = capsys.readouterr().out
    for file in odd:
        assert f"skipped {file}: '{file}' is no name of NTU RGB+D" in printed
    assert tool.main([str(few), str(out), "--jobs", "1", "--strict"]) == 1


def part_of_few(few: Path, missing: frozenset[str] = frozenset()) -> tuple[int, list[str]]:
    """When the part was written, and what it holds, after a run that may take it from an earlier one."""
    (setup,), _ = tool.find_setups(few, missing, few.parent / "parts")
    tool.convert(setup)
    return setup.part.stat().st_mtime_ns, [*read_part(setup.part).names]


def test_a_part_is_taken_only_if_it_was_made_from_the_same(
    few: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, names = part_of_few(few)
    assert part_of_few(few) == (first, names)
    assert part_of_few(few, frozenset([str(SAMPLES[19])])) == (first, names)  # it is not in the source
    file = few / f"{SAMPLES[0]}.skeleton"
    whole = file.read_bytes()
    file.write_bytes(b"")
    damaged, fewer = part_of_few(few)
    assert fewer == names[1:]
    file.write_bytes(whole)
    assert part_of_few(few)[1] == names
    assert part_of_few(few, frozenset(names[:1]))[1] == names[1:]
    mark = os.stat(file).st_mtime_ns
    before = part_of_few(few)[0]
    os.utime(file, ns=(mark, mark + 1))
    again = part_of_few(few)[0]
    assert again > before > damaged > first
    monkeypatch.setattr(tool, "CONVERSION", tool.CONVERSION + 1)
    assert part_of_few(few)[0] > again


def test_what_killed_runs_left_is_removed(few: Path) -> None:
    out = few.parent / "ntu"
    out.mkdir()
    for left in (".skeletons.abc.tmp.npy", ".index.abc.tmp.npz"):
        (out / left).touch()
    assert tool.main([str(few), str(out), "--jobs", "1"]) == 0
    assert {path.name for path in out.iterdir()} == {".lock", "skeletons.npy", "index.npz"}


def test_a_bad_command_line_is_one_error(few: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, out = few.parent / "file", few.parent / "ntu"
    file.write_bytes(b"\xff")
    for arguments, message in (
        ([few, file], f"{file} is there and no folder"),
        ([few, file / "ntu"], "Not a directory"),
        ([few, out, "--missing", few], "was not read: [Errno 21] Is a directory"),
        ([few, out, "--missing", file], "was not read: 'utf-8' codec"),
        ([few / "absent", out], "No such file or directory"),
        ([file, out], "it should be mmaction2's or PYSKL's pickle"),
    ):
        assert tool.main([*map(str, arguments)]) == 1
        printed = capsys.readouterr().err
        assert printed.startswith("error: ")
        assert message in printed
        assert printed.count("\n") == 1
        assert not out.exists()
    with pytest.raises(SystemExit):
        tool.main([str(few), str(out), "--jobs", "0"])
    assert "0 is below 1" in capsys.readouterr().err


def test_the_data_set_gives_the_samples_of_its_split(out: Path) -> None:
    for protocol, split in (
        ("xsub-60", "train"),
        ("xsub-60", "test"),
        ("xview-60", "test"),
        ("xset-120", "train"),
    ):
        data = NTU(out, split, protocol)
        assert data.targets.tolist() == [name.label for name in data.samples]
        name = data.samples[-1]
        clip = data[len(data) - 1]["inputs"]["skeleton"]
        expected = pre_normalised(two_persons(recording(name)))
        np.testing.assert_array_equal(clip[: len(expected)], expected)
        assert clip.shape[0] == 2
        assert not clip[len(expected) :].any()
    assert {name.camera for name in NTU(out, "train", "xview-60").samples} == {2, 3}


def test_labels_of_other_performers_are_hidden(out: Path) -> None:
    data = NTU(out, "train", "xview-60", labelled={"subjects": (3,)})
    assert [target != IGNORED for target in data.targets] == [name.performer == 3 for name in data.samples]


def test_without_a_store_the_way_to_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidDataError, match=r"index\.npz is missing; make it with tools/prepare/ntu\.py"):
        NTU(tmp_path)
    monkeypatch.delenv("KDBENCH_DATA_ROOT", raising=False)
    with pytest.raises(InvalidDataError, match="no root was given"):
        NTU()
    with pytest.raises(ValueError, match="modality 'depth' is unknown; there is: rgb, skeleton"):
        NTU(tmp_path, modalities=("depth",))


def test_a_batch_for_training_is_a_pure_function_of_its_draw(out: Path) -> None:
    data = NTU(out, transforms=[{"type": "UniformFrames", "frames": 20}, {"type": "TurnSkeleton"}])
    one, same, other = (data[Draw(0, epoch, 1)]["inputs"]["skeleton"] for epoch in (3, 3, 4))
    assert one.shape == (2, 20, 25, 3)
    assert one.dtype == np.float32
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def numbered(frames: int) -> np.ndarray:
    """A clip whose numbers are those of its frames."""
    return np.broadcast_to(np.arange(frames, dtype=np.float32)[None, :, None, None], (2, frames, 25, 3))


@given(st.integers(1, 300), st.integers(1, 120), st.booleans(), st.integers(0, 99))
def test_uniform_frames_take_one_of_each_stretch(length: int, frames: int, random: bool, seed: int) -> None:
    taken = UniformFrames(frames, random).apply(numbered(length), np.random.default_rng(seed))[0, :, 0, 0]
    lower = np.floor(np.arange(frames) * length / frames)
    upper = np.ceil((np.arange(frames) + 1) * length / frames)
    assert ((taken >= lower) & (taken < np.maximum(upper, lower + 1))).all()
    assert taken.max() < length


@given(st.integers(1, 200), st.integers(2, 80), st.booleans(), st.integers(0, 99))
def test_cropped_frames_are_an_even_stretch(length: int, frames: int, random: bool, seed: int) -> None:
    clip = CropFrames(frames, (0.5, 0.95), random).apply(numbered(length), np.random.default_rng(seed))
    times = clip[0, :, 0, 0]
    assert clip.shape == (2, frames, 25, 3)
    assert times.min() >= 0
    assert times.max() <= length - 1
    np.testing.assert_allclose(np.diff(times), np.diff(times).mean(), atol=1e-3)
    span = times[-1] - times[0]
    assert span >= min(max(0.5 * length, frames), length) - 1 - 1e-3


def test_a_turn_keeps_distances_and_nobody() -> None:
    clip = made_bodies(0, 4, {1: [0, 1, 2, 3]}).bodies[0].position[None].astype(np.float32)
    clip = np.concatenate((clip, np.zeros_like(clip)))
    turned = TurnSkeleton(0.5).apply(clip, np.random.default_rng(0))
    assert not turned[1].any()
    assert not np.allclose(turned, clip)
    np.testing.assert_allclose(np.linalg.norm(turned, axis=-1), np.linalg.norm(clip, axis=-1), rtol=1e-5)
