"""AdamW, one cycle, 20 epochs: the first of two rows that have 60 together. All but the length is as in adamw_60e."""

from mmengine.config import read_base

with read_base():
    from .adamw_60e import *

max_epochs = 20
param_scheduler[0].update(total_steps=max_epochs, end=max_epochs)
train_cfg.update(max_epochs=max_epochs, val_interval=max_epochs)
