"""Logit Standardization in Knowledge Distillation (Sun et al., CVPR 2024)."""

from typing import Any

from torch import Tensor

from ..registry import DISTILLERS, build, find
from ..spec import SINGLE_LABEL, DataSpec, Fields, Needs
from .base import Distiller
from .precision import precise

EPSILON = 1e-7  # of the reference code, beside the standard deviation
LOGITS = ("logits", "logits_strong")
DEFAULT = {"type": "KD", "tau": 2.0}


def standardised(logits: Tensor) -> Tensor:
    """``(z - mean z) / (std z + 1e-7)`` over the classes of each clip ``(B, K)``, K > 1; the deviation is unbiased.

    A clip whose logits are all equal gives zeros, with a gradient of 1e7: start from a random classifier.

    >>> import torch
    >>> standardised(torch.tensor([[1.0, 2.0, 3.0]]))
    tensor([[-1.0000,  0.0000,  1.0000]])
    """
    (logits,) = precise(logits)
    return (logits - logits.mean(1, keepdim=True)) / (logits.std(1, keepdim=True) + EPSILON)


def _class(method: Distiller | dict[str, Any]) -> type[Distiller]:
    return find(DISTILLERS, method["type"]) if isinstance(method, dict) else type(method)


def _needs(method: Distiller | dict[str, Any]) -> Needs:
    needs = _class(method).needs_for(method) if isinstance(method, dict) else method.needs
    return Needs(student=needs.student, teacher=needs.teacher, batch=needs.batch, tasks=(SINGLE_LABEL,))


@DISTILLERS.register_module()
class LSKD(Distiller):
    """Another method on logits in units of their own deviation, so that the student need not match the teacher's scale.

    ``method`` is a distiller or its config. One that has a switch ``standardise`` (MLKD) does it inside, because
    some of its terms read plain logits.

    Published: KD with ``tau`` 2, weight 9 and 0.1 for the labels; DKD with ``tau`` 2, ``alpha`` 9, ``beta`` 72;
    MLKD with ``taus`` (2, 3, 5, 2, 6), weight 9 and 0.1 for the labels.

    Limits: one label a clip only: a softmax does not see the mean that is taken away, a sigmoid does; for several
    take the method itself. ``method`` must read logits and nothing else of the networks.

    Deviations: none.
    """

    needs = Needs(tasks=(SINGLE_LABEL,))

    def __init__(self, method: Distiller | dict[str, Any] = DEFAULT):
        super().__init__()
        self.method = build(DISTILLERS, method) if isinstance(method, dict) else method
        name, self.needs = type(self.method).__name__, _needs(self.method)
        read = {*self.needs.student, *self.needs.teacher}
        if not read <= set(LOGITS) or not self.needs.teacher:
            taps = ", ".join(sorted(read))
            raise ValueError(f"LSKD standardises a student's and a teacher's logits; {name} reads: {taps}")
        if getattr(self.method, "form", "softmax") == "bernoulli":
            raise ValueError(f"LSKD has no Bernoulli form; give {name} form='softmax' and one label a clip")
        self._inside = hasattr(self.method, "standardise")
        if self._inside:
            self.method.standardise = True

    @classmethod
    def needs_for(cls, config: dict[str, Any]) -> Needs:
        return _needs(config.get("method", DEFAULT))

    @classmethod
    def complete(
        cls, config: dict[str, Any], student: Fields, teacher: Fields, data: DataSpec
    ) -> dict[str, Any]:
        method = config.get("method", DEFAULT)
        if isinstance(method, dict):
            method = _class(method).complete(method, student, teacher, data)
        return {**config, "method": method}

    def forward(self, student: Fields, teacher: Fields, batch: Fields) -> dict[str, Tensor]:
        if not self._inside:
            student, teacher = (
                Fields({n: standardised(x) if n in LOGITS else x for n, x in fields.items()})
                for fields in (student, teacher)
            )
        return self.method(student, teacher, batch)
