"""How closely a student follows its teacher."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from ..registry import METRICS
from .columns import ColumnMetric


def agreement(student: Tensor, teacher: Tensor) -> Tensor:
    """The fraction of clips for which both give the same best class. Logits are ``(N, K)``.

    >>> agreement(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[3.0, 2.0], [3.0, 2.0]]))
    tensor(0.5000)
    """
    return (student.argmax(1) == teacher.argmax(1)).to(student.dtype).mean()


def decision_agreement(student: Tensor, teacher: Tensor) -> Tensor:
    """The fraction of (clip, class) pairs on whose presence both agree. Logits are ``(N, K)``; present is above 0.

    >>> decision_agreement(torch.tensor([[1.0, -1.0]]), torch.tensor([[2.0, 3.0]]))
    tensor(0.5000)
    """
    return ((student > 0) == (teacher > 0)).to(student.dtype).mean()


def kl_fidelity(student: Tensor, teacher: Tensor) -> Tensor:
    """``KL(teacher || student)`` of the class distributions in nats, mean over clips. Logits are ``(N, K)``.

    >>> kl_fidelity(torch.eye(3), 2 * torch.eye(3))
    tensor(0.0989)
    """
    return F.kl_div(student.log_softmax(1), teacher.log_softmax(1), reduction="batchmean", log_target=True)


def decision_kl_fidelity(student: Tensor, teacher: Tensor) -> Tensor:
    """``KL(teacher || student)`` of each class's presence in nats, mean over clips and classes. Logits are ``(N, K)``.

    >>> decision_kl_fidelity(torch.eye(3), 2 * torch.eye(3))
    tensor(0.0224)
    """
    student, teacher = (torch.stack([F.logsigmoid(x), F.logsigmoid(-x)], -1) for x in (student, teacher))
    return F.kl_div(student, teacher, reduction="none", log_target=True).sum(-1).mean()


@METRICS.register_module()
class Fidelity(ColumnMetric):
    """``agreement`` in percent and ``teacher_KL`` in nats, where samples carry ``teacher_logits``; nothing otherwise.

    Clips with one label are compared by best class and softmax, clips with several class by class. Where they carry
    ``frame_logits`` and ``teacher_frame_logits`` ``(T, K)``, ``frame_agreement`` and ``frame_teacher_KL`` compare the
    frames in the same way; frames whose ``frame_target`` is negative (padding) are left out.
    """

    reads = ("logits", "target")
    optional = ("teacher_logits", "frame_logits", "teacher_frame_logits", "frame_target")

    def measure(self, columns: Mapping[str, Tensor]) -> dict[str, float]:
        if "teacher_logits" not in columns:
            return {}
        several = columns["target"].dim() == 2
        values = _compared(columns["logits"], columns["teacher_logits"], several)
        student, teacher = (columns.get(name) for name in ("frame_logits", "teacher_frame_logits"))
        if student is not None and teacher is not None and student.shape == teacher.shape:
            real = _real_frames(columns, student)
            frames = _compared(student[real], teacher[real], several)
            values |= {f"frame_{name}": value for name, value in frames.items()}
        return values


def _compared(student: Tensor, teacher: Tensor, several: bool) -> dict[str, float]:
    pair = student.double(), teacher.double()
    same, divergence = (decision_agreement, decision_kl_fidelity) if several else (agreement, kl_fidelity)
    return {"agreement": 100 * same(*pair).item(), "teacher_KL": divergence(*pair).item()}


def _real_frames(columns: Mapping[str, Tensor], logits: Tensor) -> Tensor:
    """Which frames ``(N, T)`` are no padding."""
    target = columns.get("frame_target")
    if target is None:
        return torch.ones(logits.shape[:2], dtype=torch.bool)
    return (target >= 0).any(-1) if target.dim() == 3 else target >= 0
