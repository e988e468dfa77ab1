"""MultiTSF at its authors' sizes: ViT-S/32 for frames of 224 x 224, an MLP for the sound of each frame.

As published, but for the cross-modal attention and the guess of the sound, our reconstruction of ViCoKD's, the ResNets,
whose 512 channels a linear layer brings to 384, and students, who decide by both branches: labels of whole clips would
leave the head of frames and views untrained. Frame encoders start from timm's ImageNet weights (docs/vicokd.md);
``weights="random"`` in their place goes without.
"""

from kdbench.backbones import FrameResNet, FrameViT, MultiTSF, SpectrogramMLP

_timm = "work_dirs/timm"
_vit = dict(type=FrameViT, weights=f"{_timm}/vit_small_patch32_224.augreg_in21k_ft_in1k.safetensors")
_resnet18 = dict(type=FrameResNet, depth=18, weights=f"{_timm}/resnet18.a1_in1k.safetensors")
_resnet34 = dict(type=FrameResNet, depth=34, weights=f"{_timm}/resnet34.a1_in1k.safetensors")
_audio = dict(type=SpectrogramMLP, hops=1024, bins=128, widths=(512, 256, 128), width=384)
_paper = dict(type=MultiTSF, width=384, layers=2, heads=12, drop_path=0.1, fusion="mean", view_hidden=256)
_av, _v = dict(cross_modal=True), dict(modalities=("rgb",), decision="both")
_vh = dict(_v, hallucinate="audio", cross_modal=True)

tsf_mlp_a = dict(_paper, encoders=dict(audio=_audio))
tsf_vit_av = dict(_paper, encoders=dict(rgb=_vit, audio=_audio), **_av)
tsf_vit_v = dict(_paper, encoders=dict(rgb=_vit), **_v)
tsf_vit_vh = dict(_paper, encoders=dict(rgb=_vit), **_vh)
tsf_r18_av = dict(_paper, encoders=dict(rgb=_resnet18, audio=_audio), **_av)
tsf_r18_v = dict(_paper, encoders=dict(rgb=_resnet18), **_v)
tsf_r18_vh = dict(_paper, encoders=dict(rgb=_resnet18), **_vh)
tsf_r34_av = dict(_paper, encoders=dict(rgb=_resnet34, audio=_audio), **_av)
tsf_r34_v = dict(_paper, encoders=dict(rgb=_resnet34), **_v)
tsf_r34_vh = dict(_paper, encoders=dict(rgb=_resnet34), **_vh)
