"""Folds the results of a row's seeds into configs/<method>/metafile.yml."""

import argparse
import sys
from pathlib import Path

import command


def parse() -> argparse.Namespace:
    """The command line."""
    parser = command.parser(__doc__)
    parser.add_argument(
        "folders", nargs="+", metavar="work_dirs/<row>", help="folders that hold seed*/result.yml"
    )
    parser.add_argument(
        "--allow-smoke", action="store_true", help="take smoke runs too, as tests of this tool do"
    )
    parser.add_argument(
        "--replace", action="store_true", help="let entries go that have seeds which these results lack"
    )
    return parser.parse_args()


def record(arguments: argparse.Namespace) -> None:
    """Fold every folder; one that cannot be recorded stops the command before anything is written."""
    from kdbench.atomic import write_text
    from kdbench.zoo import metafile_text, read_results

    results = {Path(folder): read_results(folder) for folder in arguments.folders}
    for found in results.values():
        refuse_first_phase(found[0]["config"])
    entries = {folder: folded(found, arguments.allow_smoke) for folder, found in results.items()}
    metafiles = merged(entries, results, arguments.replace)
    for folder, entry in entries.items():
        if pairs := compared(folder, entry, metafiles, results):
            entry["Results"][0]["Paired"] = pairs
        seeds = ", ".join(map(str, entry["Results"][0]["Seeds"]))
        print(f"{entry['Name']}: seeds {seeds} -> {metafile_of(entry)}")
        if entry["Metadata"]["Unreliable"]:
            print(f"  flagged: {entry['Name']}: {', '.join(entry['Metadata']['Unreliable'])}")
    for path in sorted({metafile_of(entry) for entry in entries.values()}):
        write_text(path, metafile_text(metafiles[path]))


def folded(results: list[dict], allow_smoke: bool) -> dict:
    """The entry of a row, with the interval of its score where predictions are there."""
    from kdbench.zoo import fold, interval_of

    entry = fold(results, allow_smoke)
    check_unchanged(results)
    if interval := interval_of(results):
        entry["Results"][0]["Interval"] = interval
    else:
        print(f"  no predictions that give {entry['Name']}'s score again: its interval is of seeds alone")
    return entry


def compared(
    folder: Path, entry: dict, metafiles: dict[Path, dict], results: dict[Path, list[dict]]
) -> list[dict]:
    """The paired differences to the lone student and to KD, as far as their runs are at hand."""
    from kdbench.zoo import measured, paired_with, student_alone, taught_by_kd

    context = measured(metafiles.values())
    own = next(one for one in context if one.name == entry["Name"])
    others = {one.name: one for one in (student_alone(own, context), taught_by_kd(own, context)) if one}
    others.pop(own.name, None)
    runs = [runs_of(other, folder, own.name, results) for other in others.values()]
    return [pair for found in runs if found and (pair := paired_with(results[folder], found))]


def runs_of(other, folder: Path, name: str, results: dict[Path, list[dict]]) -> list[dict]:
    """The results of another row, of this call or from beside ``folder``, if they are those that were recorded."""
    from kdbench.zoo import read_results

    found = next((group for group in results.values() if group[0]["row"] == other.name), [])
    depth = len(Path(name).parts)
    if not found and folder.parts[-depth:] == Path(name).parts:
        beside = Path(*folder.parts[:-depth]) / other.name
        found = read_results(beside) if list(beside.glob("seed*/result.yml")) else []
    students = {result["seed"]: str(result["student"]["sha256"])[:8] for result in found}
    return found if students == other.fingerprints else []


def metafile_of(entry: dict) -> Path:
    """The file that an entry belongs into."""
    from kdbench.compose import configs_of

    return configs_of(Path(entry["Config"])) / entry["In Collection"] / "metafile.yml"


def merged(entries: dict[Path, dict], results: dict[Path, list[dict]], replace: bool) -> dict[Path, dict]:
    """All metafiles with the entries in place; those without one too, for rows are compared across files."""
    from kdbench.zoo import read_metafile, with_model

    folders = {metafile_of(entry).parent.parent for entry in entries.values()}
    before = [path for configs in sorted(folders) for path in sorted(configs.glob("*/metafile.yml"))]
    found = {path: read_metafile(path) for path in before}
    if not replace:
        refuse_fewer_seeds(entries, found)
    for folder, entry in entries.items():
        path = metafile_of(entry)
        found[path] = with_model(found.get(path) or read_metafile(path), entry, paper(results[folder][0]))
    return found


def refuse_fewer_seeds(entries: dict[Path, dict], before: dict[Path, dict]) -> None:
    """A recorded row does not lose seeds by the way: they may be gone from the disk."""
    recorded = {
        model["Name"]: model["Results"][0]["Seeds"] for file in before.values() for model in file["Models"]
    }
    lost = []
    for folder, entry in entries.items():
        earlier, now = recorded.get(entry["Name"], []), entry["Results"][0]["Seeds"]
        if set(earlier) - set(now):
            lost.append(
                f"{entry['Name']}: recorded {', '.join(map(str, earlier))}; {folder} has {', '.join(map(str, now))}"
            )
    if lost:
        raise ValueError(
            "\n  - ".join(
                ["recorded seeds are not among these results; train them, or --replace the entries:", *lost]
            )
        )


def refuse_first_phase(config: dict) -> None:
    """What another row goes on from has no result of its own; its budget is part of that row's."""
    from kdbench.compose import configs_of, first_phase, rows

    path = Path(config["path"])
    name = f"{path.parent.name}/{path.stem}"
    alike = [row for row in rows(configs_of(path)) if row.stem == path.stem]
    if second := next((row for row in alike if first_phase(row) == name), None):
        raise ValueError(
            f"{name} is the first phase of a method, no result; there is: {second.parent.name}/{second.stem}, "
            "whose record has the budget of both"
        )


def check_unchanged(results: list[dict]) -> None:
    """Refuse results of a row that says something else by now."""
    from kdbench.compose import recompose

    for result in results:
        if recompose(result["config"]).row.sha256 != result["config"]["sha256"]:
            raise ValueError(
                f"{result['config']['path']} or a part of it has changed since {result['file']} was made; "
                "train it again, or bring back the row"
            )


def paper(result: dict) -> str | None:
    """The first line of the module of the row's distiller, or of that of the row it goes on from; it names a paper."""
    from inspect import getmodule

    from kdbench.compose import compose, configs_of, recompose
    from kdbench.registry import DISTILLERS, find

    config = recompose(result["config"])
    if not config.model.get("distiller") and config.get("starts_from"):
        config = compose(configs_of(Path(config.row.path)) / f"{config.starts_from}.py")
    distiller = config.model.get("distiller")
    if not distiller:
        return None
    doc = getattr(getmodule(find(DISTILLERS, distiller.type)), "__doc__", None) or ""
    return doc.strip().split("\n")[0].rstrip(".") or None


if __name__ == "__main__":
    sys.exit(command.run(record, parse()))
