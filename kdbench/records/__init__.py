"""Records of runs: what ``result.yml`` may say, and the predictions beside it."""

from .files import PREDICTIONS_FILE, RESULT_FILE, aside, read_record, read_yaml, validated
from .identity import run_id
from .predictions import Predictions, predictions_of, read_predictions
from .schema import READABLE, SCHEMA_VERSION, Failure, Result, json_schema
from .trust import MIN_SEEDS, doubts, index_hash, reasons_for_doubt, tested_on

__all__ = [
    "MIN_SEEDS",
    "PREDICTIONS_FILE",
    "READABLE",
    "RESULT_FILE",
    "SCHEMA_VERSION",
    "Failure",
    "Predictions",
    "Result",
    "aside",
    "doubts",
    "index_hash",
    "json_schema",
    "predictions_of",
    "read_predictions",
    "read_record",
    "read_yaml",
    "reasons_for_doubt",
    "run_id",
    "tested_on",
    "validated",
]
