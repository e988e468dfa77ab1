"""Killed, cut, altered and exchanged: a cache gives what the teacher said, or nothing."""

import contextlib
import json
import os
import random
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from kdbench.cache import Records, fill
from kdbench.cache.store import JOURNAL, MANIFEST, RECORDS, Blocks, read_manifest
from kdbench.spec import InvalidDataError

from . import made


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("caches") / "whole"
    fill(folder, made.manifest(), made.book(), made.teach)
    return folder


def test_a_cache_says_what_the_teacher_said(whole):
    assert made.says_the_truth(whole)
    assert (whole / RECORDS).stat().st_size == made.CLIPS * made.EPOCHS * 80 * 4
    Records(whole).check()


def test_several_processes_write_the_same_bytes(whole, tmp_path):
    seen = []
    fill(tmp_path, made.manifest(), made.book(), made.teach, 3, lambda *done: seen.append(done))
    assert (tmp_path / RECORDS).read_bytes() == (whole / RECORDS).read_bytes()
    count = len(Blocks(tmp_path, made.manifest()))
    assert seen == [(done, count) for done in range(count + 1)]


def test_an_error_of_a_process_comes_back(tmp_path):
    def broken(draws):
        raise InvalidDataError("clip 3 is truncated")

    with pytest.raises(InvalidDataError, match="clip 3 is truncated"):
        fill(tmp_path, made.manifest(), made.book(), broken, 2)


def test_a_half_built_cache_is_refused_and_finished(whole, tmp_path):
    shutil.copytree(whole, tmp_path, dirs_exist_ok=True)
    lines = (tmp_path / JOURNAL).read_bytes().splitlines(keepends=True)
    (tmp_path / JOURNAL).write_bytes(b"".join(lines[:3]) + lines[3][:20])
    with pytest.raises(
        InvalidDataError, match=f"is half built or damaged: 3 of {len(lines)} blocks are there"
    ):
        Records(tmp_path)
    asked = []
    fill(tmp_path, made.manifest(), made.book(), lambda draws: asked.append(draws) or made.teach(draws))
    assert made.says_the_truth(tmp_path)
    a_block = read_manifest(tmp_path)["layout"]["block_records"]
    assert (
        len({draw for draws in asked for draw in draws})
        <= made.CLIPS * made.EPOCHS - 3 * a_block + 2 * made.BATCH
    )


def test_a_whole_cache_asks_the_teacher_nothing(whole, tmp_path):
    shutil.copytree(whole, tmp_path, dirs_exist_ok=True)
    fill(tmp_path, made.manifest(), made.book(), None)


def test_a_block_of_another_cache_is_none_of_this_one(whole, tmp_path):
    other = tmp_path / "other"
    fill(
        other, made.manifest(more=1), made.book(), lambda draws: {k: -v for k, v in made.teach(draws).items()}
    )
    for name in (RECORDS, JOURNAL):
        mixed = tmp_path / name
        shutil.copytree(whole, mixed)
        shutil.copy(other / name, mixed / name)
        with pytest.raises(InvalidDataError):
            made.says_the_truth(mixed)


def test_blocks_in_each_others_place_are_found(whole, tmp_path):
    shutil.copytree(whole, tmp_path, dirs_exist_ok=True)
    content = bytearray((tmp_path / RECORDS).read_bytes())
    size = read_manifest(tmp_path)["layout"]["block_records"] * 320
    content[:size], content[size : 2 * size] = content[size : 2 * size], content[:size]
    (tmp_path / RECORDS).write_bytes(content)
    with pytest.raises(InvalidDataError, match=r"records 0 to .* are not what was written; build it again"):
        made.says_the_truth(tmp_path)


def test_a_manifest_that_says_something_else_is_refused(whole, tmp_path):
    shutil.copytree(whole, tmp_path, dirs_exist_ok=True)
    said = json.loads((tmp_path / MANIFEST).read_text())
    said["facts"]["teacher"]["weights"] = "b"
    (tmp_path / MANIFEST).write_text(json.dumps(said))
    with pytest.raises(InvalidDataError, match="was altered, or is of another version"):
        Records(tmp_path)


def damage(path: Path, rng: random.Random) -> str:
    """Flip a bit, cut, empty, lengthen or delete a file; what was done."""
    content = bytearray(path.read_bytes())
    kind = rng.choice(["flip", "flip", "flip", "cut", "zeros", "longer", "delete", "empty"])
    place = rng.randrange(len(content))
    if kind == "flip":
        content[place] ^= 1 << rng.randrange(8)
    elif kind == "zeros":
        content[place : place + rng.randrange(1, 4096)] = b"\0" * len(
            content[place : place + rng.randrange(1, 4096)]
        )
    content = {"cut": content[:place], "longer": content + b"\1", "empty": b""}.get(kind, content)
    path.unlink()
    if kind != "delete":
        path.write_bytes(content)
    return f"{kind} {path.name} at {place}"


def test_300_damaged_caches_never_say_a_wrong_thing(whole, tmp_path):
    rng, refused = random.Random(0), 0
    for number in range(300):
        folder = tmp_path / str(number)
        folder.mkdir()
        name = (MANIFEST, RECORDS, JOURNAL)[number % 3]
        for other in (MANIFEST, RECORDS, JOURNAL):
            (shutil.copy if other == name else os.link)(whole / other, folder / other)
        what = damage(folder / name, rng)
        try:
            assert made.says_the_truth(folder), what
        except InvalidDataError:
            refused += 1
        shutil.rmtree(folder)
    assert refused > 250  # what is left over flipped a byte that says nothing, such as white space


def live(folder: Path, asked: int, seconds: float, jobs: int) -> bool:
    """Build in a forked process, and kill it and its forks some moments after so many questions; whether it died so."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        os.close(read_end)
        status = 1
        try:
            fill(folder, made.manifest(), made.book(), Beacon(write_end), jobs)
            status = 0
        finally:
            os._exit(status)
    os.close(write_end)
    seen = 0
    while data := os.read(read_end, 1):
        seen += len(data)
        if seen >= asked:
            time.sleep(seconds)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child, signal.SIGKILL)
            break
    os.close(read_end)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


class Beacon:
    """The teacher, which writes a byte into a pipe whenever it is asked."""

    def __init__(self, pipe: int):
        self.pipe = pipe

    def __call__(self, draws):
        os.write(self.pipe, b".")
        return made.teach(draws)


def killed(folder: Path, kills: int, jobs: int) -> tuple[int, int]:
    """Kill builds until so many died; the number of kills, and of caches that were finished by what was left."""
    rng, count, finished, home = random.Random(kills + jobs), 0, 0, folder / "0"
    while count < kills:
        count += live(home, rng.randint(1, 60), rng.uniform(0, 0.01), jobs)
        try:
            assert made.says_the_truth(home)
            finished, home = finished + 1, folder / str(finished + 1)
        except InvalidDataError:
            pass
    fill(home, made.manifest(), made.book(), made.teach)
    assert made.says_the_truth(home)
    return count, finished


@pytest.mark.parametrize("jobs", [1, 2])
def test_killed_builds_never_say_a_wrong_thing(tmp_path, jobs):
    count, finished = killed(tmp_path, 10, jobs)
    assert count == 10
    assert finished > 0  # or no build ever went on from what an earlier one left


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_100_killed_builds_never_say_a_wrong_thing(tmp_path, jobs):
    count, finished = killed(tmp_path, 100, jobs)
    assert count == 100
    assert finished > 10


def test_a_reader_copies_and_checks_once(whole, monkeypatch):
    records, checks = Records(whole), []
    check = records.check
    monkeypatch.setattr(records, "check", lambda blocks: checks.append(blocks) or check(blocks))
    rows = np.array([0, 5, 3])
    first, again = records[rows], records[rows]
    assert np.array_equal(first, again)
    assert len(checks) == 1
    first["logits"] = 0
    assert not np.array_equal(records[rows], first)
