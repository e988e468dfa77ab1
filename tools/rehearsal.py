"""The dry run: every check, the data, the weights, and one step of training that leaves no trace."""

from collections.abc import Iterator
from typing import Any

import torch
from command import INVALID_DATA, WRONG_USE, message

from kdbench.engine import DivergedError, Runner
from kdbench.engine.lineage import check_lineage, weight_files
from kdbench.engine.modalities import read_only
from kdbench.evaluation import parameters
from kdbench.registry import DATASETS, MODELS, build
from kdbench.spec import InvalidDataError, MissingWeightsError
from kdbench.weights import read_weights


def rehearse(config: Any) -> int:
    """Print what would run and what is missing; the exit code."""
    print(f"{config.row.name}, seed {config.row.seed}, would write to {config.work_dir}")
    model = build(MODELS, config.model, load_weights=False)
    for name in ("teacher", "student", "distiller"):
        part = getattr(model, name, None)
        if part is not None:
            print(f"{name}: {type(part).__name__}, {parameters(part):,} parameters")
    check_lineage(config)
    read_only([config.get(f"{stage}_dataloader") for stage in ("train", "val", "test")], model.reads)
    weights, data = list(absent_weights(config, model.teacher)), list(absent_data(config))
    for problem in dict.fromkeys([*weights, *data]):
        print(f"missing: {problem}")
    if not data:
        print(f"one step: {one_step(config, model)}")
    if data:
        return INVALID_DATA
    return WRONG_USE if weights else 0


def absent_weights(config: Any, built: Any) -> Iterator[str]:
    """What is wrong with the files that the networks start from; ``built`` is the teacher's network, if any."""
    teacher = config.model.get("teacher")
    if teacher and not teacher.get("weights") and not getattr(built, "has_own_weights", False):
        yield 'the teacher has no weights; give a file, or weights="random" if it is meant to be untrained'
    for path in dict.fromkeys(weight_files(config.model)):
        try:
            read_weights(path)
        except MissingWeightsError as error:
            yield message(error)


def absent_data(config: Any) -> Iterator[str]:
    """What is wrong with the data, a line a split."""
    for stage in ("train", "val", "test"):
        loader = config.get(f"{stage}_dataloader")
        if loader is None:
            continue
        try:
            dataset = build(DATASETS, loader.dataset)
            dataset[0]
            print(f"{stage} data: {len(dataset)} samples")
        except InvalidDataError as error:
            yield message(error)


def one_step(config: Any, model: Any) -> str:
    """Losses of one step on the first batch; one that is not finite is a ``DivergedError``, as in training."""
    from mmengine.device import get_device
    from mmengine.optim import build_optim_wrapper

    settings = {k: v for k, v in config.train_dataloader.items() if k != "persistent_workers"}
    loader = Runner.build_dataloader({**settings, "num_workers": 0}, seed=config.row.seed)
    for module in model.modules():
        if hasattr(module, "set_targets"):
            module.set_targets(loader.dataset.targets)
    model.to(get_device()).train()
    torch.manual_seed(config.row.seed)
    losses = model.train_step(next(iter(loader)), build_optim_wrapper(model, config.optim_wrapper))
    shown = ", ".join(f"{name} {value.item():.4g}" for name, value in losses.items())
    if not losses["loss"].isfinite().all():
        raise DivergedError(f"the loss of one step is not finite: {shown}")
    return shown
