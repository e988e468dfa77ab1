"""From the results of runs to metafiles, and from metafiles to tables."""

from .fold import alike, fold, metafile_text, read_metafile, read_results, read_yaml, with_model
from .render import BEGIN, END, between_markers, model_zoo, readme_tables
from .statistics import interval, mean_and_std
from .tables import Measured, label_setting, measured, paired, student_alone

__all__ = [
    "BEGIN",
    "END",
    "Measured",
    "alike",
    "between_markers",
    "fold",
    "interval",
    "label_setting",
    "mean_and_std",
    "measured",
    "metafile_text",
    "model_zoo",
    "paired",
    "read_metafile",
    "read_results",
    "read_yaml",
    "readme_tables",
    "student_alone",
    "with_model",
]
