"""Distillers with the weights for the virtual views of UTD-MHAD, chosen on subject 7 (docs/benchmark_protocol.md)."""

from kdbench.distillers import CRD, KD, FitNet, ViCoKD

utd_views_kd = dict(type=KD, tau=1.0, task_weight=1.0, distill_weight=5.0)
utd_views_fitnet = dict(type=FitNet, distill_weight=1.0)
utd_views_crd = dict(type=CRD, num_negatives=256, distill_weight=0.8)
utd_views_vicokd = dict(type=ViCoKD, feature=1.0, logit=10.0, consistency=0.1, tau=1.0, logit_level="frame")
utd_views_vicokd_no_consistency = dict(utd_views_vicokd, consistency=0.0)
