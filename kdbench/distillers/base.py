"""The interface of a distillation method."""

from typing import Any

from torch import Tensor, nn

from ..spec import DataSpec, Fields, Needs


class Distiller(nn.Module):
    """A loss between a student's and a teacher's outputs.

    ``needs`` says which taps of each role, which batch fields and which kinds of task the method reads; kdbench
    checks it once, before any weight or datum is read.
    """

    needs = Needs()
    is_kept = (
        False  # whether a later row needs what it learned; the runner then writes ``distiller.safetensors``
    )
    needs_weights = False  # whether it is of no use without such a file: ``weights`` of its config
    left_out: frozenset[str] = frozenset()  # the terms that it was built without (``leave_out``)

    @staticmethod
    def infer(student: Fields, teacher: Fields, data: DataSpec) -> dict[str, Any]:
        """Constructor arguments that the models' own outputs and the data settle; a config may override any."""
        return {}

    @classmethod
    def needs_for(cls, config: dict[str, Any]) -> Needs:
        """What an instance built from ``config`` reads. Overridden where the config decides on it."""
        return cls.needs

    @classmethod
    def complete(
        cls, config: dict[str, Any], student: Fields, teacher: Fields, data: DataSpec
    ) -> dict[str, Any]:
        """``config`` with what ``infer`` settles filled in; overridden as ``needs_for`` is."""
        return {**cls.infer(student, teacher, data), **config}

    def leave_out(self, **weights: float) -> None:
        """Settle which terms there are: those whose weight is not 0, also while a schedule holds it at 0 later.

        So parameters and taps of a term are there as long as the method, which several processes count on; and a
        ``Ramp`` of a weight whose term is left out is an error.
        """
        self.left_out = frozenset(name for name, weight in weights.items() if not weight)

    def borrow(self, **heads: Any) -> None:
        """Take the last linear layers of the roles in ``needs.heads``, or lists of them (``teacher_members``).

        kdbench calls it when the method is built and again when weights have been read; a library user calls it once.
        """

    def predict(self, student: Fields) -> Tensor:
        """The logits ``(B, K)`` to train and test on. A method that changes inference says so here."""
        return student.logits

    def forward(self, student: Fields, teacher: Fields, batch: Fields) -> dict[str, Tensor]:
        """The losses by name, each a scalar called ``loss_*``."""
        raise NotImplementedError
