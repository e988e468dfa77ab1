"""UTD-MHAD with few labels for teacher and student alike: the action-recognition distillers, FitNets and mutual learning.

The labels are those of utd_few_labels, whose baselines and KL these are compared with. Depth students have the published
weights where these are the best on the validation subject, inertial ones those chosen there.
"""

seeds = (0, 1, 2, 3, 4)
amp = "auto"
_few = ("s13", "s1", "p25", "p10")
_student = ("inertial_cnn", "depth_cnn_small")
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
_chosen = dict(
    inertial_cnn=("hallucination", "utd_vpd"), depth_cnn_small=("utd_depth_hallucination", "utd_depth_vpd")
)
rows = [
    dict(row="fitnet/utd_{few}_skeleton_cnn_{student}", axes=dict(few=_few, student=_student)),
    *(
        dict(
            row="crossview/utd_{few}_skeleton_cnn_" + student,
            axes=dict(few=_few),
            distiller=(*_methods, *_chosen[student]),
        )
        for student in _student
    ),
    dict(
        row="crossview/utd_{few}_skeleton_cnn_{student}_peers",
        axes=dict(few=_few, student=_student),
        distiller=("thoker_gall", "dml"),
    ),
]
