"""model_zoo.md and the tables in the methods' README files, the same bytes for the same metafiles."""

from collections.abc import Iterable, Sequence

from .fold import Tree
from .tables import Measured, measured, tables

BEGIN = "<!-- results: made by tools/zoo.py, do not edit -->"
END = "<!-- end of results -->"
_FOOT = (
    "Mean ± standard deviation over seeds, last epoch; nothing is selected on the test split. The interval is "
    "Student's t over seeds. The gain is over the lone student with the same seed, data, labels and budget. "
    "Seconds are of training, wall clock; CPU time is that of a step, with the teacher's. “–” was not run. "
    "† The row has changed since it was measured. ‡ Measured with uncommitted changes.\n"
)


def model_zoo(metafiles: Sequence[Tree], changed: Iterable[str] = ()) -> str:
    """The whole of model_zoo.md."""
    found = measured(metafiles)
    head = "# Model zoo\n\nMade from `configs/*/metafile.yml` by `tools/zoo.py`; do not edit.\n\n"
    body = tables(found, found, changed) if found else "Nothing has been recorded yet.\n"
    return f"{head}{_FOOT}\n{body}"


def readme_tables(method: str, metafiles: Sequence[Tree], changed: Iterable[str] = ()) -> str:
    """The tables of one method, links relative to its folder."""
    found = measured(metafiles)
    own = [_beside(entry) for entry in found if entry.method == method]
    return f"{_FOOT}\n{tables(own, found, changed)}" if own else "Nothing has been recorded yet.\n"


def _beside(entry: Measured) -> Measured:
    return entry._replace(config=entry.config.rpartition("/")[2])


def between_markers(text: str, content: str) -> str:
    """``text`` with ``content`` between the markers, which are added at the end if there are none."""
    if BEGIN not in text or END not in text:
        text = f"{text.rstrip()}\n\n{BEGIN}\n{END}\n"
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}\n\n{content}\n{END}{after}"
