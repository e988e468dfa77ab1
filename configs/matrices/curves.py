"""Scores on the validation split after every epoch, for tools/analysis/curves.py: Rooms, and virtual views of UTD-MHAD."""

seeds = (0, 1, 2)
amp = "auto"
_each_epoch = {"train_cfg.val_interval": 1}
_begun = "utd_views_three_early_di_early_d_start"
_views = dict(seeds=(0, 1), options=_each_epoch)  # a run takes minutes
rows = [
    dict(row="baseline/rooms5_asl_v", options=_each_epoch),
    dict(row="{method}/rooms5_asl_av_asl_v", axes=dict(method=("kd", "fitnet", "crd")), options=_each_epoch),
    dict(row="vicokd/rooms5_asl_av_asl_vh", options=_each_epoch),
    dict(row="baseline/utd_views_three_early_d{start}", axes=dict(start=("", "_start")), **_views),
    dict(row="{method}/" + _begun, axes=dict(method=("kd", "fitnet", "vicokd")), **_views),
]
