"""Distillers that compare feature maps and embeddings, with the published settings.

``distill_weight`` is the published weight beside the task's loss, 1 where none is said; CAT-KD's is 15 for resnet32x4 ->
resnet8x4, 12 for wrn_40_2 -> wrn_16_2, 600 for resnet32x4 -> shuffle_v1; ReviewKD's 5 for the first two, 8 for shuffle_v2.
"""

from kdbench.distillers import (
    CAMKD,
    CRD,
    FitNet,
    InfoNCE,
    CATKD,
    CC,
    CWD,
    ICKD,
    MGD,
    PKT,
    RKD,
    SP,
    ReviewKD,
    SimKD,
)

fitnet = dict(type=FitNet, stage=-1, distill_weight=100.0)
crd = dict(type=CRD, num_negatives=16384, tau=0.07, momentum=0.5, distill_weight=0.8)
crd_shared = dict(type=CRD, negatives="shared", distill_weight=0.8)
crd_in_batch = dict(type=CRD, negatives="in_batch", distill_weight=0.8)
infonce = dict(type=InfoNCE, tau=0.07)
sp = dict(type=SP, distill_weight=3000.0)
cc = dict(type=CC, feat_dim=128, distill_weight=0.02)
rkd = dict(type=RKD, distance_weight=25.0, angle_weight=50.0)
pkt = dict(type=PKT, distill_weight=30000.0)
ickd = dict(type=ICKD, distill_weight=2.5)
cwd = dict(type=CWD, tau=4.0)
mgd = dict(type=MGD, alpha=7e-5, mask_ratio=0.5)
reviewkd = dict(type=ReviewKD, distill_weight=5.0)
simkd = dict(type=SimKD, factor=2, task_weight=0.0)
camkd = dict(type=CAMKD, tau=4.0, feature_weight=50.0)
catkd = dict(type=CATKD, cam_resolution=2, normalize=False, distill_weight=15.0)
catkd_across = dict(type=CATKD, cam_resolution=4, normalize=True, distill_weight=600.0)
