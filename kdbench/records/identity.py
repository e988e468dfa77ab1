"""The name of a record by its content."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

# Clocks, and what a second run of the same thing says otherwise without being another result.
_FLEETING = {
    "": ("run_id", "train", "file"),
    "repro": ("created_utc", "command"),
    "start": ("wall_seconds", "cpu_seconds"),
}


def run_id(record: Mapping[str, Any]) -> str:
    """SHA-256 of a record without its clocks, dates and command line: a run repeated bit by bit has the same.

    A run that was killed and resumed has the id of one that was left alone.
    """
    kept: dict[str, Any] = {key: value for key, value in record.items() if key not in _FLEETING[""]}
    for part, fleeting in _FLEETING.items():
        if part and isinstance(kept.get(part), Mapping):
            kept[part] = {key: value for key, value in kept[part].items() if key not in fleeting}
    return hashlib.sha256(json.dumps(kept, sort_keys=True, default=str).encode()).hexdigest()
