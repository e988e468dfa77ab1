"""Cells as processes of this machine: forks of a warm process, or fresh ones."""

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from ..child import Child, Task, environment
from .base import Engine, Outcome

POLL = 0.05  # seconds between two looks at fresh processes


class Local(Engine):
    """``jobs`` processes at a time; ``fresh`` starts each from nothing, which a GPU's driver asks for."""

    def __init__(self, jobs: int, threads: int = 1, fresh: bool = False):
        super().__init__(jobs, threads)
        self._running: Fresh | Forks = Fresh(threads) if fresh else Forks(threads)

    def start(self, key: str, task: Task) -> None:
        self._running.start(key, task)

    def ended(self, seconds: float) -> list[tuple[str, Outcome]]:
        return self._running.ended(seconds)

    def stop(self, kill: bool = False) -> None:
        self._running.signal(signal.SIGKILL if kill else signal.SIGTERM)

    def worker_of(self, key: str) -> str:
        return f"process {self._running.pids.get(key, '?')}"

    def close(self) -> None:
        self._running.close()


class Fresh:
    """A new interpreter a cell."""

    def __init__(self, threads: int):
        self._threads = threads
        self._children: dict[str, Child] = {}

    @property
    def pids(self) -> dict[str, int]:
        """The process of each running cell."""
        return {key: child.process.pid for key, child in self._children.items()}

    def start(self, key: str, task: Task) -> None:
        """Start a process."""
        self._children[key] = Child(task, self._threads, os.getpid())

    def ended(self, seconds: float) -> list[tuple[str, Outcome]]:
        """Those that have ended."""
        deadline = time.monotonic() + seconds
        while True:
            codes = {key: child.process.poll() for key, child in self._children.items()}
            found = [(key, Outcome(code)) for key, code in codes.items() if code is not None]
            if found or time.monotonic() >= deadline:
                for key, _ in found:
                    del self._children[key]
                return found
            time.sleep(POLL)

    def signal(self, number: int) -> None:
        """Send all of them a signal."""
        for child in self._children.values():
            child.process.send_signal(number)

    def close(self) -> None:
        """Nothing is left to give back."""


class Forks:
    """Forks of one warm process, which is started at once, while a plan is made, and again should it die."""

    def __init__(self, threads: int):
        self._threads = threads
        self._warm = self._started()
        self._buffer = b""
        self.pids: dict[str, int] = {}
        self._running: set[str] = set()

    def start(self, key: str, task: Task) -> None:
        """Ask for a fork."""
        self._running.add(key)
        self._send({"run": key, "task": {**task}})

    def ended(self, seconds: float) -> list[tuple[str, Outcome]]:
        """Those that have ended; all of them if the warm process has."""
        deadline, found = time.monotonic() + seconds, list[tuple[str, Outcome]]()
        while not found and (left := deadline - time.monotonic()) > 0:
            found = self._lost() if (data := self._read(left)) == b"" else self._understood(data or b"")
        return found

    def _read(self, seconds: float) -> bytes | None:
        """What the warm process says; empty when it is gone, None when it says nothing."""
        stdout = self._warm.stdout
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            return os.read(stdout.fileno(), 1 << 16) if selector.select(seconds) else None

    def _understood(self, data: bytes) -> list[tuple[str, Outcome]]:
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        found = []
        for line in map(json.loads, lines):
            if "started" in line:
                self.pids[line["started"]] = line["pid"]
            elif "ended" in line:
                self._forget(line["ended"])
                found.append((line["ended"], Outcome(line["status"])))
        return found

    def _forget(self, key: str) -> None:
        self._running.discard(key)
        self.pids.pop(key, None)

    def _lost(self) -> list[tuple[str, Outcome]]:
        """The warm process is gone; its cells are told so by the kernel, and save."""
        reason = f"the warm process ended ({Outcome(self._warm.wait())})"
        self._close_pipes()
        self._warm, self._buffer = self._started(), b""
        found = [(key, Outcome(None, reason)) for key in sorted(self._running)]
        self._running.clear()
        self.pids.clear()
        return found

    def signal(self, number: int) -> None:
        """Send all of them a signal."""
        for key in sorted(self._running):
            self._send({"signal": number, "key": key})

    def _send(self, line: dict[str, Any]) -> None:
        with contextlib.suppress(BrokenPipeError):  # it is gone: ``ended`` will tell
            self._warm.stdin.write(json.dumps(line).encode() + b"\n")
            self._warm.stdin.flush()

    def _started(self) -> Any:
        return subprocess.Popen(
            [sys.executable, "-m", "kdbench.matrix.warm", str(os.getpid())],
            env=environment(self._threads),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path.cwd(),
            start_new_session=True,
        )

    def close(self) -> None:
        """End the warm process, which has nothing to save."""
        self._warm.kill()
        self._warm.wait()
        self._close_pipes()

    def _close_pipes(self) -> None:
        for pipe in (self._warm.stdin, self._warm.stdout):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
