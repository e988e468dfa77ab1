"""NTU RGB+D whole: every name, the published counts of every protocol, and a tree with a file for each name."""

import os
import re
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from kdbench.datasets.ntu.every_name import every_name
from kdbench.datasets.ntu.names import COUNTS, PROTOCOLS, SETUPS, Name, groups, in_split, read_missing
from kdbench.datasets.ntu.skeleton_file import Body, Recording
from kdbench.datasets.ntu.store import SkeletonStore
from tests.scripts import script
from tests.test_datasets.test_ntu import written

tool = script("prepare/ntu")
GOLDEN = Path(__file__).parents[1] / "golden" / "ntu_missing.txt"  # the authors' list of 535, in short
WHOLE = {
    "xsub-60": (40_320, 16_560),
    "xview-60": (37_920, 18_960),
    "xsub-120": (63_360, 51_120),
    "xset-120": (54_720, 59_760),
}
TAKES = {"60": {3: 18_674, 2: 277, 1: 2}, "120": {3: 37_644, 2: 505, 1: 3}}  # by the cameras that are left


def missing() -> list[Name]:
    """The samples that the authors say have no good skeletons: a line a setup, ``C2P5R2:8,10-12``."""
    found = []
    for line in GOLDEN.read_text().splitlines():
        setup, *takes = line.split()
        for take in takes:
            *who, actions = re.fullmatch(r"C(\d)P(\d+)R(\d):([\d,-]+)", take).groups()
            ends = [[int(end) for end in stretch.split("-")] for stretch in actions.split(",")]
            found += [
                Name(int(setup), *map(int, who), action) for a in ends for action in range(a[0], a[-1] + 1)
            ]
    return found


def counts(names: list[Name]) -> dict[str, tuple[int, int]]:
    return {p: tuple(len(in_split(names, p, split)) for split in ("train", "test")) for p in PROTOCOLS}


def without(names: tuple[Name, ...], gone: list[Name]) -> list[Name]:
    return sorted({*names} - {*gone})


def test_every_protocol_has_the_published_counts() -> None:
    everyone = every_name("120")
    assert len({*everyone}) == len(everyone) == 114_480
    assert list(everyone) == sorted(everyone)
    assert counts(list(everyone)) == WHOLE
    assert [name for name in everyone if name.is_in("60")] == [*every_name("60")]
    assert len(every_name("60")) == 56_880
    with pytest.raises(ValueError, match="there is no NTU RGB\\+D '90'; there is: 60, 120"):
        every_name("90")


def test_without_missing_skeletons_too(tmp_path: Path) -> None:
    prose = "535 of the captured samples have missing\nor incomplete skeletons.\n\n"
    (tmp_path / "missing.txt").write_text(prose + "\n".join(map(str, missing())) + "\n")
    listed = read_missing(tmp_path / "missing.txt")
    assert len(listed) == len(missing()) == 535
    assert sum(name.is_in("60") for name in listed) == 302
    assert listed <= {*every_name("120")}
    assert counts(without(every_name("120"), missing())) == COUNTS


@pytest.mark.parametrize("edition", SETUPS)
def test_takes_have_the_published_numbers_of_cameras(edition: str) -> None:
    members = groups(without(every_name(edition), missing()), f"xsub-{edition}").values()
    assert Counter(map(len, members)) == TAKES[edition]


def test_the_same_file_in_two_folders_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "S001C001P001R001A001.skeleton").write_bytes(tiny(1))
    assert tool.main([str(tmp_path), str(tmp_path / "out")]) == 1
    assert "S001C001P001R001A001 is there twice: " in capsys.readouterr().err


def test_names_that_are_not_there_and_strange_ones_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    tool.report_names({str(name) for name in every_name("60")[1:]} | {"S017C001P099R001A001"})
    printed = capsys.readouterr().out
    assert (
        "1 samples of the 56880 of NTU RGB+D 60 were not in the source, the first S001C001P001R001A001"
        in (printed)
    )
    assert "1 samples have names that NTU RGB+D 60 has not, the first S017C001P099R001A001" in printed
    tool.report_names({str(name) for name in every_name("120")})
    assert not capsys.readouterr().out


def tiny(size: int) -> bytes:
    """A file of one frame with one body, whose joints lie ``size`` metres apart."""
    joints = np.zeros((1, 25, 12))
    joints[..., :3] = size * np.arange(1, 26)[:, None]
    return written(Recording(1, (Body(size, np.array([0]), joints),)))


def link_tree(root: Path, names: tuple[Name, ...]) -> None:
    """A file a name; those of a setup are one file on disk under many names, or the tree would take half a gigabyte."""
    for name in names:
        folder = root / f"S{name.setup:03}"
        original = root / f"original_{name.setup}"
        if not folder.is_dir():
            folder.mkdir(parents=True)
            original.write_bytes(tiny(name.setup))
        os.link(original, folder / f"{name}.skeleton")


def damage(root: Path, name: Name, text: bytes) -> str:
    """Put other bytes in the place of a file."""
    path = root / f"S{name.setup:03}" / f"{name}.skeleton"
    path.unlink()
    path.write_bytes(text)
    return str(name)


@pytest.mark.slow
def test_a_tree_with_every_file_gives_the_published_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tree, out = tmp_path / "source", tmp_path / "ntu"
    link_tree(tree, every_name("120"))
    broken = without(every_name("120"), missing())[::40_000]
    texts = (b"", tiny(1)[:-40], b"1 none")
    damaged = [damage(tree, name, text) for name, text in zip(broken, texts, strict=True)]
    (tmp_path / "missing.txt").write_text("\n".join(map(str, missing())))
    assert tool.main([str(tree), str(out), "--missing", str(tmp_path / "missing.txt"), "--jobs", "1"]) == 0
    printed = capsys.readouterr().out
    store = SkeletonStore(out)
    assert len(store) == 114_480 - 535 - 3
    assert {name for name, reason in store.index.skipped.items() if "missing" not in reason} == {*damaged}
    assert all(f"skipped {name}: " in printed for name in damaged)
    assert counts([*store.names, *broken]) == COUNTS
    np.testing.assert_array_equal(store.persons("S032C003P106R002A120")[0, 0, :, 0], 32 * np.arange(1.0, 26))
    shutil.rmtree(tree)
