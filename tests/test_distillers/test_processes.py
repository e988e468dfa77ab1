"""Methods that count over batches count over those of all processes."""

from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from kdbench.datasets import EpochSampler, sampling
from kdbench.distillers import CrossView, labels_loss, processes
from kdbench.distillers.processes import alone, gathered, mean_over_processes, sum_over_processes, world_size
from kdbench.models import Distillation
from kdbench.spec import IGNORED, Fields

CLIPS, CLASSES = 12, 4
COUNTING = {
    "aligned": {"type": "CrossView", "views": False, "align": True},
    "balanced": {"type": "CrossView", "views": False, "rule": "balanced"},
    "crd": {"type": "CRD"},
}


def method() -> CrossView:
    return CrossView(views=False, rule="balanced", align=True, threshold=0.6, num_classes=CLASSES)


def batch(part: slice) -> tuple[Fields, Fields, Fields]:
    made = torch.Generator().manual_seed(0)
    student, teacher = (2 * torch.randn(CLIPS, CLASSES, generator=made)[part] for _ in range(2))
    return Fields(logits=student), Fields(logits=teacher), Fields(target=torch.full((CLIPS,), IGNORED)[part])


def _one_of_two(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    distiller, half = method(), CLIPS // 2
    for _ in range(3):
        distiller(*batch(slice(rank * half, (rank + 1) * half)))
    torch.save(distiller.state_dict(), f"{folder}/rank{rank}.pth")
    dist.destroy_process_group()


@pytest.mark.slow
def test_two_processes_keep_the_statistics_of_one_with_both_batches(tmp_path: Path) -> None:
    mp.spawn(_one_of_two, args=(str(tmp_path),), nprocs=2)
    alone = method()
    for _ in range(3):
        alone(*batch(slice(0, CLIPS)))
    assert alone.sure.any()
    assert alone.align.offset.any()
    for rank in range(2):
        found = torch.load(tmp_path / f"rank{rank}.pth")
        for name, wanted in alone.state_dict().items():
            torch.testing.assert_close(found[name], wanted)


def row(distiller: dict) -> Distillation:
    shapes = {"skeleton": (16, 20, 3)}
    return Distillation(
        data={"name": "toy", "inputs": shapes, "num_classes": CLASSES, "num_train": CLIPS},
        student={"type": "SkeletonCNN"},
        teacher={"type": "SkeletonCNN", "weights": "random"},
        distiller=distiller,
        task_weight=0.0,
    )


@pytest.fixture
def joined(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process is one of two, and there is no way to send anything to the other."""
    joined = SimpleNamespace(is_available=lambda: True, is_initialized=lambda: True, get_world_size=lambda: 2)
    monkeypatch.setattr(processes, "dist", joined)


@pytest.mark.usefixtures("joined")
@pytest.mark.parametrize("distiller", COUNTING.values(), ids=COUNTING)
def test_a_model_is_rehearsed_without_a_word_to_others(distiller) -> None:
    row(distiller)
    assert world_size() == 2, "training counts all processes again"


@pytest.mark.usefixtures("joined")
def test_errors_end_being_alone_too() -> None:
    with suppress(KeyError), alone():
        assert world_size() == 1
        raise KeyError
    assert world_size() == 2


def _one_of_two_by_gpu(rank: int, folder: str) -> None:
    """As NCCL joins processes: they can send tensors of GPUs and none of the CPU."""
    torch.set_num_threads(1)
    dist.init_process_group("cuda:gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    for distiller in COUNTING.values():
        row(distiller)
    with pytest.raises(RuntimeError, match="device type cpu"):
        sum_over_processes(torch.ones(1))
    dist.destroy_process_group()


@pytest.mark.slow
def test_processes_that_only_gpus_join_build_every_model(tmp_path: Path) -> None:
    mp.spawn(_one_of_two_by_gpu, args=(str(tmp_path),), nprocs=2)


class PartlyLabelled(list):
    targets = torch.tensor([0, 1, 2] + [IGNORED] * (CLIPS - 3)).numpy()


@pytest.mark.parametrize("share", [None, 0.5])
def test_the_mean_over_labelled_clips_is_that_of_one_process_with_a_share_of_them(share, monkeypatch) -> None:
    """What docs/conventions.md says under "Several processes"."""
    data, logits = PartlyLabelled(range(CLIPS)), batch(slice(0, CLIPS))[0].logits

    def losses(rank: int, of: int) -> torch.Tensor:
        monkeypatch.setattr(sampling, "get_dist_info", lambda: (rank, of))
        drawn = EpochSampler(data, seed=0, batch_size=CLIPS // of, labelled_share=share)
        index = torch.tensor([draw.index for draw in drawn])
        return labels_loss(logits[index], torch.from_numpy(data.targets)[index])

    of_two, of_one = (losses(0, 2) + losses(1, 2)) / 2, losses(0, 1)
    assert torch.allclose(of_two, of_one) == (share is not None)


def test_methods_speak_to_other_processes_through_one_module() -> None:
    folder = Path(processes.__file__).parent
    speakers = [path.name for path in folder.rglob("*.py") if "distributed" in path.read_text("utf-8")]
    assert speakers == ["processes.py"]


def test_one_process_is_all_there_is() -> None:
    tensor = torch.tensor([1.0, 2.0])
    assert gathered(tensor) == [tensor]
    assert sum_over_processes(tensor) is tensor
    torch.testing.assert_close(mean_over_processes(tensor), tensor)
