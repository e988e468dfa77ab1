"""How many clips without a label are named rightly: by each network, by all together, and with classes made equal.

    python tools/analysis/pseudo_labels.py CONFIG work_dirs/baseline/utd_s1_labels_{skeleton,inertial}_cnn

CONFIG is a row that hides labels of training clips. A RUN is a row's folder, which holds seed*, or one seed's; the runs
of all are taken together seed by seed. Test clips are not read: what is chosen by this table was not chosen on them.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import command

if TYPE_CHECKING:
    from torch import Tensor

PASSES, BATCH = 60, 32  # over the clips, while classes are made equally frequent


class Named(NamedTuple):
    """Percent of the hidden clips: named rightly, sure by the threshold; and of the sure ones, named rightly."""

    right: float
    sure: float
    right_of_sure: float


def parse() -> argparse.Namespace:
    """The command line."""
    parser = command.parser(__doc__.split("\n")[0])
    parser.add_argument("config", metavar="CONFIG", help="a row with clips without a label")
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="what names them")
    parser.add_argument(
        "--threshold", type=float, default=0.95, help="from which probability on a name is sure"
    )
    return parser.parse_args()


def main(arguments: argparse.Namespace) -> None:
    """Ask every network, hold what they say against the labels that the row hides, print."""
    from kdbench.compose import compose
    from kdbench.zoo.tables import spread

    config = compose(arguments.config)
    truth, hidden = labels(config)
    found: dict[str, list[Named]] = {}
    for runs in by_seed(arguments.runs):
        said = [logits(run, config) for run in runs]
        for name, one in spoken(arguments.runs, said).items():
            found.setdefault(name, []).append(measure(one[hidden], truth[hidden], arguments.threshold))
    print(
        f"{int(hidden.sum())} of {len(hidden)} training clips have no label; {arguments.threshold:g} is sure"
    )
    lines = [[name, str(len(each)), *map(spread, zip(*each, strict=True))] for name, each in found.items()]
    print(command.table(("who names them", "seeds", "right %", "sure %", "of these right %"), lines))


def by_seed(folders: Sequence[Path]) -> list[list[Path]]:
    """The runs of all folders, a list for each seed that all of them have."""
    seeds = [{path.name: path for path in folder.glob("seed*")} or {"": folder} for folder in folders]
    common = sorted(set.intersection(*(set(found) for found in seeds)))
    if not common:
        listed = "; ".join(
            f"{folder} has {', '.join(found)}" for folder, found in zip(folders, seeds, strict=True)
        )
        raise ValueError(f"no seed is in all folders; there is: {listed}")
    return [[found[seed] for found in seeds] for seed in common]


def labels(config: Any) -> "tuple[Tensor, Tensor]":
    """The class of each training clip, and which of them the row hides: ``(N,)`` int64 and bool."""
    import torch

    from kdbench.registry import DATASETS, build

    shown, all_of_them = (
        torch.as_tensor(build(DATASETS, data).targets)
        for data in (config.train_dataloader.dataset, with_labels(config).train_dataloader.dataset)
    )
    hidden = shown < 0
    if len(shown) != len(all_of_them) or not hidden.any():
        raise ValueError(f"{config.row.path} hides no label; there is: rows with clips without labels")
    return all_of_them, hidden


def with_labels(config: Any) -> Any:
    """The config with the labels of all training clips."""
    told = config.copy()
    told.train_dataloader = {**config.train_dataloader, "dataset": {**config.train_dataloader.dataset}}
    told.train_dataloader["dataset"].pop("labelled", None)
    return told


def logits(run: Path, config: Any) -> "Tensor":
    """What a trained network says of the row's training clips, ``(N, K)``."""
    import torch
    from analysis import student

    network = student.read(str(run))._replace(config=with_labels(config))
    with torch.inference_mode():
        said = [network.network(*clip.values()) for clip, _ in student.clips(network, "train")]
    return torch.cat([one["logits"] if isinstance(one, dict) else one for one in said]).clone()


def spoken(folders: Sequence[Path], said: "Sequence[Tensor]") -> "dict[str, Tensor]":
    """Logits by who gives them: each network, all together by the product of probabilities, and the same aligned."""
    plain = {f"{folder.parent.name}/{folder.name}": one for folder, one in zip(folders, said, strict=True)}
    if len(said) > 1:
        plain["together"] = sum(one.log_softmax(1) for one in said)
    return {**plain, **{f"{name}, classes equally frequent": aligned(one) for name, one in plain.items()}}


def aligned(said: "Tensor") -> "Tensor":
    """The logits as ``DistributionAlignment`` leaves them after training on all clips."""
    import torch

    from kdbench.distillers.alignment import DistributionAlignment

    align, generator = DistributionAlignment(said.shape[1]), torch.Generator().manual_seed(0)
    for _ in range(PASSES):
        for batch in torch.randperm(len(said), generator=generator).split(BATCH):
            align(said[batch])
    return align.eval()(said)


def measure(said: "Tensor", truth: "Tensor", threshold: float) -> Named:
    """How well hidden clips are named."""
    confidence, label = said.softmax(1).max(1)
    right, sure = (label == truth).float(), confidence >= threshold
    of_sure = float(right[sure].mean()) if sure.any() else float("nan")
    return Named(100 * float(right.mean()), 100 * float(sure.float().mean()), 100 * of_sure)


if __name__ == "__main__":
    sys.exit(command.run(main, parse()))
