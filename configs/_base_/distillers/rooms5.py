"""Distillers with the weights for Rooms with 5 views, chosen on its validation split (docs/benchmark_protocol.md)."""

from kdbench.distillers import CRD, KD, FitNet, ViCoKD

kd = dict(type=KD, tau=4.0, task_weight=1.0, distill_weight=1.0)
fitnet = dict(type=FitNet, distill_weight=1.0)
crd = dict(type=CRD, num_negatives=256, distill_weight=1.0)
vicokd = dict(type=ViCoKD, feature=1.0, logit=1.0, consistency=0.1, tau=4.0)
vicokd_no_feature = dict(vicokd, feature=0.0)
vicokd_no_logit = dict(vicokd, logit=0.0)
vicokd_no_consistency = dict(vicokd, consistency=0.0)
vicokd_no_mask = dict(vicokd, mask=False)
vicokd_no_confidence = dict(vicokd, confidence="none")
