"""What a row was given: rows that were given different things are not ranked together in silence."""

from typing import NamedTuple


class Budget(NamedTuple):
    """Epochs and steps of training, the labels that student and teacher saw, the modalities that the student reads.

    What is not known is None and differs from nothing.
    """

    epochs: int | None
    steps: int | None
    labels: str | None
    teacher_labels: str | None
    inputs: tuple[str, ...] | None


def budget_differences(one: Budget, other: Budget) -> list[str]:
    """A phrase for each thing that differs.

    A lone student has no teacher's labels: that is no difference to a distilled one.

    >>> a, b = Budget(60, 840, "all", None, ("rgb",)), Budget(40, 840, "all", "all", ("rgb",))
    >>> budget_differences(a, b)
    ['epochs 60 against 40']
    """
    pairs = zip(Budget._fields, one, other, strict=True)
    return [
        f"{name.replace('_', ' ')} {_text(left)} against {_text(right)}"
        for name, left, right in pairs
        if left is not None and right is not None and left != right
    ]


def _text(value: object) -> str:
    return " and ".join(map(str, value)) if isinstance(value, tuple) else str(value)
