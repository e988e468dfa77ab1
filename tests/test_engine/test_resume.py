"""A run that was killed and resumed ends with the bits of one that was not."""

import os
import re
import signal
import subprocess
import sys
import time
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook

from kdbench.backbones import InertialCNN
from kdbench.distillers import CRD, KD, Sum
from kdbench.engine import CheckpointError
from kdbench.engine.checkpoint import checkpoints, read_checkpoint
from kdbench.models import Distillation

from . import toy
from .kills import outcome
from .test_checkpoint import QUIET, ROOT, run_program


def test_a_killed_run_ends_bit_identical(tmp_path):
    said = run_program("kills", tmp_path, "--kills", 6, "--workers", 2)
    assert "6 kills" in said
    assert "all bit-identical" in said


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("workers", [0, 2])
def test_many_killed_runs_end_bit_identical(tmp_path, workers, precision):
    arguments = ("--kills", 60, "--workers", workers, "--precision", precision, "--seed", 1)
    assert "all bit-identical" in run_program("kills", tmp_path, *arguments)


def test_half_precision_is_used_and_resumes(tmp_path):
    run = toy.runner(tmp_path / "whole", precision="bfloat16")
    seen = []
    run.model.student[0].register_forward_hook(
        lambda m, i, out: seen.append(out.dtype) if m.training else None
    )
    run.train()
    assert set(seen) == {torch.bfloat16}
    half = toy.runner(tmp_path / "half", precision="bfloat16", hooks=[StopAt(13)])
    with pytest.raises(InterruptedError):
        half.train()
    toy.runner(tmp_path / "half", precision="bfloat16", resume=True).train()
    assert outcome(tmp_path / "half") == outcome(tmp_path / "whole")


class StopAt(Hook):
    """Ends a run as a crash does."""

    def __init__(self, step):
        self.step = step

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == self.step:
            raise InterruptedError


def crashed(folder, step, **options):
    with pytest.raises(InterruptedError):
        toy.runner(folder, hooks=[StopAt(step)], **options).train()


def real_model(size: int) -> dict:
    teacher = dict(type=InertialCNN, width=8, weights="random")
    methods = [dict(type=CRD, num_negatives=20), dict(type=KD)]
    data = dict(name="toy", inputs=dict(inertial=(32, 6)), num_classes=toy.CLASSES, num_train=size)
    student = dict(type=InertialCNN, width=6)
    return dict(
        type=Distillation,
        data=data,
        student=student,
        teacher=teacher,
        distiller=dict(type=Sum, methods=methods),
    )


class Signals(toy.Points):
    """The points as signals of six channels."""

    def load(self, index):
        sample = super().load(index)
        return {**sample, "inputs": {"x": np.resize(self.points[index], (32, 6)).astype("f4")}}

    def __getitem__(self, item):
        sample = super().__getitem__(item)
        return {**sample, "inputs": {"inertial": sample["inputs"]["x"]}}


@pytest.mark.parametrize("step", [5, 16, 29])
def test_a_distillation_with_a_memory_bank_resumes_bit_identical(tmp_path, step):
    size = 60
    options = dict(
        dataset=Signals(size),
        model=real_model(size),
        val_dataloader=toy.loader(Signals(30, noisy=False), shuffle=False),
    )
    toy.runner(tmp_path / "whole", **options).train()
    crashed(tmp_path / "half", step, **options)
    toy.runner(tmp_path / "half", resume=True, **options).train()
    assert outcome(tmp_path / "half") == outcome(tmp_path / "whole")
    assert not [key for key in outcome(tmp_path / "half")[0] if "/teacher." in key]


def test_resume_reads_only_the_rest_of_the_epoch(tmp_path):
    crashed(tmp_path, 13)
    data = toy.Points()
    run = toy.runner(tmp_path, dataset=data, resume=True)
    loads = []
    data.load, load = lambda index: loads.append(index) or load(index), data.load
    run.train()
    assert checkpoints(tmp_path)[0].name == "step_32.safetensors"
    # Saved after steps 3, 6, 8 (the end of epoch 1) and 11, so 3 batches of epoch 2 were done.
    assert len(loads) == (60 - 3 * 8) + 2 * 60


def test_a_damaged_newest_checkpoint_costs_only_a_warning(tmp_path, caplog):
    toy.runner(tmp_path / "whole").train()
    crashed(tmp_path / "half", 13)
    newest = checkpoints(tmp_path / "half")[0]
    newest.write_bytes(newest.read_bytes()[:-100])
    toy.runner(tmp_path / "half", resume=True).train()
    assert outcome(tmp_path / "half") == outcome(tmp_path / "whole")


def test_no_start_from_scratch_over_broken_checkpoints(tmp_path):
    crashed(tmp_path, 13)
    for path in checkpoints(tmp_path):
        path.write_bytes(b"")
    with pytest.raises(CheckpointError, match="none of the 2 checkpoints"):
        toy.runner(tmp_path, resume=True).train()


def test_who_begins_anew_over_checkpoints_is_told(tmp_path):
    told = []

    class Told(StopAt):
        priority = "LOWEST"

        def before_train(self, runner):
            told.append(self.warned.call_args)
            del runner.logger.warning  # runs share their logger

        def before_run(self, runner):
            self.warned = runner.logger.warning = Mock()

    for options in ({}, {"resume": True}, {}):
        with pytest.raises(InterruptedError):
            toy.runner(tmp_path, hooks=[Told(20)], **options).train()
    assert told[:2] == [None, None]
    assert re.search(
        r"checkpoints of an earlier run, the last of them step_\d+\.safetensors; .* --resume", told[2].args[0]
    )


def test_resume_from_a_file_and_from_a_folder(tmp_path):
    toy.runner(tmp_path / "whole").train()
    crashed(tmp_path / "half", 13)
    file = checkpoints(tmp_path / "half")[1]
    toy.runner(tmp_path / "one", resume=True, load_from=str(file)).train()
    toy.runner(tmp_path / "two", resume=True, load_from=str(tmp_path / "half")).train()
    assert outcome(tmp_path / "one") == outcome(tmp_path / "two") == outcome(tmp_path / "whole")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckpointError, match="there is no checkpoint in"):
        toy.runner(tmp_path / "three", resume=True, load_from=str(tmp_path / "empty")).train()


def test_resume_refuses_another_run(tmp_path):
    crashed(tmp_path, 13)
    with pytest.raises(CheckpointError, match=r"is of a run with seed 0 \(now 1\)"):
        toy.runner(tmp_path, resume=True, randomness=dict(seed=1)).train()
    with pytest.raises(CheckpointError, match="does not fit the model"):
        toy.runner(tmp_path, resume=True, norm=False).train()


def test_test_reads_a_checkpoint_and_the_student_file(tmp_path):
    toy.runner(tmp_path).train()
    trained = read_checkpoint(checkpoints(tmp_path)[0])["state_dict"]["student.0.weight"]
    for name in ("step_32.safetensors", "student.safetensors"):
        run = toy.runner(tmp_path / "test", load_from=str(tmp_path / name))
        run.load_or_resume()
        assert torch.equal(run.model.student[0].weight, trained)
        assert 0 <= run.val()["toy/accuracy"] <= 1


@pytest.mark.parametrize("delay", [0.0, 0.05, 0.11])
def test_sigterm_finishes_the_step_saves_and_exits_75(tmp_path, delay):
    code = f"""
import sys; sys.path.insert(0, {str(ROOT)!r})
from mmengine.hooks import Hook
from tests.test_engine import toy
class Tell(Hook):
    def before_train_iter(self, runner, batch_idx, data_batch=None):
        print(runner.iter, flush=True)
toy.runner({str(tmp_path / "half")!r}, workers=2, epochs=400, resume=True, hooks=[Tell()],
           default_hooks=dict(checkpoint=dict(epochs=None)), train_cfg=dict(max_epochs=400, val_begin=400)).train()
"""
    command = [sys.executable, "-c", code]
    with subprocess.Popen(
        command, env=QUIET, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as child:
        assert child.stdout.readline().strip() == "0"
        time.sleep(delay)
        os.killpg(child.pid, signal.SIGTERM)  # the loader's workers get it too
        last = int(["0", *child.stdout.read().split()][-1])
    assert child.returncode == 75
    (saved,) = checkpoints(tmp_path / "half")
    assert read_checkpoint(saved)["meta"]["iter"] == last + 1


def test_a_signal_in_validation_loses_nothing(tmp_path):
    toy.runner(tmp_path / "whole").train()
    with pytest.raises(SystemExit) as left:
        toy.runner(tmp_path / "half", hooks=[SignalInValidation()]).train()
    assert left.value.code == 75
    assert read_checkpoint(checkpoints(tmp_path / "half")[0])["meta"]["validation_due"]
    toy.runner(tmp_path / "half", resume=True).train()
    assert outcome(tmp_path / "half") == outcome(tmp_path / "whole")


class SignalInValidation(Hook):
    def before_val_iter(self, runner, batch_idx, data_batch=None):
        torch.rand(1)
        if batch_idx == 1:
            signal.raise_signal(signal.SIGUSR1)
