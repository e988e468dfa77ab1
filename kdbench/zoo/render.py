"""model_zoo.md and the tables in the methods' README files, the same bytes for the same metafiles."""

from collections.abc import Iterable, Sequence

from .fold import Tree
from .label_tables import label_tables
from .measured import Measured, measured
from .published import Published, published_tables
from .tables import tables

BEGIN = "<!-- results: made by tools/zoo.py, do not edit -->"
END = "<!-- end of results -->"
_FOOT = (
    "Mean ± standard deviation over seeds, last epoch; nothing is selected on the test split. Intervals and p are of "
    "the hierarchical bootstrap over seeds and recordings; those marked “t” are Student's over seeds alone, for the "
    "test clips as they are. The gain is over the lone student with the same seed, data and labels; its p is two-sided "
    "and corrected by Holm's rule for the rows of the table, those with another budget left out. Seconds are of "
    "training, wall clock; CPU time is that of a step, with the teacher's. “–” was not run. † The row has changed "
    "since it was measured. ‡ Measured with uncommitted changes. § Not to be relied on: fewer than three seeds, or "
    "code or test data are not known. ¶ The two rows of a gain computed in different precisions.\n"
)
_PUBLISHED = (
    "\n## Published numbers\n\nOf other authors, with their protocol and their rule of selection; they stand in no "
    "table of ours.\n"
)


def model_zoo(
    metafiles: Sequence[Tree], changed: Iterable[str] = (), published: Sequence[Published] = ()
) -> str:
    """The whole of model_zoo.md."""
    found = measured(metafiles)
    head = "# Model zoo\n\nMade from `configs/*/metafile.yml` by `tools/zoo.py`; do not edit.\n\n"
    body = tables(found, found, changed) if found else "Nothing has been recorded yet.\n"
    others = f"{_PUBLISHED}\n{published_tables(published)}" if published else ""
    return f"{head}{_FOOT}\n{body}{label_tables(found)}{others}"


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
