"""Training through mmengine's Runner: exact resume, atomic checkpoints, guards."""

from .checkpoint import CheckpointError, read_checkpoint, save_weights, write_checkpoint
from .fit import FitLoop
from .hooks import (
    CheckpointHook,
    DivergedError,
    NonFiniteGuard,
    ProvideTargets,
    Ramp,
    SignalHook,
    SyncNorms,
    TeacherChangedError,
    TeacherGuard,
)
from .log import Log
from .loop import TrainLoop
from .optim import PrecisionOptimWrapper
from .runner import Runner
from .speedup import SpeedUpTeacher
from .substitutes import ReportSubstitutes

__all__ = [
    "CheckpointError",
    "CheckpointHook",
    "DivergedError",
    "FitLoop",
    "Log",
    "NonFiniteGuard",
    "PrecisionOptimWrapper",
    "ProvideTargets",
    "Ramp",
    "ReportSubstitutes",
    "Runner",
    "SignalHook",
    "SpeedUpTeacher",
    "SyncNorms",
    "TeacherChangedError",
    "TeacherGuard",
    "TrainLoop",
    "read_checkpoint",
    "save_weights",
    "write_checkpoint",
]
