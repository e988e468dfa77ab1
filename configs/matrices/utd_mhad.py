"""UTD-MHAD, cross-subject, all labels: skeletons teach an inertial and a depth student by every distiller that fits.

Rows stand for their parts, with the weights that were chosen for their pair (docs/benchmark_protocol.md); where there is
no row, a part comes with its published ones. A pair of students without a teacher is the bound from below.
"""

seeds = (0, 1, 2)
amp = "auto"
# Recipes for other data, those of rows that are here, and ablations: of ViCoKD's only the one that needs no views would
# fit. Generative is here in one row; its two phases are rows of their own.
_other = ("rooms_*", "utd_*", "vicokd*", "vpnpp_*", "generative_*")
rows = [
    dict(row="baseline/utd_{student}", axes=dict(student=("inertial_cnn", "depth_cnn"))),
    dict(row="kd/utd_skeleton_cnn_inertial_cnn", distiller="all", without=_other),
    # Methods of two rows have their first phase with this student only by a swap of their second row.
    dict(row="kd/utd_skeleton_cnn_depth_cnn", distiller="all", without=(*_other, "ab", "fsp", "ft_*")),
    dict(
        row="{method}/utd_skeleton_cnn_inertial_cnn",
        axes=dict(method=("ab", "fsp", "ft")),
        student="depth_cnn",
    ),
]
