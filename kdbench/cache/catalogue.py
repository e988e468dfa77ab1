"""Which of the caches in a folder is that of a run, and what has changed where none is."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..spec import IncompatibleError, InvalidDataError
from .store import MANIFEST, Blocks, read_manifest

_MOST_LINES = 8  # of differences in a message


def manifests(folder: str | Path) -> dict[Path, dict[str, Any]]:
    """The readable manifests of a folder of caches, or of the one cache that it is."""
    folder = Path(folder)
    places = (
        [folder] if (folder / MANIFEST).exists() else sorted(p.parent for p in folder.glob(f"*/{MANIFEST}"))
    )
    found = {}
    for place in places:
        try:
            found[place] = read_manifest(place)
        except InvalidDataError:
            if place == folder:  # it was asked for by name
                raise
    return found


def find_cache(folder: str | Path, facts: Mapping[str, Any], taps: Sequence[str], build: str) -> Path:
    """The cache in ``folder`` with these facts and taps; more taps and more epochs may be there.

    Of several, whole ones go before half-built ones, and exact numbers before halves; one that holds but the top of the
    logits is taken only if ``folder`` is that cache itself. ``build`` is the command that would make it. None at all is
    an ``IncompatibleError`` that says what differs from the one that is most alike.
    """
    there = manifests(folder)
    if not there:
        raise IncompatibleError(f"{folder} holds no teacher cache; build it: {build}")
    same = {place: made for place, made in there.items() if not list(differences(made["facts"], facts))}
    if not same:
        raise IncompatibleError(_what_changed(there, facts, build))
    able = {place: made for place, made in same.items() if not _absent(made, taps)}
    if not able:
        raise IncompatibleError(_what_is_missing(same, taps, build))
    exact = {p: made for p, made in able.items() if made["layout"]["top_k"] is None or p == Path(folder)}
    if not exact:
        place, made = next(iter(able.items()))
        raise IncompatibleError(
            f"{place} keeps the {made['layout']['top_k']} largest logits only; name that folder to take it all the "
            f"same, or build a whole one: {build}"
        )
    return min(exact, key=lambda place: (not _is_whole(place, exact[place]), _is_half_precise(exact[place])))


def _is_whole(place: Path, made: Mapping[str, Any]) -> bool:
    blocks = Blocks(place, made)
    return len(blocks.journal()) == len(blocks)


def _is_half_precise(made: Mapping[str, Any]) -> bool:
    return bool(made["layout"]["dtype"] != "float32")


def differences(made: Mapping[str, Any], wanted: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """The facts that a cache was made from and that are others now, a line each."""
    for name in sorted({*made, *wanted} - {"records"}):
        place = f"{above}{name}"
        before, now = made.get(name), wanted.get(name)
        if isinstance(before, Mapping) and isinstance(now, Mapping):
            yield from differences(before, now, f"{place}.")
        elif before != now and not (place == "draws.epochs" and _serves(made, wanted)):
            yield f"{place}: {_short(before)}, now {_short(now)}"


def _serves(made: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether the epochs of a cache begin with those that are wanted."""
    return bool(made["epochs"] > wanted["epochs"] and made["of_epochs"] == wanted["of_epochs"])


def _absent(made: Mapping[str, Any], taps: Sequence[str]) -> list[str]:
    return [tap for tap in taps if tap not in made["facts"]["records"]["taps"]]


def _what_changed(there: Mapping[Path, Mapping[str, Any]], facts: Mapping[str, Any], build: str) -> str:
    found = {place: list(differences(made["facts"], facts)) for place, made in there.items()}
    place = min(found, key=lambda place: len(found[place]))
    lines = found[place][:_MOST_LINES]
    more = len(found[place]) - len(lines)
    listed = "".join(f"\n  - {line}" for line in [*lines, *([f"and {more} more"] if more else [])])
    return f"no teacher cache is that of this run; the one most alike, {place}, differs in:{listed}\nbuild it: {build}"


def _what_is_missing(same: Mapping[Path, Mapping[str, Any]], taps: Sequence[str], build: str) -> str:
    place = min(same, key=lambda place: len(_absent(same[place], taps)))
    there = ", ".join(same[place]["facts"]["records"]["taps"])
    absent = ", ".join(_absent(same[place], taps))
    return f"the teacher cache {place} lacks the taps {absent}; there is: {there}; build one that has them: {build}"


def _short(value: Any) -> str:
    text = str(value)
    return f"{text[:8]}..." if isinstance(value, str) and len(text) == 64 else text[:120]
