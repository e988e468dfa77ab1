"""The losses of torchdistill, timm and nvidia-modelopt that compute what ours do, with equal hyper-parameters.

None of them is needed: what does not import is named; benchmarks/peers.txt installs them. Where a peer's constants or
reductions differ, the line says what was made equal.
"""

import math
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kdbench import distillers
from kdbench.distillers.vid import EPSILON, Gaussian
from kdbench.spec import Fields

from .losses_cases import Call, Shapes, leaf
from .losses_naive import CRD_NEGATIVES, CRD_WIDTH, TAU, negatives_of, unit_rows

PATHS = {"student_module_path": "m", "student_module_io": "output"}
BOTH = {**PATHS, "teacher_module_path": "m", "teacher_module_io": "output"}
OUTPUTS = {"student_output_path": "m", "teacher_output_path": "m"}
STAGE = {"path": "m", "io": "output"}
ONE_PAIR = {"only": {"student": STAGE, "teacher": STAGE}}


class Peer(NamedTuple):
    """A package's form of a loss of ours: the method, the package's class, both as calls on one batch."""

    method: str
    package: str
    kind: str
    make: Callable[[Any, Shapes], tuple[Call, Call]]
    made_equal: str = ""


def imported(package: str) -> Any:
    """The module with a package's losses, or a string that says why there is none."""
    module = {
        "torchdistill": "torchdistill.losses.mid_level",
        "timm": "timm.task",
        "modelopt": "modelopt.torch.distill.losses",
    }[package]
    if find_spec(package) is None:
        return "not installed"
    try:
        _name_operators_of_torchvision()
        return import_module(module)
    except Exception as error:  # a broken optional package may raise anything
        return f"does not import ({type(error).__name__}: {str(error).splitlines()[0]})"


def _name_operators_of_torchvision() -> None:
    """Symptom: beside a CPU torch, ``import torchvision`` says ``operator torchvision::nms does not exist``."""
    if find_spec("torchvision") is None or hasattr(torch.ops.torchvision, "nms"):
        return
    operators = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        operators.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _KEPT.append(operators)


_KEPT: list[Any] = []  # an operator is known as long as its library object lives


def _io(tensor: Any) -> dict[str, dict[str, Any]]:
    return {"m": {"output": tensor}}


def _logits(shapes: Shapes) -> tuple[Tensor, Tensor]:
    student, teacher = (leaf(shapes.batch, shapes.classes, seed=seed) for seed in (0, 1))
    return student, teacher.detach()


def _maps(shapes: Shapes, stage: int = -1) -> tuple[Tensor, Tensor]:
    student, teacher = (leaf(shapes.batch, *shapes.stages[stage], seed=seed) for seed in (0, 1))
    return student.detach().relu().requires_grad_(), teacher.detach().relu()


def _rows(shapes: Shapes) -> tuple[Tensor, Tensor]:
    student, teacher = (leaf(shapes.batch, shapes.stages[-1][0], seed=seed) for seed in (0, 1))
    return student, teacher.detach()


def _compared(inputs: tuple[Tensor, Tensor], ours: Callable, theirs: Callable) -> tuple[Call, Call]:
    """Two functions of a student's and a teacher's tensor, with gradients for the student's."""
    student, teacher = inputs
    return Call(lambda: ours(student, teacher), [student]), Call(lambda: theirs(student, teacher), [student])


def _module(loss: nn.Module, scale: float = 1.0) -> Callable[[Tensor, Tensor], Tensor]:
    """A torchdistill loss as a function of two tensors, times ``scale``."""
    return lambda student, teacher: scale * loss(_io(student), _io(teacher))


def _kd(m: Any, shapes: Shapes) -> tuple[Call, Call]:
    loss = m.KDLoss(**BOTH, temperature=4.0, alpha=0)
    return _compared(_logits(shapes), distillers.kd_loss, _module(loss, 16.0))


def _lskd(m: Any, shapes: Shapes) -> tuple[Call, Call]:
    def ours(student: Tensor, teacher: Tensor) -> Tensor:
        return distillers.kd_loss(distillers.standardised(student), distillers.standardised(teacher), tau=2.0)

    loss = m.LogitStdKDLoss(**BOTH, temperature=2.0, alpha=0)
    return _compared(_logits(shapes), ours, _module(loss, 4.0))


def _dist(m: Any, shapes: Shapes) -> tuple[Call, Call]:
    return _compared(_logits(shapes), distillers.dist_loss, _module(m.DISTLoss(**BOTH, tau=4.0)))


def _hint(m: Any, shapes: Shapes) -> tuple[Call, Call]:
    sides = {
        "input": {"is_from_teacher": False, "module_path": "m", "io": "output"},
        "target": {"is_from_teacher": True, "module_path": "m", "io": "output"},
    }
    loss = m.SimpleLossWrapper(nn.MSELoss(), **sides)
    return _compared(_maps(shapes), distillers.hint_loss, lambda s, t: loss(_io(s), _io(t), None))


def _at(m: Any, shapes: Shapes) -> tuple[Call, Call]:
    loss = m.ATLoss(ONE_PAIR, mode="code")
    return _compared(_maps(shapes, 0), lambda s, t: distillers.at_loss([s], [t]), _module(loss))


def _ab(m: Any, shapes: Shapes) -> tuple[Call, Call]:
    student, teacher = (leaf(shapes.batch, *shapes.stages[0], seed=seed) for seed in (0, 1))
    loss = m.AltActTransferLoss(ONE_PAIR, margin=1.0, reduction="mean")
    return _compared((student, teacher.detach()), distillers.boundary_loss, _module(loss))


def _fsp(m: Any, shapes: Shapes) -> tuple[Call, Call]:
    earlier, later = _maps(shapes, 1)
    later = later[:, : max(later.shape[1] // 2, 1)].contiguous()

    def mean_square(matrix: Callable) -> Callable:
        return lambda first, second: matrix(first, second).square().mean()

    theirs = m.FSPLoss.compute_fsp_matrix
    return _compared((earlier, later), mean_square(distillers.flow_matrix), mean_square(theirs))


def _ft(m: Any, shapes: Shapes) -> tuple[Call, Call]:
    def ours(student: Tensor, teacher: Tensor) -> Tensor:
        return distillers.ft_loss(student.flatten(1)[:, None], teacher.flatten(1)[:, None], p1=1, p2=1)

    return _compared(
        _maps(shapes),
        ours,
        lambda s, t: m.FTLoss()({"translator": _io(s)["m"]}, {"paraphraser": _io(t)["m"]}),
    )


def _pkt(m: Any, shapes: Shapes) -> tuple[Call, Call]:
    return _compared(_rows(shapes), distillers.pkt_loss, _module(m.PKTLoss(**BOTH)))


def _rkd(m: Any, shapes: Shapes) -> tuple[Call, Call]:
    loss = m.RKDLoss(**OUTPUTS, dist_factor=25.0, angle_factor=50.0, reduction="mean")
    return _compared(_rows(shapes), distillers.rkd_loss, _module(loss))


def _sp(m: Any, shapes: Shapes) -> tuple[Call, Call]:
    loss = type("SPKDLoss", (m.SPKDLoss,), {"matmul_and_normalize": _unit_rows_of_products})(
        **OUTPUTS, reduction="batchmean"
    )
    return _compared(_maps(shapes), distillers.sp_loss, _module(loss))


def _unit_rows_of_products(_: nn.Module, z: Tensor) -> Tensor:
    """Its own asks ``normalize`` for the absolute sum (``p=1``) where the paper has the length."""
    z = z.flatten(1)
    return F.normalize(torch.matmul(z, torch.t(z)), dim=1)


def _ickd(m: Any, shapes: Shapes) -> tuple[Call, Call]:
    loss = m.ChSimLoss(ONE_PAIR)
    return _compared(_maps(shapes), distillers.ickd_loss, _module(loss, float(shapes.batch)))


def _review(m: Any, shapes: Shapes) -> tuple[Call, Call]:
    loss = m.HierarchicalContextLoss(**BOTH)
    ours, theirs = _maps(shapes, 0), lambda s, t: loss(_io((s, None)), _io(t))
    return _compared(ours, lambda s, t: distillers.hcl_loss([s], [t]), theirs)


def _vid(m: Any, shapes: Shapes) -> tuple[Call, Call]:
    """Both regressors start from the same weights; the loss trains them too."""
    student, teacher = _maps(shapes, 0)
    width, peers_regressor = len(student[0]), import_module("torchdistill.models.wrapper").Regressor4VID
    ours, theirs = Gaussian((width, 1, 1), (width, 1, 1)), peers_regressor(width, width, width, EPSILON, 5.0)
    theirs.regressor.load_state_dict(ours.mean.state_dict())
    loss = m.VIDLoss(ONE_PAIR)
    return (
        Call(lambda: ours(student, teacher), [student, *ours.mean.parameters(), ours.log_scale]),
        Call(
            lambda: loss(_io(theirs(student)), _io(teacher)),
            [student, *theirs.regressor.parameters(), theirs.soft_plus_param],
        ),
    )


def _crd(m: Any, shapes: Shapes) -> tuple[Call, Call]:
    """Scores, loss, gradients and the update of both banks; the normalisers are those of this batch, set before."""
    embeddings = [unit_rows(shapes.batch, CRD_WIDTH, seed).requires_grad_() for seed in (0, 1)]
    index, count = torch.arange(shapes.batch), min(CRD_NEGATIVES, 2 * shapes.samples)
    negatives = negatives_of(shapes, index, count)
    sizes = (CRD_WIDTH, shapes.samples, count, shapes.samples)
    loss = _crd_loss(m)("m", "empty", "m", *sizes, temperature=TAU)
    banks = [bank.clone() for bank in (loss.memory_v1, loss.memory_v2)]
    first = distillers.crd_scores(embeddings[0], banks[1], index, negatives, TAU)
    second = distillers.crd_scores(embeddings[1], banks[0], index, negatives, TAU)
    normalisers = tuple(distillers.crd_log_normaliser(x, shapes.samples) for x in (first, second))
    contrast = torch.cat([index[:, None], negatives], 1)

    def ours() -> Tensor:
        value = distillers.crd_loss(*embeddings, *banks, index, negatives, TAU, normalisers)
        with torch.no_grad():
            for bank, embedding in zip(banks, embeddings, strict=True):
                bank[index] = distillers.crd_updated_rows(bank, index, embedding)
        return value

    def theirs() -> Tensor:
        extra = {"empty": {"input": {"pos_idx": index, "contrast_idx": contrast}}}
        return loss({**_io(embeddings[0]), **extra}, _io(embeddings[1])).sum()

    return Call(ours, embeddings), Call(theirs, embeddings)


def _crd_loss(m: Any) -> type:
    """Its sampler reads an attribute ``prob`` that is called ``probs``; we draw the negatives, so it is left out."""
    return type("CRDLoss", (m.CRDLoss,), {"init_prob_alias": _no_sampler})


def _no_sampler(loss: nn.Module, probs: Tensor) -> None:
    loss.probs, loss.alias = probs, probs


def _modelopt_kd(m: Any, shapes: Shapes) -> tuple[Call, Call]:
    loss = m.LogitsDistillationLoss(temperature=4.0, reduction="batchmean")
    return _compared(_logits(shapes), distillers.kd_loss, loss)


def _modelopt_mgd(m: Any, shapes: Shapes) -> tuple[Call, Call]:
    student, teacher = _maps(shapes)
    shape = tuple(student.shape[1:])
    ours = distillers.MGD([shape], [shape], alpha=1 / math.prod(shape), mask_ratio=0.0)
    theirs = m.MGDLoss(shape[0], shape[0], lambda_mgd=0.0)
    theirs.generation.load_state_dict(ours.generate.state_dict())
    outputs = tuple(Fields(stages=[stage]) for stage in (student, teacher))
    return (
        Call(lambda: ours(*outputs, {})["loss_mgd"], [student, *ours.generate.parameters()]),
        Call(lambda: theirs(student, teacher), [student, *theirs.generation.parameters()]),
    )


class _Says(nn.Module):
    """A network for timm's tasks that always says the same logits and embedding."""

    num_classes, in_chans = 1, 1
    pretrained_cfg = {"mean": (0.0,), "std": (1.0,)}

    def __init__(self, logits: Tensor, embedding: Tensor):
        super().__init__()
        self.logits, self.embedding, self.num_features = logits, embedding, embedding.shape[1]

    def forward(self, _: Tensor) -> Tensor:
        return self.logits

    def forward_features(self, _: Tensor) -> Tensor:
        return self.embedding

    def forward_head(self, stage: Tensor, pre_logits: bool = False) -> Tensor:
        return stage if pre_logits else self.logits


def _with_labels(task: nn.Module, shapes: Shapes) -> Callable[[Tensor, Tensor], Tensor]:
    image, target = torch.zeros(shapes.batch, 1, 1, 1), torch.arange(shapes.batch) % shapes.classes
    return lambda *_: task(image, target)["loss"]


def _timm(
    kind: type, shapes: Shapes, **settings: Any
) -> tuple[Callable, tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """A task of timm's around two networks that only say; its logits and its embeddings."""
    logits, embeddings = _logits(shapes), _rows(shapes)
    student, teacher = (_Says(*outputs) for outputs in zip(logits, embeddings, strict=True))
    common = {"criterion": nn.CrossEntropyLoss(), "distill_loss_weight": 1.0, "task_loss_weight": 1.0}
    task = kind(student, teacher, **common, **settings, device=torch.device("cpu"), verbose=False)
    return _with_labels(task, shapes), logits, embeddings


def _timm_kd(m: Any, shapes: Shapes) -> tuple[Call, Call]:
    theirs, logits, _ = _timm(m.LogitDistillationTask, shapes, temperature=4.0)
    target = torch.arange(shapes.batch) % shapes.classes
    return _compared(logits, lambda s, t: distillers.kd_loss(s, t) + F.cross_entropy(s, target), theirs)


def _timm_mars(m: Any, shapes: Shapes) -> tuple[Call, Call]:
    theirs, logits, embeddings = _timm(m.FeatureDistillationTask, shapes)
    target = torch.arange(shapes.batch) % shapes.classes

    def ours(student: Tensor, teacher: Tensor) -> Tensor:
        return distillers.mars_loss(student, teacher, alpha=1.0) + F.cross_entropy(logits[0], target)

    both = _compared(embeddings, ours, theirs)
    return tuple(Call(call.loss, [*call.leaves, logits[0]]) for call in both)


ALL = [
    Peer("KD", "torchdistill", "KDLoss", _kd, "tau^2, which it gives only beside labels"),
    Peer("KD", "timm", "LogitDistillationTask", _timm_kd, "cross-entropy with the labels is in both"),
    Peer("KD", "modelopt", "LogitsDistillationLoss", _modelopt_kd, "reduction='batchmean'"),
    Peer("LSKD", "torchdistill", "LogitStdKDLoss", _lskd, "tau^2"),
    Peer("DIST", "torchdistill", "DISTLoss", _dist, "tau 4"),
    Peer("FitNet", "torchdistill", "SimpleLossWrapper(MSELoss)", _hint, "without the regressor"),
    Peer("AT", "torchdistill", "ATLoss", _at, "mode='code', one pair"),
    Peer("AB", "torchdistill", "AltActTransferLoss", _ab, "one pair, without the factor 0.003"),
    Peer(
        "FSP",
        "torchdistill",
        "FSPLoss.compute_fsp_matrix",
        _fsp,
        "the matrix only: it pools by maximum, sums norms",
    ),
    Peer("FT", "torchdistill", "FTLoss", _ft, "all entries as positions of one channel, p1 = 1"),
    Peer("VID", "torchdistill", "VIDLoss + Regressor4VID", _vid, "one pair, equal weights"),
    Peer("ReviewKD", "torchdistill", "HierarchicalContextLoss", _review, "without the fusions"),
    Peer("SP", "torchdistill", "SPKDLoss", _sp, "rows at length one: it takes their absolute sum"),
    Peer("RKD", "torchdistill", "RKDLoss", _rkd, "factors 25 and 50"),
    Peer("PKT", "torchdistill", "PKTLoss", _pkt),
    Peer("CRD", "torchdistill", "CRDLoss", _crd, "given negatives, normalisers of the first batch"),
    Peer("ICKD", "torchdistill", "ChSimLoss", _ickd, "times the batch size, without the convolution"),
    Peer("MGD", "modelopt", "MGDLoss", _modelopt_mgd, "nothing hidden, the mean error"),
    Peer("MARS", "timm", "FeatureDistillationTask", _timm_mars, "alpha 1, cross-entropy in both"),
]
# A package has these under the name of a method of ours, but computes something else.
NOT_COMPARED = {
    "CC": "torchdistill's CCKDLoss is the paper's distance of kernel matrices, ours the form of the published tables",
}


def peers(method: str | None = None) -> list[Peer]:
    """What there is for a method, or for all."""
    return [peer for peer in ALL if method in (None, peer.method)]
