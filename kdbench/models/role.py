"""A model in its role: what it reads of the batch, which of its inside is tapped, where its weights come from."""

import copy
import inspect
from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor, nn

from ..registry import BACKBONES, build, find
from ..spec import STRONG, DataSpec, Fields
from ..taps import Taps
from ..weights import RANDOM, load_modules

STRONG_OUTPUTS = tuple(f"{name}{STRONG}" for name in ("logits", "peers"))  # what a second forward may give
MEMBERS = "_members"  # behind a role's name in ``Needs.heads``: the heads of its members


class Role:
    """A student or teacher built from ``config``.

    Beside the constructor's own arguments the config may say ``reads`` (modalities, in the order of ``forward``),
    ``taps`` (name -> place) and ``weights`` (a file, or ``"random"``); the model's own attributes are the defaults.
    ``num_classes`` comes from the data unless the config says it. ``start=dict(weights=FILE, modules=(PLACE, ...))``
    begins with these modules as they are in another network's file, and trains on; ``weights`` go before it.
    """

    def __init__(self, name: str, config: Mapping[str, Any], data: DataSpec):
        self.config = config = dict(config)
        self.name, self.weights = name, config.pop("weights", None)
        reads, places = config.pop("reads", None), config.pop("taps", None)
        self.start = _checked_start(name, config.pop("start", None))
        if places is not None and not isinstance(places, Mapping):
            raise ValueError(
                f"taps of the {name} are {places!r}; they map names to places: dict(embedding='fc:in')"
            )
        if "num_classes" in inspect.signature(find(BACKBONES, config["type"])).parameters:
            config.setdefault("num_classes", data.num_classes)
        self.model: nn.Module = build(BACKBONES, config)
        self.stand_in: nn.Module | None = None
        self.means: tuple[str, ...] = ()  # that make the stand-in faster
        self.reads = tuple(reads if reads is not None else getattr(self.model, "reads", ()))
        self.places = dict(places if places is not None else getattr(self.model, "taps", {}))
        self.taps = Taps(self.model, self.places)
        self.strong = [*STRONG_OUTPUTS]  # until ``restrict`` knows which of them nobody reads

    @property
    def head(self) -> nn.Linear | None:
        """The linear layer, beside dropout, of the module that reads the tap ``embedding`` (``"fc:in"``), if any."""
        place = self.places.get("embedding")
        return self._linear(place) if isinstance(place, str) else None

    @property
    def member_heads(self) -> list[nn.Linear] | None:
        """The same of each member, from the tap ``member_embeddings``, if all have one."""
        layers = [self._linear(place) for place in self.places.get("member_embeddings", ())]
        found = [layer for layer in layers if layer is not None]
        return found if found and len(found) == len(layers) else None

    def lent(self, name: str) -> nn.Linear | list[nn.Linear] | None:
        """What ``name`` of ``Needs.heads`` stands for, ``"<role>"`` or ``"<role>_members"``."""
        return self.member_heads if name.endswith(MEMBERS) else self.head

    def _linear(self, place: str) -> nn.Linear | None:
        if not place.endswith(":in"):
            return None
        reader = self.model.get_submodule(place.removesuffix(":in"))
        leaves = [module for module in reader.modules() if not list(module.children())]
        layers = [leaf for leaf in leaves if not isinstance(leaf, nn.Dropout | nn.Identity)]
        return layers[0] if len(layers) == 1 and isinstance(layers[0], nn.Linear) else None

    def restrict(self, names: Iterable[str]) -> None:
        """Tap only what is read: every hook costs time and keeps a tensor alive."""
        wanted = set(names)
        self.taps = Taps(self.asked, {name: place for name, place in self.places.items() if name in wanted})
        self.strong = [name for name in STRONG_OUTPUTS if name in wanted]

    @property
    def asked(self) -> nn.Module:
        """The network that answers in training."""
        return self.model if self.stand_in is None else self.stand_in

    def ask(self, network: nn.Module, means: tuple[str, ...]) -> None:
        """Have ``network``, a copy of the model that ``means`` make faster, answer wherever taps are read."""
        self.stand_in, self.means = network, means
        self.taps = Taps(network, self.taps.places)

    def standing_for(self, network: nn.Module) -> "Role":
        """This role with another network that answers, for a trial."""
        twin = copy.copy(self)
        twin.ask(network, ())
        return twin

    @property
    def extras(self) -> set[str]:
        """The taps and strong outputs that are read beside what the model gives."""
        return {*self.taps.places, *self.strong}

    def __call__(self, inputs: Mapping[str, Tensor], tapped: bool = True) -> Fields:
        if not tapped:
            return self._fields(self.model(*(inputs[name] for name in self.reads)))
        plain, extras = self.told(inputs)
        return Fields({**plain, **extras})

    def told(self, inputs: Mapping[str, Tensor]) -> tuple[Fields, Fields]:
        """What the model gives, and what is read beside it."""
        with self.taps.reading() as out:
            result = self.asked(*(inputs[name] for name in self.reads))
        plain, extras = self._fields(result), Fields({**out, **self._strong(inputs)})
        return (in_full(plain), in_full(extras)) if self.means else (plain, extras)

    def told_in_full(self, inputs: Mapping[str, Tensor]) -> Fields:
        """All of it in single precision."""
        plain, extras = self.told(inputs)
        return in_full({**plain, **extras})

    def load_start(self) -> None:
        """Take the modules of ``start`` from their file, if there is one."""
        if self.start and self.start["weights"] != RANDOM:
            load_modules(self.model, self.start["weights"], self.start["modules"])

    def inputs_of(self, known: Mapping[str, Any]) -> list[str]:
        """The names of ``known`` that this role can read: its modalities, and strong views of them."""
        return [name for name in known if name.removesuffix(STRONG) in self.reads]

    def _strong(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Outputs for the strong view, by a second forward; a modality that has none is read as it is."""
        if not self.strong or not any(name + STRONG in inputs for name in self.reads):
            return {}
        clips = (inputs.get(name + STRONG, inputs[name]) for name in self.reads)
        outputs = self._fields(self.asked(*clips))
        known = {name: name.removesuffix(STRONG) for name in self.strong}
        return {name: outputs[plain] for name, plain in known.items() if plain in outputs}

    @staticmethod
    def _fields(result: Tensor | Mapping[str, Tensor]) -> Fields:
        return Fields(result) if isinstance(result, Mapping) else Fields(logits=result)


def _checked_start(name: str, start: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    if start is not None and {*start} != {"weights", "modules"}:
        raise ValueError(
            f"start of the {name} says {', '.join(start)}; there is: weights (a file), modules (places)"
        )
    return start


def in_full(fields: Mapping[str, Any]) -> Fields:
    """Single precision, in which losses are computed; a cache or a teacher may hold half of it."""
    return Fields({name: _single(value) for name, value in fields.items()})


def _single(value: Tensor | list[Tensor]) -> Tensor | list[Tensor]:
    if not isinstance(value, Tensor):
        return [part.float() for part in value]
    return value.float() if value.is_floating_point() else value
