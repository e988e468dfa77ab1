"""UTD-MHAD with few labels alone: clips that come again within an epoch, augmented as before and anew.

Rows of few labels take as many steps as those of all, so an epoch of a tenth of the clips shows each ten times. Rows of a
teacher and all clips hardly repeat any; their teachers of few labels do.
"""

seeds = (0, 1, 2)
_few = ("p10", "s1")
_student = ("depth_cnn_small", "inertial_cnn", "skeleton_cnn")

rows = [
    dict(
        row="baseline/utd_{few}_labels_{student}",
        axes=dict(few=_few, student=_student),
        options=({}, {"train_dataloader.sampler.redraw": True}),
    )
]
