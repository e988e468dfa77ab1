"""Every method trains on a pair of image networks, through the tool, on real pictures at smoke size."""

import os
from pathlib import Path

import pytest
import yaml

from kdbench.compose import parts
from tests.toy_project import command

ROOT = Path(__file__).parent.parent
PAIR = "configs/kd/cifar10_jpeg_resnet20_resnet8.py"
TEACHER = "configs/baseline/cifar10_jpeg_resnet20.py"
TWO_VIEWS = "configs/mlkd/cifar10_jpeg_strong_resnet20_resnet8.py"
DISTILLERS = parts(ROOT / "configs", "distillers")
# Methods that want more than one student, teacher, view or frame of a clip.
SWAPS = {"peers": ["--student", "resnet8_peers"], "member_logits": ["--teacher", "resnet20_resnet14"]}
VIEWS_AND_FRAMES = {"view_frame_logits", "frame_logits", "features", "hallucinated"}
HAS_PICTURES = Path(os.environ.get("KDBENCH_DATA_ROOT", "/nowhere"), "cifar10").is_dir()


needs_pictures = pytest.mark.skipif(
    not HAS_PICTURES, reason="the JPEG copy of CIFAR-10 is not under $KDBENCH_DATA_ROOT"
)


def trained(folder: Path, *arguments: str) -> dict:
    """What the tool records of a run at smoke size."""
    options = ["--smoke", "--seed", "0", "--threads", "1", "--work-dir", str(folder)]
    done = command(ROOT, "train", *arguments, *options)
    assert done.returncode == 0, done.stderr
    return yaml.safe_load((folder / "result.yml").read_text())


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A teacher's weights; maps of an untrained one grow beyond what a loss on them survives."""
    folder = tmp_path_factory.mktemp("teacher")
    trained(folder, TEACHER, "--cfg-options", "train_cfg.max_epochs=15")
    return folder / "student.safetensors"


def taps(name: str) -> set[str]:
    """What a part reads of either network."""
    config = DISTILLERS[name].config
    needs = config["type"].needs_for(config)
    return {*needs.student, *needs.teacher}


# The second of two rows wants the file of the first; VPD compares frame with frame.
OF_FRAMES = {name for name, part in DISTILLERS.items() if part.config["type"].__name__ == "VPD"}
ELSEWHERE = {
    "ft_factor",
    "generative_distillation",
    *OF_FRAMES,
    *(name for name in DISTILLERS if taps(name) & VIEWS_AND_FRAMES),
}


def arguments(name: str, teacher: Path) -> list[str]:
    swaps = [word for tap, words in SWAPS.items() if tap in taps(name) for word in words]
    weights = [] if "--teacher" in swaps else ["--cfg-options", f"model.teacher.weights={teacher}"]
    return [TWO_VIEWS if "logits_strong" in taps(name) else PAIR, "--distiller", name, *swaps, *weights]


@pytest.mark.slow
@needs_pictures
@pytest.mark.parametrize("name", sorted(set(DISTILLERS) - ELSEWHERE))
def test_a_method_trains_on_a_pair_of_image_networks(name: str, teacher: Path, tmp_path: Path) -> None:
    result = trained(tmp_path, *arguments(name, teacher))
    assert result["status"] == "ok"
    assert result["distiller"] == DISTILLERS[name].config["type"].__name__
    assert result["steps"] == 4
    assert 0 <= result["metrics"]["top1"] <= 100
