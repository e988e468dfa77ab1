"""Distillers with the weights for Rooms with 5 views, chosen on its validation split (docs/benchmark_protocol.md).

ViCoKD's logits are those of frames there: a clip's own say little that its label does not.
"""

from kdbench.distillers import CRD, KD, FitNet, ViCoKD

rooms_kd = dict(type=KD, tau=4.0, task_weight=1.0, distill_weight=1.0)
rooms_fitnet = dict(type=FitNet, distill_weight=100.0)
rooms_crd = dict(type=CRD, num_negatives=256, distill_weight=0.8)
rooms_vicokd = dict(type=ViCoKD, feature=100.0, logit=100.0, consistency=1.0, tau=4.0, logit_level="frame")
rooms_vicokd_no_feature = dict(rooms_vicokd, feature=0.0)
rooms_vicokd_no_logit = dict(rooms_vicokd, logit=0.0)
rooms_vicokd_no_consistency = dict(rooms_vicokd, consistency=0.0)
rooms_vicokd_no_mask = dict(rooms_vicokd, mask=False)
rooms_vicokd_no_confidence = dict(rooms_vicokd, confidence="none")
