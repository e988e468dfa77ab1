"""MViT (Li et al., CVPR 2022) and Video Swin (Liu et al., CVPR 2022) of mmaction2: published sizes, and miniatures.

The published ones read pictures, 16 or 32 frames of 224 x 224. The miniatures are for the depth of UTD-MHAD, 16 frames
of 64 x 48 (a training takes a core two to three minutes), and for Rooms, as encoders of each view's frames inside
MultiASL and MultiTSF. All want a peak learning rate of 1e-3.
"""

from kdbench.backbones import External, ExternalFrames, MultiASL, MultiTSF, SpectrogramCNN

_swin = dict(patch_size=(2, 4, 4), window_size=(8, 7, 7), drop_path_rate=0.1)
_swin_tiny = dict(
    name="mmaction.SwinTransformer3D",
    width=768,
    options=dict(_swin, arch="tiny"),
    fit=dict(wanted="mmaction"),
)
_swin_small = dict(_swin_tiny, options=dict(_swin, arch="small", drop_path_rate=0.2))
_mvit_tiny = dict(
    name="mmaction.MViT",
    width=768,
    stages=("blocks.0", "blocks.2", "blocks.7", "blocks.9"),
    options=dict(arch="tiny", spatial_size=224, temporal_size=16, drop_path_rate=0.1),
    fit=dict(wanted="kinetics"),
)
_mvit_small = dict(
    _mvit_tiny,
    stages=("blocks.0", "blocks.2", "blocks.13", "blocks.15"),
    options=dict(arch="small", spatial_size=224, temporal_size=16, drop_path_rate=0.2),
)

swin_tiny = dict(type=External, network=_swin_tiny, dropout=0.5)  # 27.9 M parameters
swin_small = dict(type=External, network=_swin_small, dropout=0.5)  # 49.5 M
mvit_tiny = dict(type=External, network=_mvit_tiny, dropout=0.5)  # 23.5 M
mvit_small = dict(type=External, network=_mvit_small, dropout=0.5)  # 34.2 M

# depth: closeness and person mask; patches of 4 frames and 8 x 8 pixels, three stages
_swin_depth = dict(
    name="mmaction.SwinTransformer3D",
    width=192,
    options=dict(
        arch=dict(embed_dims=48, depths=[2, 2, 2], num_heads=[3, 6, 12]),
        in_channels=2,
        patch_size=(4, 8, 8),
        window_size=(4, 4, 3),
        out_indices=(2,),
        drop_path_rate=0.1,
    ),
)
_mvit_depth = dict(
    name="mmaction.MViT",
    width=128,
    stages=("blocks.0", "blocks.2", "blocks.3"),
    options=dict(
        arch=dict(embed_dims=32, num_layers=4, num_heads=1, downscale_indices=[1, 3]),
        in_channels=2,
        spatial_size=64,
        temporal_size=16,
        patch_cfg=dict(kernel_size=(5, 9, 9), stride=(4, 8, 8), padding=(1, 1, 1)),
        drop_path_rate=0.1,
    ),
)
swin_mini = dict(type=External, modality="depth", network=_swin_depth, dropout=0.4)  # 1.3 M
mvit_mini = dict(type=External, modality="depth", network=_mvit_depth, dropout=0.4)  # 334 k

# Rooms: frames of 32 x 32, each patch within one frame, windows over four frames
_swin_rooms = dict(
    name="mmaction.SwinTransformer3D",
    width=64,
    options=dict(
        arch=dict(embed_dims=32, depths=[2, 2], num_heads=[2, 4]),
        patch_size=(1, 8, 8),
        window_size=(4, 4, 4),
        out_indices=(1,),
        drop_path_rate=0.1,
    ),
)
_mvit_rooms = dict(
    name="mmaction.MViT",
    width=64,
    options=dict(
        arch=dict(embed_dims=32, num_layers=3, num_heads=1, downscale_indices=[1]),
        spatial_size=32,
        temporal_size=8,
        patch_cfg=dict(kernel_size=(1, 9, 9), stride=(1, 8, 8), padding=(0, 1, 1)),
        drop_path_rate=0.1,
    ),
)
_audio = dict(type=SpectrogramCNN, width=64)
_encoders = dict(rgb=dict(type=ExternalFrames, network=_swin_rooms), audio=_audio)
_mvit_encoders = dict(rgb=dict(type=ExternalFrames, network=_mvit_rooms), audio=_audio)
_asl = dict(type=MultiASL, encoders=_encoders, width=64, head_width=16)
_tsf = dict(type=MultiTSF, encoders=_encoders, width=64, heads=4, view_hidden=64, decision="both")

asl_swin_v = dict(_asl, modalities=("rgb",))
asl_swin_vh = dict(_asl, modalities=("rgb",), hallucinate="audio", cross_modal=True)
asl_swin_av = dict(_asl, cross_modal=True)
asl_mvit_v = dict(_asl, encoders=_mvit_encoders, modalities=("rgb",))
tsf_swin_v = dict(_tsf, modalities=("rgb",))
tsf_swin_vh = dict(_tsf, modalities=("rgb",), hallucinate="audio", cross_modal=True)
