"""mmaction2: the teacher, an R3D-18 of a quarter of its width, on the same clips."""

_base_ = "utd_depth.py"

model = dict(
    backbone=dict(
        _delete_=True,
        type="ResNet3d",
        depth=18,
        base_channels=16,
        pretrained=None,
        pretrained2d=False,
        conv1_kernel=(3, 7, 7),
        temporal_strides=(1, 2, 2, 2),
        inflate=(1, 1, 1, 1),
        norm_eval=False,
    ),
)
