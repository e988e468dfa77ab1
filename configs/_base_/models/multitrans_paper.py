"""MultiTrans, a re-implementation, with the frame encoders that MultiASL's tables give it: ViT-S/32 and ResNets.

The sound's MLP is MultiTSF's, the cross-modal attention and the guess of the sound are our reconstruction of ViCoKD's.
Frame encoders start from timm's ImageNet weights (docs/vicokd.md); ``weights="random"`` in their place goes without.
The sound beside a ResNet is as wide as the ResNet.
"""

from kdbench.backbones import FrameResNet, FrameViT, MultiTrans, SpectrogramMLP

_timm = "work_dirs/timm"
_vit = dict(type=FrameViT, weights=f"{_timm}/vit_small_patch32_224.augreg_in21k_ft_in1k.safetensors")
_resnet18 = dict(type=FrameResNet, depth=18, weights=f"{_timm}/resnet18.a1_in1k.safetensors")
_resnet34 = dict(type=FrameResNet, depth=34, weights=f"{_timm}/resnet34.a1_in1k.safetensors")
_audio = dict(type=SpectrogramMLP, hops=1024, bins=128, widths=(512, 256, 128), width=384)
_wide = dict(_audio, width=512)
_paper = dict(type=MultiTrans, width=384, layers=2, heads=4, fusion="max")
_resnet = dict(_paper, width=512)
_av, _v = dict(cross_modal=True), dict(modalities=("rgb",))
_vh = dict(modalities=("rgb",), hallucinate="audio", cross_modal=True)

trans_mlp_a = dict(_paper, encoders=dict(audio=_audio))
trans_vit_av = dict(_paper, encoders=dict(rgb=_vit, audio=_audio), **_av)
trans_vit_v = dict(_paper, encoders=dict(rgb=_vit), **_v)
trans_vit_vh = dict(_paper, encoders=dict(rgb=_vit), **_vh)
trans_r18_av = dict(_resnet, encoders=dict(rgb=_resnet18, audio=_wide), **_av)
trans_r18_v = dict(_resnet, encoders=dict(rgb=_resnet18), **_v)
trans_r18_vh = dict(_resnet, encoders=dict(rgb=_resnet18), **_vh)
trans_r34_av = dict(_resnet, encoders=dict(rgb=_resnet34, audio=_wide), **_av)
trans_r34_v = dict(_resnet, encoders=dict(rgb=_resnet34), **_v)
trans_r34_vh = dict(_resnet, encoders=dict(rgb=_resnet34), **_vh)
