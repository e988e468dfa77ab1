"""mmaction2: an R3D-18 of an eighth of its width on depth of UTD-MHAD that tools/prepare/utd_mhad_frames.py wrote."""

custom_imports = dict(imports="kdbench.mmaction")  # mmaction2 1.2 imports beside a current torch with it

model = dict(
    type="Recognizer3D",
    backbone=dict(
        type="ResNet3d",
        depth=18,
        base_channels=8,
        pretrained=None,
        pretrained2d=False,
        conv1_kernel=(3, 7, 7),
        temporal_strides=(1, 2, 2, 2),
        inflate=(1, 1, 1, 1),
        norm_eval=False,
    ),
    cls_head=dict(type="I3DHead", num_classes=27, in_channels=64, dropout_ratio=0.3, average_clips="prob"),
    data_preprocessor=dict(
        type="ActionDataPreprocessor", mean=[4.0] * 3, std=[13.0] * 3, format_shape="NCTHW"
    ),
)

_root = "data/utd_mhad_frames/"
_frames = dict(type="RawframeDataset", data_prefix=dict(img=_root + "frames"), filename_tmpl="img_{:05}.png")
_pack = [dict(type="FormatShape", input_format="NCTHW"), dict(type="PackActionInputs")]
# No flips: waving with the left hand is another class than with the right one.
train_pipeline = [
    dict(type="UniformSample", clip_len=8),
    dict(type="RawFrameDecode"),
    dict(type="Resize", scale=(96, 72), keep_ratio=False),
    dict(type="RandomCrop", size=64),
    *_pack,
]
test_pipeline = [
    dict(type="UniformSample", clip_len=8, test_mode=True),
    dict(type="RawFrameDecode"),
    dict(type="Resize", scale=(96, 72), keep_ratio=False),
    dict(type="CenterCrop", crop_size=64),
    *_pack,
]
train_dataloader = dict(
    batch_size=32,
    num_workers=0,
    sampler=dict(type="DefaultSampler", shuffle=True),
    dataset=dict(_frames, ann_file=_root + "train.txt", pipeline=train_pipeline),
)
test_dataloader = dict(
    batch_size=32,
    num_workers=0,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(_frames, ann_file=_root + "test.txt", pipeline=test_pipeline, test_mode=True),
)
test_evaluator = dict(type="AccMetric")
test_cfg = dict(type="TestLoop")
# The test split selects nothing: it is measured once, after the last epoch.
val_dataloader, val_evaluator, val_cfg = test_dataloader, test_evaluator, dict(type="ValLoop")

train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=24, val_interval=24)
optim_wrapper = dict(optimizer=dict(type="AdamW", lr=2e-3, weight_decay=0.05))
param_scheduler = [
    dict(type="LinearLR", start_factor=0.1, by_epoch=True, end=3, convert_to_iter_based=True),
    dict(type="CosineAnnealingLR", by_epoch=True, begin=3, end=24, convert_to_iter_based=True),
]

default_scope = "mmaction"
default_hooks = dict(
    runtime_info=dict(type="RuntimeInfoHook"),
    timer=dict(type="IterTimerHook"),
    logger=dict(type="LoggerHook", interval=14),
    param_scheduler=dict(type="ParamSchedulerHook"),
    checkpoint=dict(type="CheckpointHook", interval=24),
    sampler_seed=dict(type="DistSamplerSeedHook"),
)
env_cfg = dict(dist_cfg=dict(backend="gloo"))
vis_backends = [dict(type="LocalVisBackend")]
visualizer = dict(type="ActionVisualizer", vis_backends=vis_backends)
randomness = dict(seed=0)
