"""UTD-MHAD with few labels for both: batches of which half are labelled, beside those of utd_few_labels_methods.

A tenth of the labels gives a batch of 32 some three labelled clips, where rows of labels alone see 32 in each of as many
steps. So what a method owes to its few labelled clips is told from what it owes to itself. With subjects 1 3 half of every
batch is labelled anyway. ``crossview_labels`` is the control: labels alone in these batches.
"""

seeds = (0, 1, 2)
amp = "auto"
_half = {"train_dataloader.sampler.labelled_share": 0.5}
_few = ("s1", "p10", "p25")
_depth = "utd_{few}_skeleton_cnn_depth_cnn_small"
_inertial = "utd_{few}_skeleton_cnn_inertial_cnn"

rows = [
    dict(
        row=f"crossview/{_depth}_peers",
        axes=dict(few=_few),
        distiller="crossview_labels",
        options=({}, _half),
    ),
    dict(
        row=f"crossview/{_depth}_peers",
        axes=dict(few=_few),
        distiller=("crossview_full", "crossview", "dml", "thoker_gall"),
        options=_half,
    ),
    dict(row="{method}/" + _depth, axes=dict(few=_few, method=("kd", "fitnet")), options=_half),
    dict(
        row=f"crossview/{_depth}",
        axes=dict(few=_few),
        distiller=(
            None,
            "crossview_aligned",
            "crossview_fitnet",
            "utd_depth_hallucination",
            "utd_depth_vpd",
            "mars",
            "mers",
            "vpnpp",
            "generative",
        ),
        options=_half,
    ),
    # The sensor's student, whose batches turned out to matter little
    dict(
        row=f"crossview/{_inertial}_peers",
        axes=dict(few=_few[:2]),
        distiller="crossview_labels",
        options=({}, _half),
    ),
    dict(row=f"crossview/{_inertial}", axes=dict(few=_few[:2]), distiller="crossview_fitnet", options=_half),
    dict(row="{method}/" + _inertial, axes=dict(few=_few[:2], method=("kd", "fitnet")), options=_half),
]
