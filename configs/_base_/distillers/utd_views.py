"""Distillers with weights for the virtual views of UTD-MHAD.

Chosen on subject 7 (train 1 3 5, student with the encoder start, seed 0; docs/benchmark_protocol.md has all scores).
"""

from kdbench.distillers import CRD, KD, FitNet, ViCoKD

utd_views_kd = dict(type=KD, tau=1.0, task_weight=1.0, distill_weight=50.0)
utd_views_fitnet = dict(type=FitNet, distill_weight=1.0)
utd_views_crd = dict(type=CRD, num_negatives=256, distill_weight=0.008)
utd_views_vicokd = dict(type=ViCoKD, feature=0.0, logit=100.0, consistency=1.0, tau=1.0, logit_level="frame")
utd_views_vicokd_no_consistency = dict(utd_views_vicokd, consistency=0.0)
