"""MultiSensor-Home2 at MultiTSF's settings: as Home1, of another home.

No list of its classes is published. Their number, that of Home1, and ``num_train`` stand in until the annotation is
there; then the data set says how many it has.
"""

from mmengine.config import read_base

with read_base():
    from .home1 import *

data.update(name="MultiSensor-Home2")
teacher_weights = "work_dirs/baseline/home2_frame_{part}/seed{seed}/student.safetensors"
train_dataloader.update(dataset=dict(home=2))
test_dataloader.update(dataset=dict(home=2))
