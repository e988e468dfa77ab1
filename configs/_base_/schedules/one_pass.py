"""One pass over the training clips and one fit, for models that do not learn by steps."""

from torch.optim import SGD

from kdbench.engine import FitLoop, PrecisionOptimWrapper

# mmengine has no training without an optimiser; this one takes no step.
optim_wrapper = dict(type=PrecisionOptimWrapper, optimizer=dict(type=SGD, lr=0.0))
train_cfg = dict(type=FitLoop, max_epochs=1)
val_cfg = dict()
test_cfg = dict()
