"""NTU RGB+D 60, cross-subject, few labels for both: 5 % of the takes are labelled, the same share of each class.

The others are there without labels. The teacher was trained on the labelled ones only (rows ``ntu60_xsub_p5_labels_*``),
so its outputs give no label away. A fraction is one of takes: what one camera saw, the others saw too.
"""

from mmengine.config import read_base

with read_base():
    from .ntu60_xsub import *

labels = "5 % of the clips; the others unlabelled, teacher trained on the 5 % only"
teacher_labels = "5 % of the clips"
teacher_weights = "work_dirs/baseline/ntu60_xsub_p5_labels_{part}/seed{seed}/student.safetensors"
train_dataloader.update(dataset=dict(labelled=dict(fraction=0.05, seed=0)))
