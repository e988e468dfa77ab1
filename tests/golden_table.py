"""How each entry of a golden file is computed: a name -> a call of the public functions.

A call gets ``Case`` and returns the value, or the value and the ``extra`` numbers by name. Nothing here depends on the
shapes of one file.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from kdbench import distillers, evaluation, losses
from kdbench.backbones.selection import best_frames, selected_logits
from kdbench.distillers.stages import matched


class Case(NamedTuple):
    """The inputs of one entry, after their transform."""

    inputs: dict[str, Tensor]
    target: Tensor | None
    hyper: dict[str, Any]
    unit: str | None


Result = Tensor | tuple[Tensor, dict[str, Tensor]]
TABLE: dict[str, Callable[[Case], Result]] = {}


def computes(name: str) -> Callable:
    def add(call: Callable[[Case], Result]) -> Callable[[Case], Result]:
        TABLE[name] = call
        return call

    return add


def pair(case: Case) -> tuple[Tensor, Tensor]:
    return case.inputs["student"], case.inputs["teacher"]


def in_unit(fraction: Tensor, case: Case) -> Tensor:
    return 100 * fraction if case.unit == "percent" else fraction


@computes("kd")
def kd(case: Case) -> Result:
    return distillers.kd_loss(*pair(case), tau=case.hyper["tau"])


@computes("bernoulli_kd")
def bernoulli_kd(case: Case) -> Result:
    return distillers.bernoulli_kd_loss(*pair(case), tau=case.hyper["tau"])


@computes("dkd")
def dkd(case: Case) -> Result:
    return distillers.dkd_loss(*pair(case), case.target, **case.hyper)


@computes("dist")
def dist(case: Case) -> Result:
    return distillers.dist_loss(*pair(case), **case.hyper)


@computes("lskd_kd")
def lskd_kd(case: Case) -> Result:
    return distillers.kd_loss(*map(distillers.standardised, pair(case)), tau=case.hyper["tau"])


@computes("lskd_dkd")
def lskd_dkd(case: Case) -> Result:
    return distillers.dkd_loss(*map(distillers.standardised, pair(case)), case.target, **case.hyper)


@computes("ctkd")
def ctkd(case: Case) -> Result:
    hyper = case.hyper
    theta = torch.tensor(hyper["theta"], dtype=case.inputs["student"].dtype, requires_grad=True)
    tau = distillers.ctkd_temperature(theta, hyper["lambda"], hyper["t_start"], hyper["t_end"])
    value = distillers.kd_loss(*pair(case), tau=tau)
    (gradient,) = torch.autograd.grad(value, theta, retain_graph=True)
    return value, {"temperature": tau, "theta_grad": gradient}


def two_views(case: Case) -> list[tuple[Tensor, Tensor]]:
    return [(case.inputs[f"student_{v}"], case.inputs[f"teacher_{v}"]) for v in ("weak", "strong")]


@computes("mlkd_clean")
def mlkd_clean(case: Case) -> Result:
    (weak, strong), taus = two_views(case), case.hyper["taus"]
    standardise = case.hyper.get("standardise", False)
    value = distillers.mlkd_loss([weak, strong], taus, standardise)
    extra = {
        f"{part}_{name}": number
        for name, view in (("weak", weak), ("strong", strong))
        for part, number in distillers.mlkd_parts(*view, taus, standardise).items()
    }
    kept = distillers.lower_half(weak[1].softmax(1).max(1).values)
    rows = [distillers.standardised(x)[kept] if standardise else x[kept] for x in weak]
    masked = sum(distillers.kd_loss(*rows, tau=tau) for tau in taus) * kept.double().mean()
    return value, {**extra, "kl_weak_masked_rows": masked, "kept_rows": kept.long()}


def mlkd_upstream(case: Case) -> Result:
    views, hyper = two_views(case), case.hyper
    parts = distillers.mlkd_upstream_parts(*views, hyper["taus"], hyper.get("standardise", False))
    extra = {f"loss_{name}": hyper["kd_weight"] * part for name, part in parts.items()}
    extra["loss_kd"] = extra.pop("loss_kl")
    labels = sum(distillers.labels_loss(student, case.target) for student, _ in views)
    extra["loss_ce"] = hyper["ce_weight"] * labels
    return sum(extra.values()), extra


TABLE["mlkd_upstream"] = TABLE["lskd_mlkd_upstream"] = mlkd_upstream


@computes("ofa")
def ofa(case: Case) -> Result:
    return distillers.ofa_loss(*pair(case), case.target, **case.hyper)


@computes("dml")
def dml(case: Case) -> Result:
    student, peers = case.inputs["student"], [x for n, x in case.inputs.items() if n.startswith("peer_")]
    extra = {
        "ce": distillers.labels_loss(student, case.target),
        "mean_kl": distillers.mutual_loss(student, peers),
    }
    return distillers.dml_loss(student, peers, case.target), extra


@computes("sp")
def sp(case: Case) -> Result:
    return distillers.sp_loss(*pair(case))


@computes("cc")
def cc(case: Case) -> Result:
    return distillers.cc_loss(*pair(case))


@computes("rkd")
def rkd(case: Case) -> Result:
    return distillers.rkd_loss(*pair(case), **case.hyper)


@computes("pkt")
def pkt(case: Case) -> Result:
    return distillers.pkt_loss(*pair(case), **case.hyper)


@computes("simkd")
def simkd(case: Case) -> Result:
    return distillers.simkd_loss(*pair(case))


@computes("cat_kd")
def cat_kd(case: Case) -> Result:
    return distillers.cat_kd_loss(*pair(case), **case.hyper)


@computes("reviewkd_hcl")
def reviewkd_hcl(case: Case) -> Result:
    numbers = range(sum(name.startswith("student_") for name in case.inputs))
    roles = ([case.inputs[f"{role}_{i}"] for i in numbers] for role in ("student", "teacher"))
    return distillers.hcl_loss(*roles)


@computes("fitnets")
def fitnets(case: Case) -> Result:
    return distillers.hint_loss(*pair(case))


def numbered(case: Case, role: str) -> list[Tensor]:
    """The maps ``role_0``, ``role_1``, ... from shallow to deep."""
    names = (f"{role}_{i}" for i in range(len(case.inputs)))
    return [case.inputs[name] for name in names if name in case.inputs]


@computes("at")
def at(case: Case) -> Result:
    return distillers.at_loss(numbered(case, "student"), numbered(case, "teacher"), p=case.hyper["p"])


@computes("nst")
def nst(case: Case) -> Result:
    return distillers.nst_loss(numbered(case, "student"), numbered(case, "teacher"))


@computes("ab")
def ab(case: Case) -> Result:
    maps = numbered(case, "student"), numbered(case, "teacher")
    return distillers.ab_loss(*maps, margin=case.hyper["margin"])


@computes("fsp")
def fsp(case: Case) -> Result:
    return distillers.fsp_loss(numbered(case, "student"), numbered(case, "teacher"))


@computes("ft")
def ft(case: Case) -> Result:
    return distillers.ft_loss(*pair(case), **case.hyper)


@computes("vid")
def vid(case: Case) -> Result:
    student, teacher = matched(*pair(case))
    epsilon = case.hyper["eps"]
    log_scale = case.inputs.get("log_scale")
    if log_scale is None:
        start = distillers.vid_log_scale(case.hyper["init_pred_var"], epsilon)
        log_scale = torch.full((teacher.shape[1],), start, dtype=teacher.dtype)
    # The mean's three convolutions are the identity, which leaves the ReLUs between them.
    value = distillers.vid_loss(student.relu(), teacher, log_scale, epsilon)
    return value, {"log_scale_first": log_scale[0]}


@computes("ofd")
def ofd(case: Case) -> Result:
    return distillers.ofd_loss(*(numbered(case, name) for name in ("student", "teacher", "margin")))


@computes("ofd_margin")
def ofd_margin(case: Case) -> Result:
    margin = distillers.ofd_margin(case.inputs["bn_weight"], case.inputs["bn_bias"])
    return margin.sum(), {"margin": margin}


@computes("mars")
def mars(case: Case) -> Result:
    value = distillers.mars_loss(*pair(case), alpha=case.hyper["alpha"])
    logits = case.inputs.get("student_logits")
    labels = 0 if logits is None else F.cross_entropy(logits, case.target)
    return value + labels, {"weighted_mse": value}


@computes("garcia_step3")
def garcia_step3(case: Case) -> Result:
    hyper, maps = dict(case.hyper), (case.inputs["student_map"], case.inputs["teacher_map"])
    tau = hyper.pop("T")
    hard = F.cross_entropy(case.inputs["student"], case.target)
    value = distillers.hallucination_loss(*pair(case), *maps, tau=tau, **hyper)
    extra = {
        "hard_ce": hard,
        "soft_ce": distillers.soft_cross_entropy(*pair(case), tau),
        "map_sum": distillers.hallucinated_map_loss(*maps),
    }
    return value + hyper["lambda2"] * (1 - hyper["lambda1"]) * hard, extra


@computes("vpd")
def vpd(case: Case) -> Result:
    embeddings = case.inputs["embedding"], case.inputs.get("previous_embedding")
    return distillers.vpd_loss(case.inputs["student"], *embeddings)


@computes("crd")
def crd(case: Case) -> Result:
    (student, teacher), hyper = pair(case), case.hyper
    bank_student, bank_teacher = case.inputs["bank_student"], case.inputs["bank_teacher"]
    index, negatives = torch.tensor(hyper["idx"]), torch.tensor(hyper["negatives"])
    value = distillers.crd_loss(
        student, teacher, bank_student, bank_teacher, index, negatives, tau=hyper["tau"]
    )
    extra = {}
    sides = {
        "student": (student, bank_teacher, bank_student),
        "teacher": (teacher, bank_student, bank_teacher),
    }
    for side, (embedding, other_bank, own_bank) in sides.items():
        scores = distillers.crd_scores(embedding, other_bank, index, negatives, hyper["tau"])
        log_z = distillers.crd_log_normaliser(scores, len(other_bank))
        rows = distillers.crd_updated_rows(own_bank, index, embedding, hyper["momentum"])
        extra[f"Z_{side}"] = log_z.exp()
        extra[f"{side}_side"] = distillers.crd_side_loss(scores, log_z, len(other_bank))
        extra[f"bank_{side}_updated_row"] = rows[0]
    return value, extra


@computes("infonce")
def infonce(case: Case) -> Result:
    return distillers.info_nce_loss(*pair(case), tau=case.hyper["tau"])


@computes("twoway")
def twoway(case: Case) -> Result:
    temperatures = case.hyper["Tp"], case.hyper["Tn"]
    return losses.two_way_loss(case.inputs["student"], case.target, *temperatures)


@computes("gce")
def gce(case: Case) -> Result:
    return losses.generalised_cross_entropy(case.inputs["student"], case.target, q=case.hyper["q"])


@computes("multiasl_selection")
def multiasl_selection(case: Case) -> Result:
    cas, hyper = case.inputs["student_cas"], case.hyper
    actionness = [case.inputs[f"student_actionness_{stream}"] for stream in ("temporal", "spatial")]
    best = best_frames(cas, actionness)
    logits = selected_logits(cas, best)
    target = losses.pseudo_actionness(best, case.target)
    value = losses.two_way_loss(logits, case.target, hyper["Tp"], hyper["Tn"])
    value = value + sum(losses.generalised_cross_entropy(a, target, hyper["q"]) for a in actionness)
    count = best.sum(1)[0, 0]
    extra = {
        "k": count,
        "class_logits": logits,
        "pseudo_actionness_target": target,
        "selected_frames_per_class": best.mT.nonzero()[:, 2].reshape(*logits.shape, int(count)),
    }
    return value, extra


@computes("view_consistency")
def view_consistency(case: Case) -> Result:
    logits, confidence = case.inputs["student"], case.hyper["confidence"]
    seen, scores = torch.tensor(case.hyper["mask"]), case.inputs.get("visibility")
    options = {name: case.hyper[name] for name in ("divergence", "level", "form") if name in case.hyper}
    value = distillers.view_consistency(
        logits, seen, confidence, scores, epsilon=case.hyper["eps"], **options
    )
    chosen = {name: option for name, option in options.items() if name != "divergence"}
    views = distillers.compared_views(logits, seen, scores, **chosen)
    weights = distillers.pair_weights(views, distillers.view_confidence(views, confidence))
    return value, {"weight_sum": weights.sum()}


def mean_ap(over: str, compat: str | None) -> Callable[[Case], Result]:
    def call(case: Case) -> Result:
        score, target = case.inputs["scores"], case.target
        value = in_unit(evaluation.mean_average_precision(score, target, over, compat), case)
        rows = (score.T, target.T) if over == "classes" else (score, target)
        each = evaluation.average_precision if compat is None else evaluation.average_precision_authors
        return value, {"per_row": each(*rows)}

    return call


TABLE["map_c"], TABLE["map_c_authors"] = mean_ap("classes", None), mean_ap("classes", "authors")
TABLE["map_s"], TABLE["map_s_authors"] = mean_ap("clips", None), mean_ap("clips", "authors")
TABLE["micro_ap"] = mean_ap("pairs", None)


@computes("ap_tie_aware")
def ap_tie_aware(case: Case) -> Result:
    return in_unit(evaluation.average_precision(case.inputs["scores"], case.target), case)


@computes("ap_authors")
def ap_authors(case: Case) -> Result:
    return in_unit(evaluation.average_precision_authors(case.inputs["scores"], case.target), case)


@computes("topk_accuracy")
def topk_accuracy(case: Case) -> Result:
    return in_unit(evaluation.topk_accuracy(case.inputs["student"], case.target, case.hyper["k"]), case)


@computes("ece")
def ece(case: Case) -> Result:
    probability = case.inputs["student"].softmax(-1)
    return in_unit(evaluation.expected_calibration_error(probability, case.target, case.hyper["bins"]), case)


@computes("brier")
def brier(case: Case) -> Result:
    probability = case.inputs["student"].softmax(-1)
    score = evaluation.brier_score(probability, case.target)
    return score, {"divided_by_classes": score / probability.shape[1], "halved": score / 2}


@computes("agreement")
def agreement(case: Case) -> Result:
    return in_unit(evaluation.agreement(*pair(case)), case)


@computes("kl_fidelity")
def kl_fidelity(case: Case) -> Result:
    return evaluation.kl_fidelity(*pair(case))
