"""Methods that count over batches count over those of all processes."""

from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from kdbench.distillers import CrossView
from kdbench.distillers.processes import gathered, mean_over_processes, sum_over_processes
from kdbench.spec import IGNORED, Fields

CLIPS, CLASSES = 12, 4


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


def test_one_process_is_all_there_is() -> None:
    tensor = torch.tensor([1.0, 2.0])
    assert gathered(tensor) == [tensor]
    assert sum_over_processes(tensor) is tensor
    torch.testing.assert_close(mean_over_processes(tensor), tensor)
