"""Swin and MViT for data that want a GPU: miniatures for MultiSensor-Home's frames of 224 x 224, MViT-S for depth.

Patches of 16 x 16 within one frame, as small ViTs have them, and two stages: 196 tokens a frame, then 49.
"""

from kdbench.backbones import External, ExternalFrames, MultiASL

_swin_home = dict(
    name="mmaction.SwinTransformer3D",
    width=192,
    options=dict(
        arch=dict(embed_dims=96, depths=[2, 2], num_heads=[3, 6]),
        patch_size=(1, 16, 16),
        window_size=(4, 7, 7),
        out_indices=(1,),
        drop_path_rate=0.1,
    ),
)
_mvit_home = dict(
    name="mmaction.MViT",
    width=192,
    options=dict(
        arch=dict(embed_dims=96, num_layers=4, num_heads=1, downscale_indices=[1]),
        spatial_size=224,
        temporal_size=70,
        patch_cfg=dict(kernel_size=(1, 17, 17), stride=(1, 16, 16), padding=(0, 1, 1)),
        drop_path_rate=0.1,
    ),
)
_asl = dict(type=MultiASL, width=192, layers=1, heads=4, head_width=64, fusion="max", portion=8)
_swin = dict(rgb=dict(type=ExternalFrames, network=_swin_home))
_mvit = dict(rgb=dict(type=ExternalFrames, network=_mvit_home))
_v = dict(modalities=("rgb",))
_vh = dict(modalities=("rgb",), hallucinate="audio", cross_modal=True)

asl_swin_home_v = dict(_asl, encoders=_swin, **_v)
asl_swin_home_vh = dict(_asl, encoders=_swin, **_vh)
asl_mvit_home_v = dict(_asl, encoders=_mvit, **_v)
asl_mvit_home_vh = dict(_asl, encoders=_mvit, **_vh)

# MViT-S of the paper (16 blocks, 34 M parameters), a teacher for the miniatures on UTD-MHAD's depth
mvit_small_depth = dict(
    type=External,
    modality="depth",
    dropout=0.5,
    network=dict(
        name="mmaction.MViT",
        width=768,
        stages=("blocks.0", "blocks.2", "blocks.13", "blocks.15"),
        options=dict(arch="small", in_channels=2, spatial_size=64, temporal_size=16, drop_path_rate=0.2),
    ),
)
