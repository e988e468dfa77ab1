"""Rooms with 5 views: three networks, alone and taught by four methods, with labels of frames and of sequences.

Teachers hear and see and have labels of frames; with labels of sequences they are those of the frames.
"""

seeds = (0, 1, 2, 3, 4)
amp = "auto"
_nets = ("asl", "tsf", "trans")
_data = ("rooms5", "rooms5_frame")
rows = [
    dict(row="baseline/rooms5_frame_{net}_av", axes=dict(net=_nets)),
    dict(row="baseline/{data}_{net}_v", axes=dict(data=_data, net=_nets)),
    dict(
        row="{method}/{data}_{net}_av_{net}_v",
        axes=dict(method=("kd", "fitnet", "crd"), data=_data, net=_nets),
    ),
    dict(row="vicokd/{data}_{net}_av_{net}_vh", axes=dict(data=_data, net=_nets)),
]
