"""mmaction2: the network of utd_depth.py, which also learns from the wider one by a distiller of kdbench."""

_base_ = "utd_depth.py"

model = dict(
    _delete_=True,
    type="kdbench.DistilledRecognizer",
    student={{_base_.model}},
    teacher="examples/mmaction2/utd_depth_teacher.py",
    teacher_weights="work_dirs/utd_depth_teacher/epoch_24.pth",
    distiller=dict(type="KD", tau=4.0),
    clip=(1, 3, 8, 64, 64),  # what the pipeline packs
)
