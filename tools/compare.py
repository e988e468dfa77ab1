"""Says which of two rows is better, by how much and how surely; or sets several beside one."""

import argparse
import json
import sys
from pathlib import Path

import command

HEADER = ("row", "score", "difference", "95 % interval", "p", "p (Holm)", "seeds won", "budget")


def parse() -> argparse.Namespace:
    """The command line."""
    parser = command.parser(__doc__)
    parser.add_argument(
        "rows",
        nargs="+",
        type=Path,
        metavar="work_dirs/<row>",
        help="folders of rows, or of one seed; A B [...]",
    )
    parser.add_argument("--metric", help="default: the one that the rows name as theirs")
    parser.add_argument(
        "--baseline",
        metavar="NAME",
        help="the row that all others are set beside; default, of two: the second",
    )
    parser.add_argument(
        "--against",
        nargs="+",
        type=Path,
        metavar="ROW",
        help="a row for each of the rows, in their order: one method against another over several networks",
    )
    parser.add_argument(
        "--across-budgets",
        action="store_true",
        help="also rank rows whose epochs, steps, labels or inputs differ",
    )
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write all figures as a table")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures as JSON")
    return parser.parse_args()


def compare(arguments: argparse.Namespace) -> None:
    """Read the rows, compare, say it, write it."""
    from kdbench.zoo import comparison

    if arguments.against:
        return print(over_pairs(arguments))
    if len(arguments.rows) < 2:
        raise ValueError("one row was given; name two or more: tools/compare.py A B")
    rows = comparison.told_apart([comparison.read_row(folder) for folder in arguments.rows], arguments.rows)
    baseline = chosen(rows, arguments.baseline)
    others = [row for row in rows if row is not baseline]
    tell = (lambda _: None) if len(others) == 1 else (lambda text: print(text, file=sys.stderr))
    found = comparison.compare(others, baseline, arguments.metric, arguments.across_budgets, tell)
    doubts = {row.label: row.entry.doubts for row in rows}
    if len(found) == 1:
        print(comparison.in_words(found[0], doubts, arguments.across_budgets))
    else:
        print(side_by_side(found, doubts))
    write(arguments, found)


def over_pairs(arguments: argparse.Namespace) -> str:
    """A line a pair, and the mean over the seeds of all of them."""
    from kdbench.zoo import comparison, pooled
    from kdbench.zoo.gains import p_text

    found = pooled(
        *([comparison.read_row(row) for row in part] for part in (arguments.rows, arguments.against))
    )
    lines = []
    for pair in found.pairs:
        values = list(pair.differences.values())
        won = f"{sum(value > 0 for value in values)}/{len(values)}"
        budget = "; ".join(pair.budget) or "the same"
        lines.append([pair.row, pair.against, f"{sum(values) / len(values):+.2f}", won, budget])
    total = f"all: {found.mean:+.2f} {found.metric}"
    if found.p is not None:
        total += f", 95 % interval {found.low:+.2f} to {found.high:+.2f}, p {p_text(found.p)}"
    header = ("row", "against", "difference", "seeds higher", "budget")
    return "\n".join([command.table(header, lines), "", total])


def chosen(rows: list, name: str | None):
    """The row that the others are set beside."""
    from kdbench.registry import near

    labels = [row.label for row in rows]
    if name is None:
        if len(rows) > 2:
            raise ValueError(f"{len(rows)} rows were given; say --baseline, one of: {', '.join(labels)}")
        return rows[1]
    if labels.count(name) != 1:
        raise ValueError(f"no row is called '{name}'; {near(name, labels)}")
    return rows[labels.index(name)]


def side_by_side(found: list, doubts: dict) -> str:
    """A table of all rows against the baseline, rows of its budget first and the best of them on top."""
    from kdbench.zoo.gains import p_text

    first = found[0]
    best = sorted(found, key=lambda one: (bool(one.budget), -_gain(one)))
    lines = [
        [
            one.row,
            f"{one.score:.2f}",
            f"{one.difference.value:+.2f}",
            f"{one.difference.low:+.2f} to {one.difference.high:+.2f}",
            p_text(one.difference.p),
            "not ranked" if one.corrected_p is None else p_text(one.corrected_p),
            f"{one.difference.wins}/{one.difference.seeds}",
            "; ".join(one.budget) or "the same",
        ]
        for one in best
    ]
    head = (
        f"{first.difference.metric} beside {first.against}, {first.difference.clips} clips of "
        f"{first.difference.recordings} recordings, {first.difference.method}"
    )
    marked = [f"not to be relied on: {name}: {', '.join(why)}" for name, why in doubts.items() if why]
    return "\n".join([head, "", command.table(HEADER, lines), *marked])


def _gain(one) -> float:
    """The size of the difference, positive where the row is better."""
    size = abs(one.difference.value)
    return size if one.difference.first_is_better else -size


def write(arguments: argparse.Namespace, found: list) -> None:
    """The files that were asked for."""
    from kdbench.atomic import write_text

    lines = [one.as_dict for one in found]
    if arguments.json:
        write_text(arguments.json, json.dumps(lines, indent=1) + "\n")
    if arguments.csv:
        write_text(arguments.csv, command.csv_text(lines))


if __name__ == "__main__":
    sys.exit(command.run(compare, parse()))
