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
_controls = ("kd", "fitnet")
rows = [
    # What the batches of the whole grid give, where the grid has it not
    dict(
        row="crossview/utd_{few}_skeleton_cnn_{student}_peers",
        axes=dict(few=_few, student=("depth_cnn_small", "inertial_cnn")),
        distiller="crossview_labels",
    ),
    dict(row="{method}/" + _inertial, axes=dict(method=_controls, few=_few), options=_half),
    dict(row="crossview/" + _inertial, axes=dict(few=_few), distiller="crossview_fitnet", options=_half),
    dict(row="{method}/" + _depth, axes=dict(method=_controls, few=_few), options=_half),
    dict(
        row="crossview/utd_{few}_skeleton_cnn_{student}_peers",
        axes=dict(few=_few, student=("depth_cnn_small", "inertial_cnn")),
        distiller=("crossview_labels", "crossview_full"),
        options=_half,
    ),
    dict(
        row="crossview/" + _depth,
        axes=dict(few=_few),
        distiller=("crossview_fitnet", "utd_depth_hallucination", "utd_depth_vpd", "mars", "mers"),
        options=_half,
    ),
    dict(row=f"crossview/{_depth}_peers", axes=dict(few=_few), distiller=("dml", "crossview"), options=_half),
    dict(
        row="crossview/" + _depth,
        axes=dict(few=_few),
        distiller=(None, "crossview_aligned", "vpnpp"),
        options=_half,
    ),
    dict(row=f"crossview/{_depth}_peers", axes=dict(few=_few), distiller="thoker_gall", options=_half),
    dict(row="crossview/" + _depth, axes=dict(few=_few), distiller="generative", options=_half),
]
