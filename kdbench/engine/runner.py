"""mmengine's Runner with checkpoints that survive a kill, exact resume, and little cost in a step."""

import functools
import itertools
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dist import all_gather_object, broadcast_object_list, is_distributed
from mmengine.hooks import Hook
from mmengine.logging import HistoryBuffer
from mmengine.registry import RUNNERS
from mmengine.runner import Runner as MMEngineRunner
from mmengine.runner.base_loop import BaseLoop
from torch import nn
from torch.utils.data import DataLoader

from .. import __version__
from ..compat import collect_environment
from ..registry import DATASETS, HOOKS, MODELS, build
from ..weights import load_weights
from .checkpoint import CheckpointError, add_checkpoint, is_checkpoint, newest_checkpoint, read_checkpoint
from .hooks import unwrapped
from .loop import TrainLoop, Turns
from .modalities import read_only

# A config's default_hooks is laid over these; None takes one away.
DEFAULT_HOOKS: dict[str, dict[str, Any]] = {
    "log": {"type": "Log"},
    "param_scheduler": {"type": "ParamSchedulerHook"},
    "checkpoint": {"type": "CheckpointHook"},
    "non_finite": {"type": "NonFiniteGuard"},
    "teacher": {"type": "TeacherGuard"},
    "speedup": {"type": "SpeedUpTeacher"},
    "targets": {"type": "ProvideTargets"},
    "substitutes": {"type": "ReportSubstitutes"},
    "norms": {"type": "SyncNorms"},
    "signals": {"type": "SignalHook"},
}
_BUILT = itertools.count()


_STOPS = (signal.SIGTERM, signal.SIGUSR1)


class _Loader(DataLoader):
    """Starts workers with these signals held back: one that comes before a worker ignores them must not end it."""

    def __iter__(self) -> Any:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
        try:
            return super().__iter__()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_worker(worker: int, then: Callable[[int], None] | None) -> None:
    """A loader's worker leaves the answer to signals to the process that trains."""
    for number in _STOPS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)
    if then is not None:
        then(worker)


@RUNNERS.register_module(name="KDBenchRunner")
class Runner(MMEngineRunner):
    """Trains, validates and tests; see mmengine's Runner for the configuration.

    Differences: the default hooks (``DEFAULT_HOOKS``), ``TrainLoop``, models that initialise themselves
    (``init_weights`` is not called), checkpoints (``checkpoint.py``), and a resumed run ends with the bits of an
    uninterrupted one; data sets yield only what the model reads.

    ``load_from`` with ``resume=True`` is a checkpoint or a folder of them; ``resume=True`` alone goes on from the
    newest whole checkpoint in ``work_dir``, if there is one.
    """

    takes_turns = False  # whether ``turns`` trains, and not ``train``

    def setup_env(self, env_cfg: dict) -> None:
        """Set up processes; two runners that one process builds in the same second do not share their logs."""
        super().setup_env(env_cfg)
        built = next(_BUILT)
        if built:
            self._timestamp += f"_{built}"

    def _log_env(self, env_cfg: dict) -> None:
        lines = [f"{name}: {value}" for name, value in {**collect_environment(), **env_cfg}.items()]
        (Path(self._log_dir) / "environment.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        self.logger.info(
            f"kdbench {__version__}, torch {torch.__version__}, {self.world_size} process(es), seed {self.seed}; "
            f"everything else is in {self._log_dir}"
        )

    def get_hooks_info(self) -> str:
        """The hooks in their order."""
        return ", ".join(type(hook).__name__ for hook in self._hooks)

    @property
    def is_training(self) -> bool:
        """Whether this run trains."""
        return isinstance(self._train_loop, BaseLoop)

    def build_model(self, model: nn.Module | dict) -> nn.Module:
        """Build a model by its class or its name; what it reads settles what the data sets decode."""
        model = build(MODELS, model) if isinstance(model, dict) else super().build_model(model)
        if hasattr(model, "reads"):
            read_only([self._train_dataloader, self._val_dataloader, self._test_dataloader], model.reads)
        return model

    def turns(self) -> Turns:
        """What ``train`` does, with a pause once all is set up and after each batch: several runs can take turns."""
        self.takes_turns = True
        self.train()
        self.takes_turns = False
        yield
        yield from self.train_loop.turns()
        self.call_hook("after_run")

    def _init_model_weights(self) -> None:
        """Nothing: a model has its weights once it is built, and data-parallel wrapping spreads those of rank 0."""

    def build_train_loop(self, loop: Any) -> Any:
        """Build our loop unless the config names another."""
        if not isinstance(loop, dict) or "type" in loop:
            return super().build_train_loop(loop)
        loop = dict(loop)
        if not loop.pop("by_epoch", True):
            raise ValueError(
                "train_cfg asks for by_epoch=False; there is: max_epochs (and Ramp and saving by steps)"
            )
        return TrainLoop(self, self._train_dataloader, **loop)

    @staticmethod
    def build_dataloader(
        dataloader: DataLoader | dict, seed: int | None = None, diff_rank_seed: bool = False
    ) -> DataLoader:
        """Build a loader; the sampler learns the batch size, workers leave signals alone, a GPU gets pinned memory."""
        if isinstance(dataloader, dict) and torch.cuda.is_available():
            dataloader = {"pin_memory": True, **dataloader}
        if isinstance(dataloader, dict) and isinstance(dataloader.get("dataset"), dict):
            dataloader = {**dataloader, "dataset": build(DATASETS, dataloader["dataset"])}
        loader = MMEngineRunner.build_dataloader(dataloader, seed, diff_rank_seed)
        if hasattr(loader.sampler, "skip"):
            loader.sampler.batch_size = loader.batch_size
        loader.worker_init_fn = functools.partial(_start_worker, then=loader.worker_init_fn)
        loader.__class__ = _Loader  # mmengine builds the plain one itself
        return loader

    def register_default_hooks(self, hooks: Mapping[str, Hook | dict | None] | None = None) -> None:
        """Register ``DEFAULT_HOOKS``, with those of the config in their place."""
        chosen = {**DEFAULT_HOOKS, **(hooks or {})}
        for name, hook in chosen.items():
            if isinstance(hook, dict) and "type" not in hook:
                hook = {**DEFAULT_HOOKS.get(name, {}), **hook}
            if hook is not None:
                self.register_hook(hook)

    def register_hook(self, hook: Hook | dict, priority: Any = None) -> None:
        """Register a hook by its class or its name."""
        if isinstance(hook, dict):
            hook = dict(hook)
            own = hook.pop("priority", None)
            priority, hook = priority if priority is not None else own, build(HOOKS, hook)
        super().register_hook(hook, priority)

    def call_hook(self, fn_name: str, **kwargs: Any) -> None:
        """Call a stage of those hooks that have it; which ones is looked up once."""
        if self.takes_turns and fn_name == "after_run":
            return
        for method in self._methods(fn_name):
            method(self, **kwargs)

    def _methods(self, stage: str) -> list[Callable]:
        cache = self.__dict__.setdefault("_stage_methods", {})
        key = (stage, len(self._hooks))
        if key not in cache:
            cache[key] = [getattr(hook, stage) for hook in self._hooks if _acts(hook, stage)]
        return cache[key]

    def save_checkpoint(self, keep: int | None = None) -> Path:  # type: ignore[override]
        """Save the present state in ``work_dir`` (all processes call this), and keep the last ``keep`` files.

        Only a stage in which all counters agree may call it: ``after_step``, ``after_round``, validation.
        """
        self.call_hook("before_state")
        rng = self.train_loop.rng_state()
        tree = self._state(all_gather_object(rng) if is_distributed() else [rng])
        if self.rank == 0:
            self.call_hook("before_save_checkpoint", checkpoint=tree)
            keep = keep or self._keep
            return add_checkpoint(Path(self.work_dir), self.iter, tree, keep)
        return Path(self.work_dir)

    @property
    def _keep(self) -> int:
        return max([getattr(hook, "keep", 1) for hook in self._hooks], default=1)

    def _state(self, rng: list[dict[str, Any]]) -> dict[str, Any]:
        scalars = self.message_hub.state_dict()["log_scalars"]
        return {
            "meta": {
                "kdbench": __version__,
                "torch": torch.__version__,
                **self._identity,
                **self.train_loop.position,
            },
            "state_dict": unwrapped(self.model).state_dict(),
            "optimizer": self.optim_wrapper.state_dict(),
            "param_schedulers": [_plain(scheduler.state_dict()) for scheduler in self.param_schedulers or []],
            "message_hub": {name: buffer.data for name, buffer in scalars.items()},
            "hooks": {type(h).__name__: h.state_dict() for h in self._hooks if hasattr(h, "state_dict")},
            "rng": rng,
        }

    @property
    def _identity(self) -> dict[str, Any]:
        """What a run shares with the checkpoints that it may go on from; ``config`` is the hash of its settings."""
        row, cache = self.cfg.get("row") or {}, self.cfg.get("teacher_cache") or {}
        precision = getattr(self.optim_wrapper, "dtype", None) or torch.float32
        speedup = getattr(unwrapped(self.model), "teacher_speedup", None)
        return {
            "seed": self.seed,
            "config": row.get("sha256"),
            "precision": str(precision).removeprefix("torch."),
            "global_batch": self.train_dataloader.batch_size * self.world_size,
            "teacher_cache": cache.get("key"),
            "teacher_speedup": None if speedup is None else str(speedup),
        }

    def load_or_resume(self) -> None:
        """Load what ``resume`` and ``load_from`` ask for, once."""
        if self._has_loaded:
            return
        source = self._load_from
        if self._resume and (source is None or Path(source).is_dir()):
            source = self._newest(Path(source or self.work_dir), is_asked_for=source is not None)
        if self._resume and source is not None:
            self.resume(str(source))
        elif source is not None:
            self.load_checkpoint(str(source))
        self._has_loaded = True

    def _newest(self, folder: Path, is_asked_for: bool) -> Path | None:
        """The newest whole checkpoint; the first process chooses for all."""
        found = [newest_checkpoint(folder, self.logger.warning) if self.rank == 0 else None]
        broadcast_object_list(found)
        if found[0] is None and is_asked_for:
            raise CheckpointError(
                f"there is no checkpoint in {folder}; without --resume training starts from scratch"
            )
        if found[0] is None:
            self.logger.info(f"there is no checkpoint in {folder}: training starts from scratch")
        return found[0]

    def resume(self, filename: str, **_: Any) -> None:
        """Put everything into the state of a checkpoint. Nothing in it is executed."""
        state = read_checkpoint(filename)
        meta = state["meta"]
        other = [
            f"{name} {meta[name]} (now {value})"
            for name, value in self._identity.items()
            if meta.get(name, value) != value  # checkpoints of earlier versions say less
        ]
        if other:
            raise CheckpointError(
                f"{filename} is of a run with {', '.join(other)}; give the same to resume it, or train anew in "
                "another --work-dir"
            )
        self.call_hook("after_load_checkpoint", checkpoint=state)
        try:
            unwrapped(self.model).load_state_dict(state["state_dict"])
            self.optim_wrapper.load_state_dict(state["optimizer"])
        except (RuntimeError, ValueError) as error:
            raise CheckpointError(f"{filename} does not fit the model of this run: {error}") from error
        for scheduler, values in zip(self.param_schedulers or [], state["param_schedulers"], strict=True):
            scheduler.load_state_dict(values)
        self._restore_history(state["message_hub"])
        for hook in self._hooks:
            if type(hook).__name__ in state["hooks"] and hasattr(hook, "load_state_dict"):
                hook.load_state_dict(state["hooks"][type(hook).__name__])
        rng = state["rng"]
        self.train_loop.go_to(meta, rng[self.rank] if self.rank < len(rng) else None)
        self._has_loaded = True
        self.logger.info(
            f"going on after step {self.iter} of {self.max_iters} (epoch {self.epoch}) from {filename}"
        )

    def _restore_history(self, scalars: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> None:
        buffers = {name: HistoryBuffer(values, counts) for name, (values, counts) in scalars.items()}
        state = {"log_scalars": buffers, "runtime_info": {}, "resumed_keys": dict.fromkeys(buffers, True)}
        self.message_hub.load_state_dict(state)

    def load_checkpoint(self, filename: str, *_: Any, **__: Any) -> dict[str, Any]:
        """Load the model alone, from a checkpoint, or the student's weights (``student.safetensors``, ``.pth``)."""
        model = unwrapped(self.model)
        state: dict[str, Any] = {}
        if is_checkpoint(filename):
            state = read_checkpoint(filename)
            self.call_hook("after_load_checkpoint", checkpoint=state)
            try:
                model.load_state_dict(state["state_dict"])
            except RuntimeError as error:
                raise CheckpointError(f"{filename} does not fit the model of this run: {error}") from error
        else:
            load_weights(getattr(model, "student", model), filename)
        self._has_loaded = True
        self.logger.info(f"loaded {filename}")
        return state


def _acts(hook: Hook, stage: str) -> bool:
    """Whether the hook does more in this stage than mmengine's base class, which does nothing or calls the next."""
    own, base = getattr(type(hook), stage, None), getattr(Hook, stage, None)
    if own is None or own is not base:
        return own is not None
    for mode in ("train", "val", "test"):
        inner = stage.replace(f"_{mode}_", "_")
        if inner != stage and getattr(type(hook), f"_{inner}", None) is not getattr(Hook, f"_{inner}", None):
            return True
    return False


def _plain(state: Mapping[str, Any]) -> dict[str, Any]:
    """A scheduler's state without its functions, which come from the config."""
    return {name: value for name, value in state.items() if not callable(value)}
