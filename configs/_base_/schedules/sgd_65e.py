"""SGD 0.1 with Nesterov momentum, a tenth of the rate after 50 epochs, 65 epochs: CTR-GCN on N-UCLA.

The rate rises over the first 5 epochs, a fifth of it each (Chen et al., ICCV 2021; config/ucla/default.yaml and main.py
of their code). Batches of 16, and the repetition of the training clips, come with the data.
"""

from mmengine.optim import LinearLR, MultiStepLR
from torch.optim import SGD

from kdbench.engine import PrecisionOptimWrapper

max_epochs = 65
optim_wrapper = dict(
    type=PrecisionOptimWrapper,
    optimizer=dict(type=SGD, lr=0.1, momentum=0.9, weight_decay=1e-4, nesterov=True),
)
param_scheduler = [
    dict(type=LinearLR, start_factor=0.2, end=5, by_epoch=True),
    dict(type=MultiStepLR, milestones=[50], gamma=0.1, by_epoch=True),
]
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
val_cfg = dict()
test_cfg = dict()
