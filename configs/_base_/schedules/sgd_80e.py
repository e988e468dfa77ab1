"""SGD 0.1 with Nesterov momentum and a cosine to zero, 80 epochs: graph networks on NTU RGB+D (mmaction2, PYSKL).

Published as 16 epochs of a list that repeats every sample five times; batches of 128 come with the data.
"""

from mmengine.optim import CosineAnnealingLR
from torch.optim import SGD

from kdbench.engine import PrecisionOptimWrapper

max_epochs = 80
optim_wrapper = dict(
    type=PrecisionOptimWrapper,
    optimizer=dict(type=SGD, lr=0.1, momentum=0.9, weight_decay=5e-4, nesterov=True),
)
param_scheduler = [
    dict(
        type=CosineAnnealingLR,
        eta_min=0.0,
        T_max=max_epochs,
        end=max_epochs,
        by_epoch=True,
        convert_to_iter_based=True,
    )
]
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
val_cfg = dict()
test_cfg = dict()
