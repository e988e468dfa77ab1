"""N-UCLA, cross-view, few labels for both: 5 % of the clips are labelled, the same share of each class, the others not; test view 3.

The teacher was trained on these only (rows ``nucla_boxed_p5_labels_*``), so its outputs give no label away. Clips are read as in
``nucla_boxed``.
"""

from mmengine.config import read_base

with read_base():
    from .nucla_boxed import *

labels = "5 % of the clips; the others unlabelled, teacher trained on the 5 % only"
teacher_labels = "5 % of the clips"
teacher_weights = "work_dirs/baseline/nucla_boxed_p5_labels_{part}/seed{seed}/student.safetensors"
train_dataloader.update(dataset=dict(labelled=dict(fraction=0.05, seed=0)))
