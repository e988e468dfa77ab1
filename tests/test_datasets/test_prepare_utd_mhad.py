import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from kdbench.atomic import atomic_path, remove_leftovers
from kdbench.datasets.utd_mhad import STREAMS, all_clips
from tests.scripts import PREPARE, script

NAMES = ("a1_s1_t1", "a1_s2_t3", "a27_s1_t4")


tool = script("prepare/utd_mhad")


def write_clip(source, name, skeleton, inertial, depth):
    """The three .mat files of a clip, as the authors store them."""
    for folder, suffix, content in (
        ("Skeleton", "skeleton", {"d_skel": skeleton.transpose(1, 2, 0).astype(np.float64)}),
        ("Inertial", "inertial", {"d_iner": inertial.astype(np.float64)}),
        ("Depth", "depth", {"d_depth": depth.transpose(1, 2, 0).astype(np.uint16)}),
    ):
        (source / folder).mkdir(parents=True, exist_ok=True)
        savemat(source / folder / f"{name}_{suffix}.mat", content, do_compression=True)


def enlarged(stored):
    """Millimetres at twice the size that reduce to the stored bytes."""
    millimetres = np.where(stored > 0, 1700 + 24 * (stored.astype(int) - 1), 0)
    return millimetres.repeat(2, axis=1).repeat(2, axis=2)


def made_clip(seed):
    rng = np.random.default_rng(seed)
    frames = 3 + seed
    stored = rng.integers(0, 100, (frames, 120, 160)).astype(np.uint8)
    return (
        rng.normal(size=(frames, 20, 3)).astype(np.float32),
        rng.normal(size=(7 + seed, 6)).astype(np.float32),
        stored,
    )


@pytest.fixture
def source(tmp_path):
    for seed, name in enumerate(NAMES):
        skeleton, inertial, stored = made_clip(seed)
        write_clip(tmp_path / "source", name, skeleton, inertial, enlarged(stored))
    return tmp_path / "source"


def run(source, out, *options):
    return tool.main([str(source), str(out), *options])


def test_what_goes_in_comes_out(source, tmp_path, capsys):
    out = tmp_path / "utd_mhad"
    assert run(source, out, "--allow-partial") == 0
    assert "3 clips, 2 classes, 2 subjects" in capsys.readouterr().out
    streams = dict(np.load(out / STREAMS))
    clips = [made_clip(seed) for seed in range(3)]
    assert (streams["skeleton"] == np.concatenate([clip[0] for clip in clips])).all()
    assert (streams["inertial"] == np.concatenate([clip[1] for clip in clips])).all()
    assert streams["skeleton_length"].tolist() == streams["depth_length"].tolist() == [3, 4, 5]
    assert streams["inertial_length"].tolist() == [7, 8, 9]
    assert streams["label"].tolist() == [0, 0, 26]
    assert streams["subject"].tolist() == [1, 2, 1]
    assert streams["trial"].tolist() == [1, 3, 4]
    assert streams["name"].tolist() == list(NAMES)
    first = dict(np.load(out / "depth_s1.npz"))
    assert (first["depth"] == np.concatenate((clips[0][2], clips[2][2]))).all()
    assert first["name"].tolist() == ["a1_s1_t1", "a27_s1_t4"]
    assert first["length"].tolist() == [3, 5]
    assert sorted(path.name for path in out.glob("*.npz")) == ["depth_s1.npz", "depth_s2.npz", STREAMS]


def test_depth_is_the_mean_of_valid_pixels(tmp_path):
    depth = np.zeros((1, 240, 320), dtype=np.uint16)
    depth[0, :2, :2] = [[0, 2000], [2048, 0]]
    depth[0, 2:4, :2] = 9000
    depth[0, :2, 2:4] = [[0, 0], [0, 1000]]
    savemat(tmp_path / "a.mat", {"d_depth": np.stack([depth[0]] * 2, axis=-1)})
    made = tool.read_depth(tmp_path / "a.mat")
    assert made.shape == (2, 120, 160)
    assert made[0, 0, 0] == 1 + round((2024 - 1700) / 24)
    assert made[0, 1, 0] == 255
    assert made[0, 0, 1] == 1
    assert np.count_nonzero(made[0]) == 3


def test_a_second_run_keeps_what_is_done_and_mends_the_rest(source, tmp_path, capsys):
    out = tmp_path / "utd_mhad"
    run(source, out, "--allow-partial")
    content = {path.name: path.read_bytes() for path in out.glob("*.npz")}
    (out / "depth_s2.npz").unlink()
    damaged = bytearray(content[STREAMS])
    damaged[len(damaged) // 3] ^= 255
    (out / STREAMS).write_bytes(damaged)
    (out / ".depth_s2.abc.tmp.npz").write_bytes(b"left by a killed run")
    capsys.readouterr()
    assert run(source, out, "--allow-partial") == 0
    wrote = [line for line in capsys.readouterr().out.splitlines() if line.startswith("wrote")]
    assert len(wrote) == 2
    assert {path.name: path.read_bytes() for path in out.glob("*.npz")} == content
    assert run(source, out, "--allow-partial", "--force") == 0
    assert {path.name: path.read_bytes() for path in out.glob("*.npz")} == content
    assert len([line for line in capsys.readouterr().out.splitlines() if line.startswith("wrote")]) == 3


def test_missing_clips_are_refused_by_name(source, tmp_path, capsys):
    assert run(source, tmp_path / "out") == 1
    said = capsys.readouterr().err
    assert f"lacks {3 * 861 - 9} of 2583 files" in said
    assert "--allow-partial" in said
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_not_there_is_named(tmp_path, capsys):
    assert run(tmp_path, tmp_path / "out") == 1
    assert "has no folder Skeleton/" in capsys.readouterr().err


def break_nan(source):
    skeleton, inertial, stored = made_clip(1)
    inertial[2, 2] = np.nan
    write_clip(source, NAMES[1], skeleton, inertial, enlarged(stored))
    return "a1_s2_t3_inertial.mat holds values that are not finite"


def break_truncated(source):
    path = source / "Depth" / f"{NAMES[2]}_depth.mat"
    path.write_bytes(path.read_bytes()[:300])
    return "a27_s1_t4_depth.mat is truncated or damaged"


def break_key(source):
    savemat(source / "Skeleton" / f"{NAMES[0]}_skeleton.mat", {"skeleton": np.zeros((20, 3, 4))})
    return "has no 'd_skel'; there is: skeleton"


def break_shape(source):
    savemat(source / "Skeleton" / f"{NAMES[0]}_skeleton.mat", {"d_skel": np.zeros((25, 3, 4))})
    return r"has the shape (25, 3, 4), not (20, 3, any)"


def break_synchrony(source):
    skeleton, inertial, stored = made_clip(0)
    write_clip(source, NAMES[0], skeleton[:-1], inertial, enlarged(stored))
    return "different numbers of frames in a1_s1_t1"


@pytest.mark.parametrize("damage", [break_nan, break_truncated, break_key, break_shape, break_synchrony])
def test_bad_recordings_stop_it_by_name_and_leave_nothing(source, tmp_path, capsys, damage):
    message = damage(source)
    out = tmp_path / "out"
    assert run(source, out, "--allow-partial") == 1
    assert message in capsys.readouterr().err
    assert not (out / "depth_s1.npz").exists()
    assert not list(out.glob(".*tmp*"))


def test_a_killed_writer_leaves_no_half_file(tmp_path):
    path = tmp_path / "file.npz"
    path.write_bytes(b"whole")
    code = (
        "import pathlib, sys, time\n"
        "from kdbench.atomic import atomic_path\n"
        f"with atomic_path(pathlib.Path({str(path)!r})) as temporary:\n"
        "    temporary.write_bytes(b'half')\n"
        "    print('writing', flush=True)\n"
        "    time.sleep(60)\n"
    )
    command = [sys.executable, "-W", "ignore", "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=PREPARE.parents[1]) as writer:
        assert writer.stdout.readline() == "writing\n"
        writer.send_signal(signal.SIGKILL)
    assert path.read_bytes() == b"whole"
    assert len(list(tmp_path.iterdir())) == 2
    remove_leftovers(path)
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_writer_leaves_what_there_was(tmp_path):
    def fail():
        with atomic_path(path) as temporary:
            temporary.write_bytes(b"half")
            raise KeyError

    path = tmp_path / "file.npz"
    path.write_bytes(b"whole")
    with pytest.raises(KeyError):
        fail()
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == b"whole"


def test_help_answers_at_once():
    start = time.perf_counter()
    answer = subprocess.run(
        [sys.executable, PREPARE / "utd_mhad.py", "--help"], capture_output=True, text=True, check=True
    )
    assert time.perf_counter() - start < 1.0
    assert "--allow-partial" in answer.stdout


REAL = Path(os.environ.get("KDBENCH_DATA_ROOT", "nowhere"), "utd_mhad")


@pytest.mark.skipif(not REAL.is_dir(), reason="KDBENCH_DATA_ROOT has no utd_mhad/")
def test_real_clips_survive_the_round_trip(tmp_path):
    archive = np.load(REAL / STREAMS)
    streams = {name: archive[name] for name in archive.files}
    depth_archive = np.load(REAL / "depth_s6.npz")
    depth = {name: depth_archive[name] for name in depth_archive.files}
    chosen = np.flatnonzero(all_clips().subject == 6)[[0, 50, -1]]
    frames_end, samples_end, depth_end = (
        np.cumsum(lengths)
        for lengths in (streams["skeleton_length"], streams["inertial_length"], depth["length"])
    )
    kept = []
    for row, place in zip(chosen, (0, 50, len(depth["name"]) - 1), strict=True):
        skeleton = streams["skeleton"][frames_end[row] - streams["skeleton_length"][row] : frames_end[row]]
        inertial = streams["inertial"][samples_end[row] - streams["inertial_length"][row] : samples_end[row]]
        stored = depth["depth"][depth_end[place] - depth["length"][place] : depth_end[place]]
        write_clip(tmp_path / "source", streams["name"][row], skeleton, inertial, enlarged(stored))
        kept.append((skeleton, inertial, stored))
    assert run(tmp_path / "source", tmp_path / "out", "--allow-partial") == 0
    made, made_depth = np.load(tmp_path / "out" / STREAMS), np.load(tmp_path / "out" / "depth_s6.npz")
    assert (made["skeleton"] == np.concatenate([clip[0] for clip in kept])).all()
    assert (made["inertial"] == np.concatenate([clip[1] for clip in kept])).all()
    assert (made_depth["depth"] == np.concatenate([clip[2] for clip in kept])).all()
    for name in ("label", "subject", "trial", "name", "depth_length"):
        assert made[name].tolist() == streams[name][chosen].tolist()
        assert made[name].dtype.kind == streams[name].dtype.kind
    for opened in (archive, depth_archive, made, made_depth):
        opened.close()
