"""Virtual views of UTD-MHAD, early fusion: a teacher with the sensor and one without, and what each method makes of them.

The teacher without the sensor is the same network as the student, with labels of frames: students taught by it differ in
labels alone, those taught by the other in a modality too.
"""

seeds = (0, 1, 2, 3, 4)
amp = "auto"
_student = "utd_views_early_di_early_d_start"
rows = [
    dict(row="baseline/utd_views_frame_early_{seen}", axes=dict(seen=("di", "d"))),
    dict(row="baseline/utd_views_early_d{start}", axes=dict(start=("", "_start", "_start_d"))),
    dict(
        row="{method}/" + _student,
        axes=dict(method=("kd", "fitnet", "crd", "vicokd", "vicokd_no_consistency")),
    ),
    dict(row="{method}/utd_views_early_d_early_d_start_d", axes=dict(method=("kd", "vicokd"))),
]
