"""A cell: one row, with its swaps and options, for one seed; what identifies it, and what it starts from."""

import dataclasses
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ..compose import SLOTS, compose, parse_options, work_dir
from ..engine.lineage import has_validation, weight_files
from .files import Matrix, Wish

WORK_DIRS, SMOKE_DIRS = "work_dirs/", "work_dirs/smoke/"
# What tools/train.py calls a precision, and what the optimiser's wrapper does.
AMP = {"auto": "auto", "bf16": "bfloat16", "fp16": "float16"}
_SEED = 987_654_321  # stands for a seed while paths are made
_OF_A_RUN = re.compile(
    r"work_dirs/(?:smoke/)?(?P<row>[^/]+/[^/]+)/seed(?P<seed>\d+)/(?:student|distiller)\.safetensors"
)


@dataclass(frozen=True)
class Cell:
    """One run. ``folder`` is its work directory and its key; ``starts`` are the weight files that it reads.

    ``selects`` says whether a validation split chooses an epoch, so that a whole result has two scores. ``cache`` is
    the folder of caches that the teacher is read from, None where it is run.
    """

    row: str
    path: str
    seed: int
    sha256: str
    folder: str
    parts: Mapping[str, str]
    swapped: Mapping[str, str]
    options: Mapping[str, Any]
    smoke: bool = False
    amp: str | None = None
    precision: str = "float32"
    deterministic: bool = False
    epochs: int = 0
    selects: bool = False
    starts: tuple[str, ...] = ()
    cache: str | None = None

    def __str__(self) -> str:
        return f"{self.row} seed {self.seed}"

    @property
    def identity(self) -> tuple[Any, ...]:
        """Two cells with the same one end with the same numbers."""
        return self.sha256, self.seed, self.smoke, self.precision, self.deterministic

    @property
    def group(self) -> tuple[str, ...]:
        """What cells share that are handed out together: data and teacher."""
        return (self.parts.get("data", ""), *self.starts)

    @property
    def arguments(self) -> list[str]:
        """What follows ``tools/train.py`` on a command line, how it computes left out."""
        swaps = [word for slot, part in self.swapped.items() for word in (f"--{slot}", part)]
        options = [f"{key}={_written(value)}" for key, value in self.options.items()]
        return [
            self.path,
            *swaps,
            *(["--cfg-options", *options] if options else []),
            *(["--smoke"] if self.smoke else []),
            *["--seed", str(self.seed)],
            *(["--amp", self.amp] if self.amp else []),
            *(["--deterministic"] if self.deterministic else []),
            *(["--cache", self.cache, "--build-cache"] if self.cache else []),
        ]

    def as_dict(self) -> dict[str, Any]:
        """The cell in terms that JSON knows; ``from_dict`` reads it."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Cell":
        """A cell as ``as_dict`` wrote it."""
        return cls(**{**content, "starts": tuple(content["starts"])})


def cells_of(wish: Wish, matrix: Matrix, smoke: bool) -> list[Cell]:
    """The cells of a wish, one a seed; what the row cannot be made into is a ``ValueError``."""
    _check_options(wish)
    pattern = _cell(composed(wish, _SEED, smoke), matrix)
    return [_sown(pattern, seed) for seed in wish.seeds]


def _sown(pattern: Cell, seed: int) -> Cell:
    """The cell for a seed: seeds of a row differ by their paths alone, and composing takes a tenth of a second."""

    def of(path: str) -> str:
        return path.replace(str(_SEED), str(seed))

    starts = tuple(of(path) for path in pattern.starts)
    return dataclasses.replace(pattern, seed=seed, folder=of(pattern.folder), starts=starts)


def composed(wish: Wish, seed: int, smoke: bool) -> Config:
    """The config of a wish for one seed."""
    slots = {slot: wish.swapped.get(slot) for slot in SLOTS}
    return compose(wish.path, **slots, options=wish.options, smoke=smoke, seed=seed)


def _cell(config: Config, matrix: Matrix) -> Cell:
    row, precision = config.row, (config.get("optim_wrapper") or {}).get("precision", "float32")
    return Cell(
        row=row.name,
        path=row.path,
        seed=row.seed,
        sha256=row.sha256,
        folder=str(config.get("work_dir") or work_dir(config)),
        parts=dict(row.parts),
        swapped=dict(row.swapped),
        options=dict(row.options),
        smoke=row.smoke,
        amp=matrix.amp,
        precision=AMP[matrix.amp] if matrix.amp else precision,
        deterministic=matrix.deterministic or config.get("randomness", {}).get("deterministic", False),
        epochs=config.get("train_cfg", {}).get("max_epochs", 0),
        selects=has_validation(config),
        starts=_starts(config),
    )


def _starts(config: Config) -> tuple[str, ...]:
    """Every weight file that the row names; in a smoke run those of smoke runs, which will be there by then."""
    named = [*weight_files(config.model), *config.row.random_weights]
    files = [str(path).replace(SMOKE_DIRS, WORK_DIRS, 1) for path in named]
    if config.row.smoke:
        files = [f.replace(WORK_DIRS, SMOKE_DIRS, 1) if _OF_A_RUN.fullmatch(f) else f for f in files]
    return tuple(dict.fromkeys(files))


def maker(path: str, configs: Path) -> Wish | None:
    """The run that writes a weight file, as far as its name tells; None for a file from elsewhere.

    >>> maker("checkpoints/net-0123abcd.pth", Path("configs")) is None
    True
    """
    found = _OF_A_RUN.fullmatch(path)
    if found is None:
        return None
    name, *swaps = found["row"].split("+")
    swapped = dict(swap.split("=", 1) for swap in swaps if "=" in swap)
    row = configs / f"{name}.py"
    if not row.is_file() or len(swapped) != len(swaps) or not set(swapped) <= set(SLOTS):
        return None
    return Wish(row, swapped, {}, (int(found["seed"]),))


def unmakeable(cells: Iterable[Cell], made: Mapping[str, Any]) -> list[str]:
    """Weight files that are neither there nor written by a cell, a line each."""
    return [
        f"{cell} starts from {path}, which is not there, and no row makes it"
        for cell in cells
        for path in cell.starts
        if not Path(path).is_file() and str(Path(path).parent) not in made and not cell.smoke
    ]


def _check_options(wish: Wish) -> None:
    """A cell is a command line: each option has to come back from its words as it is."""
    for key, value in wish.options.items():
        words = f"{key}={_written(value)}"
        if parse_options([words]) != {key: value}:
            raise ValueError(
                f"option {key}={value!r} reads as {parse_options([words])[key]!r} on a command line; "
                "give numbers, booleans, plain words or lists of these"
            )


def _written(value: Any) -> str:
    return str(value).replace(" ", "") if isinstance(value, list | tuple) else str(value)
