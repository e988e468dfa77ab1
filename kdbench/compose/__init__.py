"""Configs of runs: rows, their parts swapped by name, their options checked."""

from .options import parse_options, set_option
from .parts import (
    SLOTS,
    Part,
    configs_of,
    expected_stem,
    first_phase,
    imported_parts,
    load,
    part,
    parts,
    rows,
)
from .row import compose, fingerprint, recompose, row_name, work_dir

__all__ = [
    "SLOTS",
    "Part",
    "compose",
    "configs_of",
    "expected_stem",
    "fingerprint",
    "first_phase",
    "imported_parts",
    "load",
    "parse_options",
    "part",
    "parts",
    "recompose",
    "row_name",
    "rows",
    "set_option",
    "work_dir",
]
