"""Seeds of a row in one pass, from the command line to the records."""

import pytest
import torch

from kdbench.records import read_record
from kdbench.weights import read_weights
from tests.toy_project import ROW, TEACHER, command, write_project

SEEDS = (0, 1, 2)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The toy project with a teacher for each of three seeds, and a row with them, one by one and in one pass."""
    folder = write_project(tmp_path_factory.mktemp("project"))
    lines = [(TEACHER, "--seed", str(seed)) for seed in SEEDS]
    lines += [(ROW, "--seed", str(seed), "--work-dir", f"solo/seed{seed}") for seed in SEEDS]
    for words in (*lines, (ROW, "--seeds", *map(str, SEEDS), "--work-dir", "pass")):
        done = command(folder, "train", *words, "--threads", "1")
        assert done.returncode == 0, done.stderr
    assert done.stdout.count("last epoch: ") == len(SEEDS)
    return folder


@pytest.mark.parametrize("seed", SEEDS)
def test_each_seed_leaves_what_it_leaves_alone(project, seed) -> None:
    solo, ours = (project / place / f"seed{seed}" for place in ("solo", "pass"))
    assert {path.name for path in ours.glob("*.*")} == {path.name for path in solo.glob("*.*")}
    for file in ("student.safetensors", "predictions.safetensors"):
        torch.testing.assert_close(read_weights(ours / file), read_weights(solo / file), rtol=1e-4, atol=1e-5)
    record, alone = read_record(ours / "result.yml"), read_record(solo / "result.yml")
    for name in ("row", "status", "config", "seed", "data", "epochs", "steps", "distiller", "teacher"):
        assert record[name] == alone[name]
    assert record["metrics"] == pytest.approx(alone["metrics"])
    assert record["train"]["cohort"] == len(SEEDS)
    assert f"--seed {seed} --work-dir pass/seed{seed}" in record["repro"]["command"]
    assert "--seeds" not in record["repro"]["command"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--seeds", "1"), "--seeds are two or more, each once, without --seed; there is: [1]"),
        (("--seeds", "1", "1", "2"), "there is: [1, 1, 2]"),
        (("--seeds", "1", "2", "--seed", "0"), "without --seed"),
        (("--seeds", "1", "2", "--dry-run"), "--dry-run and --print-config are of one seed"),
        (("--seeds", "1", "2", "--amp", "fp16"), "do not go with mixed precision (torch.float16)"),
    ],
)
def test_what_does_not_go_is_one_message(project, words, message) -> None:
    done = command(project, "train", ROW, "--work-dir", "refused", *words)
    assert done.returncode == 2
    assert message in done.stderr
