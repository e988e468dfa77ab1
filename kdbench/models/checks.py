"""The checks before the first weight or datum is read: names, shapes, and a rehearsal on zeros."""

import copy
import json
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from ..distillers.processes import alone
from ..registry import MODELS, build
from ..spec import SINGLE_LABEL, STRONG, DataSpec, Fields, Needs, missing, refusal
from .role import MEMBERS, STRONG_OUTPUTS, Role

REHEARSAL_BATCH = 2
LARGE = 1 << 25  # bytes of a batch of zeros from which on a rehearsal makes do with their shapes
Rehearsed = TypeVar("Rehearsed", nn.Module, Role)
Result = TypeVar("Result")


@contextmanager
def naming(subject: str, data: DataSpec) -> Iterator[None]:
    """A ``ValueError`` inside becomes an ``IncompatibleError`` that says what cannot run on what."""
    try:
        yield
    except ValueError as error:
        raise refusal(subject, data.name, [str(error)]) from error


def zeros(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """A small batch of zeros with these shapes."""
    return {name: torch.zeros(REHEARSAL_BATCH, *shape) for name, shape in shapes.items()}


def noise(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """A small batch of normal random numbers with these shapes."""
    return {name: torch.randn(REHEARSAL_BATCH, *shape) for name, shape in shapes.items()}


def rehearsal_batch(data: DataSpec) -> dict[str, Any]:
    """A batch of zeros as the data set's loader would give it."""
    fields = zeros(data.fields)
    if data.task == SINGLE_LABEL:
        fields["target"] = torch.zeros(REHEARSAL_BATCH, dtype=torch.long)
    fields["index"] = torch.arange(REHEARSAL_BATCH)
    return {"inputs": zeros(data.inputs), **fields}


def is_large(data: DataSpec) -> bool:
    """Whether a batch of zeros of such clips, and what a network makes of it, is too much for a mere check."""
    values = sum(math.prod(shape) for shape in data.inputs.values())
    return torch.get_default_dtype().itemsize * REHEARSAL_BATCH * values > LARGE


def rehearsed(
    of: Rehearsed, data: DataSpec, run: Callable[[Rehearsed], Result], numbers: bool = False
) -> Result:
    """What ``run`` gives for a model, without gradients, a trace in random states or a word to other processes.

    Large clips are tried on torch's device "meta", with a copy of the model that has shapes and no numbers; only for
    what asks for numbers there, or where the caller does (``numbers``), does the model itself run.
    """
    with torch.random.fork_rng(devices=[]), torch.no_grad(), alone():
        if is_large(data) and not numbers:
            try:
                with torch.device("meta"):
                    return run(_without_numbers(of))
            except RuntimeError:
                pass
        return run(of)


def _without_numbers(of: Rehearsed) -> Rehearsed:
    """A copy whose parameters and buffers are on the device "meta", or what is there already; no number is copied."""
    model = of.model if isinstance(of, Role) else of
    tensors = [*model.parameters(), *model.buffers()]
    if all(tensor.is_meta for tensor in tensors):
        return of
    return copy.deepcopy(of, {id(tensor): tensor.detach().to("meta") for tensor in tensors})


def checked(config: Mapping[str, Any]) -> nn.Module:
    """The model of a row after all checks; no weight is read, and where clips are large none is allocated.

    What a model of shapes alone does not pass, a real one has to.
    """
    if is_large(DataSpec(**config["data"])):
        with suppress(Exception), torch.device("meta"):
            return build(MODELS, config, load_weights=False)
    return build(MODELS, config, load_weights=False)


def likeness(model: Any) -> str:
    """What of a model decides whether its parts fit: all but the name of its data and the places of its files."""

    def kept(node: Any) -> Any:
        if isinstance(node, dict):
            return {
                key: kept(value)
                for key, value in node.items()
                if not isinstance(value, str) or key != "weights"
            }
        return [kept(value) for value in node] if isinstance(node, list | tuple) else node

    return json.dumps(kept({**model, "data": {**model["data"], "name": ""}}), sort_keys=True, default=str)


def probe(role: Role, data: DataSpec, numbers: bool = False) -> Fields:
    """All outputs and taps of a model in eval mode on zeros; a ``ValueError`` says on which shapes that fails.

    ``numbers`` is for who reads more of them than shapes: the model then sees noise, since of zeros untrained layers
    without bias make zeros, all alike.
    """
    was_training, made = role.model.training, noise if numbers else zeros
    role.model.eval()
    shapes = {name: data.inputs[name] for name in role.inputs_of(data.inputs)}
    try:
        return rehearsed(role, data, lambda twin: twin(made(shapes)), numbers)
    except Exception as error:
        shapes = ", ".join(f"{name} {tuple(data.inputs[name])}" for name in role.reads)
        raise ValueError(
            f"the {role.name} {type(role.model).__name__} fails on {made.__name__} shaped like {data.name}'s {shapes} "
            f"({type(error).__name__}: {error}); take a network for such clips"
        ) from error
    finally:
        role.model.train(was_training)


def data_problems(reader: str, needs: Needs, data: DataSpec) -> list[str]:
    """What a distiller or task loss asks of the data and does not get."""
    problems = missing(reader, "the batch field", needs.batch, {*data.fields, "target", "index"})
    if data.task not in needs.tasks:
        problems.append(
            f"{reader} works on {' and '.join(needs.tasks) or 'no'} tasks; {data.name} is {data.task}; "
            f"take one for {data.task} tasks"
        )
    return problems


def role_problems(role: Role, data: DataSpec) -> list[str]:
    """Modalities that a model reads and the data do not have."""
    if not role.reads:
        return [
            f"the {role.name} {type(role.model).__name__} does not say what it reads; give it reads=(...)"
        ]
    return missing(f"the {role.name}", "the modality", role.reads, data.inputs)


def output_problems(
    role: Role, outputs: Fields, wanted: Mapping[str, tuple[str, ...]], data: DataSpec
) -> list[str]:
    """Taps that a reader wants and the model does not give, and a wrong number of classes."""
    problems = [
        f"{problem}; {_remedy(role, name)}"
        for reader, names in wanted.items()
        for name in names
        for problem in missing(reader, f"the {role.name}'s", [name], outputs)
    ]
    classes = outputs.logits.shape[-1]
    if classes != data.num_classes:
        problems.append(
            f"the {role.name} has {classes} classes; {data.name} has {data.num_classes}; give it as many"
        )
    return problems


def _remedy(role: Role, name: str) -> str:
    """What would give the output ``name``."""
    if name in STRONG_OUTPUTS:
        inputs = " or ".join(f"'{modality}{STRONG}'" for modality in role.reads)
        return f"take data with the input {inputs}, which a transform with into= makes"
    return f"take a network that has it, or name its place in the {role.name}'s taps"


def head_problems(reader: str, role: Role, name: str) -> list[str]:
    """A model whose last linear layer, or whose members' (``name`` of ``Needs.heads``), cannot be borrowed."""
    if role.lent(name) is not None:
        return []
    if name.endswith(MEMBERS):
        return [
            f"{reader} borrows the last linear layers of the {role.name}'s members; the tap 'member_embeddings' of "
            f"{type(role.model).__name__} is {role.places.get('member_embeddings', 'missing')!r}; take LateFusion of "
            "networks that each end in one linear layer"
        ]
    return [
        f"{reader} borrows the last linear layer of the {role.name}; the tap 'embedding' of "
        f"{type(role.model).__name__} is {role.places.get('embedding', 'missing')!r} and names none; take a network "
        "that ends in one linear layer, tapped as embedding='MODULE:in'"
    ]


def examined(
    role: Role, wanted: Mapping[str, tuple[str, ...]], data: DataSpec, numbers: bool = False
) -> tuple[Fields, list[str]]:
    """What ``probe`` gives of a model, and its problems; from here on only the ``wanted`` taps are read."""
    outputs, problems = Fields(), role_problems(role, data)
    if not problems:
        outputs = probe(role, data, numbers)
        problems = output_problems(role, outputs, wanted, data)
    role.restrict(tap for taps in wanted.values() for tap in taps)
    return outputs, problems


def rehearse(model: nn.Module, data: DataSpec) -> None:
    """Run the whole of ``loss`` and ``predict`` once on zeros, on a copy; an exception gains a note."""
    rehearsed(model, data, lambda it: _run_through(copy.deepcopy(it) if it is model else it, data))


def _run_through(twin: nn.Module, data: DataSpec) -> None:
    for mode in ("loss", "predict"):
        try:
            twin.train(mode == "loss")(**rehearsal_batch(data), mode=mode)
        except Exception as error:
            note(error, f"while rehearsing '{mode}' on a batch of zeros shaped like {data.name}'s")
            raise


def note(error: BaseException, text: str) -> None:
    """Attach ``text`` to an exception (``add_note`` is Python 3.11)."""
    if hasattr(error, "add_note"):
        error.add_note(text)
    else:
        error.args = (f"{error.args[0] if error.args else error}\n{text}", *error.args[1:])
