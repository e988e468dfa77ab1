"""UTD-MHAD with few labels for teacher and student alike: the action-recognition distillers, FitNets and mutual learning.

The labels are those of utd_few_labels, whose baselines and KL these are compared with. Depth students have the published
weights, inertial ones those chosen on the validation subject where there are some.
"""

seeds = (0, 1, 2, 3, 4)
amp = "auto"
_few = ("s13", "s1", "p25", "p10")
_student = ("inertial_cnn", "depth_cnn_small")
_methods = (
    "mars",
    "mers",
    "hallucination",
    "utd_vpd",
    "vpnpp",
    "generative",
    "crossview_all",
    "crossview_contrast",
    "crossview_fitnet",
    "crossview_hallucination",
)
rows = [
    dict(row="fitnet/utd_{few}_skeleton_cnn_{student}", axes=dict(few=_few, student=_student)),
    dict(
        row="crossview/utd_{few}_skeleton_cnn_{student}",
        axes=dict(few=_few, student=_student),
        distiller=_methods,
    ),
    dict(
        row="crossview/utd_{few}_skeleton_cnn_{student}_peers",
        axes=dict(few=_few, student=_student),
        distiller=("thoker_gall", "dml"),
    ),
]
