"""Distillers that compare stages of two networks, or their embeddings, with the published settings.

``distill_weight`` is the published weight beside the task's loss, 1 where none is said. AB, FSP and the phases of FT and
Generative are one of two rows each; the second starts from what the first has learnt.
"""

from kdbench.distillers import (
    AB,
    AT,
    BYOT,
    FSP,
    FT,
    MARS,
    MERS,
    NST,
    OFD,
    VID,
    VPD,
    VPNPP,
    Generative,
    Hallucination,
)

at = dict(type=AT, p=2, distill_weight=1000.0)
nst = dict(type=NST, distill_weight=50.0)
ab = dict(type=AB, margin=1.0, task_weight=0.0)
fsp = dict(type=FSP, task_weight=0.0, distill_weight=50.0)
ft = dict(type=FT, rate=0.5, p1=2, p2=1, distill_weight=200.0)
ft_paraphraser = dict(type=FT, phase="paraphraser", task_weight=0.0)
ft_factor = dict(type=FT, phase="factor", distill_weight=200.0)
vid = dict(type=VID, variance=5.0)
ofd = dict(type=OFD, distill_weight=0.001)
mars = dict(type=MARS, alpha=50.0)
mers = dict(type=MERS, alpha=50.0, task_weight=0.0)
byot = dict(type=BYOT, alpha=0.1, tau=3.0)
hallucination = dict(type=Hallucination, tau=10.0, lambda1=0.5, lambda2=0.5, lambda3=0.01, task_weight=0.25)
vpd = dict(type=VPD, width=128, task_weight=0.0)
vpnpp = dict(type=VPNPP, guided=0.1, attention=0.001, feature=0.001, task_weight=0.9)
vpnpp_attention = dict(type=VPNPP, feature=0.0, task_weight=0.9)
vpnpp_feature = dict(type=VPNPP, guided=0.0, attention=0.0, task_weight=0.9)
generative = dict(type=Generative, prior=0.1, agreement=0.01, rebuilding=0.5, beta=0.1)
generative_representation = dict(type=Generative, phase="representation", task_weight=0.0)
generative_distillation = dict(type=Generative, phase="distillation")
