"""Networks for the virtual views of UTD-MHAD: depth and sensor (``di``), depth, depth with a guess of the sensor (``dh``).

``_start`` begins with the frame encoder of the teacher that has the sensor, ``_start_d`` with that of the one that has
not; both have seen frame labels. ``early`` networks fuse the views before they look over time.
"""

from kdbench.backbones import FrameCNN, InertialFrames, MultiASL, MultiTrans, MultiTSF, MultiView

_sensing = dict(
    encoders=dict(
        depth=dict(
            type=FrameCNN,
            in_channels=1,
            width=96,
            widths=(8, 16, 32, 64),
            grid=(3, 3),
            difference=True,
            rendered=True,
            context=2,
        ),
        inertial=dict(type=InertialFrames, width=96, widths=(48, 48, 96)),
    ),
    worn=("inertial",),
    width=96,
)
_seen = dict(modalities=("depth",))
_guessed = dict(_seen, hallucinate="inertial", cross_modal=True)
_asl = dict(type=MultiASL, **_sensing, head_width=24, portion=4)
_tsf = dict(type=MultiTSF, **_sensing, heads=4, view_hidden=96, decision="both")
_trans = dict(type=MultiTrans, **_sensing)

asl_di = dict(_asl, cross_modal=True)
asl_d = dict(_asl, **_seen)
asl_dh = dict(_asl, **_guessed)
tsf_di = dict(_tsf, cross_modal=True)
tsf_d = dict(_tsf, **_seen)
tsf_dh = dict(_tsf, **_guessed)
trans_di = dict(_trans, cross_modal=True)
trans_d = dict(_trans, **_seen)
trans_dh = dict(_trans, **_guessed)

asl_d_start = dict(asl_d, start=dict(part="asl_di", modules=("encoders.depth",)))
asl_d_start_d = dict(asl_d, start=dict(part="asl_d", modules=("encoders.depth",)))
asl_dh_start = dict(asl_dh, start=dict(part="asl_di", modules=("encoders.depth",)))
tsf_d_start = dict(tsf_d, start=dict(part="tsf_di", modules=("encoders.depth",)))
tsf_dh_start = dict(tsf_dh, start=dict(part="tsf_di", modules=("encoders.depth",)))
trans_d_start = dict(trans_d, start=dict(part="trans_di", modules=("encoders.depth",)))
trans_dh_start = dict(trans_dh, start=dict(part="trans_di", modules=("encoders.depth",)))

_frames = dict(
    type=FrameCNN,
    in_channels=1,
    width=96,
    widths=(16, 32, 64, 64),
    grid=(3, 3),
    difference=True,
    rendered=True,
)
_early = dict(type=MultiView, width=128, layers=5, early=True)
early_d = dict(_early, encoders=dict(depth=_frames))
early_di = dict(
    _early,
    encoders=dict(depth=_frames, inertial=dict(type=InertialFrames, width=96, widths=(48, 48, 96))),
    worn=("inertial",),
)
early_d_start = dict(early_d, start=dict(part="early_di", modules=("encoders.depth",)))
early_d_start_d = dict(early_d, start=dict(part="early_d", modules=("encoders.depth",)))
