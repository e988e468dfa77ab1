"""A process that has imported everything and forks itself for each cell, which saves every cell the imports.

    python -m kdbench.matrix.warm PARENT

Lines of JSON come in: ``{"run": key, "task": ...}``, ``{"signal": number, "key": key}``. Lines go out:
``{"started": key, "pid": ...}``, ``{"ended": key, "status": ...}``, a negative status being a signal. It computes
nothing itself, so no thread, no generator and no device is in a state that a fork would spoil.
"""

import contextlib
import importlib
import json
import os
import selectors
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

from .child import end_with_parent

IMPORTS = (
    "torch.utils.tensorboard",
    "mmengine.runner",
    "mmengine.visualization",
    "kdbench.backbones",
    "kdbench.compose",
    "kdbench.datasets",
    "kdbench.distillers",
    "kdbench.engine",
    "kdbench.evaluation",
    "kdbench.matrix.process",
    "kdbench.models",
    "kdbench.zoo",
)


class Warm:
    """The loop; ``pids`` maps a running cell to its process."""

    def __init__(self) -> None:
        self.pids: dict[str, int] = {}
        self._out = os.fdopen(os.dup(1), "w", buffering=1)
        os.dup2(2, 1)  # what a library prints must not pass for an answer
        self._wake, self._woken = os.pipe()
        for end in (self._wake, self._woken):
            os.set_blocking(end, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._woken, warn_on_full_buffer=False)

    def say(self, **line: Any) -> None:
        """Write one line."""
        self._out.write(json.dumps(line) + "\n")

    def serve(self) -> None:
        """Answer until the pipe is closed; then ask every cell to save and leave."""
        selector, buffer = selectors.DefaultSelector(), b""
        selector.register(0, selectors.EVENT_READ)
        selector.register(self._wake, selectors.EVENT_READ)
        while True:
            for found, _ in selector.select():
                if found.fd == self._wake:
                    with contextlib.suppress(BlockingIOError):
                        os.read(self._wake, 4096)
                    continue
                data = os.read(0, 1 << 16)
                if not data:
                    return self.leave()
                *lines, buffer = (buffer + data).split(b"\n")
                for line in lines:
                    self.answer(json.loads(line))
            self.reap()

    def answer(self, line: dict[str, Any]) -> None:
        """Do what one line asks for."""
        if "run" in line:
            self.start(line["run"], line["task"])
        elif line["key"] in self.pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pids[line["key"]], line["signal"])

    def start(self, key: str, task: dict[str, Any]) -> None:
        """Fork a process for a cell."""
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._be(task, parent)
        self.pids[key] = pid
        self.say(started=key, pid=pid)

    def _be(self, task: dict[str, Any], parent: int) -> None:
        """Live as a cell, and leave without what the parent would do at its end."""
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.setsid()
            end_with_parent(parent)
            self._out.close()
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            status = importlib.import_module("kdbench.matrix.process").run(task)
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1
        except BaseException:
            traceback.print_exc()
        finally:
            with contextlib.suppress(Exception):
                _finish()
            os._exit(status)

    def reap(self) -> None:
        """Report the cells that have ended."""
        for key, pid in list(self.pids.items()):
            found, status = os.waitpid(pid, os.WNOHANG)
            if found:
                del self.pids[key]
                self.say(ended=key, status=os.waitstatus_to_exitcode(status))

    def leave(self) -> None:
        """Nobody listens any more."""
        for pid in self.pids.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)


def _finish() -> None:
    """What the interpreter does at its end and ``os._exit`` leaves out: exit functions and buffers."""
    import atexit

    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()


def warm_up() -> None:
    """Import what cells import; a package that is not there is their affair."""
    for name in IMPORTS:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    threads = len(list(Path("/proc/self/task").iterdir())) if Path("/proc/self/task").is_dir() else 1
    if threads > 1:
        raise RuntimeError(f"{threads} threads run after the imports: a fork would lose them")


def main() -> None:
    """Import, then serve."""
    end_with_parent(int(sys.argv[1]), signal.SIGKILL)
    warm_up()
    Warm().serve()


if __name__ == "__main__":
    main()
