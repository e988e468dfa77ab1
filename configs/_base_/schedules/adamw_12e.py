"""AdamW, one cycle, 12 epochs: the recipe for Rooms with 5 views. Everything but the length is as in adamw_60e."""

from mmengine.config import read_base

with read_base():
    from .adamw_60e import *

max_epochs = 12
param_scheduler[0].update(total_steps=max_epochs, end=max_epochs)
train_cfg.update(max_epochs=max_epochs, val_interval=max_epochs)
