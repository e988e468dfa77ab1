"""Networks of other packages that are known to work: docs/external.md lists them, ``pytest -m external`` tries them.

Each stands with the arguments of ``External`` and the shape of a small clip to try it on.
"""

from typing import Any, NamedTuple


class Entry(NamedTuple):
    """``title`` as in its paper, ``config`` for ``External``, ``shape`` of a clip without the batch."""

    title: str
    config: dict[str, Any]
    shape: tuple[int, ...]


CLIP, PICTURES = (8, 3, 64, 64), (4, 3, 64, 64)


def _rgb(title: str, name: str, width: int, shape: tuple[int, ...] = CLIP, **more: Any) -> Entry:
    options = more.pop("options", {})
    return Entry(title, {"network": {"name": name, "width": width, "options": options, **more}}, shape)


def _of(modality: str, entry: Entry) -> Entry:
    return entry._replace(config={**entry.config, "modality": modality})


_SWIN = {"patch_size": (2, 4, 4), "window_size": (8, 7, 7), "drop_path_rate": 0.1}
_R2PLUS1D = {
    "depth": 34,
    "conv_cfg": {"type": "Conv2plus1d"},
    "norm_cfg": {"type": "BN3d", "requires_grad": True, "eps": 1e-3},
    "conv1_kernel": (3, 7, 7),
    "conv1_stride_t": 1,
    "pool1_stride_t": 1,
    "inflate": (1, 1, 1, 1),
    "spatial_strides": (1, 2, 2, 2),
    "temporal_strides": (1, 2, 2, 2),
}
_POSE = {
    "depth": 50,
    "in_channels": 17,
    "base_channels": 32,
    "num_stages": 3,
    "out_indices": (2,),
    "stage_blocks": (4, 6, 3),
    "conv1_stride_s": 1,
    "pool1_stride_s": 1,
    "inflate": (0, 1, 1),
    "spatial_strides": (2, 2, 2),
    "temporal_strides": (1, 1, 2),
    "dilations": (1, 1, 1),
}
_UNIFORMER_S = {"depth": [3, 4, 8, 3], "embed_dim": [64, 128, 320, 512], "head_dim": 64}
_MVIT_STAGES = ("blocks.0", "blocks.2", "blocks.7", "blocks.9")
_COCO_SPATIAL = {"layout": "coco", "mode": "spatial"}

CATALOGUE: dict[str, Entry] = {
    "mvit_tiny": _rgb(
        "MViTv2-T",
        "mmaction.MViT",
        768,
        stages=_MVIT_STAGES,
        options={"arch": "tiny", "spatial_size": 64, "temporal_size": 8},
    ),
    "mvit_small": _rgb(
        "MViTv2-S",
        "mmaction.MViT",
        768,
        stages=("blocks.0", "blocks.2", "blocks.13", "blocks.15"),
        options={"arch": "small", "spatial_size": 64, "temporal_size": 8},
    ),
    "swin_tiny": _rgb("Video Swin-T", "mmaction.SwinTransformer3D", 768, options={"arch": "tiny", **_SWIN}),
    "swin_small": _rgb("Video Swin-S", "mmaction.SwinTransformer3D", 768, options={"arch": "small", **_SWIN}),
    "timesformer": _rgb(
        "TimeSformer-B",
        "mmaction.TimeSformer",
        768,
        options={"num_frames": 8, "img_size": 64, "patch_size": 16},
    ),
    "uniformer_small": _rgb("UniFormer-S", "mmaction.UniFormer", 512, options=_UNIFORMER_S),
    "videomae_small": _rgb(
        "VideoMAE ViT-S",
        "mmaction.VisionTransformer",
        384,
        grid=(4, 4, 4),
        options={
            "img_size": 64,
            "patch_size": 16,
            "embed_dims": 384,
            "depth": 12,
            "num_heads": 6,
            "mlp_ratio": 4,
            "qkv_bias": True,
            "num_frames": 8,
        },
    ),
    "slowfast_r50": _rgb("SlowFast-R50", "mmaction.ResNet3dSlowFast", 2304, (32, 3, 64, 64)),
    "x3d_m": _rgb(
        "X3D-M",
        "mmaction.X3D",
        432,
        options={"gamma_w": 1, "gamma_b": 2.25, "gamma_d": 2.2},
    ),
    "i3d_r50": _rgb(
        "I3D-R50",
        "mmaction.ResNet3d",
        2048,
        options={"depth": 50, "inflate": ((1, 1, 1), (1, 0, 1, 0), (1, 0, 1, 0, 1, 0), (0, 1, 0))},
    ),
    "slowonly_r50": _rgb("SlowOnly-R50", "mmaction.ResNet3dSlowOnly", 2048, options={"depth": 50}),
    "r2plus1d_r34": _rgb("R(2+1)D-34", "mmaction.ResNet2Plus1d", 512, options=_R2PLUS1D),
    "ircsn_r50": _rgb(
        "ir-CSN-50", "mmaction.ResNet3dCSN", 2048, options={"depth": 50, "bottleneck_mode": "ir"}
    ),
    "tsm_r50": _rgb("TSM-R50", "mmaction.ResNetTSM", 2048, options={"depth": 50, "num_segments": 8}),
    "c2d_r50": _rgb("C2D-R50", "mmaction.C2D", 2048, options={"depth": 50}),
    "posec3d": _of(
        "skeleton",
        _rgb(
            "PoseC3D",
            "mmaction.ResNet3dSlowOnly",
            512,
            (16, 17, 3),
            options=_POSE,
            heat_maps={"frames": 8, "size": 28, "coordinates": "image"},
        ),
    ),
    "stgcn": _of(
        "skeleton",
        _rgb(
            "ST-GCN",
            "mmaction.STGCN",
            256,
            (16, 17, 3),
            options={"graph_cfg": {"layout": "coco", "mode": "stgcn_spatial"}},
        ),
    ),
    "aagcn": _of(
        "skeleton",
        _rgb(
            "AAGCN",
            "mmaction.AAGCN",
            256,
            (16, 17, 3),
            options={"graph_cfg": _COCO_SPATIAL, "num_person": 1},
        ),
    ),
    "resnet_audio": _of(
        "audio", _rgb("ResNetAudio-50", "mmaction.ResNetAudio", 1024, (8, 5, 64), options={"depth": 50})
    ),
    "timm_resnet18": _rgb("ResNet-18", "timm.resnet18", 512, PICTURES),
    "timm_vit_tiny": _rgb(
        "ViT-Ti/16", "timm.vit_tiny_patch16_224", 192, PICTURES, grid=(4, 4), options={"img_size": 64}
    ),
    "timm_swin_tiny": _rgb(
        "Swin-T", "timm.swin_tiny_patch4_window7_224", 768, PICTURES, options={"img_size": 64}
    ),
    "timm_convnext_atto": _rgb("ConvNeXt-A", "timm.convnext_atto", 320, PICTURES),
    "r3d_18": _rgb("R3D-18", "torchvision.r3d_18", 512),
    "mc3_18": _rgb("MC3-18", "torchvision.mc3_18", 512),
    "r2plus1d_18": _rgb("R(2+1)D-18", "torchvision.r2plus1d_18", 512),
    "swin3d_t": _rgb("Video Swin-T", "torchvision.swin3d_t", 768),
    "videomae_hf": _rgb(
        "VideoMAE-S",
        "transformers.VideoMAE",
        384,
        grid=(4, 4, 4),
        options={
            "image_size": 64,
            "num_frames": 8,
            "hidden_size": 384,
            "num_attention_heads": 6,
            "intermediate_size": 1536,
        },
    ),
    "ast_small": _of(
        "audio",
        _rgb(
            "AST, small",
            "transformers.AST",
            192,
            (8, 5, 64),
            options={
                "hidden_size": 192,
                "num_attention_heads": 3,
                "intermediate_size": 768,
                "max_length": 40,
                "num_mel_bins": 64,
            },
        ),
    ),
}
