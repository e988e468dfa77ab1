"""Class Attention Transfer Based Knowledge Distillation (Guo et al., CVPR 2023)."""

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from ..registry import DISTILLERS
from ..spec import DataSpec, Fields, Needs
from .base import Distiller
from .heads import check_pooling, class_maps, pooling_of
from .precision import precise
from .stages import Shape, averaged_to, common_axes, pooled_to, positions_shared, shapes_of


def cat_kd_loss(student: Tensor, teacher: Tensor, cam_resolution: int = 2, normalize: bool = True) -> Tensor:
    """Mean squared error of class attention maps ``(B, K, ...)``, averaged to ``cam_resolution`` positions an axis.

    ``normalize`` divides each map by its length over positions.

    >>> import torch
    >>> cat_kd_loss(torch.eye(4)[None], torch.ones(1, 4, 4), cam_resolution=2)
    tensor(0.2929)
    """
    grid = (cam_resolution,) * (student.dim() - 2)
    student, teacher = (averaged_to(maps, grid).flatten(2) for maps in precise(student, teacher))
    if normalize:
        student, teacher = F.normalize(student, dim=2), F.normalize(teacher, dim=2)
    return F.mse_loss(student, teacher)


@DISTILLERS.register_module()
class CATKD(Distiller):
    """Class attention maps of the last stages: each network's last linear layer at each position of its own stage.

    ``cam_resolution`` is the grid that maps are averaged to, ``normalize`` gives each map length one.
    ``student_pooling`` and ``teacher_pooling`` (``"mean"`` or ``"mean_max"``, see ``class_maps``) and the shapes
    are found from the models. The student's layer gets gradients through its maps.

    Published: ``cam_resolution`` 2 and ``normalize=False`` for networks of one family, 4 and ``True`` across
    families; weights by pair: 15 (resnet32x4 to resnet8x4), 12 (wrn_40_2 to wrn_16_2), 0.7 (resnet56 to resnet20),
    600 (resnet32x4 to shuffle_v1).

    Limits: both networks must end in the mean (or mean and maximum) of their last stage and one linear layer, and
    the two stages must share two positions; take such networks, or tap the map that is pooled as the last stage.

    Deviations: the maps of networks that pool mean and maximum are ours (the paper knows mean pooling); axes that
    the two stages do not share are averaged away.
    """

    needs = Needs(
        student=("stages", "embedding"), teacher=("stages", "embedding"), heads=("student", "teacher")
    )

    def __init__(
        self,
        student_shapes: Sequence[Shape],
        teacher_shapes: Sequence[Shape],
        student_pooling: str = "mean",
        teacher_pooling: str = "mean",
        cam_resolution: int = 2,
        normalize: bool = False,
    ):
        super().__init__()
        positions_shared(
            "CATKD", student_shapes, teacher_shapes, [(-1, -1)], remedy="networks whose last stages are maps"
        )
        self.poolings = {
            "student": check_pooling(student_pooling),
            "teacher": check_pooling(teacher_pooling),
        }
        self.axes = common_axes(tuple(student_shapes[-1]), tuple(teacher_shapes[-1]))
        self.cam_resolution, self.normalize = cam_resolution, normalize
        self._heads: dict[str, nn.Linear] = {}  # not modules of ours: they are the networks' own

    @staticmethod
    def infer(student: Fields, teacher: Fields, data: DataSpec) -> dict[str, Any]:
        shapes = shapes_of(student.stages, teacher.stages)
        poolings = {
            f"{role}_pooling": pooling_of("CATKD", role, outputs.stages[-1], outputs.embedding)
            for role, outputs in (("student", student), ("teacher", teacher))
        }
        return {**shapes, **poolings}

    def borrow(self, student: nn.Linear, teacher: nn.Linear) -> None:
        self._heads = {"student": student, "teacher": teacher}

    def _maps(self, role: str, stage: Tensor) -> Tensor:
        if role not in self._heads:
            raise ValueError(
                f"CATKD has no last linear layer of the {role}; give both by borrow(student=, teacher=)"
            )
        head = self._heads[role]
        return class_maps(pooled_to(stage, self.axes), head.weight, head.bias, self.poolings[role])

    def forward(self, student: Fields, teacher: Fields, batch: Fields) -> dict[str, Tensor]:
        from_student = self._maps("student", student.stages[-1])
        from_teacher = self._maps("teacher", teacher.stages[-1]).detach()
        return {"loss_catkd": cat_kd_loss(from_student, from_teacher, self.cam_resolution, self.normalize)}
