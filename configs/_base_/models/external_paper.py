"""Swin and MViT for data that want a GPU: miniatures for MultiSensor-Home and NTU RGB+D, MViT-S for depth.

MultiSensor-Home's frames are 224 x 224: patches of 16 x 16 within one, as small ViTs have them, and two stages of 196
tokens a frame, then 49. Clips of NTU RGB+D are 16 frames of 112 x 112: patches of 4 frames and 8 x 8 pixels.
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

_swin_rgb = dict(
    name="mmaction.SwinTransformer3D",
    width=256,
    options=dict(
        arch=dict(embed_dims=64, depths=[2, 2, 2], num_heads=[2, 4, 8]),
        patch_size=(4, 8, 8),
        window_size=(4, 7, 7),
        out_indices=(2,),
        drop_path_rate=0.1,
    ),
)
_mvit_rgb = dict(
    name="mmaction.MViT",
    width=256,
    stages=("blocks.0", "blocks.2", "blocks.5"),
    options=dict(
        arch=dict(embed_dims=64, num_layers=6, num_heads=1, downscale_indices=[1, 3]),
        spatial_size=112,
        temporal_size=16,
        patch_cfg=dict(kernel_size=(5, 9, 9), stride=(4, 8, 8), padding=(1, 1, 1)),
        drop_path_rate=0.1,
    ),
)
swin_mini_rgb = dict(type=External, network=_swin_rgb, dropout=0.5)  # 2.3 M
mvit_mini_rgb = dict(type=External, network=_mvit_rgb, dropout=0.5)  # 2.9 M
