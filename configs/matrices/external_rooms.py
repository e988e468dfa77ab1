"""The Swin miniature as the encoder of every view inside MultiASL on Rooms: alone, KD and ViCoKD.

Needs mmaction2 (docs/external.md).
"""

seeds = (0, 1, 2)
amp = "auto"
rows = [
    dict(row="baseline/rooms5_asl_swin_v"),
    dict(row="kd/rooms5_asl_av_asl_swin_v"),
    dict(row="vicokd/rooms5_asl_av_asl_swin_{student}", axes=dict(student=("v", "vh"))),
]
