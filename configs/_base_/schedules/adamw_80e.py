"""AdamW, one cycle, 80 epochs, a peak of 5e-3: the recipe for small graph networks. All else is as in adamw_60e."""

from mmengine.config import read_base

with read_base():
    from .adamw_60e import *

max_epochs = 80
optim_wrapper["optimizer"].update(lr=5e-3)
param_scheduler[0].update(eta_max=5e-3, total_steps=max_epochs, end=max_epochs)
train_cfg.update(max_epochs=max_epochs, val_interval=max_epochs)
