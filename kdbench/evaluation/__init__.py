"""Metrics: plain functions, and classes for mmengine's evaluator."""

from .accuracy import TopK, topk_accuracy
from .calibration import Calibration, binned_gap, brier_score, expected_calibration_error
from .cost import Latency, gflops, gmacs, latency, parameters, timed
from .fidelity import Fidelity, agreement, decision_agreement, decision_kl_fidelity, kl_fidelity
from .mean_ap import BranchAP, MeanAP, average_precision, average_precision_authors, mean_average_precision
from .views import EachOf

__all__ = [
    "BranchAP",
    "Calibration",
    "EachOf",
    "Fidelity",
    "Latency",
    "MeanAP",
    "TopK",
    "agreement",
    "average_precision",
    "average_precision_authors",
    "binned_gap",
    "brier_score",
    "decision_agreement",
    "decision_kl_fidelity",
    "expected_calibration_error",
    "gflops",
    "gmacs",
    "kl_fidelity",
    "latency",
    "mean_average_precision",
    "parameters",
    "timed",
    "topk_accuracy",
]
