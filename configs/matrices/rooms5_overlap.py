"""Rooms with 5 views, the overlap dial swept: what the consistency term is worth when views share more or less.

rooms5 itself, at an overlap of 0.1, is the fourth point.
"""

seeds = (0, 1, 2, 3, 4)
amp = "auto"
_overlap = dict(overlap=(0, 100, 50))
rows = [
    dict(row="baseline/rooms5_overlap{overlap}_frame_asl_av", axes=_overlap),
    dict(
        row="{method}/rooms5_overlap{overlap}_asl_av_asl_vh",
        axes=dict(_overlap, method=("vicokd", "vicokd_no_consistency")),
    ),
    dict(row="baseline/rooms5_overlap{overlap}_asl_v", axes=_overlap),
]
