"""Methods whose terms have weights: a term is there for good or not at all, also while its weight is 0."""

from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch.nn.parallel import DistributedDataParallel

from kdbench.models import Distillation

DATA = {"name": "toy", "inputs": {"skeleton": (16, 20, 3)}, "num_classes": 5, "num_train": 8}
SMALL = {"type": "SkeletonCNN", "widths": (4, 4, 4)}
RAMPED = [
    (CROSSVIEW := {"type": "CrossView", "views": False, "contrast": 0.1}, "contrast"),
    (CROSSVIEW, "logit"),
    (VPNPP := {"type": "VPNPP"}, "guided"),
    (VPNPP, "attention"),
    (VPNPP, "feature"),
    (
        {"type": "ViCoKD", "logit": 0.0, "consistency": 0.0, "feature_tap": "embedding"},
        "feature",
    ),
]


def held_at_zero(distiller: dict, weight: str) -> Distillation:
    """A model whose ``weight`` is where a ramp from 0 begins."""
    torch.manual_seed(0)
    teacher = {**SMALL, "widths": (4, 4, 6), "weights": "random"}
    model = Distillation(DATA, student=SMALL, teacher=teacher, distiller=distiller).train()
    setattr(model.distiller, weight, 0.0)
    return model


def losses(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    clips = torch.randn(4, *DATA["inputs"]["skeleton"], generator=torch.Generator().manual_seed(0))
    target = torch.tensor([0, 1, -100, 2])
    return model({"skeleton": clips}, mode="loss", target=target, index=torch.arange(4))


@pytest.mark.parametrize(("distiller", "weight"), RAMPED)
def test_a_term_at_zero_is_computed_and_trains_nothing(distiller: dict, weight: str) -> None:
    model = held_at_zero(distiller, weight)
    found = losses(model)
    (own,) = [value for name, value in found.items() if name.endswith(f"_{weight}")]
    assert own == 0
    sum(found.values()).backward()
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)


def _one_of_two(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    for distiller, weight in RAMPED:
        model = held_at_zero(distiller, weight)
        parallel = DistributedDataParallel(model, broadcast_buffers=False)
        for value in (0.0, 0.0, 0.1):  # a parameter without a gradient is an error of the second step
            setattr(model.distiller, weight, value)
            model.parse_losses(losses(parallel))[0].backward()
        dist.barrier()
    dist.destroy_process_group()


@pytest.mark.slow
def test_two_processes_train_through_a_ramp_from_zero(tmp_path: Path) -> None:
    mp.spawn(_one_of_two, args=(str(tmp_path),), nprocs=2)
