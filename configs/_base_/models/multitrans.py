"""MultiTrans, a re-implementation: seeing and hearing, seeing only, and seeing with a guess of the sound; tiny."""

from kdbench.backbones import FrameCNN, MultiTrans, SpectrogramCNN

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
_tiny = dict(type=MultiTrans, encoders=_encoders, width=64)

trans_av = dict(_tiny, cross_modal=True)
trans_a = dict(_tiny, modalities=("audio",))
trans_v = dict(_tiny, modalities=("rgb",))
trans_vh = dict(_tiny, modalities=("rgb",), hallucinate="audio", cross_modal=True)
