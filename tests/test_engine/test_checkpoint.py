"""Checkpoints: nothing is lost, nothing is executed, nothing damaged is loaded."""

import os
import pickle
import random
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from kdbench.engine.checkpoint import (
    POINTER,
    CheckpointError,
    add_checkpoint,
    checkpoints,
    is_checkpoint,
    newest_checkpoint,
    read_checkpoint,
    save_weights,
    write_checkpoint,
)
from kdbench.engine.state import flatten, rng_state, set_rng_state, unflatten
from kdbench.weights import file_hash, load_weights, read_weights

ROOT = Path(__file__).parents[2]
QUIET = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}


def run_program(name: str, *arguments) -> str:
    command = [sys.executable, "-m", f"tests.test_engine.{name}", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, env=QUIET, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def tree() -> dict:
    tied = torch.arange(6.0)
    return {
        "weights": {
            "a": torch.randn(3, 4),
            "b": torch.randn(4, 3).t(),
            "half": torch.ones(2, dtype=torch.bfloat16),
        },
        "tied": [tied, tied, tied[2:4]],
        "scalars": {
            "nan": float("nan"),
            "tiny": 5e-324,
            "big": 2**80,
            "third": 1 / 3,
            "none": None,
            "yes": True,
        },
        "state": {0: {"step": torch.tensor(3.0)}, (1, 2): "tuple key"},
        "$odd": (1, [2, (3,)]),
        "array": np.arange(4, dtype=np.uint32),
        "numpy": np.float64(0.1),
        "empty": torch.zeros(0, 2),
    }


def equal(one, other) -> bool:
    first, second = flatten(one), flatten(other)
    same = [
        k in second[0] and first[0][k].numpy(force=True).tobytes() == second[0][k].numpy(force=True).tobytes()
        for k in first[0]
        if first[0][k].dtype != torch.bfloat16
    ]
    return first[1] == second[1] and all(same)


def test_a_tree_comes_back_bit_for_bit(tmp_path):
    write_checkpoint(tmp_path / "x.safetensors", tree := globals()["tree"]())
    back = read_checkpoint(tmp_path / "x.safetensors")
    assert equal(back, tree)
    assert back["$odd"] == (1, [2, (3,)])
    assert set(back["state"]) == {0, (1, 2)}
    assert back["scalars"]["tiny"] == 5e-324
    assert back["array"].dtype == np.uint32
    assert is_checkpoint(tmp_path / "x.safetensors")


def test_random_states_come_back():
    tensors, text = flatten(rng_state())
    drawn = random.random(), np.random.rand(), torch.rand(2)
    set_rng_state(unflatten(tensors, text))
    again = random.random(), np.random.rand(), torch.rand(2)
    assert drawn[:2] == again[:2]
    assert torch.equal(drawn[2], again[2])


def test_what_is_not_data_is_refused_by_place():
    with pytest.raises(TypeError, match="a function at '/optimizer/hook' cannot be in a checkpoint"):
        flatten({"optimizer": {"hook": equal}})


def test_every_cut_and_flip_is_noticed(tmp_path):
    path, bad = tmp_path / "step_1.safetensors", tmp_path / "bad.safetensors"
    write_checkpoint(path, {"weights": torch.randn(40, 5), "step": 3, "history": [0.25, 1.5]})
    whole, rng = path.read_bytes(), random.Random(0)
    for _ in range(150):
        bad.write_bytes(whole[: rng.randrange(len(whole))])
        with pytest.raises(CheckpointError, match="is not a whole checkpoint"):
            read_checkpoint(bad)
    for _ in range(400):
        flipped = bytearray(whole)
        flipped[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        bad.write_bytes(flipped)
        with pytest.raises(CheckpointError, match="is not a whole checkpoint"):
            read_checkpoint(bad)


def test_the_newest_whole_one_is_found_and_damage_is_told(tmp_path):
    for step in (1, 2, 3):
        add_checkpoint(tmp_path, step, {"step": step}, keep=3)
    newest, *_ = checkpoints(tmp_path)
    assert newest.name == "step_3.safetensors"
    assert (tmp_path / POINTER).read_text() == newest.name
    newest.write_bytes(newest.read_bytes()[:-3])
    said = []
    assert newest_checkpoint(tmp_path, said.append).name == "step_2.safetensors"
    assert len(said) == 1
    assert "step_3.safetensors is not a whole checkpoint" in said[0]
    for path in checkpoints(tmp_path):
        path.write_bytes(b"nothing")
    with pytest.raises(
        CheckpointError, match=r"none of the 3 checkpoints .* move them away to start from scratch"
    ):
        newest_checkpoint(tmp_path, said.append)


def test_an_empty_folder_has_no_checkpoint(tmp_path):
    assert newest_checkpoint(tmp_path, pytest.fail) is None


def test_old_ones_go_and_half_files_too(tmp_path):
    (tmp_path / ".step_1.abc.tmp.safetensors").write_bytes(b"half")
    for step in (1, 2, 3, 4):
        add_checkpoint(tmp_path, step, {"step": step}, keep=2)
    assert sorted(p.name for p in tmp_path.iterdir()) == [POINTER, "step_3.safetensors", "step_4.safetensors"]


def test_a_new_line_from_an_older_step_is_kept(tmp_path):
    add_checkpoint(tmp_path, 200, {"step": 200}, keep=1)
    add_checkpoint(tmp_path, 110, {"step": 110}, keep=1)
    assert [p.name for p in checkpoints(tmp_path)] == ["step_110.safetensors"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_full_disk_leaves_the_previous_checkpoint(tmp_path):
    code = f"""
import resource, torch
from pathlib import Path
from kdbench.engine.checkpoint import add_checkpoint, read_checkpoint
folder = Path({str(tmp_path)!r})
add_checkpoint(folder, 1, {{"x": torch.zeros(10)}}, keep=1)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    add_checkpoint(folder, 2, {{"x": torch.zeros(100_000)}}, keep=1)
except OSError as error:
    print(error)
assert read_checkpoint(folder / "step_1.safetensors")["x"].sum() == 0
print(sorted(p.name for p in folder.iterdir()))
"""
    assert resource.RLIMIT_FSIZE is not None
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=QUIET, capture_output=True, text=True)
    assert "was not written, what was there before stays" in done.stdout, done.stderr
    assert done.stdout.splitlines()[-1] == "['last_checkpoint', 'step_1.safetensors']"


class Bomb:
    def __reduce__(self):
        return os.mkdir, ("exploded",)


@pytest.mark.parametrize("wrap", [lambda b: b, lambda b: {"state_dict": {"w": torch.zeros(1)}, "meta": b}])
def test_a_hostile_pickle_is_refused(tmp_path, monkeypatch, wrap):
    monkeypatch.chdir(tmp_path)
    torch.save(wrap(Bomb()), tmp_path / "evil.pth")
    with open(tmp_path / "plain.pth", "wb") as file:
        pickle.dump(wrap(Bomb()), file)
    for name in ("evil.pth", "plain.pth"):
        with pytest.raises(Exception, match=r"evil\.pth|plain\.pth"):
            read_weights(tmp_path / name)
        with pytest.raises(CheckpointError):
            read_checkpoint(tmp_path / name)
    assert not (tmp_path / "exploded").exists()


def test_weights_come_back_and_the_hash_in_the_name_counts(tmp_path):
    one, other = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
    path = save_weights(tmp_path / "student.safetensors", one.state_dict(), {"seed": 0}, hashed=True)
    assert path.stem == f"student-{file_hash(path)[:8]}"
    load_weights(other, path)
    assert torch.equal(one.weight, other.weight)
    again = save_weights(tmp_path / "again.safetensors", one.state_dict(), {"seed": 0})
    assert again.read_bytes() == path.read_bytes()
    renamed = path.rename(tmp_path / "student-00000000.safetensors")
    with pytest.raises(Exception, match="is not the file that its name says"):
        load_weights(other, renamed)


def test_kills_in_the_middle_of_saving_lose_nothing(tmp_path):
    assert "120 kills" in run_program("saves", tmp_path, "--kills", 120)
