"""The record of a run: what was trained on what, every metric, its cost and where it happened, as ``result.yml``."""

import datetime
import os
import resource
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import yaml
from mmengine.dist import all_gather_object, is_main_process
from mmengine.hooks import Hook
from torch import Tensor, nn

from ..atomic import write_text
from ..evaluation.cost import gflops, parameters
from ..records import PREDICTIONS_FILE, SCHEMA_VERSION, aside, index_hash, read_record, run_id, validated
from ..registry import HOOKS
from ..spec import InvalidDataError, is_labelled
from ..weights import file_hash
from . import environment, lineage
from .checkpoint import save_weights
from .hooks import STUDENT_FILE, unwrapped
from .lineage import RESULT_FILE
from .optim import settled

SELECTED_FILE = "predictions_selected.safetensors"
_LEADING_VIEWS = {"rgb": 5, "depth": 5, "audio": 4}  # dimensions (V, ...) of a modality that cameras share


@HOOKS.register_module()
class RecordResult(Hook):
    """Writes ``result.yml`` and the predictions after the final test (``final_test``).

    Where a validation split exists, the weights of the epoch with the best ``metric`` on it are kept, and tested too;
    the test split selects nothing. ``metric`` is by default the config's ``primary_metric``, else the first one. The
    record is written once, after the last of these tests; one that is there from before is set aside, never replaced.
    """

    priority = "LOW"  # before a checkpoint is taken, after everything that computes

    def __init__(self, metric: str | None = None):
        self.metric = metric
        self.selected: dict[str, Any] | None = None  # of the best validated epoch: epoch, value, state
        self.seconds = {"wall": 0.0, "cpu": 0.0}  # of training, those of resumed processes included
        self.epochs = self.steps = 0
        self.trained = self.selects = False
        self.testing_selected = False
        self.cohort: int | None = None  # how many runs share this process, where several do
        self._clocks = {"wall": 0.0, "cpu": 0.0}
        self._outputs: list[dict[str, Any]] = []
        self._result: dict[str, Any] = {}

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs."""
        return {"seconds": self._elapsed(), "selected": self.selected}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what ``state_dict`` returned."""
        self.seconds, self.selected = dict(state["seconds"]), state["selected"]
        self._clocks = clocks()

    def _elapsed(self) -> dict[str, float]:
        now = clocks()
        return {name: value + now[name] - self._clocks[name] for name, value in self.seconds.items()}

    def skip(self, seconds: Mapping[str, float]) -> None:
        """Do not count the last ``seconds``: another run had the process."""
        self._clocks = {name: value + seconds[name] for name, value in self._clocks.items()}

    def before_train(self, runner: Any) -> None:
        # An old result must not pass for that of this run, should it not end; a resume that was refused left it alone.
        if is_main_process():
            set_aside(Path(runner.work_dir))
        self._clocks, self.trained = clocks(), True
        self.selects = lineage.has_validation(runner.cfg)

    def after_val_epoch(self, runner: Any, metrics: Mapping[str, float] | None = None) -> None:
        if not self.selects or not metrics:
            return
        name = self._primary(runner, metrics)
        value = float(metrics[name])
        if self.selected is None or value > self.selected["value"]:
            state = {k: v.detach().cpu().clone() for k, v in unwrapped(runner.model).state_dict().items()}
            self.selected = {"epoch": runner.epoch, "metric": name, "value": value, "state": state}

    def after_train(self, runner: Any) -> None:
        self.seconds, self._clocks = self._elapsed(), clocks()
        self.epochs, self.steps = runner.epoch, runner.iter

    def before_test_epoch(self, runner: Any) -> None:
        self._outputs = []

    def after_test_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Sequence[Any] | None = None
    ) -> None:
        columns = ("score", "index", "target")
        self._outputs += [
            {key: _cpu(output[key]) for key in columns if key in output} for output in outputs or ()
        ]

    def after_test_epoch(self, runner: Any, metrics: Mapping[str, float] | None = None) -> None:
        outputs = [output for rank in all_gather_object(self._outputs) for output in rank]
        if not is_main_process():
            return
        folder = Path(runner.work_dir)
        numbers = {name: _plain(value) for name, value in (metrics or {}).items()}
        groups = recordings(runner.test_dataloader.dataset)
        if self.testing_selected:
            about = {key: self.selected[key] for key in ("epoch", "metric", "value")} if self.selected else {}
            saved = save_predictions(folder / SELECTED_FILE, outputs, groups)
            self._result["selected"] = {**about, "metrics": numbers, "predictions": saved}
        else:
            self._result = self._describe(runner, numbers)
            self._result["predictions"] = save_predictions(folder / PREDICTIONS_FILE, outputs, groups)
        if self.testing_selected or self.selected is None:
            write_result(folder, self._result)

    def _primary(self, runner: Any, metrics: Mapping[str, Any]) -> str:
        name = self.metric or runner.cfg.get("primary_metric") or next(iter(metrics))
        if name not in metrics:
            raise ValueError(f"the metric '{name}' is to select; there is: {', '.join(metrics)}")
        return name

    def _describe(self, runner: Any, metrics: dict[str, Any]) -> dict[str, Any]:
        config, model = runner.cfg, unwrapped(runner.model)
        name, identity = _identity(runner)
        device, wrapper = next(model.student.parameters()).device, config.get("optim_wrapper") or {}
        student_file = Path(runner.work_dir) / STUDENT_FILE
        return {
            "schema_version": SCHEMA_VERSION,
            "row": name,
            "status": "ok",
            "config": identity,
            "seed": runner.seed,
            "data": describe_data(runner),
            "epochs": self.epochs,
            "steps": self.steps,
            "primary": self._primary(runner, metrics) if metrics else None,
            "metrics": metrics,
            "selected": None,
            "teacher": describe_teacher(config, model),
            **describe_cache(config),
            **describe_speedup(model),
            "student": {
                **describe_network(model.student, model._roles["student"].reads, model.data),
                "sha256": file_hash(student_file) if student_file.is_file() else None,
                "origins": [lineage.origin(path) for path in lineage.weight_files(config.model["student"])],
            },
            "distiller": type(model.distiller).__name__ if model.distiller is not None else None,
            "start": lineage.start(config),
            "train": describe_cost(self.seconds, self.steps, runner, self.cohort) if self.trained else None,
            "environment": {
                **environment.machine(device),
                "processes": runner.world_size,
                "precision": settled(wrapper.get("precision", "float32"), device.type),
                "deterministic": runner.deterministic,
                "packages": environment.packages(),
            },
            "repro": {
                **environment.commit(),
                "command": environment.command_line(),
                "created_utc": _now(),
            },
        }


def final_test(runner: Any) -> dict[str, Any]:
    """Test the weights as they are, then those of the epoch that validation selected, if that is another one."""
    metrics: dict[str, Any] = runner.test()
    hook = next((hook for hook in runner.hooks if isinstance(hook, RecordResult)), None)
    if hook is not None and hook.selected is not None:
        runner.logger.info(f"testing epoch {hook.selected['epoch']}, which validation selected, too")
        model = unwrapped(runner.model)
        last = {name: value.detach().clone() for name, value in model.state_dict().items()}
        model.load_state_dict(hook.selected["state"])
        hook.testing_selected = True
        runner.test()
        hook.testing_selected = False
        model.load_state_dict(last)
    return metrics


def record_failure(runner: Any, status: str, reason: str) -> None:
    """Leave a result that says how the run ended, and holds no metric."""
    name, identity = _identity(runner)
    result = {
        "schema_version": SCHEMA_VERSION,
        "row": name,
        "status": status,
        "reason": reason,
        "config": identity,
        "seed": runner.seed,
        "epochs": runner.epoch,
        "steps": runner.iter,
        "repro": {**environment.commit(), "command": environment.command_line(), "created_utc": _now()},
    }
    write_result(Path(runner.work_dir), result)


def _identity(runner: Any) -> tuple[str, dict[str, Any] | None]:
    """The row's name and what else is known of it; None for a config that is no row."""
    identity = dict(runner.cfg.get("row") or {})
    return identity.pop("name", runner.experiment_name), identity or None


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")


def write_result(folder: Path, result: Mapping[str, Any]) -> None:
    """Write ``result.yml`` in one step, checked and with its ``run_id``; another record that is there is set aside.

    A record of the same ``run_id`` that was set aside says the same, and goes.
    """
    plain = _plain(result)
    identity = run_id(plain)
    record = {"schema_version": plain.pop("schema_version"), "run_id": identity, **plain}
    validated(record, str(folder / RESULT_FILE))
    set_aside(folder, keep=identity)
    write_text(folder / RESULT_FILE, yaml.safe_dump(record, sort_keys=False, width=110, allow_unicode=True))
    for earlier in aside(folder, record).values():
        earlier.unlink(missing_ok=True)


def set_aside(folder: Path, keep: str | None = None) -> None:
    """Rename a ``result.yml`` and its predictions to ``result.<id8>.yml`` and so on, unless its ``run_id`` is ``keep``.

    Predictions go first: after a kill in between, the next call finds the record and goes on.
    """
    file = folder / RESULT_FILE
    if not file.is_file():
        return
    try:
        record = read_record(file)
    except InvalidDataError:  # of another version, or damaged: kept under the hash of its bytes
        record = {"run_id": file_hash(file)}
    if keep is not None and record.get("run_id") == keep:
        return
    moves = aside(folder, record)
    for name in sorted(moves, key=RESULT_FILE.__eq__):
        if (folder / name).is_file():
            os.replace(folder / name, moves[name])


def describe_data(runner: Any) -> dict[str, Any]:
    """What was trained and tested on, and whose labels were seen."""
    config, spec = runner.cfg, unwrapped(runner.model).data
    teacher = (config.get("model") or {}).get("teacher")
    origins = [lineage.origin(path) for path in lineage.weight_files(teacher or {})]
    found = {
        "name": spec.name,
        "protocol": lineage.protocol(config),
        "labels": lineage.student_labels(config),
        "teacher_labels": lineage.teacher_labels(config, origins) if teacher else None,
        "task": spec.task,
        "num_classes": spec.num_classes,
        "classes": class_names(runner.test_dataloader.dataset),
        "num_test": len(runner.test_dataloader.dataset),
    }
    splits = {"test": runner.test_dataloader.dataset}
    if runner.is_training:
        splits["train"] = runner.train_dataloader.dataset
        labelled = is_labelled(splits["train"].targets)
        found |= {"num_train": len(labelled), "num_labelled": int(labelled.sum())}
    groups = recordings(splits["test"])
    return found | {
        "num_recordings": len(splits["test"]) if groups is None else len(set(groups.tolist())),
        "index_sha256": {
            n: index_hash(s.targets) if hasattr(s, "targets") else None for n, s in splits.items()
        },
        "substituted": {name: dict(getattr(split, "substituted", {})) for name, split in splits.items()},
    }


def class_names(dataset: Any) -> list[str] | None:
    """What the classes are called, as many as there are; None where the data set does not say (``metainfo``)."""
    names = (getattr(dataset, "metainfo", None) or {}).get("classes")
    return None if names is None else [str(name) for name in names]


def recordings(dataset: Any) -> Tensor | None:
    """The recording of each clip as a number, ``(N,)``; None where the data set does not say (``recordings``)."""
    names = getattr(dataset, "recordings", None)
    if names is None:
        return None
    number = {name: place for place, name in enumerate(dict.fromkeys(names))}
    return torch.tensor([number[name] for name in names])


def describe_network(network: nn.Module, reads: Sequence[str], data: Any) -> dict[str, Any]:
    """Class, parameters, and the cost of one sample's forward pass."""
    shapes = {name: list(data.inputs[name]) for name in reads}
    device = next(network.parameters()).device
    cost = gflops(network, *(torch.zeros(1, *shape, device=device) for shape in shapes.values()))
    return {
        "type": type(network).__name__,
        "params": parameters(network),
        "gflops": cost,
        "gmacs": cost / 2,
        "input_shapes": shapes,
        "modalities": list(reads),
        "views": max((s[0] for name, s in shapes.items() if len(s) == _LEADING_VIEWS.get(name)), default=1),
    }


def describe_teacher(config: Any, model: Any) -> dict[str, Any] | None:
    """The teacher's class, cost and files, each with what its own run says of it."""
    cache = config.get("teacher_cache")
    if model.teacher is None and not cache:
        return None
    origins = [lineage.origin(path) for path in lineage.weight_files(config.model["teacher"])]
    if model.teacher is None:  # it was let go; what it is was noted when it filled the cache
        return {**cache["teacher"], "origins": origins}
    return {**describe_network(model.teacher, model._roles["teacher"].reads, model.data), "origins": origins}


def describe_cache(config: Any) -> dict[str, Any]:
    """The cache that took the teacher's place in training; nothing where it was run."""
    cache = dict(config.get("teacher_cache") or {})
    cache.pop("teacher", None)
    return {"teacher_cache": cache} if cache else {}


def describe_speedup(model: Any) -> dict[str, Any]:
    """How training asked the teacher faster, and how far that is from the teacher; nothing where it did not."""
    taken = getattr(model, "sped_up", None)
    if taken is None:
        return {}
    asked = model.teacher_speedup.means
    return {"teacher_speedup": {"asked": asked, **taken._asdict()}}


def describe_cost(
    seconds: Mapping[str, float], steps: int, runner: Any, cohort: int | None = None
) -> dict[str, Any]:
    """Time and memory that training took; ``cpu_seconds`` counts this process and its ended workers.

    In a ``cohort`` the seconds are those of the run's own turns, and the memory is that of all its runs.
    """
    samples = steps * runner.train_dataloader.batch_size * runner.world_size
    return {
        "wall_seconds": round(seconds["wall"], 2),
        "cpu_seconds": round(seconds["cpu"], 2),
        "samples_per_second": round(samples / seconds["wall"], 1) if seconds["wall"] else None,
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "peak_gpu_memory_mb": round(torch.cuda.max_memory_allocated() / 2**20)
        if torch.cuda.is_available()
        else None,
        **({"cohort": cohort} if cohort else {}),
    }


def save_predictions(
    path: Path, outputs: Sequence[Mapping[str, Any]], groups: Tensor | None = None
) -> dict[str, Any]:
    """Scores ``(N, K)`` in single precision, indices ``(N,)`` and targets, sorted by index, as safetensors.

    Half precision would tie what a sure network ranks: sigmoids above 0.9998 are 1 in it, and an mAP falls by points.
    ``groups``, the recording of each clip of the data set, become a column of their own.
    """
    by_index = {int(output["index"]): output for output in outputs}
    ordered = [by_index[index] for index in sorted(by_index)]
    columns = {
        name: torch.stack([torch.as_tensor(o[name]) for o in ordered]) for name in (ordered or [{}])[0]
    }
    if "score" in columns:
        columns["score"] = columns["score"].float()
    if groups is not None and columns:
        columns["group"] = groups[columns["index"]]
    save_weights(path, columns)
    return {"path": path.name, "sha256": file_hash(path), "n": len(ordered)}


def clocks() -> dict[str, float]:
    """Seconds by the wall, and of this process and its ended workers."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"wall": time.perf_counter(), "cpu": time.process_time() + children.ru_utime + children.ru_stime}


def _cpu(value: Any) -> Any:
    return value.detach().cpu() if isinstance(value, Tensor) else value


def _plain(value: Any) -> Any:
    """The value in terms that YAML knows."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.item() if hasattr(value, "item") and getattr(value, "size", 1) in (1, ()) else value
