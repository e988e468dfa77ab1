"""Several distillation methods added up, each with its weight."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from ..registry import DISTILLERS, build, find
from ..spec import MULTI_LABEL, SINGLE_LABEL, DataSpec, Fields, Needs
from .base import Distiller


def _union(names: list[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for group in names for name in group))


def _together(needs: list[Needs]) -> Needs:
    return Needs(
        student=_union([n.student for n in needs]),
        teacher=_union([n.teacher for n in needs]),
        batch=_union([n.batch for n in needs]),
        tasks=tuple(task for task in (SINGLE_LABEL, MULTI_LABEL) if all(task in n.tasks for n in needs)),
        heads=_union([n.heads for n in needs]),
    )


def _class(config: dict[str, Any]) -> type[Distiller]:
    return find(DISTILLERS, config["type"])


@DISTILLERS.register_module()
class Sum(Distiller):
    """``sum_i weights_i * loss_i``, e.g. CRD + KD. ``methods`` are distillers or their configs.

    At most one of the methods may change inference (``predict``).

    Limits: it runs where all its methods do; methods for one and for several labels do not go together.
    """

    def __init__(self, methods: Sequence[Distiller | dict], weights: Sequence[float] | None = None):
        super().__init__()
        built = [build(DISTILLERS, m) if isinstance(m, dict) else m for m in methods]
        weights = tuple(weights) if weights is not None else (1.0,) * len(built)
        if len(weights) != len(built):
            raise ValueError(f"{len(built)} methods need as many weights; there is: {weights}")
        predicting = [type(m).__name__ for m in built if type(m).predict is not Distiller.predict]
        if len(predicting) > 1:
            raise ValueError(f"only one method may change inference; there is: {', '.join(predicting)}")
        self.methods, self.weights = nn.ModuleList(built), weights
        self.needs = _together([m.needs for m in built])
        self.is_kept, self.needs_weights = any(m.is_kept for m in built), any(m.needs_weights for m in built)

    @classmethod
    def needs_for(cls, config: dict[str, Any]) -> Needs:
        return _together([_class(m).needs_for(m) for m in config["methods"]])

    @classmethod
    def complete(
        cls, config: dict[str, Any], student: Fields, teacher: Fields, data: DataSpec
    ) -> dict[str, Any]:
        methods = [_class(m).complete(m, student, teacher, data) for m in config["methods"]]
        return {**config, "methods": methods}

    def borrow(self, **heads: Any) -> None:
        for method in self.methods:
            method.borrow(**{role: heads[role] for role in method.needs.heads})

    def predict(self, student: Fields) -> Tensor:
        changing = [m for m in self.methods if type(m).predict is not Distiller.predict]
        return (changing[0] if changing else super()).predict(student)

    def forward(self, student: Fields, teacher: Fields, batch: Fields) -> dict[str, Tensor]:
        losses: dict[str, Tensor] = {}
        for method, weight in zip(self.methods, self.weights, strict=True):
            for name, value in method(student, teacher, batch).items():
                losses[name] = losses.get(name, 0) + weight * value
        return losses
