"""MViT and Swin miniatures on the depth of UTD-MHAD, alone and taught by skeletons; Swin inside MultiASL.

Needs mmaction2 (docs/external.md).
"""

seeds = (0, 1, 2)
_net = ("swin_mini", "mvit_mini")
rows = [
    dict(row="baseline/utd_{net}", axes=dict(net=_net)),
    dict(
        row="{method}/utd_skeleton_cnn_{net}",
        axes=dict(method=("kd", "fitnet", "crd", "ofa"), net=_net),
    ),
    dict(row="baseline/rooms5_asl_swin_v"),
    dict(
        row="{method}/rooms5_asl_av_{student}",
        axes=dict(method=("kd", "vicokd"), student=("asl_swin_v",)),
    ),
    dict(row="vicokd/rooms5_asl_av_asl_swin_vh"),
]
