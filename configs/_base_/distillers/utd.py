"""Distillers with the weights for UTD-MHAD, from skeletons to a student, where these are not the published ones.

Chosen on subject 7 (docs/benchmark_protocol.md). Rows of such a pair have them; a part brings them where a method is
swapped into another row.
"""

from kdbench.distillers import KD, VPD, FitNet, Hallucination

# To the inertial sensor
utd_kd = dict(type=KD, tau=3.0, task_weight=0.3, distill_weight=0.7)
utd_fitnet = dict(type=FitNet, stage=-1, distill_weight=10.0)
utd_vpd = dict(type=VPD, width=128, task_weight=1.0, distill_weight=10.0)
# To depth, depth_cnn_small
utd_depth_hallucination = dict(type=Hallucination, task_weight=0.25, distill_weight=0.001)
utd_depth_vpd = dict(type=VPD, width=128, task_weight=1.0, distill_weight=0.01)
