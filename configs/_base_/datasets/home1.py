"""MultiSensor-Home1 at MultiTSF's settings: 5 views, T = 70 at 2.5 a second, 224 x 224, sequence labels.

``num_train`` stands in until ``train.json`` is there; then the data set says how many recordings it has.
"""

from torch.utils.data import default_collate

from kdbench.datasets import EpochSampler, MultiSensorHome
from kdbench.evaluation import Fidelity, MeanAP

data = dict(
    name="MultiSensor-Home1",
    inputs=dict(rgb=(5, 70, 3, 224, 224), audio=(5, 70, 1024, 128)),
    num_classes=16,
    task="multi-label",
    num_train=2,
    fields=dict(target=(16,), visible=(5, 70)),
)
notice = dict(
    licence="cc-by-4.0",
    text="MultiSensor-Home (T. T. Nguyen et al., FG 2025) is under CC BY 4.0; name its authors beside the weights.",
)
protocol = "published split"
labels = "sequence"
preprocessor = dict(mean=dict(rgb=(0.485, 0.456, 0.406)), std=dict(rgb=(0.229, 0.224, 0.225)))
teacher_weights = "work_dirs/baseline/home1_frame_{part}/seed{seed}/student.safetensors"
primary_metric = "mAP_C"

train_dataloader = dict(
    batch_size=12,
    num_workers=4,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type=EpochSampler),
    collate_fn=default_collate,
    dataset=dict(
        type=MultiSensorHome,
        home=1,
        split="train",
        supervision="sequence",
        num_frames=70,
        fields=("visible",),
    ),
)
test_dataloader = dict(
    batch_size=12,
    num_workers=4,
    sampler=dict(type=EpochSampler, shuffle=False),
    collate_fn=default_collate,
    dataset=dict(
        type=MultiSensorHome,
        home=1,
        split="test",
        supervision="frame",
        num_frames=70,
        fields=("visible",),
    ),
)
test_evaluator = [dict(type=MeanAP), dict(type=Fidelity)]
smoke = {
    "train_cfg.max_epochs": 1,
    "train_dataloader.batch_size": 2,
    "train_dataloader.sampler.samples_per_epoch": 4,
    "test_dataloader.batch_size": 2,
    "test_dataloader.sampler.samples_per_epoch": 4,
}
