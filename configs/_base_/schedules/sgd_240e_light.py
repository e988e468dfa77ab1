"""SGD, three steps, 240 epochs, from 0.01: for MobileNetV2 and the ShuffleNets. All but the rate is as in sgd_240e."""

from mmengine.config import read_base

with read_base():
    from .sgd_240e import *

optim_wrapper["optimizer"].update(lr=0.01)
