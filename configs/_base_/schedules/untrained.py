"""No epoch: the student's weights come from earlier runs; tools/train.py tests it and writes it as one file."""

from torch.optim import SGD

from kdbench.engine import PrecisionOptimWrapper

# mmengine has no runner for training without an optimiser; this one takes no step.
optim_wrapper = dict(type=PrecisionOptimWrapper, optimizer=dict(type=SGD, lr=0.0))
train_cfg = dict(max_epochs=0)
val_cfg = dict()
test_cfg = dict()
