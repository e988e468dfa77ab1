"""Locks that die with their holder, events that survive a cut, the ends of logs."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdbench.matrix.folder import Folder, Lock, LockedError, tail
from tests.toy_project import ROOT

from .toys import events

HOLD = """
import sys, time
from pathlib import Path
from kdbench.matrix.folder import Lock
print(Lock(Path(sys.argv[1])).take(), flush=True)
time.sleep(600)
"""


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_lock_is_held_by_one_and_gone_with_its_holder(elsewhere) -> None:
    path = elsewhere / "lock"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, env=environment
    )
    try:
        assert holder.stdout.readline() == b"True\n"
        lock = Lock(path)
        assert not lock.take()
        assert lock.holder.startswith(f"process {holder.pid} on ")
        holder.send_signal(signal.SIGKILL)
        assert lock.take(patience=10.0)
        assert lock.holder.startswith(f"process {os.getpid()} on ")
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()


def test_a_second_matrix_on_a_folder_is_refused(elsewhere) -> None:
    first = Folder("toy")
    first.claim()
    with pytest.raises(
        LockedError, match=rf"^work_dirs/matrices/toy is worked on by process {os.getpid()} on "
    ):
        Folder("toy").claim()
    first.lock.release()
    Folder("toy").claim()


@given(cut=st.integers(0, 40))
def test_events_after_a_cut_line_are_whole(tmp_path_factory, cut) -> None:
    here, folder = Path.cwd(), tmp_path_factory.mktemp("events")
    os.chdir(folder)
    try:
        of = Folder("toy")
        of.claim()
        for number in range(3):
            of.add_event("started", cell=str(number))
        file = of.path / "events.jsonl"
        data = file.read_bytes()
        file.write_bytes(data[: len(data) - cut])
        of.add_event("ended", cell="ü")
        found = events()
        assert [e["cell"] for e in found][:2] == ["0", "1"]
        assert (found[-1]["event"], found[-1]["cell"]) == ("ended", "ü")
        assert len(found) == (4 if cut <= 1 else 3)
        of.lock.release()
    finally:
        os.chdir(here)


def test_the_end_of_a_log(tmp_path) -> None:
    path = tmp_path / "log"
    assert tail(path) == ""
    path.write_text("x" * 9000 + "\n" + "\n".join(map(str, range(30))))
    assert tail(path).splitlines() == [str(n) for n in range(18, 30)]
