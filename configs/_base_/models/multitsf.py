"""MultiTSF: seeing and hearing, seeing only, and seeing with a guess of the sound; tiny, for frames of 32 x 32."""

from kdbench.backbones import FrameCNN, MultiTSF, SpectrogramCNN

_encoders = dict(
    rgb=dict(
        type=FrameCNN,
        in_channels=3,
        width=64,
        widths=(24, 48, 64),
        grid=(2, 2),
        difference=True,
        first_stride=4,
    ),
    audio=dict(type=SpectrogramCNN, width=64),
)
_tiny = dict(type=MultiTSF, encoders=_encoders, width=64, heads=4, view_hidden=64, decision="both")

tsf_av = dict(_tiny, cross_modal=True)
tsf_a = dict(_tiny, modalities=("audio",))
tsf_v = dict(_tiny, modalities=("rgb",))
tsf_vh = dict(_tiny, modalities=("rgb",), hallucinate="audio", cross_modal=True)
