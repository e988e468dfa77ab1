"""Intervals and tests of scores: over seeds, over clips of recordings, over many data sets."""

from .budget import Budget, budget_differences
from .intervals import Difference, Estimate, difference_interval, reproduces, score_interval
from .measures import average_precision, can_measure, measurable, measured
from .ranks import MIN_BLOCKS, Ranking, critical_difference_diagram, ranking
from .resampling import resampled
from .seeds import holm, mean_and_std, paired_t, sign_flip_p, student_interval

__all__ = [
    "MIN_BLOCKS",
    "Budget",
    "Difference",
    "Estimate",
    "Ranking",
    "average_precision",
    "budget_differences",
    "can_measure",
    "critical_difference_diagram",
    "difference_interval",
    "holm",
    "mean_and_std",
    "measurable",
    "measured",
    "paired_t",
    "ranking",
    "reproduces",
    "resampled",
    "score_interval",
    "sign_flip_p",
    "student_interval",
]
