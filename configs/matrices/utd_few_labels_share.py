"""UTD-MHAD with few labels for both: batches of which half are labelled, beside those of utd_few_labels_methods.

A tenth of the labels gives a batch of 32 some three labelled clips, where rows of labels alone see 32 in each of as many
steps. So a method that lives on the labels' term is measured here with 16 as well, and so are the controls.
"""

seeds = (0, 1, 2)
amp = "auto"
_few = ("s1", "p10")
_half = {"train_dataloader.sampler.labelled_share": 0.5}
_shares = ({}, _half)
rows = [
    dict(
        row="crossview/utd_{few}_skeleton_cnn_depth_cnn_small_peers",
        axes=dict(few=_few),
        distiller=("crossview_labels", "dml", "crossview_full"),
        options=_shares,
    ),
    dict(
        row="crossview/utd_{few}_skeleton_cnn_depth_cnn_small",
        axes=dict(few=_few),
        distiller=("crossview_fitnet", "utd_depth_hallucination", "utd_depth_vpd", "mars", "mers"),
        options=_shares,
    ),
    dict(
        row="crossview/utd_{few}_skeleton_cnn_inertial_cnn_peers",
        axes=dict(few=_few),
        distiller="crossview_labels",
        options=_shares,
    ),
    dict(
        row="crossview/utd_{few}_skeleton_cnn_inertial_cnn",
        axes=dict(few=_few),
        distiller="crossview_fitnet",
        options=_shares,
    ),
    dict(
        row="{method}/utd_{few}_skeleton_cnn_{student}",
        axes=dict(method=("kd", "fitnet"), few=_few, student=("depth_cnn_small", "inertial_cnn")),
        options=_shares,
    ),
]
