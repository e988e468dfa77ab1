"""UTD-MHAD with few labels for the student and all for the teacher: the action-recognition distillers and FitNets.

As utd_few_labels_methods is to utd_few_labels. Mutual learning has no teacher and is only there.
"""

seeds = (0, 1, 2, 3, 4)
amp = "auto"
_few = ("s13", "s1", "p25", "p10")
_methods = (
    "mars",
    "mers",
    "vpnpp",
    "generative",
    "crossview_all",
    "crossview_contrast",
    "crossview_fitnet",
    "crossview_hallucination",
)
rows = [
    dict(
        row="crossview/utd_{few}_labelled_teacher_skeleton_cnn_inertial_cnn",
        axes=dict(few=_few),
        distiller=("utd_fitnet", "hallucination", "utd_vpd", *_methods),
    ),
    dict(
        row="crossview/utd_{few}_labelled_teacher_skeleton_cnn_depth_cnn_small",
        axes=dict(few=_few),
        distiller=("fitnet", "utd_depth_hallucination", "utd_depth_vpd", *_methods),
    ),
    dict(
        row="crossview/utd_{few}_labelled_teacher_skeleton_cnn_{student}_peers",
        axes=dict(few=_few, student=("inertial_cnn", "depth_cnn_small")),
        distiller="thoker_gall",
    ),
]
