"""What watches a training run: checkpoints, signals, broken numbers, the teacher, weights that change over time."""

import hashlib
import math
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import all_reduce, is_distributed
from mmengine.hooks import Hook
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ..registry import HOOKS, near
from ..spec import KDBenchError
from .checkpoint import checkpoints, save_weights

STUDENT_FILE = "student.safetensors"
DISTILLER_FILE = "distiller.safetensors"
EXIT_PREEMPTED = 75  # "temporary failure" of sysexits.h: schedulers start the job again
ALL_RANKS_EVERY = 10  # steps between two questions to the other processes


class DivergedError(KDBenchError):
    """A loss or a weight is not finite."""

    exit_code = 4


class TeacherChangedError(KDBenchError):
    """The teacher was trained, or is not in eval mode."""


def unwrapped(model: nn.Module) -> nn.Module:
    """The model without its data-parallel wrapper."""
    return getattr(model, "module", model)


def _anywhere(flag: bool) -> bool:
    """Whether the flag is set in any process."""
    if not is_distributed():
        return flag
    flags = torch.tensor(float(flag))
    all_reduce(flags, "max")
    return bool(flags)


@HOOKS.register_module()
class CheckpointHook(Hook):
    """Saves every ``epochs`` epochs (after their validation), every ``steps`` steps and at the end.

    The last ``keep`` files stay. At the end of training the student alone is written as ``student.safetensors``, and
    the distiller as ``distiller.safetensors`` if a later row needs it (``is_kept``).
    """

    priority = "VERY_LOW"

    def __init__(self, epochs: int | None = 1, steps: int | None = None, keep: int = 2):
        self.epochs, self.steps, self.keep = epochs, steps, keep
        self._saved_at = -1

    def before_train(self, runner: Any) -> None:
        self._saved_at = runner.iter
        if runner.iter == 0 and runner.rank == 0 and (earlier := checkpoints(runner.work_dir)):
            runner.logger.warning(
                f"{runner.work_dir} has checkpoints of an earlier run, the last of them {earlier[0].name}; this run "
                "begins anew and deletes them; --resume goes on from them"
            )

    def after_step(self, runner: Any) -> None:
        """Save after every so many steps."""
        if self.steps and runner.iter - self._saved_at >= self.steps:
            self._save(runner)

    def after_round(self, runner: Any) -> None:
        """Save after every so many epochs."""
        if runner.epoch == runner.max_epochs or (self.epochs and runner.epoch % self.epochs == 0):
            self._save(runner)

    def _save(self, runner: Any) -> None:
        runner.save_checkpoint(keep=self.keep)
        self._saved_at = runner.iter

    def after_train(self, runner: Any) -> None:
        model, folder = unwrapped(runner.model), Path(runner.work_dir)
        about = {"seed": runner.seed, "epochs": runner.epoch}
        if hasattr(model, "student") and runner.rank == 0:
            save_weights(folder / STUDENT_FILE, model.student.state_dict(), about)
        if getattr(getattr(model, "distiller", None), "is_kept", False) and runner.rank == 0:
            save_weights(folder / DISTILLER_FILE, model.distiller.state_dict(), about)


@HOOKS.register_module()
class SignalHook(Hook):
    """On SIGTERM or SIGUSR1: finish the step, save, exit with 75. Resuming goes on as if nothing had been.

    Where several runs share a process, that process listens (``listens`` is False) and calls ``ask`` of each.
    """

    priority = "LOWEST"
    signals = (signal.SIGTERM, signal.SIGUSR1)

    def __init__(self):
        self.listens, self._is_asked, self._is_training = True, False, False
        self._before: dict[int, Any] = {}

    def before_train(self, runner: Any) -> None:
        self._is_training = True
        try:
            if self.listens:
                self._before = {number: signal.signal(number, self.ask) for number in self.signals}
        except ValueError:  # not the main thread: whoever runs us handles signals
            self._before = {}

    def ask(self, *_: Any) -> None:
        """Have the run save and leave as soon as it can."""
        self._is_asked = True

    def after_step(self, runner: Any) -> None:
        """Leave if asked to; several processes leave together."""
        if not is_distributed():
            if self._is_asked:
                self._leave(runner)
        elif runner.iter % ALL_RANKS_EVERY == 0 and _anywhere(self._is_asked):
            self._leave(runner)

    def after_val_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        # Several processes may have different numbers of validation batches; they leave after the next step.
        if self._is_asked and self._is_training and not is_distributed():
            self._leave(runner)

    def _leave(self, runner: Any) -> None:
        runner.save_checkpoint()
        runner.logger.warning(f"stopped by a signal after step {runner.iter}; go on with --resume")
        runner.visualizer.close()
        raise SystemExit(EXIT_PREEMPTED)

    def after_train(self, runner: Any) -> None:
        self._is_training = False
        for number, handler in self._before.items():
            signal.signal(number, handler)


@HOOKS.register_module()
class NonFiniteGuard(Hook):
    """Stops training (``DivergedError``) when a loss or a weight is not finite, before that can be saved.

    Losses are looked at every ``interval`` steps, all at once, so the device is not made to wait; the message names the
    first bad step and its sample ids.
    """

    priority = "ABOVE_NORMAL"

    def __init__(self, interval: int = ALL_RANKS_EVERY):
        self.interval = interval
        self._recent: list[tuple[int, Any, Tensor]] = []

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Mapping[str, Any] | None = None
    ) -> None:
        index = data_batch.get("index") if isinstance(data_batch, Mapping) else None
        if outputs and "loss" in outputs:
            self._recent.append((runner.iter + 1, index, outputs["loss"].detach()))
        if len(self._recent) >= self.interval:
            self._look_at_losses(runner)

    def _look_at_losses(self, runner: Any) -> None:
        recent, self._recent = self._recent, []
        values = torch.stack([loss.float() for *_, loss in recent]).tolist() if recent else []
        broken = [k for k, value in enumerate(values) if not math.isfinite(value)]
        if _anywhere(bool(broken)):
            if not broken:
                raise DivergedError("the loss of another process is not finite")
            step, index, _ = recent[broken[0]]
            self._stop(runner, f"the loss is {values[broken[0]]} in step {step}", index)

    def before_state(self, runner: Any) -> None:
        """Look once more before a checkpoint is taken."""
        index = self._recent[-1][1] if self._recent else None
        self._look_at_losses(runner)
        state = unwrapped(runner.model).state_dict()
        broken = [
            name for name, value in state.items() if value.is_floating_point() and not value.isfinite().all()
        ]
        if broken:
            self._stop(
                runner, f"after step {runner.iter} the weights {', '.join(broken[:3])} are not finite", index
            )

    def after_train_epoch(self, runner: Any) -> None:
        self._look_at_losses(runner)

    @staticmethod
    def _stop(runner: Any, what: str, index: Any) -> None:
        samples = index.tolist() if isinstance(index, Tensor) else index
        is_kept = any(Path(runner.work_dir).glob("step_*"))
        kept = (
            f"the last good checkpoint stays in {runner.work_dir}" if is_kept else "no checkpoint was due yet"
        )
        raise DivergedError(f"{what}; samples of that batch: {samples}; {kept}")


@HOOKS.register_module()
class TeacherGuard(Hook):
    """Watches that the teacher stays in eval mode, gets no gradient and keeps its weights (``TeacherChangedError``)."""

    def __init__(self):
        self._digest, self._versions = "", []

    def before_train(self, runner: Any) -> None:
        if (teacher := self._teacher(runner)) is not None:
            self._digest, self._versions = _digest(teacher), _versions(teacher)

    def after_train_epoch(self, runner: Any) -> None:
        teacher = self._teacher(runner)
        if teacher is None:
            return
        problems = {
            "is in train mode": any(module.training for module in teacher.modules()),
            "takes gradients": any(p.requires_grad or p.grad is not None for p in teacher.parameters()),
            # Runs that share one may have got it with others of these counts, which a checkpoint raises too.
            "has changed weights": _versions(teacher) != self._versions and _digest(teacher) != self._digest,
        }
        self._refuse([what for what, is_so in problems.items() if is_so])

    def after_train(self, runner: Any) -> None:
        teacher = self._teacher(runner)
        if teacher is not None and _digest(teacher) != self._digest:
            self._refuse(["has changed weights"])

    @staticmethod
    def _teacher(runner: Any) -> nn.Module | None:
        return getattr(unwrapped(runner.model), "teacher", None)

    @staticmethod
    def _refuse(problems: list[str]) -> None:
        if problems:
            raise TeacherChangedError(f"the teacher {' and '.join(problems)}; a teacher only looks on")


def _digest(module: nn.Module) -> str:
    digest = hashlib.sha256()
    for value in module.state_dict().values():
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def _versions(module: nn.Module) -> list[int]:
    """How often each tensor was changed in place."""
    return [tensor._version for tensor in (*module.parameters(), *module.buffers())]


@HOOKS.register_module()
class SyncNorms(Hook):
    """Averages the running statistics of batch norms over the processes when an epoch ends, before they are used.

    Each process saw its own batches. Inside an epoch a checkpoint holds those of the first one; training reads none.
    """

    priority = "VERY_HIGH"

    def after_train_epoch(self, runner: Any) -> None:
        if not is_distributed():
            return
        for module in runner.model.modules():
            # A teacher's are in eval mode, and equal everywhere.
            if isinstance(module, _BatchNorm) and module.training and module.track_running_stats:
                all_reduce(module.running_mean, "mean")
                all_reduce(module.running_var, "mean")


@HOOKS.register_module()
class ProvideTargets(Hook):
    """Gives the training labels that may be used to every part of the distiller that asks (``set_targets``)."""

    def before_run(self, runner: Any) -> None:
        distiller = getattr(unwrapped(runner.model), "distiller", None)
        askers = (
            [m for m in distiller.modules() if hasattr(m, "set_targets")] if distiller is not None else []
        )
        if askers and runner.is_training:
            targets = runner.train_dataloader.dataset.targets
            for asker in askers:
                asker.set_targets(targets)


def _linear(done: float) -> float:
    return done


def _cosine(done: float) -> float:
    return (1 - math.cos(math.pi * done)) / 2


def _sigmoid(done: float) -> float:
    """The ramp-up exp(-5 (1 - t)^2) of Laine & Aila, ICLR 2017."""
    return math.exp(-5 * (1 - done) ** 2)


CURVES: dict[str, Callable[[float], float]] = {"linear": _linear, "cosine": _cosine, "sigmoid": _sigmoid}


@HOOKS.register_module()
class Ramp(Hook):
    """Moves a number from ``start`` to ``end`` between two times, in epochs (fractions count) or in steps.

    ``path`` leads from the runner to it, e.g. ``"model.distill_weight"`` or ``"model.distiller.tau"``. Before
    ``begin`` it is ``start``, after ``until`` it is ``end``; ``curve`` is linear, cosine or sigmoid (which jumps from
    ``start`` by 0.7 % of the way). The value depends on the time only, so a resumed run has it too. A weight that is
    0 in the config has no term that could grow: give it one there, whatever ``start`` is.
    """

    def __init__(
        self,
        path: str,
        start: float,
        end: float,
        until: float,
        begin: float = 0,
        by_epoch: bool = True,
        curve: str = "linear",
    ):
        if curve not in CURVES:
            raise ValueError(f"no curve is called '{curve}'; {near(curve, CURVES)}")
        if until <= begin:
            raise ValueError(f"a ramp needs until > begin; there is: begin={begin}, until={until}")
        self.path, self.start, self.end = path, start, end
        self.begin, self.until, self.by_epoch, self.curve = begin, until, by_epoch, CURVES[curve]
        self._owner, self._name = None, path.rpartition(".")[2]

    def value(self, time: float) -> float:
        """The number at a time in epochs or steps."""
        if time <= self.begin:
            return self.start
        done = min((time - self.begin) / (self.until - self.begin), 1.0)
        return self.start + (self.end - self.start) * self.curve(done)

    def before_train(self, runner: Any) -> None:
        owner: Any = runner
        for name in self.path.split(".")[:-1]:
            owner = unwrapped(_attribute(owner, name, self.path))
        number = _attribute(owner, self._name, self.path)
        if self._name in getattr(owner, "left_out", ()):
            raise ValueError(
                f"'{self.path}': this {type(owner).__name__} was built without '{self._name}', whose weight was 0; "
                "give it one in the config, as the ramp's end"
            )
        if isinstance(number, bool) or not isinstance(number, int | float | Tensor):
            raise ValueError(f"'{self.path}' is a {type(number).__name__}; a ramp moves a number")
        self._owner = owner

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        value = self.value(runner.iter / runner.train_loop.batches if self.by_epoch else runner.iter)
        number = getattr(self._owner, self._name)
        if isinstance(number, Tensor):
            number.data.fill_(value)
        else:
            setattr(self._owner, self._name, value)


def _attribute(owner: Any, name: str, path: str) -> Any:
    try:
        return getattr(owner, name)
    except AttributeError:
        known = [key for key in dir(owner) if not key.startswith("_")]
        raise ValueError(f"'{path}': a {type(owner).__name__} has no '{name}'; {near(name, known)}") from None
