"""SGD, three steps, 240 epochs: the recipe of the CIFAR-100 distillation tables (Tian et al., ICLR 2020).

Momentum 0.9, weight decay 5e-4, a tenth of the rate after 150, 180 and 210 epochs; batches of 64 come with the data.
MobileNetV2 and the ShuffleNets start from 0.01: sgd_240e_light.
"""

from mmengine.optim import MultiStepLR
from torch.optim import SGD

from kdbench.engine import PrecisionOptimWrapper

max_epochs = 240
optim_wrapper = dict(
    type=PrecisionOptimWrapper, optimizer=dict(type=SGD, lr=0.05, momentum=0.9, weight_decay=5e-4)
)
param_scheduler = [dict(type=MultiStepLR, milestones=[150, 180, 210], gamma=0.1, by_epoch=True)]
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
val_cfg = dict()
test_cfg = dict()
