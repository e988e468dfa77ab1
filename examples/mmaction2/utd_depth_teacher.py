"""mmaction2: the teacher, an R3D-18 of a quarter of its width, on the same clips."""

_base_ = "utd_depth.py"

model = dict(backbone=dict(base_channels=16), cls_head=dict(in_channels=128))
