"""The leaderboard of 200 runs with 60 classes: CPU seconds of the whole command, and the size of the page."""

import tempfile
from pathlib import Path

from tests.report_runs import write_run

from .figures import Figures, cost, exact
from .interleaved import interleaved
from .startup import ROOT, of_children, start

ROWS, SEEDS = 40, 5
SECONDS, BYTES = 10.0, 5_000_000


def write_runs(folder: Path, rows: int) -> None:
    config = "\n".join(
        f"part_{line} = dict(type='Part', width={line}, depth={line % 7})" for line in range(160)
    )
    for row in range(rows):
        for seed in range(SEEDS):
            name = f"{'baseline' if row < 4 else f'method{row}'}/data_teacher_student_{row}"
            made = write_run(folder, name, seed, accuracy=0.5 + row / 100, classes=60, clips=430, epochs=60)
            (made / "row.py").write_text(f"seed = {seed}\nrow = {name!r}\n{config}\n")


def figures(quick: bool) -> Figures:
    """Time and size."""
    rows = 5 if quick else ROWS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_runs(folder / "runs", rows)
        page = folder / "report.html"
        command = [str(ROOT / "tools/report.py"), str(folder / "runs"), "--no-recorded", "--out", str(page)]
        seconds = interleaved({"ours": lambda: start(command)}, 1, clock=of_children)
        size = page.stat().st_size
    seconds["allowed"] = [SECONDS] * len(seconds["ours"])
    title = f"the page of {rows * SEEDS} runs"
    yield cost(title, seconds, "ours", "allowed", 1.0)
    yield exact(title, f"{size / 1e6:.2f} MB", f"allowed {BYTES / 1e6:.0f} MB", size / BYTES, 1.0)
