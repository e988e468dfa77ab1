"""From the results of runs to metafiles, and from metafiles to tables."""

from .comparison import Comparison, compare, in_words, read_row
from .fold import alike, fold, metafile_text, read_metafile, read_results, with_model
from .gains import Gain, gain
from .intervals import interval_of, paired_with
from .measured import Measured, label_setting, measured, student_alone, taught_by_kd
from .pooling import Pooled, pooled
from .published import Published, read_published
from .render import BEGIN, END, between_markers, model_zoo, readme_tables

__all__ = [
    "BEGIN",
    "END",
    "Comparison",
    "Gain",
    "Measured",
    "Pooled",
    "Published",
    "alike",
    "between_markers",
    "compare",
    "fold",
    "gain",
    "in_words",
    "interval_of",
    "label_setting",
    "measured",
    "metafile_text",
    "model_zoo",
    "paired_with",
    "pooled",
    "read_metafile",
    "read_published",
    "read_results",
    "read_row",
    "readme_tables",
    "student_alone",
    "taught_by_kd",
    "with_model",
]
