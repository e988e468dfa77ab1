"""Oracles and identities of DIST, LSKD, CTKD, MLKD, WSLD, OFA, DML and InfoNCE."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.distributions import Categorical, kl_divergence

from kdbench.distillers import (
    CTKD,
    DIST,
    DML,
    LSKD,
    MLKD,
    OFA,
    WSLD,
    InfoNCE,
    bernoulli_kd_loss,
    ctkd_temperature,
    dist_loss,
    dkd_loss,
    dml_loss,
    gram_loss,
    info_nce_loss,
    kd_loss,
    labels_loss,
    mlkd_loss,
    mlkd_parts,
    mlkd_upstream_parts,
    ofa_loss,
    standardised,
    wsld_loss,
    wsld_weights,
)
from kdbench.distillers.binary import binary_logits, binary_target
from kdbench.distillers.dist import pearson
from kdbench.distillers.infonce import share_a_class
from kdbench.distillers.ofa import Exit
from kdbench.registry import DISTILLERS, build
from kdbench.spec import IGNORED, MULTI_LABEL, SINGLE_LABEL, DataSpec, Fields

unhurried = settings(deadline=None)  # the first call of a process warms torch up
seeds = st.integers(0, 2**31)
sizes = st.tuples(st.integers(1, 6), st.integers(2, 9))
temperatures = st.floats(0.5, 8.0)


def logits(seed: int, size: tuple[int, ...], count: int = 2) -> list[torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    return [3 * torch.randn(*size, generator=rng, dtype=torch.float64) for _ in range(count)]


def spec(task: str, classes: int = 5) -> DataSpec:
    return DataSpec("toy", inputs={}, num_classes=classes, task=task, num_train=9)


def softmax(row: np.ndarray) -> np.ndarray:
    return np.exp(row - row.max()) / np.exp(row - row.max()).sum()


# DIST


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    one, other = one - one.mean(), other - other.mean()
    return (one @ other) / (math.sqrt(one @ one) * math.sqrt(other @ other) + 1e-8)  # the reference's epsilon


@unhurried
@given(seeds, sizes, temperatures)
def test_dist_is_a_naive_loop(seed, size, tau) -> None:
    student, teacher = logits(seed, size)
    s, t = (np.stack([softmax(row / tau) for row in x.numpy()]) for x in (student, teacher))
    rows = np.mean([correlation(a, b) for a, b in zip(s, t, strict=True)])
    columns = np.mean([correlation(a, b) for a, b in zip(s.T, t.T, strict=True)])
    found = dist_loss(student, teacher, beta=2.0, gamma=0.5, tau=tau)
    expected = tau**2 * (2 * (1 - rows) + 0.5 * (1 - columns))
    torch.testing.assert_close(found.item(), expected, rtol=1e-6, atol=1e-6)


def test_dist_correlates_as_numpy_does() -> None:
    one, other = logits(0, (4, 6))
    expected = [np.corrcoef(a, b)[0, 1] for a, b in zip(one.numpy(), other.numpy(), strict=True)]
    torch.testing.assert_close(pearson(one, other, dim=1), torch.tensor(expected))


@pytest.mark.parametrize("form", ["softmax", "bernoulli"])
def test_dist_is_zero_when_equal_and_finite_for_equal_logits(form) -> None:
    (student,) = logits(0, (6, 5), 1)
    assert dist_loss(student, student, form=form).abs() < 1e-4
    same = torch.ones(4, 5, requires_grad=True)
    dist_loss(same, student[:4].float(), form=form).backward()
    assert same.grad.isfinite().all()


def test_dist_of_one_clip_has_a_constant_second_term() -> None:
    student, teacher = logits(0, (1, 5))
    both = dist_loss(student, teacher, beta=1.0, gamma=3.0, tau=2.0)
    torch.testing.assert_close(both, dist_loss(student, teacher, beta=1.0, gamma=0.0, tau=2.0) + 3.0 * 4)


# LSKD


@unhurried
@given(seeds, sizes, st.floats(0.1, 20), st.floats(-5, 5))
def test_standardised_sees_no_scale_and_no_shift(seed, size, scale, shift) -> None:
    # Steps of 100 keep the deviation far above the epsilon, whatever is drawn.
    x = logits(seed, size, 1)[0] + 100 * torch.arange(size[1])
    torch.testing.assert_close(standardised(scale * x + shift), standardised(x), rtol=1e-6, atol=1e-6)


def test_standardised_is_the_z_score_of_numpy() -> None:
    (x,) = logits(0, (4, 6), 1)
    z = (x.numpy() - x.numpy().mean(1, keepdims=True)) / (x.numpy().std(1, ddof=1, keepdims=True) + 1e-7)
    torch.testing.assert_close(standardised(x), torch.tensor(z))


def test_lskd_wraps_kd_and_dkd_and_switches_mlkd() -> None:
    student, teacher = logits(0, (6, 5))
    target = torch.arange(6) % 5
    fields = Fields(logits=student), Fields(logits=teacher), Fields(target=target)
    plain = standardised(student), standardised(teacher)

    default = LSKD()(*fields)["loss_kd"]
    torch.testing.assert_close(default, kd_loss(*plain, tau=2.0))
    config = {"type": "DKD", "alpha": 9.0, "beta": 72.0, "tau": 2.0}
    assert LSKD.needs_for({"method": config}).batch == ("target",)
    found = LSKD(config)(*fields)["loss_dkd"]
    torch.testing.assert_close(found, dkd_loss(*plain, target, alpha=9.0, beta=72.0, tau=2.0))
    found = sum(LSKD(MLKD())(*fields).values())
    torch.testing.assert_close(found, mlkd_loss([(student, teacher)], standardise=True))


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ({"type": "DML"}, "LSKD standardises a student's and a teacher's logits; DML reads: peers"),
        (
            {"type": "KD", "form": "bernoulli"},
            "LSKD has no Bernoulli form; give KD form='softmax' and one label a clip",
        ),
    ],
)
def test_lskd_says_what_it_cannot_wrap(method, message) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the whole text is compared
        LSKD(method)
    assert str(error.value) == message


# CTKD


@unhurried
@given(seeds, st.floats(-3, 3), st.floats(-1, 1))
def test_ctkd_scales_the_gradient_of_theta_only(seed, theta, reversal) -> None:
    student, teacher = logits(seed, (4, 5))
    gradients = []
    for strength in (1.0, reversal):
        leaf, own = torch.tensor(theta, dtype=torch.float64, requires_grad=True), student.clone()
        own.requires_grad_()
        tau = ctkd_temperature(leaf, strength)
        assert math.isclose(tau.item(), 1 + 20 / (1 + math.exp(-theta)), rel_tol=1e-9)
        kd_loss(own, teacher, tau).backward()
        gradients.append((leaf.grad, own.grad))
    torch.testing.assert_close(gradients[1][0], reversal * gradients[0][0])
    torch.testing.assert_close(gradients[1][1], gradients[0][1])


@pytest.mark.parametrize(("form", "loss"), [("softmax", kd_loss), ("bernoulli", bernoulli_kd_loss)])
def test_ctkd_is_kd_at_its_temperature(form, loss) -> None:
    student, teacher = logits(0, (4, 5))
    method = CTKD(theta=0.5, tau_min=2.0, tau_span=10.0, form=form)
    found = method(Fields(logits=student), Fields(logits=teacher), Fields())["loss_ctkd"]
    expected = loss(student, teacher, 2 + 10 / (1 + math.exp(-0.5)))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)  # theta is float32


def test_ctkd_climbs_its_own_loss() -> None:
    student, teacher = logits(1, (8, 5))
    method = CTKD()
    values = []
    for _ in range(5):
        loss = method(Fields(logits=student), Fields(logits=teacher), Fields())["loss_ctkd"]
        values.append(loss.item())
        (gradient,) = torch.autograd.grad(loss, method.theta)
        method.theta.data -= gradient
    assert values == sorted(values)
    assert values[-1] > values[0]


def test_a_ramp_can_drive_the_reversal() -> None:
    method = CTKD()
    assert type(method.reversal) is float
    method.reversal = 0.0
    loss = method(*(Fields(logits=x) for x in logits(0, (3, 4))), Fields())["loss_ctkd"]
    loss_gradient = torch.autograd.grad(loss, method.theta)[0]
    assert loss_gradient == 0


# MLKD


@unhurried
@given(seeds, sizes)
def test_gram_loss_is_a_naive_loop(seed, size) -> None:
    s, t = (x.softmax(1) for x in logits(seed, size))
    expected = sum((s[i] @ s[j] - t[i] @ t[j]) ** 2 for i in range(len(s)) for j in range(len(s))) / len(s)
    torch.testing.assert_close(gram_loss(s, t), expected)
    parts = mlkd_parts(s.log(), t.log(), taus=[1.0])
    torch.testing.assert_close(parts["bc"], expected)
    torch.testing.assert_close(parts["cc"], gram_loss(s.T, t.T))


@unhurried
@given(seeds, sizes)
def test_mlkd_is_zero_when_equal(seed, size) -> None:
    (x,) = logits(seed, size, 1)
    zero = torch.zeros((), dtype=torch.float64)
    torch.testing.assert_close(mlkd_loss([(x, x)]), zero)
    torch.testing.assert_close(mlkd_loss([(x, x)], form="bernoulli"), zero)
    torch.testing.assert_close(sum(mlkd_upstream_parts((x, x), (x, x)).values()), zero)


@pytest.mark.parametrize("form", ["softmax", "bernoulli"])
def test_mlkd_adds_up_views_and_temperatures(form) -> None:
    one, other = logits(0, (5, 4)), logits(1, (5, 4))
    apart = [mlkd_loss([view], [tau], form=form) for view in (one, other) for tau in (2.0, 3.0)]
    torch.testing.assert_close(mlkd_loss([one, other], [2.0, 3.0], form=form), sum(apart))


@pytest.mark.parametrize("size", [(5, 7), (4, 6), (1, 3)], ids=str)
def test_mlkd_upstream_is_the_released_trainers_sum(size) -> None:
    (s, t), (s2, t2) = logits(0, size), logits(1, size)
    p = t.softmax(1)
    clips = sum(c <= np.median(p.max(1).values) for c in p.max(1).values.numpy()) / size[0]
    classes = sum(c <= np.median(p.sum(0)) for c in p.sum(0).numpy()) / size[1]
    taus = [4.0, 3.0, 5.0, 2.0, 6.0]
    views = {4.0: (s2, t2), 3.0: (s2, t2), 5.0: (s2, t2), 2.0: (s, t), 6.0: (s, t)}
    expected = {
        "kl": sum(clips * kd_loss(s, t, tau) + kd_loss(*views[tau], tau) for tau in taus),
        "bc": sum(clips * gram_loss((s / tau).softmax(1), (t / tau).softmax(1)) for tau in taus),
        "cc": sum(classes * gram_loss((s / tau).softmax(1).T, (t / tau).softmax(1).T) for tau in taus),
    }
    found = mlkd_upstream_parts((s, t), (s2, t2), taus)
    assert set(found) == set(expected)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], torch.as_tensor(value))


def test_mlkd_reads_the_strong_view_only_when_told() -> None:
    assert MLKD.needs_for({}).student == ("logits",)
    needs = MLKD.needs_for({"strong": True})
    assert needs.student == needs.teacher == ("logits", "logits_strong")
    (s, t), (s2, t2) = logits(0, (5, 4)), logits(1, (5, 4))
    fields = Fields(logits=s, logits_strong=s2), Fields(logits=t, logits_strong=t2), Fields()
    found = sum(MLKD(strong=True)(*fields).values())
    torch.testing.assert_close(found, mlkd_loss([(s, t), (s2, t2)]))
    upstream = MLKD(strong=True, upstream=True)(*fields)
    expected = mlkd_upstream_parts((s, t), (s2, t2))
    torch.testing.assert_close(sum(upstream.values()), sum(expected.values()))


@pytest.mark.parametrize(
    "options", [{"upstream": True}, {"upstream": True, "strong": True, "form": "bernoulli"}]
)
def test_mlkd_upstream_says_what_it_cannot(options) -> None:
    with pytest.raises(ValueError, match=r"^MLKD with upstream=True .*; give (strong=True|upstream=False)$"):
        MLKD(**options)


@pytest.mark.parametrize("form", ["softmax", "bernoulli"])
def test_mlkd_gives_the_strong_view_its_labels(form) -> None:
    student, teacher, strong = logits(0, (4, 5), 3)
    views = [Fields(logits=x, logits_strong=strong) for x in (student, teacher)]
    target = torch.tensor([0, IGNORED, 2, 4])
    if form == "bernoulli":
        target = (torch.arange(5) == target[:, None]).double()
        expected = F.binary_cross_entropy_with_logits(strong, target)
    else:
        expected = F.cross_entropy(strong, target, ignore_index=IGNORED)
    with_labels = MLKD(strong=True, label_weight=0.25, form=form)
    losses, plain = with_labels(*views, Fields(target=target)), MLKD(strong=True, form=form)(*views, Fields())
    torch.testing.assert_close(losses.pop("loss_mlkd_labels"), 0.25 * expected)
    torch.testing.assert_close(losses, plain)
    assert (with_labels.needs.batch, MLKD(strong=True).needs.batch) == (("target",), ())
    with pytest.raises(
        ValueError, match=r"^MLKD with label_weight reads the strong view's labels; give strong=True$"
    ):
        MLKD(label_weight=0.25)


# WSLD


@unhurried
@given(seeds, sizes, temperatures)
def test_wsld_is_a_naive_loop(seed, size, tau) -> None:
    student, teacher = logits(seed, size)
    target = torch.arange(size[0]) % size[1]
    total = 0.0
    for s, t, y in zip(student.numpy(), teacher.numpy(), target.tolist(), strict=True):
        ratio = -math.log(softmax(s)[y]) / (1e-7 - math.log(softmax(t)[y]))  # the reference's epsilon
        total -= (1 - math.exp(-ratio)) * (softmax(t / tau) * np.log(softmax(s / tau))).sum()
    found = wsld_loss(student, teacher, target, tau)
    torch.testing.assert_close(found.item(), tau**2 * total / size[0], rtol=1e-6, atol=1e-9)


def test_wsld_weights_are_constants_between_zero_and_one() -> None:
    student, teacher = logits(0, (6, 5))
    weights = wsld_weights(student.requires_grad_(), teacher, torch.arange(6) % 5)
    assert not weights.requires_grad
    assert ((weights >= 0) & (weights <= 1)).all()


# OFA


@unhurried
@given(seeds, sizes, st.floats(1.0, 2.0))
def test_ofa_is_a_naive_loop(seed, size, eps) -> None:
    student, teacher = logits(seed, size)
    target = torch.arange(size[0]) % size[1]
    total = 0.0
    for s, t, y in zip(student.numpy(), teacher.numpy(), target.tolist(), strict=True):
        for k, (p, q) in enumerate(zip(softmax(t), softmax(s), strict=True)):
            total -= ((p + (k == y)) ** eps - (k == y)) * math.log(q)
    found = ofa_loss(student, teacher, target, eps)
    torch.testing.assert_close(found.item(), total / size[0], rtol=1e-6, atol=1e-9)


def test_ofa_at_eps_one_has_the_gradient_of_kd() -> None:
    student, teacher = logits(0, (4, 6))
    student.requires_grad_()
    losses = ofa_loss(student, teacher, torch.arange(4)), kd_loss(student, teacher, tau=1.0)
    torch.testing.assert_close(*(torch.autograd.grad(loss, student)[0] for loss in losses))


@pytest.mark.parametrize("task", [SINGLE_LABEL, MULTI_LABEL])
@pytest.mark.parametrize("shape", [(), (7,), (5, 4), (3, 6, 5), (1,), (1, 1)], ids=str)
def test_ofa_exits_serve_stages_of_any_rank(shape, task) -> None:
    stages = [torch.randn(3, 4 * 2**i, *shape, requires_grad=True) for i in range(3)]
    student, teacher = Fields(logits=torch.randn(3, 5), stages=stages), Fields(logits=torch.randn(3, 5))
    method = OFA(**OFA.infer(student, teacher, spec(task)))
    target = torch.tensor([4, 0, IGNORED])
    if task == MULTI_LABEL:
        target = torch.tensor([[1.0, 0, 0, 1, -1]] * 3)
    losses = method(student, teacher, Fields(target=target))
    sum(losses.values()).backward()
    assert set(losses) == {"loss_ofa", "loss_ofa_exits"}
    assert all(stage.grad.abs().sum() > 0 for stage in stages)
    assert all(p.grad is not None for p in method.parameters())


def test_ofa_exits_learn_in_half_precision_from_stages_with_channels_last() -> None:
    exit_ = Exit((32, 4, 8, 6), 64, 5, halvings=1)
    tokens = torch.randn(16, 4, 8, 6, 32).permute(0, 4, 1, 2, 3)  # as transformers give them
    found = {}
    for half in (False, True):
        exit_.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            exit_(tokens).float().square().sum().backward()
        found[half] = [conv.weight.grad.clone() for conv in exit_.modules() if isinstance(conv, nn.Conv3d)]
    for exact, rough in zip(found[False], found[True], strict=True):
        assert torch.linalg.norm(rough - exact) < 0.3 * torch.linalg.norm(exact)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stages": [2]}, "the student has no stage 2; there is: 2 stages"),
        ({"eps": [1.0, 1.0]}, r"OFA with 2 exits needs one eps more; there is: (1.0, 1.0)"),
        (
            {"shapes": [(2, 3, 3, 3, 3)]},
            "OFA's exits read stages (C), (C, T), (C, H, W) or (C, T, H, W); there is: (2, 3, 3, 3, 3); "
            "choose others by stages=(...)",
        ),
    ],
)
def test_ofa_names_what_is_wrong(options, message) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the whole text is compared
        OFA(**{"shapes": [(2, 4), (3, 2)], "num_classes": 5, **options})
    assert str(error.value) == message


def test_ofa_averages_the_views_of_a_clip() -> None:
    rng = torch.Generator().manual_seed(0)
    stage, out = torch.randn(2, 3, 4, generator=rng), Fields(logits=torch.randn(2, 5, generator=rng))
    method, target = OFA([(4,)], 5), torch.tensor([3, 1])
    found = method(Fields(logits=out.logits, stages=[stage.flatten(0, 1)]), out, Fields(target=target))
    each = method.exits[0](stage.flatten(0, 1)).view(2, 3, 5)  # clip by clip
    torch.testing.assert_close(found["loss_ofa_exits"], ofa_loss(each.mean(1), out.logits, target))


def test_ofa_refuses_stages_that_belong_to_no_clip() -> None:
    student = Fields(logits=torch.zeros(2, 5), stages=[torch.zeros(3, 4)])
    with pytest.raises(
        ValueError, match=r"^OFA reads stages of B clips .* there is: \[3\]; tap others as stages$"
    ):
        OFA.infer(student, Fields(logits=torch.zeros(2, 5)), spec(SINGLE_LABEL))


# DML


@pytest.mark.parametrize("task", [SINGLE_LABEL, MULTI_LABEL])
def test_dml_beside_the_first_peers_labels_is_the_sum_over_students(task) -> None:
    (peers,) = logits(0, (4, 3, 5), 1)
    target = torch.tensor([0, 4, 2, IGNORED])
    form = DML.infer(Fields(peers=peers), Fields(), spec(task))["form"]
    students, labels = list(peers.unbind(1)), target
    if task == MULTI_LABEL:
        target = (peers[:, 0] > 1).float()
        students, labels = [binary_logits(x) for x in students], binary_target(target)
    found = sum(DML(form)(Fields(peers=peers), Fields(), Fields(target=target)).values())
    each = [dml_loss(s, students[:k] + students[k + 1 :], labels) for k, s in enumerate(students)]
    torch.testing.assert_close(found + labels_loss(students[0], labels), sum(each))


def test_dml_is_cross_entropy_and_the_divergence_of_torch_distributions() -> None:
    student, *peers = logits(0, (4, 5), 3)
    target = torch.tensor([0, 4, 2, 1])
    own = Categorical(logits=student)
    apart = [kl_divergence(Categorical(logits=peer), own).mean() for peer in peers]
    expected = F.cross_entropy(student, target) + sum(apart) / 2
    torch.testing.assert_close(dml_loss(student, peers, target), expected)
    some = torch.tensor([0, IGNORED, 2, 1])
    torch.testing.assert_close(labels_loss(student, some), F.cross_entropy(student, some))


def test_dml_teaches_each_peer_by_constants() -> None:
    student, peer = (x.requires_grad_() for x in logits(0, (4, 5)))
    dml_loss(student, [peer], torch.arange(4)).backward()
    assert peer.grad is None


def test_dml_tests_the_first_peer_and_needs_two() -> None:
    (peers,) = logits(0, (4, 2, 5), 1)
    torch.testing.assert_close(DML().predict(Fields(peers=peers)), peers[:, 0])
    with pytest.raises(
        ValueError, match=r"^DML needs at least two peers; give the backbone Peers more networks$"
    ):
        DML.infer(Fields(peers=peers[:, :1]), Fields(), spec(SINGLE_LABEL))


def test_dml_refuses_students_whose_views_may_be_absent() -> None:
    """Absent views have zero logits: others would learn them, and a test would read the first."""
    (peers,) = logits(0, (4, 2, 5), 1)
    student = Fields(peers=peers, view_shown=torch.ones(4, 2, dtype=torch.bool))
    with pytest.raises(ValueError, match=r"^DML .* views may be absent here; take "):
        DML.infer(student, Fields(), spec(SINGLE_LABEL))


# Bernoulli forms


@unhurried
@given(seeds, sizes, temperatures)
def test_a_two_class_softmax_is_the_bernoulli_form(seed, size, tau) -> None:
    student, teacher = logits(seed, size)
    found = kd_loss(binary_logits(student), binary_logits(teacher), tau)
    torch.testing.assert_close(found, bernoulli_kd_loss(student, teacher, tau))


@pytest.mark.parametrize(
    "method", [WSLD(form="bernoulli"), OFA([(5,)], 5, stages=[], eps=1.5, form="bernoulli")]
)
def test_the_bernoulli_form_leaves_out_unlabelled_classes(method) -> None:
    student, teacher = logits(0, (4, 3))
    target = torch.tensor([[1.0, 0.0, -1.0]] * 4)
    losses = [
        sum(method(Fields(logits=s, stages=[s]), Fields(logits=t), Fields(target=y)).values())
        for s, t, y in [(student, teacher, target), (student[:, :2], teacher[:, :2], target[:, :2])]
    ]
    torch.testing.assert_close(*losses)


@pytest.mark.parametrize("kind", [DIST, CTKD, MLKD, WSLD, DML])
def test_an_unknown_form_names_those_that_there_are(kind) -> None:
    with pytest.raises(ValueError, match=r"^form 'sigmoid' is unknown; there is: softmax, bernoulli$"):
        kind(form="sigmoid")


@pytest.mark.parametrize("name", ["DIST", "CTKD", "MLKD", "WSLD", "OFA", "DML"])
@pytest.mark.parametrize(("task", "form"), [(SINGLE_LABEL, "softmax"), (MULTI_LABEL, "bernoulli")])
def test_the_task_settles_the_form(name, task, form) -> None:
    x = torch.zeros(2, 5)
    student = Fields(logits=x, stages=[x], peers=torch.stack([x, x], 1))
    complete = DISTILLERS.get(name).complete({"type": name}, student, Fields(logits=x), spec(task))
    assert complete["form"] == form
    assert build(DISTILLERS, complete).form == form


# InfoNCE


@unhurried
@given(seeds, st.integers(1, 5), st.floats(0.05, 2.0))
def test_info_nce_is_a_naive_loop(seed, size, tau) -> None:
    student, teacher = (x / x.norm(dim=1, keepdim=True) for x in logits(seed, (size, 6)))
    similar = (student.numpy() @ teacher.numpy().T) / tau
    each = [-math.log(softmax(rows[i])[i]) for rows in (similar, similar.T) for i in range(size)]
    found = info_nce_loss(2 * student, 3 * teacher, tau)
    torch.testing.assert_close(found.item(), sum(each) / (2 * size), rtol=1e-6, atol=1e-9)


def test_info_nce_without_negatives_is_zero() -> None:
    student, teacher = (x.float() for x in logits(0, (4, 6)))
    method = InfoNCE(6, 6, feat_dim=3)
    fields = Fields(embedding=student), Fields(embedding=teacher)
    assert method(*fields, Fields(target=torch.zeros(4).long()))["loss_infonce"].abs() < 1e-6
    plain = InfoNCE(6, 6, feat_dim=3, by_class=False)
    plain.load_state_dict(method.state_dict())
    assert plain.needs.batch == ()
    expected = info_nce_loss(method.embed_student(student), method.embed_teacher(teacher))
    torch.testing.assert_close(plain(*fields, Fields())["loss_infonce"], expected)


@unhurried
@given(st.lists(st.integers(-1, 3), min_size=1, max_size=8))
def test_sharing_a_class_is_the_same_in_both_layouts(labels) -> None:
    single = torch.tensor(labels)
    several = torch.where(single[:, None] < 0, -1, (single[:, None] == torch.arange(4)).long())
    expected = [[a == b and a >= 0 for b in labels] for a in labels]
    assert share_a_class(single).tolist() == share_a_class(several).tolist() == expected
