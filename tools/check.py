"""Checks rows and matrices without data or weights: they load, their parts fit, rows are called what they import."""

import argparse
import sys
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import command

FOUND_PROBLEMS = 1


def parse() -> argparse.Namespace:
    """The command line."""
    parser = command.parser(__doc__)
    parser.add_argument("files", nargs="*", type=Path, help="rows and matrices to check; default: all")
    parser.add_argument("--configs", type=Path, default=Path("configs"), help="the folder of the rows")
    return parser.parse_args()


def check(arguments: argparse.Namespace) -> int:
    """Print all problems of all rows, and which rows need a package that is not here."""
    from kdbench.compose import rows
    from kdbench.matrix.files import matrices
    from kdbench.spec import MissingPackageError

    every = matrices(arguments.configs)
    chosen = arguments.files or [*rows(arguments.configs), *every]
    plans = {path.resolve() for path in every}
    is_matrix = {path: path.resolve() in plans for path in chosen}
    found, passed, skipped = [*part_problems(arguments.configs)], set[str](), dict[Path, str]()
    for path in chosen:
        of = matrix_problems if is_matrix[path] else problems
        try:
            found += [f"{path}: {problem}" for problem in of(path, passed)]
        except MissingPackageError as error:
            skipped[path] = command.message(error)
    for problem in found:
        print(problem, file=sys.stderr)
    for path, reason in skipped.items():
        print(f"{path} skipped: {reason}")
    print(f"{counted(is_matrix, skipped)}, {len(found)} problems")
    return FOUND_PROBLEMS if found else 0


def counted(is_matrix: Mapping[Path, bool], skipped: Collection[Path]) -> str:
    """How many rows and matrices were checked, and how many rows were skipped."""
    matrices = sum(is_matrix.values())
    left_out = sum(path in skipped for path, matrix in is_matrix.items() if not matrix)
    told = f"{len(is_matrix) - matrices - left_out} rows checked" + (
        f", {left_out} skipped" if left_out else ""
    )
    return told + (f", {matrices} matrices" if matrices else "")


def part_problems(configs: Path) -> Iterator[str]:
    """Parts whose name stands twice."""
    from kdbench.compose import parts

    for kind in ("models", "distillers"):
        try:
            parts(configs, kind)
        except ValueError as error:
            yield command.message(error)


def matrix_problems(path: Path, passed: set[str]) -> list[str]:
    """What is wrong with a matrix: rows or parts that are not there, combinations that cannot run; see ``problems``."""
    from kdbench.matrix.files import read_matrix
    from kdbench.matrix.plan import make_plan
    from kdbench.spec import MissingPackageError

    try:
        make_plan(read_matrix(path, [0]), passed=passed)
    except MissingPackageError:
        raise
    except Exception as error:
        if command.exit_code(error) is None:
            return [f"{type(error).__name__}: {command.message(error)}"]
        return command.message(error).splitlines()
    return []


def problems(row: Path, passed: set[str]) -> Iterator[str]:
    """What is wrong with one row: its name, its parts, a smoke form that does not fit.

    A row whose networks come from a package that is not installed raises ``MissingPackageError``: nobody can tell.

    ``passed`` are the models that passed before and need not be built again; one that passes is added.
    """
    from kdbench.compose import compose, expected_stem
    from kdbench.models.checks import checked, likeness
    from kdbench.spec import MissingPackageError

    try:
        config = compose(row)
        if row.stem != expected_stem(row):
            yield f"it imports {expected_stem(row)}; rename it or import what its name says"
        if (model := likeness(config.model)) not in passed:
            checked(config.model)
            passed.add(model)
        if config.get("smoke"):
            compose(row, smoke=True)
        else:
            yield "it has no smoke settings; its data part gives them as smoke = {...}"
    except MissingPackageError:
        raise
    except Exception as error:
        if command.exit_code(error) is None:
            yield f"{type(error).__name__}: {command.message(error)}"
        else:
            yield command.message(error)


if __name__ == "__main__":
    sys.exit(command.run(check, parse()))
