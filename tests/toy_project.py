"""A folder with a tiny data set, networks and rows, for tests that run whole commands."""

import io
import os
import runpy
import subprocess
import sys
import warnings
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

ROOT = Path(__file__).parent.parent

FILES = {
    "toykit.py": '''
"""Waves of three classes, told apart by their frequency; the inertial view of them is noisier."""

import os

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from torch import nn

from kdbench.datasets.base import ClipDataset
from kdbench.distillers.base import Distiller
from kdbench.registry import BACKBONES, DATASETS, DISTILLERS, METRICS
from kdbench.spec import InvalidDataError


@DATASETS.register_module()
class Waves(ClipDataset):
    def __init__(self, split="train", num_clips=24, noise=1.0, labelled=None, protocol="fixed", transforms=()):
        super().__init__(transforms)
        if os.environ.get("TOY_DATA") == "absent":
            raise InvalidDataError("waves.npz is missing; make it with tools/prepare/waves.py")
        self.split, self.num_clips, self.noise = split, num_clips, noise
        self._targets = np.arange(num_clips) % 3
        if labelled:
            self._targets[int(labelled["fraction"] * num_clips):] = -100

    @property
    def targets(self):
        return self._targets

    def __len__(self):
        return self.num_clips

    def load(self, index):
        rng = np.random.default_rng([("train", "val", "test").index(self.split), index])
        wave = np.sin(np.linspace(0, 3 + 4 * (index % 3), 16) + rng.uniform(0, 1))
        clip = wave[:, None] + rng.normal(0, 0.3, (16, 6))
        inputs = {"skeleton": clip[:8, :, None].repeat(3, 2), "inertial": clip + rng.normal(0, self.noise, clip.shape)}
        inputs = {name: value.astype("float32") for name, value in inputs.items()}
        return {"inputs": inputs, "target": int(self._targets[index])}


class _Net(nn.Module):
    taps = {"embedding": "fc:in"}

    def __init__(self, size, num_classes, width):
        super().__init__()
        self.body, self.fc = nn.Linear(size, width), nn.Linear(width, num_classes)

    def forward(self, clip):
        return self.fc(torch.relu(self.body(clip.flatten(1))))


@BACKBONES.register_module()
class WaveSkeleton(_Net):
    reads = ("skeleton",)

    def __init__(self, num_classes, width=16):
        super().__init__(144, num_classes, width)


@BACKBONES.register_module()
class WaveInertial(_Net):
    reads = ("inertial",)

    def __init__(self, num_classes, width=8, scale=1.0):
        super().__init__(96, num_classes, width)
        self.scale = scale

    def forward(self, clip):
        return super().forward(clip) * self.scale


@DISTILLERS.register_module()
class WaveKD(Distiller):
    """Toy distillation (Nobody et al., NOWHERE 2000)."""

    def __init__(self, tau=4.0):
        super().__init__()
        self.tau = tau

    def forward(self, student, teacher, batch):
        s, t = ((f.logits / self.tau).log_softmax(1) for f in (student, teacher))
        return {"loss_kd": nn.functional.kl_div(s, t, log_target=True, reduction="batchmean")}


@DISTILLERS.register_module()
class WaveHint(Distiller):
    """Toy hints (Nobody et al., NOWHERE 2001)."""

    def __init__(self, weight=1.0):
        super().__init__()
        self.weight = weight

    def forward(self, student, teacher, batch):
        return {"loss_hint": self.weight * (student.logits - teacher.logits).square().mean()}


@METRICS.register_module()
class WaveAccuracy(BaseMetric):
    def process(self, data_batch, data_samples):
        self.results += [int(s["score"].argmax() == s["target"]) for s in data_samples]

    def compute_metrics(self, results):
        return {"top1": 100 * sum(results) / len(results)}
''',
    "configs/_base_/runtime.py": '''
"""Runtime."""
default_hooks = dict(log=dict(interval=2))
log_level = "WARNING"
randomness = dict(seed=0)
''',
    "configs/_base_/schedules/short.py": '''
"""Two epochs."""
from mmengine.optim import CosineAnnealingLR
from torch.optim import AdamW

from kdbench.engine import PrecisionOptimWrapper

train_cfg = dict(max_epochs=2, val_interval=1)
val_cfg = dict()
test_cfg = dict()
optim_wrapper = dict(type=PrecisionOptimWrapper, optimizer=dict(type=AdamW, lr=0.01), clip_grad=dict(max_norm=5.0))
param_scheduler = [dict(type=CosineAnnealingLR, T_max=2, by_epoch=True)]
''',
    "configs/_base_/datasets/waves.py": '''
"""Waves, all labels."""
from mmengine.dataset import DefaultSampler, default_collate
from toykit import WaveAccuracy, Waves

from kdbench.datasets.sampling import EpochSampler

data = dict(name="waves", inputs=dict(skeleton=(8, 6, 3), inertial=(16, 6)), num_classes=3, num_train=24)
train_dataloader = dict(
    batch_size=8, num_workers=0, collate_fn=default_collate, sampler=dict(type=EpochSampler),
    dataset=dict(type=Waves, split="train"),
)
val_dataloader = dict(
    batch_size=8, num_workers=0, collate_fn=default_collate, sampler=dict(type=DefaultSampler, shuffle=False),
    dataset=dict(type=Waves, split="val", num_clips=12),
)
test_dataloader = dict(
    batch_size=8, num_workers=0, collate_fn=default_collate, sampler=dict(type=DefaultSampler, shuffle=False),
    dataset=dict(type=Waves, split="test", num_clips=12),
)
val_evaluator = dict(type=WaveAccuracy)
test_evaluator = dict(type=WaveAccuracy)
smoke = {"train_dataloader.dataset.num_clips": 12, "train_cfg.max_epochs": 1}
teacher_weights = "work_dirs/baseline/waves_{part}/seed{seed}/student.safetensors"
''',
    "configs/_base_/models/skeleton.py": '''
"""Skeleton networks."""
from toykit import WaveSkeleton

wave_skeleton = dict(type=WaveSkeleton)
wave_skeleton_wide = dict(type=WaveSkeleton, width=32, weights="zoo/wide-{seed}.safetensors")
_helper = dict(type=WaveSkeleton)
''',
    "configs/_base_/models/inertial.py": '''
"""Inertial networks."""
from toykit import WaveInertial

wave_inertial = dict(type=WaveInertial)
wave_inertial_wide = dict(type=WaveInertial, width=24)
''',
    "configs/_base_/distillers/toys.py": '''
"""Distillers as they were published."""
from toykit import WaveHint, WaveKD

wave_kd = dict(type=WaveKD, tau=4.0)
wave_hint = dict(type=WaveHint, distill_weight=100.0)
''',
    "configs/baseline/waves_wave_skeleton.py": '''
"""Skeleton network alone."""
from mmengine.config import read_base

with read_base():
    from .._base_.datasets.waves import *
    from .._base_.models.skeleton import wave_skeleton as student
    from .._base_.runtime import *
    from .._base_.schedules.short import *

from kdbench.models import Distillation

model = dict(type=Distillation, data=data, student=student)
''',
    "configs/baseline/waves_wave_inertial.py": '''
"""Inertial network alone."""
from mmengine.config import read_base

with read_base():
    from .._base_.datasets.waves import *
    from .._base_.models.inertial import wave_inertial as student
    from .._base_.runtime import *
    from .._base_.schedules.short import *

from kdbench.models import Distillation

model = dict(type=Distillation, data=data, student=student)
''',
    "configs/wave_kd/waves_wave_skeleton_wave_inertial.py": '''
"""Toy distillation from skeletons to inertial signals."""
from mmengine.config import read_base

with read_base():
    from .._base_.datasets.waves import *
    from .._base_.models.inertial import wave_inertial as student
    from .._base_.models.skeleton import wave_skeleton as teacher
    from .._base_.runtime import *
    from .._base_.schedules.short import *

from toykit import WaveKD

from kdbench.models import Distillation

distiller = dict(type=WaveKD, tau=3.0)
model = dict(type=Distillation, data=data, teacher=teacher, student=student, distiller=distiller)
''',
}

TEACHER = "configs/baseline/waves_wave_skeleton.py"
ALONE = "configs/baseline/waves_wave_inertial.py"
ROW = "configs/wave_kd/waves_wave_skeleton_wave_inertial.py"


def write_project(folder: Path) -> Path:
    """Write the files below ``folder``."""
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.lstrip(), encoding="utf-8")
    return folder


class Done(NamedTuple):
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


def command(folder: Path, tool: str, *arguments: str, **environment: str) -> Done:
    """Run a tool in ``folder``, in this process, which saves the seconds that imports take."""
    out, err = io.StringIO(), io.StringIO()
    paths, here = [str(ROOT / "tools"), str(folder), *sys.path], Path.cwd()
    with ExitStack() as stack:
        stack.enter_context(patch.object(sys, "argv", [f"tools/{tool}.py", *arguments]))
        stack.enter_context(patch.object(sys, "path", paths))
        stack.enter_context(patch.dict(os.environ, environment))
        stack.enter_context(warnings.catch_warnings())
        stack.enter_context(redirect_stdout(out))
        stack.enter_context(redirect_stderr(err))
        stack.callback(os.chdir, here)
        warnings.simplefilter("ignore")
        os.chdir(folder)
        try:
            runpy.run_path(str(ROOT / "tools" / f"{tool}.py"), run_name="__main__")
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
    return Done(code, out.getvalue(), err.getvalue())


def process(folder: Path, tool: str, *arguments: str) -> subprocess.CompletedProcess:
    """Run a tool in ``folder`` as a process of its own."""
    return subprocess.run(
        [sys.executable, str(ROOT / "tools" / f"{tool}.py"), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}", "OMP_NUM_THREADS": "1"},
    )
