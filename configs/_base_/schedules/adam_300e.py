"""Adam, a cosine from 1e-4 to 1e-5, 300 epochs: the recipe of MultiTSF (Nguyen et al., FG 2025; its code).

Everything but the length and the cosine is as in adam_50e.
"""

from mmengine.config import read_base
from mmengine.optim import CosineAnnealingLR

with read_base():
    from .adam_50e import *

max_epochs = 300
param_scheduler = [
    dict(type=CosineAnnealingLR, T_max=max_epochs, eta_min=1e-5, begin=0, end=max_epochs, by_epoch=True)
]
train_cfg.update(max_epochs=max_epochs, val_interval=max_epochs)
