"""Every part of a distiller with every pair of models and every kind of data: it trains, or is refused by name.

Parts are read from ``configs/_base_``; no weight and no datum is. Networks whose outputs look alike (names, axes,
number of stages, views in the batch, head) are one kind, which is tried by the smallest of them, and parts of a
distiller that read the same are tried by the first. The slow pass takes some pairs for each and a part of the
product of kinds; in the fast one all parts of distillers are put into a row by name.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from itertools import cycle, islice, product
from math import gcd
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

from kdbench.compose import compose, load, parts
from kdbench.models import Distillation
from kdbench.models.checks import is_large, probe, rehearsal_batch, role_problems
from kdbench.models.role import Role
from kdbench.registry import BACKBONES, MODELS, build
from kdbench.spec import STRONG, DataSpec, Fields, IncompatibleError, Needs

CONFIGS = Path(__file__).parent.parent / "configs"
DISTILLERS = {name: part.config for name, part in sorted(parts(CONFIGS, "distillers").items())}
# Parts at papers' sizes are those of small files with other encoders, and those of other packages need these: see
# tests/test_backbones/test_papers.py and test_external_packages.py.
NETWORKS = {
    name: part.config
    for name, part in sorted(parts(CONFIGS, "models").items())
    if not part.path.stem.endswith(("_paper", "external"))
}
LOSS_WEIGHTS = ("task_weight", "distill_weight")
REMEDY = re.compile(r"there is: |give |take |tap |did you mean: ")
UNREADABLE = "unreadable"
EVERY = 59  # the whole product is some 32,000 combinations, hours of a core


class Combination(NamedTuple):
    """Names of parts."""

    data: str
    student: str
    teacher: str
    distiller: str

    def __str__(self) -> str:
        return "-".join(self)


def settings(part: Any) -> dict[str, Any]:
    """A copy of a part without what the row decides."""
    return {key: value for key, value in part.items() if key not in ("weights", "start", *LOSS_WEIGHTS)}


def thumbnail(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Pictures of a quarter of their sides where they are large: sizes decide nothing here, and cost minutes."""
    return (*shape[:-2], *(side // 4 for side in shape[-2:])) if min(shape[-2:]) > 64 else tuple(shape)


@cache
def data_kinds() -> dict[str, DataSpec]:
    """One data part for each sort of clips, task and fields that some method reads."""
    found: dict[Any, tuple[str, DataSpec]] = {}
    fields = {field for name in DISTILLERS for field in reads(name).batch}
    for path in sorted((CONFIGS / "_base_/datasets").glob("*.py")):
        spec = DataSpec(**load(path).data)
        if is_large(spec):  # of the same sorts as the small ones
            continue
        spec = replace(spec, inputs={name: thumbnail(shape) for name, shape in spec.inputs.items()})
        ranks = tuple((name, len(shape)) for name, shape in spec.inputs.items())
        found.setdefault((ranks, spec.task, tuple(fields & {*spec.fields})), (path.stem, spec))
    return dict(found.values())


def reads(distiller: str) -> Needs:
    """What a part reads."""
    return DISTILLERS[distiller]["type"].needs_for(DISTILLERS[distiller])


@cache
def taps_read() -> set[str]:
    """Every tap that some method reads."""
    return {tap for name in DISTILLERS for tap in (*reads(name).student, *reads(name).teacher)}


@cache
def outputs(data: str, network: str) -> tuple[Fields, bool] | str:
    """What a network gives on zeros that some method reads, and whether it has a head; or why it fails."""
    spec = data_kinds()[data]
    role = Role("student", settings(NETWORKS[network]), spec)
    try:
        if problems := role_problems(role, spec):
            return "; ".join(problems)
        read = {name: value for name, value in probe(role, spec).items() if name in taps_read()}
        return Fields(read), role.head is not None
    except ValueError as error:
        return str(error)


def looks(data: str, network: str) -> Any:
    """What a distiller can tell apart in the outputs of a network, sizes left out."""
    found = outputs(data, network)
    if isinstance(found, str):
        return UNREADABLE
    fields, has_head = found
    size, taps = len(fields.logits), []
    for name, value in fields.items():
        stages = value[-3:] if isinstance(value, list) else [value]
        taps.append((name, *((x.dim(), len(x) // size, x[0, 0].numel() == 1) for x in stages)))
    return tuple(taps), has_head


def words(setting: Any) -> Iterator[str]:
    """All names in a part, without its numbers."""
    if isinstance(setting, dict):
        setting = [*setting, *setting.values()]
    if isinstance(setting, list | tuple):
        for entry in setting:
            yield from words(entry)
    elif isinstance(setting, str | type):
        yield str(setting)


@cache
def families() -> list[str]:
    """The smallest part of those that differ by numbers only."""
    found: dict[Any, str] = {}
    for network in sorted(NETWORKS, key=weights):
        found.setdefault(tuple(words(settings(NETWORKS[network]))), network)
    return list(found.values())


def weights(network: str) -> int:
    """The number of parameters."""
    with torch.device("meta"):
        built = build(BACKBONES, settings(NETWORKS[network]), num_classes=2)
    return sum(parameter.numel() for parameter in built.parameters())


@cache
def network_kinds(data: str) -> list[str]:
    """The smallest network for each look, of those that can read the data."""
    found: dict[Any, str] = {}
    for network in families():
        found.setdefault(looks(data, network), network)
    return [network for look, network in found.items() if look != UNREADABLE]


def distiller_kinds() -> list[str]:
    """One part for each class and what it reads."""
    return list(
        {(config["type"], reads(name)): name for name, config in reversed(DISTILLERS.items())}.values()
    )


def reading(data: str, distillers: Iterable[str]) -> list[str]:
    """Those of the parts that such data are for: what two views add concerns the methods that read both."""
    if not any(modality.endswith(STRONG) for modality in data_kinds()[data].inputs):
        return list(distillers)
    return [name for name in distillers if "logits_strong" in reads(name).student]


def few(data: str) -> Iterator[Combination]:
    """Each class of distiller on the pair that suits it, on the first kind beside itself, and on every eighth pair.

    The pairs have each kind of network once as student and once as teacher; eight classes in a row share no such pair.
    """
    kinds = network_kinds(data)
    turns = [(kind, kinds[i - 1]) for i, kind in enumerate(kinds)]
    for number, distiller in enumerate(reading(data, distiller_kinds())):
        pairs = [(kinds[0], kinds[0]), *turns[number % 8 :: 8], *fitting(data, distiller)]
        for pair in dict.fromkeys(pairs):
            yield Combination(data, *pair, distiller)


def fitting(data: str, distiller: str) -> list[tuple[str, str]]:
    """The first pair of networks that has all the taps which a method reads, if there is one."""
    needs, there = reads(distiller), {kind: outputs(data, kind)[0] for kind in network_kinds(data)}
    students = [kind for kind, fields in there.items() if {*needs.student} <= {*fields}]
    teachers = [kind for kind, fields in there.items() if {*needs.teacher} <= {*fields}]
    return list(zip(students, teachers, strict=False))[:1]


def whole(data: str) -> Iterator[Combination]:
    """Each class of distiller on every pair of kinds."""
    kinds = network_kinds(data)
    for names in product(kinds, kinds, reading(data, distiller_kinds())):
        yield Combination(data, *names)


def outcome(config: dict[str, Any]) -> Distillation | str:
    """The model after all checks, or the message of the refusal."""
    torch.manual_seed(0)
    try:
        return build(MODELS, config, load_weights=False)
    except (IncompatibleError, ValueError) as error:
        return str(error)


def built(
    names: Combination, data: DataSpec | None = None, teacher: dict[str, Any] | None = None
) -> Distillation | str:
    """The outcome of four parts; ``teacher`` has further settings of its part."""
    return outcome(
        {
            "type": Distillation,
            "data": data or data_kinds()[names.data],
            "student": settings(NETWORKS[names.student]),
            "teacher": {**settings(NETWORKS[names.teacher]), **(teacher or {})},
            "distiller": settings(DISTILLERS[names.distiller]),
        }
    )


def unclear(names: Combination, message: str) -> list[str]:
    """What a refusal forgets to say."""
    method = DISTILLERS[names.distiller]["type"].__name__
    networks = [NETWORKS[names.student]["type"].__name__, NETWORKS[names.teacher]["type"].__name__]
    first, *reasons = message.split("\n  - ")
    forgotten = [name for name in (method, *networks, data_kinds()[names.data].name) if name not in first]
    return forgotten + [f"a remedy: {reason}" for reason in reasons or [first] if not REMEDY.search(reason)]


def train(model: Distillation) -> None:
    """One step forward and backward on noise."""
    batch = rehearsal_batch(model.data)
    batch["inputs"] = {name: torch.randn_like(value) for name, value in batch["inputs"].items()}
    losses = model.train()(**batch, mode="loss")
    assert all(value.isfinite() for value in losses.values()), losses
    sum(losses.values()).backward()
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    assert all(gradient.isfinite().all() for gradient in gradients)


def check(combinations: Iterable[Combination], trained_every: int) -> tuple[list[Combination], int]:
    """Build all; every so many that pass take a training step. Returns those that pass and the number of refusals."""
    passed, refused, problems = [], 0, []
    for names in combinations:
        try:
            model = built(names)
            if isinstance(model, str):
                refused += 1
                problems += [f"{names}: the message forgets {what}" for what in unclear(names, model)]
                continue
            if len(passed) % trained_every == 0:
                train(model)
            passed.append(names)
        except Exception as error:  # whatever else it is, a user should never see it
            problems.append(f"{names}: {type(error).__name__}: {error}")
    assert not problems, f"{len(problems)} problems\n" + "\n".join(problems[:40])
    return passed, refused


@pytest.mark.slow
@pytest.mark.parametrize("data", data_kinds())
def test_parts_train_together_or_are_refused_by_name(data: str) -> None:
    """A few pairs for each method, and every so manieth combination: of each pair and each method such a part."""
    assert gcd(len(distiller_kinds()), EVERY) == 1, "each method would meet the same pairs"
    combinations = dict.fromkeys([*few(data), *islice(whole(data), 0, None, EVERY)])
    passed, refused = check(combinations, trained_every=8)
    assert len(passed) > len(combinations) / 3
    assert refused > 10 or len(combinations) < 50


@pytest.mark.slow
def test_no_method_refuses_everything() -> None:
    def accepts(data: str, distiller: str) -> bool:
        return any(
            not isinstance(built(Combination(data, *pair, distiller)), str)
            for pair in fitting(data, distiller)
        )

    # Nearly all take clips of one view.
    first = dict.fromkeys(["utd", *data_kinds()])
    assert not [name for name in distiller_kinds() if not any(accepts(data, name) for data in first)]


@pytest.mark.parametrize(
    "data", [data if data == "utd" else pytest.param(data, marks=pytest.mark.slow) for data in data_kinds()]
)
def test_a_network_that_cannot_read_the_data_is_refused_by_name(data: str) -> None:
    strange = [network for network in families() if looks(data, network) == UNREADABLE]
    assert strange
    for network in strange:
        names = Combination(data, network, network_kinds(data)[0], "kd")
        message = built(names)
        assert isinstance(message, str)
        assert not unclear(names, message), message


ROWS = ["configs/kd/utd_skeleton_cnn_inertial_cnn.py", "configs/kd/rooms_view_av_view_v.py"]


@pytest.mark.parametrize(("distiller", "row"), list(zip(DISTILLERS, cycle(ROWS))))
def test_a_part_swapped_into_a_row_by_name_runs_or_is_refused(distiller: str, row: str) -> None:
    model = compose(CONFIGS.parent / row, distiller=distiller).model
    method, student, teacher = (
        kind.__name__ for kind in (DISTILLERS[distiller]["type"], model.student.type, model.teacher.type)
    )
    found = outcome(model)
    if isinstance(found, str):
        assert found.startswith(f"{method} (student {student}, teacher {teacher}) cannot run on ")
        assert REMEDY.search(found)
    else:
        assert type(found.distiller).__name__ == method


def test_three_parts_swapped_at_once_and_a_pair_that_does_not_fit() -> None:
    row = CONFIGS.parent / ROWS[0]
    model = compose(row, distiller="vid", student="depth_cnn", teacher="stgcn").model
    train(build(MODELS, model, load_weights=False))
    for swapped in ({"student": "inertial_transformer"}, {"teacher": "view_v"}):
        with pytest.raises(
            IncompatibleError, match=r"VID \(student \w+, teacher \w+\) cannot run on UTD-MHAD"
        ):
            build(MODELS, compose(row, distiller="vid", **swapped).model, load_weights=False)


@pytest.mark.parametrize("distiller", distiller_kinds())
def test_a_teacher_of_another_number_of_classes_is_refused(distiller: str) -> None:
    data = next(name for name in data_kinds() if name.startswith("utd"))
    message = built(Combination(data, "inertial_cnn", "skeleton_cnn", distiller), teacher={"num_classes": 60})
    assert isinstance(message, str)
    assert "the teacher has 60 classes; UTD-MHAD has 27; give it as many" in message


def test_a_memory_of_unknown_size_is_refused() -> None:
    data = next(name for name in data_kinds() if name.startswith("utd"))
    names = Combination(data, "inertial_cnn", "skeleton_cnn", "crd")
    message = built(names, data=replace(data_kinds()[data], num_train=0))
    assert isinstance(message, str)
    assert not unclear(names, message)
    assert "CRD remembers every training sample; UTD-MHAD says num_train=0; give the number" in message
