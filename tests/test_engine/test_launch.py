"""Processes, seeds and precision; two processes give the losses of one."""

import json
import subprocess
import sys

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook

from kdbench.engine import Runner, launch, optim
from kdbench.engine.log import HISTORY
from kdbench.engine.optim import settled

from . import toy
from .test_checkpoint import QUIET, ROOT

PROGRAM = f"""
import sys; sys.path.insert(0, {str(ROOT)!r})
import torch; torch.set_num_threads(1)
from mmengine.config import Config
from kdbench.engine import Runner, launch
from tests.test_engine.test_launch import StopAt, settings

folder, epochs = sys.argv[1:]
options = dict()
launch.configure(options, launcher="pytorch", seed=3, resume="auto")
cfg = Config(dict(model_wrapper_cfg=options.pop("model_wrapper_cfg")))
Runner(**{{**settings(folder, batch_size=6, hooks=[StopAt(int(epochs))]), **options}}, cfg=cfg).train()
"""


class StopAt(Hook):
    def __init__(self, epoch):
        self.epoch = epoch

    def before_train_epoch(self, runner):
        if runner.epoch == self.epoch:
            raise SystemExit(0)


def settings(folder, batch_size, hooks=()) -> dict:
    """The model has LayerNorm and no dropout: batch statistics and masks are local to a process and would differ."""
    more = toy.config(folder, norm=False, epochs=6, hooks=hooks)
    more["train_dataloader"].update(batch_size=batch_size, drop_last=True)
    return more


def losses(folder) -> list[float]:
    return json.loads((folder / HISTORY).read_text())["train/loss"]


@pytest.mark.parametrize("lives", [("99",), pytest.param(("3", "99"), marks=pytest.mark.slow)])
def test_two_processes_give_the_losses_of_one_with_the_doubled_batch(tmp_path, lives):
    (tmp_path / "program.py").write_text(PROGRAM)
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc_per_node",
        "2",
        "--standalone",
    ]
    for epochs in lives:  # leave after so many epochs, and resume
        whole = [*command, str(tmp_path / "program.py"), str(tmp_path / "two"), epochs]
        done = subprocess.run(whole, env=QUIET, capture_output=True, text=True, timeout=200)
        assert done.returncode == 0, done.stderr[-3000:]
    Runner(**{**settings(tmp_path / "one", batch_size=12), "randomness": dict(seed=3)}).train()
    one, two = losses(tmp_path / "one"), losses(tmp_path / "two")
    assert len(one) == len(two) == 30
    assert max(abs(a - b) for a, b in zip(one, two, strict=True)) < 1e-5


NORMS = f"""
import sys; sys.path.insert(0, {str(ROOT)!r})
import torch; torch.set_num_threads(1)
from kdbench.engine import launch
from kdbench.engine.hooks import SyncNorms, _anywhere
from types import SimpleNamespace

launch.join_processes("pytorch")
rank = torch.distributed.get_rank()
norm = torch.nn.BatchNorm1d(2)
norm.running_mean.fill_(rank), norm.running_var.fill_(3 + 2 * rank)
SyncNorms().after_train_epoch(SimpleNamespace(model=norm))
assert norm.running_mean.tolist() == [0.5] * 2 and norm.running_var.tolist() == [4] * 2
assert _anywhere(rank == 1) and not _anywhere(False)
"""


def test_processes_share_running_statistics_and_flags(tmp_path):
    (tmp_path / "program.py").write_text(NORMS)
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc_per_node",
        "2",
        "--standalone",
    ]
    done = subprocess.run(
        [*command, str(tmp_path / "program.py")], env=QUIET, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_the_command_line_ends_up_in_the_config():
    config = Config(dict(randomness=dict(seed=7)))
    launch.configure(config, resume="work_dirs/x", deterministic=True)
    assert config.randomness == dict(seed=7, deterministic=True)
    assert config.resume
    assert config.load_from == "work_dirs/x"
    launch.configure(config, seed=0, resume="auto")
    assert config.randomness.seed == 0
    assert config.load_from is None


def test_what_a_launcher_lacks_is_named(monkeypatch):
    monkeypatch.delenv("SLURM_PROCID", raising=False)
    with pytest.raises(ValueError, match="--launcher slurm needs the variable 'SLURM_PROCID'"):
        launch.join_processes("slurm")
    with pytest.raises(ValueError, match="no launcher is called 'slrm'; did you mean: slurm"):
        launch.join_processes("slrm")


def sgd():
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)


def test_precisions():
    assert settled("auto", "cuda") == "float16"
    assert settled("float32", "cpu") == "float32"
    with pytest.raises(ValueError, match="no precision is called 'bf16'"):
        settled("bf16", "cpu")


@pytest.mark.parametrize(("able", "name"), [(True, "bfloat16"), (False, "float32")])
def test_a_cpu_without_bfloat16_kernels_computes_in_full_precision(monkeypatch, able, name):
    monkeypatch.setattr(optim, "computes_bfloat16", lambda: able)
    assert settled("auto", "cpu") == name
    assert optim.PrecisionOptimWrapper("auto", "cpu", optimizer=sgd()).dtype is optim.PRECISIONS[name]


def test_bfloat16_that_this_cpu_has_no_kernels_for_is_warned_of(monkeypatch):
    said = []
    monkeypatch.setattr(optim, "print_log", lambda text, *_: said.append(text))
    for able in (True, False):
        monkeypatch.setattr(optim, "computes_bfloat16", lambda able=able: able)
        for name in ("auto", "bfloat16", "float32"):
            optim.PrecisionOptimWrapper(name, "cpu", optimizer=sgd())
    assert said == [optim._SLOW]


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_run_may_have_computed_in_what_auto_gives_somewhere(device):
    given = {settled("auto", device), *(("bfloat16", "float32") if device == "cpu" else ())}
    names = [*optim.PRECISIONS]
    assert {was for was in names if optim.may_be("auto", was, device)} == given
    assert [was for was in names if optim.may_be("bfloat16", was, device)] == ["bfloat16"]


@pytest.mark.parametrize("epochs", [24, 40, 60])
def test_the_one_cycle_parts(epochs, tmp_path):
    part = Config.fromfile(ROOT / f"configs/_base_/schedules/adamw_{epochs}e.py")
    runtime = Config.fromfile(ROOT / "configs/_base_/runtime.py")
    assert part.train_cfg.max_epochs == epochs
    run = toy.runner(
        tmp_path,
        optim_wrapper=part.optim_wrapper,
        param_scheduler=part.param_scheduler,
        train_cfg=part.train_cfg,
        default_hooks=runtime.default_hooks,
        dataset=toy.Points(16),
    )
    run.train()
    rates = run.message_hub.get_scalar("train/lr").data[0]
    assert rates[0] == pytest.approx(2e-4)
    assert rates.max() == pytest.approx(2e-3, rel=1e-2)
    assert rates.argmax() == pytest.approx(0.15 * len(rates), abs=2)
    assert rates[-1] == pytest.approx(2e-6, rel=1e-3)
