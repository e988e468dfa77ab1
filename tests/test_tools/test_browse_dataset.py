"""Tests of the contact sheet."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.scripts import script

ROOT = Path(__file__).parents[2]
TOOL = ROOT / "tools" / "browse_dataset.py"
SMALL = ["frame_size=16", "num_frames=4", "num_views=2", "num_rooms=1", "num_clips=3"]


def browse(*words):
    return subprocess.run(
        [sys.executable, TOOL, *words], capture_output=True, text=True, cwd=ROOT, check=False
    )


def test_help_is_fast():
    start = time.process_time(), time.perf_counter()
    assert "contact sheet" in browse("--help").stdout
    assert time.perf_counter() - start[1] < 1.0


def test_draws_the_synthetic_home(tmp_path):
    from PIL import Image

    out = tmp_path / "sheet.png"
    done = browse("--rooms", *SMALL, "--index", "0", "2", "--out", str(out))
    assert done.stdout == f"wrote {out}\n", done.stderr
    picture = np.asarray(Image.open(out).convert("RGB"))
    assert min(picture.shape[:2]) > 300
    assert picture.std() > 20


def test_draws_a_config(tmp_path):
    config = tmp_path / "tiny.py"
    config.write_text(
        "val_dataloader = dict(dataset=dict(type='Rooms', num_frames=4, frame_size=16, num_rooms=1, num_clips=2,\n"
        "                                   split='val', supervision='sequence', fields=()))\n"
    )
    out = tmp_path / "sheet.png"
    assert browse(str(config), "--split", "val", "--out", str(out)).returncode == 0
    assert out.stat().st_size > 5000
    refused = browse(str(config), "--out", str(out))
    assert refused.returncode == 1
    assert refused.stderr == f"{config} has no train_dataloader; there is: val_dataloader\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--rooms", "frame_size"], "--rooms frame_size; a dial is written key=value\n"),
        (["--rooms", *SMALL, "--index", "3"], "no sample 3; there is: 0 to 2\n"),
        (
            ["--rooms", "frame_sise=16"],
            "dial 'frame_sise' is unknown; did you mean: frame_size, num_frames, label_noise?\n",
        ),
        (["--rooms", "people=3"], "people=3; people is from 1 to 2\n"),
        ([], "browse_dataset.py: error: give a config or --rooms, one of them\n"),
    ],
)
def test_bad_arguments_say_what_is_possible(words, message):
    done = browse(*words)
    assert done.returncode != 0
    assert done.stderr.endswith(message)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("modality", ["depth", "skeleton", "inertial", "image"])
def test_draws_single_modalities(tmp_path, modality):
    rng = np.random.default_rng(0)
    shapes = {"depth": (12, 2, 20, 16), "skeleton": (12, 20, 3), "inertial": (30, 6), "image": (3, 8, 8)}
    sample = {"inputs": {modality: rng.random(shapes[modality])}, "target": -100, "index": 4}
    out = tmp_path / "sheet.png"
    script("browse_dataset").draw_sheet([sample], None, 6, str(out))
    assert out.stat().st_size > 3000


def test_draws_a_picture_beside_its_second_view(tmp_path):
    from PIL import Image

    red, blue = np.zeros((2, 3, 8, 8), np.uint8)
    red[0], blue[2] = 255, 255
    sample = {"inputs": {"image": red, "image_strong": blue}, "target": 0, "index": 4}
    script("browse_dataset").draw_sheet([sample], ("cat",), 4, str(tmp_path / "sheet.png"))
    drawn = np.asarray(Image.open(tmp_path / "sheet.png").convert("RGB")).reshape(-1, 3)
    shares = [(drawn == colour).all(axis=1).mean() for colour in ((255, 0, 0), (0, 0, 255))]
    assert min(shares) > 0.15
    assert shares[0] == pytest.approx(shares[1], rel=0.05)
