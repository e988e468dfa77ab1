"""MultiASL at its authors' sizes: ViT-S/32 or a ResNet for frames of 224 x 224, an MLP for the sound of each frame.

As published, but for the cross-modal attention and the guess of the sound, our reconstruction of ViCoKD's. Frame
encoders start from timm's ImageNet weights (docs/vicokd.md); ``weights="random"`` in their place goes without. The
sound beside a ResNet, which the authors do not have, is as wide as the ResNet.
"""

from kdbench.backbones import FrameResNet, FrameViT, MultiASL, SpectrogramMLP

_timm = "work_dirs/timm"
_vit = dict(type=FrameViT, weights=f"{_timm}/vit_small_patch32_224.augreg_in21k_ft_in1k.safetensors")
_resnet18 = dict(type=FrameResNet, depth=18, weights=f"{_timm}/resnet18.a1_in1k.safetensors")
_resnet34 = dict(type=FrameResNet, depth=34, weights=f"{_timm}/resnet34.a1_in1k.safetensors")
_audio = dict(type=SpectrogramMLP, hops=1024, bins=128, widths=(512, 256, 128), width=384)
_wide = dict(_audio, width=512)
_paper = dict(type=MultiASL, width=384, layers=1, heads=4, head_width=128, fusion="max", portion=8)
_resnet = dict(_paper, width=512)
_av, _v = dict(cross_modal=True), dict(modalities=("rgb",))
_vh = dict(modalities=("rgb",), hallucinate="audio", cross_modal=True)

asl_mlp_a = dict(_paper, encoders=dict(audio=_audio))
asl_vit_av = dict(_paper, encoders=dict(rgb=_vit, audio=_audio), **_av)
asl_vit_v = dict(_paper, encoders=dict(rgb=_vit), **_v)
asl_vit_vh = dict(_paper, encoders=dict(rgb=_vit), **_vh)
asl_r18_av = dict(_resnet, encoders=dict(rgb=_resnet18, audio=_wide), **_av)
asl_r18_v = dict(_resnet, encoders=dict(rgb=_resnet18), **_v)
asl_r18_vh = dict(_resnet, encoders=dict(rgb=_resnet18), **_vh)
asl_r34_av = dict(_resnet, encoders=dict(rgb=_resnet34, audio=_wide), **_av)
asl_r34_v = dict(_resnet, encoders=dict(rgb=_resnet34), **_v)
asl_r34_vh = dict(_resnet, encoders=dict(rgb=_resnet34), **_vh)
