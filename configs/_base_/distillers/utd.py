"""Distillers with the weights for UTD-MHAD from skeletons to the inertial sensor, where these are not the published ones.

Chosen on subject 7 (docs/benchmark_protocol.md). Rows of such a pair have them; a part brings them where a method is
swapped into another row.
"""

from kdbench.distillers import KD, VPD, FitNet

utd_kd = dict(type=KD, tau=3.0, task_weight=0.3, distill_weight=0.7)
utd_fitnet = dict(type=FitNet, stage=-1, distill_weight=10.0)
utd_vpd = dict(type=VPD, width=128, task_weight=1.0, distill_weight=10.0)
