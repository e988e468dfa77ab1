"""Adam at a constant rate, 50 epochs: the recipe of MultiASL (Nguyen et al., ACM Multimedia Asia 2024; its code).

Rate 1e-4, weight decay 5e-4 (of Adam, not decoupled); batches of 12 come with the data. The authors choose the best epoch
on the test split; ours is the last.
"""

from torch.optim import Adam

from kdbench.engine import PrecisionOptimWrapper

max_epochs = 50
optim_wrapper = dict(type=PrecisionOptimWrapper, optimizer=dict(type=Adam, lr=1e-4, weight_decay=5e-4))
param_scheduler = []
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
val_cfg = dict()
test_cfg = dict()
