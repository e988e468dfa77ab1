"""SGD, one cycle, 6 epochs: small pictures on one CPU core, in minutes. Momentum and weight decay are as in sgd_240e.

A fifth of warm-up from a tenth of the peak, then a cosine down to a thousandth of it, one step a batch.
"""

from mmengine.config import read_base
from mmengine.optim import OneCycleLR

with read_base():
    from .sgd_240e import *

max_epochs = 6
param_scheduler = [
    dict(
        type=OneCycleLR,
        eta_max=0.1,
        pct_start=0.2,
        div_factor=10.0,
        final_div_factor=100.0,
        total_steps=max_epochs,
        end=max_epochs,
        by_epoch=True,
        convert_to_iter_based=True,
    )
]
train_cfg.update(max_epochs=max_epochs, val_interval=max_epochs)
