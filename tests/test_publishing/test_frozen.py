"""Every row freezes to data and comes back as the same network; nothing but such data is taken."""

import contextlib
import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdbench.compose import compose, rows
from kdbench.publishing.frozen import PLACES, checked, found, freeze, places, thaw
from kdbench.registry import BACKBONES, DATASETS, METRICS, TRANSFORMS, find
from kdbench.spec import InvalidDataError

CONFIGS = Path(__file__).parents[2] / "configs"
PAPER = ("home1", "home2", "mm_office")  # many rows that differ by networks which others have too
ROWS = [row for row in rows(CONFIGS) if row.parent.name in ("baseline", "classical", "vicokd")]
FAST = [row for row in ROWS if not row.stem.startswith(PAPER)]


def plain(node: Any) -> Any:
    """Types as classes, sequences as lists, without what is left out on purpose."""
    if isinstance(node, dict):
        return {k: plain(v) for k, v in node.items() if k not in (*PLACES, "prefix")}
    return [plain(value) for value in node] if isinstance(node, list | tuple) else node


def of_classes(node: Any, registries: tuple) -> Any:
    if isinstance(node, dict):
        own = {k: of_classes(v, registries) for k, v in node.items()}
        kind = own.get("type")
        return {**own, "type": kind if isinstance(kind, type) else kind.rpartition(".")[2]} if kind else own
    return [of_classes(value, registries) for value in node] if isinstance(node, list) else node


def names(node: Any) -> Any:
    """The node with the names of its classes."""
    if isinstance(node, dict):
        return {k: names(v) for k, v in node.items()}
    if isinstance(node, list):
        return [names(value) for value in node]
    return node.__name__ if isinstance(node, type) else node


@pytest.mark.parametrize(
    "row",
    [row if row in FAST else pytest.param(row, marks=pytest.mark.slow) for row in ROWS],
    ids=lambda row: f"{row.parent.name}/{row.stem}",
)
def test_a_row_freezes_to_data_and_comes_back(row: Path) -> None:
    config = compose(row, seed=0)
    frozen = json.loads(json.dumps(freeze(config.to_dict()), allow_nan=False))
    parts = thaw(checked(frozen))
    whole = plain(config.to_dict())
    assert names(parts["model"]["student"]) == of_classes(whole["model"]["student"], ())
    assert find(BACKBONES, config.model.student.type) is parts["model"]["student"]["type"]
    assert names(parts["test_evaluator"]) == of_classes(whole["test_evaluator"], ())
    assert parts["test_dataloader"]["dataset"]["type"] is find(DATASETS, config.test_dataloader.dataset.type)
    assert parts["model"]["data"] == whole["model"]["data"]


def test_whatever_names_a_file_or_folder_is_no_part_of_an_artefact() -> None:
    """A new class whose constructor takes a place must be added to PLACES, or renamed."""
    suspicious = re.compile(r"^(root|path|cache|weights|start)$|_(dir|file|path|root|folder)$")
    registries = (BACKBONES, DATASETS, TRANSFORMS, METRICS, *places()["model.student"].registries)
    for registry in registries:
        registry.import_from_location()
        ours = [kind for kind in registry.module_dict.values() if kind.__module__.startswith("kdbench.")]
        taken = {name for kind in ours for name in inspect.signature(kind).parameters}
        allowed = {"drop_path", "signed_root"}  # numbers
        assert {name for name in taken if suspicious.search(name)} - allowed <= {*PLACES}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.sampled_from(["type"]), inner),
    max_leaves=12,
)


TABLES = st.dictionaries(
    st.sampled_from(["type", "data", "student", "dataset", "sampler", "collate_fn"]), JSON
)


@settings(max_examples=100, deadline=None)
@given(
    st.fixed_dictionaries({name: TABLES | JSON for name in ("model", "test_dataloader", "test_evaluator")})
)
def test_any_other_data_are_refused_as_such(tree: Any) -> None:
    with pytest.raises(InvalidDataError):
        thaw(checked(tree))


@pytest.mark.parametrize("place", ["model", "model.data", "model.student", "test_dataloader", *places()])
@pytest.mark.parametrize("value", [None, [], {}, "x", 1, [None], [[]]])
def test_a_part_of_another_kind_is_refused_or_taken_as_nothing(place: str, value: Any) -> None:
    tree = freeze(compose(CONFIGS / "baseline/utd_inertial_cnn.py").to_dict())
    *above, last = place.split(".")
    node = tree
    for step in above:
        node = node[step]
    node[last] = value
    with contextlib.suppress(InvalidDataError):
        thaw(checked(tree))


@given(st.text())
def test_a_name_that_is_not_registered_finds_nothing(name: str) -> None:
    for key in places():
        with pytest.raises(InvalidDataError, match="which is not registered"):
            found(key, f"{name} ")


def test_what_json_cannot_say_is_not_frozen() -> None:
    config = compose(CONFIGS / "baseline/rooms_view_v.py").to_dict()
    config["model"]["student"]["width"] = float("inf")
    with pytest.raises(ValueError, match=r"model\.student\.width of the config is inf"):
        freeze(config)


def test_a_class_that_is_not_registered_is_not_frozen() -> None:
    config = compose(CONFIGS / "baseline/rooms_view_v.py").to_dict()
    config["model"]["student"]["type"] = "torch.nn.Linear"
    with pytest.raises(ValueError, match=r"'Linear', which is not registered.*registered classes only"):
        freeze(config)
