"""Distillers that compare logits, with the published settings and weights beside the task's loss (1 where not said).

DKD's beta is 8 for resnet32x4 -> resnet8x4, 6 for wrn_40_2 and vgg13, 2 for resnet56 and resnet110 as teachers.
"""

from kdbench.distillers import CTKD, DIST, DKD, DML, KD, LSKD, MLKD, OFA, WSLD, AverageMKD, TfKD, ThokerGall

kd = dict(type=KD, tau=4.0, task_weight=0.1, distill_weight=0.9)
dkd = dict(type=DKD, alpha=1.0, beta=8.0, tau=4.0)
dist = dict(type=DIST, beta=1.0, gamma=1.0, tau=4.0, distill_weight=2.0)
lskd = dict(type=LSKD, method=dict(type=KD, tau=2.0), task_weight=0.1, distill_weight=9.0)
lskd_dkd = dict(type=LSKD, method=dict(type=DKD, alpha=9.0, beta=72.0, tau=2.0))
lskd_mlkd = dict(
    type=LSKD, method=dict(type=MLKD, taus=(2.0, 3.0, 5.0, 2.0, 6.0)), task_weight=0.1, distill_weight=9.0
)
ctkd = dict(type=CTKD, theta=1.0, tau_min=1.0, tau_span=20.0, task_weight=0.1, distill_weight=0.9)
mlkd = dict(type=MLKD, taus=(4.0, 3.0, 5.0, 2.0, 6.0), task_weight=0.1, distill_weight=0.9)
mlkd_strong = dict(
    type=MLKD,
    taus=(4.0, 3.0, 5.0, 2.0, 6.0),
    strong=True,
    label_weight=1 / 9,
    task_weight=0.1,
    distill_weight=0.9,
)
mlkd_upstream = dict(
    type=MLKD,
    taus=(4.0, 3.0, 5.0, 2.0, 6.0),
    strong=True,
    upstream=True,
    label_weight=1 / 9,
    task_weight=0.1,
    distill_weight=0.9,
)
wsld = dict(type=WSLD, tau=2.0, distill_weight=2.5)
ofa = dict(type=OFA, eps=1.0)
dml = dict(type=DML)
average_mkd = dict(type=AverageMKD, tau=4.0)
tfkd = dict(type=TfKD, correct=0.99, tau=20.0, task_weight=0.9, distill_weight=0.1)
thoker_gall = dict(type=ThokerGall, task_weight=0.0)
