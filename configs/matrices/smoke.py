"""A small matrix that shows all there is: a teacher found by itself, a swap, every distiller but few, two seeds.

python tools/matrix.py configs/matrices/smoke.py --smoke
"""

seeds = (0, 1)
rows = [
    dict(row="baseline/rooms_view_v"),
    dict(row="{method}/rooms_view_av_view_v", axes=dict(method=("kd", "fitnet"))),
    dict(row="kd/rooms_view_av_view_v", distiller="pkt"),
    dict(row="kd/rooms_view_av_view_v", options={"model.distiller.tau": 2.0}, seeds=(0,)),
]
