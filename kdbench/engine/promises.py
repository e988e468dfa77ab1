"""What a row's data part cannot know before the files are there."""

from typing import Any

from ..registry import DATASETS, find


def fill_in(config: Any) -> None:
    """Let the training data say how many samples and classes they have, where that stands in their files only.

    A data set takes part if its class has ``promises``, which gets the arguments of the data set and returns
    ``num_train`` and ``num_classes``, or nothing where its files are absent; what the part says then stays.
    """
    dataset = (config.get("train_dataloader") or {}).get("dataset") or {}
    promises = getattr(find(DATASETS, dataset["type"]), "promises", None) if "type" in dataset else None
    if promises is None or not config.get("model"):
        return
    data = config.model.data
    data.update(promises(**{name: value for name, value in dataset.items() if name != "type"}))
    for name in {"target", "frame_target"} & {*data.fields}:
        data.fields[name] = (*data.fields[name][:-1], data.num_classes)
