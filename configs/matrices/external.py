"""MViT and Swin miniatures on the depth of UTD-MHAD: alone and taught by skeletons.

Needs mmaction2 (docs/external.md). Those inside MultiASL on Rooms are in external_rooms.
"""

seeds = (0, 1, 2)
amp = "auto"
_net = ("swin_mini", "mvit_mini")
rows = [
    dict(row="baseline/utd_{net}", axes=dict(net=_net)),
    dict(
        row="{method}/utd_skeleton_cnn_{net}",
        axes=dict(method=("kd", "fitnet", "crd", "ofa"), net=_net),
    ),
]
