"""Several methods at once. The weight of FitNet beside CrossView is that for the inertial sensor."""

from kdbench.distillers import KD, CrossView, FitNet, Hallucination, Sum

kd_fitnet = dict(
    type=Sum, methods=[dict(type=KD, tau=3.0), dict(type=FitNet, stage=-1)], weights=[1.0, 100.0]
)

# For clips without labels: the aligned teacher's classes (crossview_aligned), and its features, which need no class
_aligned = dict(type=CrossView, tau=4.0, threshold=0.95, views=False, align=True)
crossview_fitnet = dict(
    type=Sum, methods=[_aligned, dict(type=FitNet, stage=-1)], weights=[1.0, 10.0], task_weight=0.0
)
crossview_hallucination = dict(type=Sum, methods=[_aligned, dict(type=Hallucination)], task_weight=0.0)
