"""A student that is fitted in one pass: which clips it sees, how they are prepared, whose labels it knows."""

import logging
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch
from mmengine.config import Config
from torch.utils.data import default_collate

from kdbench.backbones import Classical
from kdbench.datasets.base import ClipDataset
from kdbench.datasets.sampling import EpochSampler
from kdbench.engine import FitLoop, PrecisionOptimWrapper, Runner
from kdbench.engine.record import RecordResult, final_test
from kdbench.evaluation import TopK
from kdbench.models import Distillation

CLIPS, CLASSES = 24, 3


class Shaken(ClipDataset):
    """Swings whose frequency is their class; what is drawn for training is shaken so that nothing is left of them."""

    metainfo = {}

    def __init__(self, unknown: int = 0, transforms: Any = (), shaken: bool = True):
        super().__init__(transforms)
        self.shaken = shaken
        self._targets = np.arange(CLIPS) % CLASSES
        self._targets[:unknown] = -100

    @property
    def targets(self):
        return self._targets

    @property
    def subjects(self):
        return np.arange(CLIPS) // 6

    def load(self, index):
        time = np.linspace(0, 2 * np.pi, 32) * (2 + 3 * (index % CLASSES))
        noise = np.random.default_rng(index).normal(0, 0.1, (32, 6))
        clip = (np.sin(time + index)[:, None] + noise).astype(np.float32)
        return {"inputs": {"inertial": clip}, "target": int(self._targets[index])}

    def draw(self, draw):
        if not self.shaken:
            return self.load(draw.index)
        noise = np.random.default_rng(draw.index).normal(0, 9, (32, 6)).astype(np.float32)
        return {**self.load(draw.index), "inputs": {"inertial": noise}}

    def __len__(self):
        return CLIPS


class Doubled:
    def __call__(self, sample, rng):
        return {**sample, "inputs": {"inertial": 2 * sample["inputs"]["inertial"]}}


def runner(folder: Path, unknown: int = 0, **train_cfg: Any) -> Runner:
    loaders = {
        stage: {
            "dataset": dataset,
            "batch_size": 10,
            "num_workers": 0,
            "collate_fn": default_collate,
            "sampler": {"type": EpochSampler, **sampler},
        }
        for stage, dataset, sampler in (
            ("train", Shaken(unknown, [lambda *_: pytest.fail("augmented")]), {"samples_per_epoch": 40}),
            ("test", Shaken(0, [Doubled()], shaken=False), {"shuffle": False}),
        )
    }
    data = {"name": "swings", "inputs": {"inertial": (32, 6)}, "num_classes": CLASSES, "num_train": CLIPS}
    return Runner(
        model={"type": Distillation, "data": data, "student": {"type": Classical, "features": "inertial"}},
        work_dir=str(folder),
        train_dataloader=loaders["train"],
        test_dataloader=loaders["test"],
        train_cfg={"type": FitLoop, **train_cfg},
        test_cfg={},
        test_evaluator={"type": TopK},
        optim_wrapper={"type": PrecisionOptimWrapper, "optimizer": {"type": torch.optim.SGD, "lr": 0.0}},
        custom_hooks=[{"type": RecordResult}],
        default_hooks={"log": None},
        log_level=logging.WARNING,
        randomness={"seed": 0},
        experiment_name=folder.name,
        cfg=Config({"model": {"student": {}}}),
    )


def test_every_clip_is_read_once_as_test_clips_are_prepared(tmp_path: Path) -> None:
    run = runner(tmp_path)
    run.train()
    clips = Shaken()
    x = torch.as_tensor(np.stack([2 * clips.load(i)["inputs"]["inertial"] for i in range(CLIPS)]))
    wanted = Classical("inertial", CLASSES)
    wanted.fit(wanted.features(x).numpy(), np.eye(CLASSES)[clips.targets], clips.subjects)
    student = run.model.student
    torch.testing.assert_close(student.state_dict(), wanted.state_dict(), atol=1e-4, rtol=1e-3)
    assert (run.epoch, run.iter) == (1, 3)
    assert final_test(run)["top1"] == 100
    assert (tmp_path / "student.safetensors").is_file()
    result = (tmp_path / "result.yml").read_text(encoding="utf-8")
    assert "num_labelled: 24" in result
    assert f"params: {sum(p.numel() for p in student.parameters())}" in result


def test_clips_without_a_label_are_left_out(tmp_path: Path) -> None:
    run = runner(tmp_path, unknown=6)
    with patch.object(Classical, "fit", return_value={}) as fit:
        run.train()
    features, targets, groups = fit.call_args.args
    assert len(features) == len(targets) == len(groups) == CLIPS - 6
    assert np.array_equal(targets.argmax(1), np.arange(6, CLIPS) % CLASSES)
    assert set(groups) == {1, 2, 3}


def test_a_run_that_has_fitted_does_not_fit_again(tmp_path: Path) -> None:
    runner(tmp_path).train()
    again = runner(tmp_path)
    again._resume = True
    with patch.object(Classical, "fit", side_effect=AssertionError("fitted again")):
        again.train()
    assert again.epoch == 1


def test_more_than_one_pass_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="max_epochs=3; a fit in one pass has 1"):
        runner(tmp_path, max_epochs=3).train()
