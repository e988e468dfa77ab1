"""The live teacher of a row, asked about draws of its training clips; and what a cache of it is a cache of."""

import hashlib
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from mmengine.device import get_device
from mmengine.runner import set_random_seed
from torch import nn

from ..datasets.base import ClipDataset, Draw
from ..datasets.sampling import EpochSampler
from ..engine import Runner
from ..engine.modalities import read_only
from ..engine.record import describe_network
from ..models import checks
from ..models.preprocessor import Preprocessor
from ..models.role import Role
from ..records import index_hash
from ..registry import DISTILLERS, MODELS, build, find
from ..spec import IncompatibleError, Needs
from ..taps import Taps
from .book import Book
from .code import code_hashes
from .layout import Layout, flat

# What of a data set's or loader's settings changes how fast or from where, and not what, is read.
_MEANS = ("root", "cache_dir", "cache", "modalities")
_LOOKED_AT = (
    16  # clips whose content is part of the key; to read all of them would cost an epoch at every start
)


def needs_of(config: Any) -> Needs:
    """What a row's distiller needs of the teacher; a row that no cache can serve is an ``IncompatibleError``."""
    model, name = config["model"], config["row"]["name"] if "row" in config else "the row"
    if not model.get("teacher") or not model.get("distiller"):
        raise IncompatibleError(
            f"{name} has no teacher to learn from, so nothing to cache; train it without --cache"
        )
    if model.get("teacher_speedup"):
        raise IncompatibleError(
            f"{name} asks for a teacher_speedup, and a cache is of the plain teacher; leave it out, or train without "
            "--cache"
        )
    kind = find(DISTILLERS, model["distiller"]["type"])
    needs = kind.needs_for(model["distiller"])
    borrowed = [head for head in needs.heads if head.startswith("teacher")]
    if borrowed:
        raise IncompatibleError(
            f"{kind.__name__} of {name} borrows the teacher's last layers ({', '.join(borrowed)}), and a cache holds "
            "outputs only; train it without --cache"
        )
    if not needs.teacher:
        raise IncompatibleError(
            f"{kind.__name__} of {name} reads nothing of the teacher; train it without --cache"
        )
    return needs


class Live:
    """The teacher of ``config`` (composed, its ``train_dataloader`` with an ``EpochSampler``) with the taps ``taps``.

    Everything is built as training builds it, from the run's seed, so a teacher of random weights is that of the run.
    """

    def __init__(self, config: Any, taps: Sequence[str] = ()):
        needs = needs_of(config)
        self.config, self.taps = config, tuple(sorted({*needs.teacher, *taps}))
        self.seed = int((config.get("randomness") or {}).get("seed") or 0)
        set_random_seed(self.seed)
        self.model = build(MODELS, {**_own(config["model"]), "cached": False}).train()
        self.role: Role = self.model._roles["teacher"]
        self._check_taps()
        self.role.restrict(self.taps)
        loader = {**_own(config["train_dataloader"]), "num_workers": 0, "persistent_workers": False}
        loader["dataset"] = _own(loader["dataset"])
        read_only([loader], self.role.reads)
        self.loader = Runner.build_dataloader(loader, self.seed)
        self._check_data()
        self._check_substitutes()
        epochs = config["train_cfg"]["max_epochs"]
        self.book = Book(self.loader.sampler, epochs, self.loader.batch_size, varies(self.loader.dataset))
        self.model.to(get_device())

    def _check_taps(self) -> None:
        outputs = {"logits", *self.role.places, *self.lesson_of_zeros}
        absent = [tap for tap in self.taps if tap not in outputs]
        if absent:
            raise IncompatibleError(
                f"the teacher {type(self.role.model).__name__} has no {', '.join(absent)}; there is: "
                f"{', '.join(sorted(outputs))}"
            )

    def _check_data(self) -> None:
        dataset, sampler = self.loader.dataset, self.loader.sampler
        if not isinstance(dataset, ClipDataset) or not isinstance(sampler, EpochSampler):
            raise IncompatibleError(
                f"{type(dataset).__name__} by {type(sampler).__name__} does not say which draw a clip is; a cache "
                "takes a ClipDataset and an EpochSampler"
            )
        if sampler.redraws and varies(dataset):
            raise IncompatibleError(
                "redraw=True of the sampler gives a clip that comes twice in an epoch two forms, and a cache has one "
                "record for both; leave redraw or the cache out"
            )

    def _check_substitutes(self) -> None:
        """Refuse data that substitute broken clips by what is read of them, where that is not the same for all.

        The cache reads what the teacher reads, training from it what the student reads, a live run both.
        """
        dataset, settings = self.loader.dataset, self.config["train_dataloader"]["dataset"]
        substitutes = hasattr(dataset, "substituted") and getattr(dataset, "on_problem", None) != "fail"
        if not substitutes or "modalities" in settings:  # those that a row names are read by all
            return
        deciding = getattr(dataset, "substituted_by", self.model.data.inputs)
        student = set(self.model._roles["student"].reads)
        alone = [name for name in deciding if (name in student) != (name in self.role.reads)]
        if alone:
            raise IncompatibleError(
                f"{type(dataset).__name__} puts substitutes for what is missing or damaged of {', '.join(alone)}, "
                "which only one of student and teacher reads: records would be of other clips than training sees; set "
                "train_dataloader.dataset.on_problem=fail, which needs whole data, or train it without --cache"
            )

    @cached_property
    def lesson_of_zeros(self) -> Mapping[str, Any]:
        """All outputs of the teacher on zeros."""
        self.role.restrict({*self.role.places, *self.taps})
        return checks.probe(self.role, self.model.data)

    def layout(self, dtype: str, top_k: int | None) -> Layout:
        """The layout of a record of this teacher."""
        if top_k is not None and self.model.data.task != "single-label":
            raise IncompatibleError(
                f"top_k={top_k} keeps the mass of the other classes, and {self.model.data.name} is multi-label: its "
                "classes share none; leave --top-k out"
            )
        found = flat(self.lesson_of_zeros, self.taps)
        return Layout({name: value.shape[1:] for name, value in found.items()}, dtype, top_k)

    def __call__(self, draws: Sequence[Draw]) -> dict[str, np.ndarray]:
        """The outputs for one batch of draws, float32 ``(B, ...)`` by name."""
        clips = self.loader.collate_fn([self.loader.dataset[draw] for draw in draws])
        batch = self.model.data_preprocessor(clips, True)
        with torch.no_grad():
            return flat(self.role(batch["inputs"]), self.taps)

    def describe(self) -> dict[str, Any]:
        """The teacher's class, size and cost."""
        return describe_network(self.role.model, self.role.reads, self.model.data)

    def facts(self) -> dict[str, Any]:
        """All that decides the teacher's outputs, as plain values."""
        loader, teacher = self.loader, _own(self.config["model"]["teacher"])
        teacher.pop("weights", None)
        book, sampler = self.book, self.loader.sampler
        return {
            "teacher": {
                "config": plain(teacher),
                "reads": list(self.role.reads),
                "weights": digest_of(self.role.model),
            },
            "data": {
                "config": plain(self.config["train_dataloader"]["dataset"]),
                "preprocessor": plain(self.config["model"].get("preprocessor")),
                "labels": index_hash(loader.dataset.targets),
                "clips": _clips_hash(loader.dataset),
            },
            "draws": {
                "seed": sampler.seed,
                "shuffle": sampler.shuffle,
                "clips": sampler.size,
                "samples_per_epoch": sampler.total,
                "batch_size": loader.batch_size,
                "epochs": book.draws,
                # Where epochs share records and do not meet every clip, all of them decide which clips there are.
                "of_epochs": book.epochs if book.is_cycled and not sampler.meets_all else None,
                "labelled_share": sampler.labelled_share,
            },
            "code": code_hashes(self._deciders()),
        }

    def _deciders(self) -> set[type]:
        """The classes whose code decides what is cached."""
        modules = {type(module) for module in self.role.model.modules()}
        dataset = self.loader.dataset
        found = {type(dataset), type(self.loader.sampler), *map(type, dataset.transforms)}
        return modules | found | {Role, Taps, Preprocessor, Book, Layout, type(self.model.data_preprocessor)}


def _own(settings: Mapping[str, Any]) -> dict[str, Any]:
    """A plain dict of settings; what a config imports lazily is resolved by ``items``."""
    return {name: value for name, value in settings.items()}


def varies(dataset: ClipDataset) -> bool:
    """Whether a clip of the data set may differ from epoch to epoch."""
    return bool(dataset.transforms) or type(dataset).draw is not ClipDataset.draw or _overrides_item(dataset)


def _overrides_item(dataset: ClipDataset) -> bool:
    return type(dataset).__getitem__ is not ClipDataset.__getitem__


def digest_of(network: nn.Module) -> str:
    """SHA-256 of all parameters and buffers, by name."""
    made = hashlib.sha256()
    for name, value in network.state_dict().items():
        made.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        made.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return made.hexdigest()


def plain(node: Any) -> Any:
    """Settings in terms that JSON knows, without those that do not decide a value; a class is its import path."""
    if isinstance(node, Mapping):
        return {str(key): plain(value) for key, value in node.items() if key not in _MEANS}
    if isinstance(node, list | tuple):
        return [plain(value) for value in node]
    if isinstance(node, type):
        return f"{node.__module__}.{node.__qualname__}"
    return node if node is None or isinstance(node, bool | int | float | str) else repr(node)


def _clips_hash(dataset: ClipDataset) -> str:
    """SHA-256 of some clips as recorded, spread evenly over the data set."""
    made = hashlib.sha256()
    for index in np.unique(np.linspace(0, len(dataset) - 1, _LOOKED_AT).round().astype(int)):
        inputs = dataset.load(int(index))["inputs"]
        for name in sorted(inputs):
            value = np.ascontiguousarray(inputs[name])
            made.update(f"{index} {name} {value.dtype} {value.shape}".encode())
            made.update(value.reshape(-1).view(np.uint8).data)
    return made.hexdigest()
