"""Methods on stages and embeddings of action recognition, against loops and identities that share no code with them."""

import math
import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.distributions import Categorical, Normal, kl_divergence

from kdbench import distillers as d
from kdbench.distillers.ofd import Margin
from kdbench.distillers.stages import matched, paired
from kdbench.registry import DISTILLERS
from kdbench.spec import DataSpec, Fields

unhurried = settings(deadline=None)  # the first call of a process warms torch up
seeds = st.integers(0, 2**31)
clips = st.integers(1, 3)
widths = st.integers(1, 4)
grids = st.sampled_from([(1,), (5,), (3, 4), (2, 3, 2), (7, 7)])
METHODS = ["AB", "AT", "FSP", "FT", "Hallucination", "NST", "OFD", "VID", "VPD"]
SHAPES = [(3,), (3, 8), (3, 7), (3, 8, 8), (3, 4, 2), (3, 6, 8, 8), (5, 3, 5, 4), (3, 1, 1)]


def normal(seed: int, *shapes: tuple[int, ...]) -> list[torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    return [torch.randn(*shape, generator=rng, dtype=torch.float64) for shape in shapes]


def length_one(values: list[float]) -> list[float]:
    length = math.sqrt(sum(v * v for v in values)) or 1.0
    return [v / length for v in values]


def in_mean(values: list[float]) -> float:
    return sum(values) / len(values)


@unhurried
@given(seeds, clips, widths, widths, grids, st.integers(1, 3))
def test_at_by_loops(seed, size, narrow, wide, grid, p) -> None:
    student, teacher = normal(seed, (size, narrow, *grid), (size, wide, *grid))
    errors = []
    for s, t in zip(student.flatten(2).tolist(), teacher.flatten(2).tolist(), strict=True):
        s, t = (
            length_one([in_mean([v**p for v in place]) for place in zip(*x, strict=True)]) for x in (s, t)
        )
        errors += [(a - b) ** 2 for a, b in zip(s, t, strict=True)]
    assert d.at_loss([student], [teacher], p).item() == pytest.approx(in_mean(errors), abs=1e-12)
    squared = d.ft_loss(student, teacher, p1=p, p2=2)
    assert squared.item() == pytest.approx(in_mean(errors), abs=1e-12)
    absolute = d.ft_loss(student, teacher, p1=p, p2=1)
    assert absolute.item() == pytest.approx(in_mean([math.sqrt(e) for e in errors]), abs=1e-12)


@unhurried
@given(seeds, clips, widths, widths, grids)
def test_nst_is_the_broadcast_kernel(seed, size, narrow, wide, grid) -> None:
    student, teacher = normal(seed, (size, narrow, *grid), (size, wide, *grid))
    s, t = (x.flatten(2) / x.flatten(2).norm(dim=2, keepdim=True) for x in (student, teacher))

    def kernel(a, b):
        return ((a[:, :, None] * b[:, None]).sum(-1) ** 2).mean()

    expected = kernel(t, t) + kernel(s, s) - 2 * kernel(s, t)
    torch.testing.assert_close(d.nst_loss([student], [teacher]), expected)
    assert expected > -1e-12


@unhurried
@given(seeds, st.integers(1, 4), grids)
def test_nst_of_the_same_channels_in_another_order_is_zero(seed, wide, grid) -> None:
    (student,) = normal(seed, (2, wide, *grid))
    loss = d.nst_loss([student], [torch.cat([student, student], 1).flip(1)])
    torch.testing.assert_close(loss, torch.zeros((), dtype=torch.float64), atol=1e-12, rtol=0)


@unhurried
@given(seeds, clips, widths, grids, st.floats(0, 3))
def test_ab_by_loops(seed, size, wide, grid, margin) -> None:
    maps = normal(seed, *[(size, wide, *grid)] * 4)
    total = 0.0
    for weight, s, t in ((0.5, maps[0], maps[1]), (1.0, maps[2], maps[3])):
        for a, b in zip(s.flatten().tolist(), t.flatten().tolist(), strict=True):
            if b > 0 and a <= margin:
                total += weight * (a - margin) ** 2
            elif b <= 0 and a > -margin:
                total += weight * (a + margin) ** 2
    found = d.ab_loss(maps[::2], maps[1::2], margin)
    assert found.item() == pytest.approx(0.003 * total / size, abs=1e-12)


def test_ab_asks_for_no_more_than_the_margin() -> None:
    (teacher,) = normal(0, (2, 3, 4))
    loss = d.ab_loss([1.5 * teacher.sign()], [teacher], margin=1.0)
    assert loss == 0


@unhurried
@given(seeds, clips, widths, widths, grids, grids)
def test_fsp_by_loops(seed, size, first, second, grid, other) -> None:
    s = normal(seed, (size, first, *grid), (size, second, *grid))
    t = normal(seed + 1, (size, first, *other), (size, second, *other))

    def flow(early, late, clip, i, j):
        a, b = early[clip, i].flatten().tolist(), late[clip, j].flatten().tolist()
        return in_mean([x * y for x, y in zip(a, b, strict=True)])

    places = [(c, i, j) for c in range(size) for i in range(first) for j in range(second)]
    expected = in_mean([(flow(*s, *place) - flow(*t, *place)) ** 2 for place in places])
    assert d.fsp_loss(s, t).item() == pytest.approx(expected, abs=1e-12)


@unhurried
@given(seeds, clips, widths, grids, st.floats(0.1, 9.0))
def test_vid_is_a_gaussian_likelihood(seed, size, wide, grid, variance) -> None:
    mean, teacher = normal(seed, *[(size, wide, *grid)] * 2)
    log_scale = torch.full((wide,), d.vid_log_scale(variance), dtype=torch.float64)
    expected = -Normal(mean, math.sqrt(variance)).log_prob(teacher).mean() - math.log(2 * math.pi) / 2
    torch.testing.assert_close(d.vid_loss(mean, teacher, log_scale), expected)


def test_vid_has_a_variance_for_each_channel() -> None:
    mean, teacher = normal(0, (2, 3, 4), (2, 3, 4))
    (log_scale,) = normal(1, (3,))
    variance = (log_scale.exp() + 1).log() + 1e-5
    expected = -Normal(mean, variance.sqrt()[:, None]).log_prob(teacher).mean() - math.log(2 * math.pi) / 2
    torch.testing.assert_close(d.vid_loss(mean, teacher, log_scale), expected)


@unhurried
@given(seeds, clips, widths, grids)
def test_ofd_by_loops(seed, size, wide, grid) -> None:
    student, teacher, margin = normal(seed, (size, wide, *grid), (size, wide, *grid), (wide,))
    margin, total = -margin.abs(), 0.0
    for c in range(wide):
        m = margin[c].item()
        pairs = zip(student[:, c].flatten().tolist(), teacher[:, c].flatten().tolist(), strict=True)
        for s, t in pairs:
            if t > 0 or (m < t <= 0 and s > t):
                total += (s - t) ** 2
            elif t <= m and s > m:
                total += (s - m) ** 2
    found = d.ofd_loss([student], [teacher], [margin]).item()
    assert found == pytest.approx(total / size, abs=1e-12)
    twice = d.ofd_loss([student] * 2, [teacher] * 2, [margin] * 2).item()
    assert twice == pytest.approx(1.5 * total / size, abs=1e-12)


@pytest.mark.parametrize(("weight", "bias"), [(1.3, 0.4), (-0.7, -1.1), (0.5, 1.4), (2.0, 0.0)])
def test_the_margin_is_the_mean_negative_value(weight: float, bias: float) -> None:
    points = torch.linspace(-12, 12, 480_001, dtype=torch.float64)
    values, density = bias + abs(weight) * points, (-(points**2) / 2).exp()
    negative = values < 0
    expected = (values * density)[negative].sum() / density[negative].sum()
    found = d.ofd_margin(torch.tensor([weight]).double(), torch.tensor([bias]).double())
    torch.testing.assert_close(found[0], expected, rtol=1e-3, atol=0)


def test_a_margin_of_hardly_any_negative_value_is_three_deviations() -> None:
    found = d.ofd_margin(torch.tensor([-0.5, 0.0, 0.0]), torch.tensor([9.0, -2.0, 2.0]))
    torch.testing.assert_close(found, torch.tensor([-1.5, -2.0, 0.0]))


def test_the_measured_margin_is_the_mean_over_all_batches() -> None:
    batches = normal(0, (2, 3, 5), (4, 3, 5))
    margin = Margin(3)
    for batch in batches:
        found = margin(batch)
    for c in range(3):
        values = torch.cat([batch[:, c].flatten() for batch in batches])
        torch.testing.assert_close(found[c], values[values < 0].mean().float())
    before = margin.mean.clone()
    margin.eval()(batches[0])
    assert torch.equal(margin.mean, before)


def test_mars_is_fifty_times_the_mean_square() -> None:
    student, teacher = normal(0, (3, 4), (3, 4))
    expected = 50 * in_mean([(a - b) ** 2 for a, b in zip(student.flatten(), teacher.flatten(), strict=True)])
    torch.testing.assert_close(d.mars_loss(student, teacher), expected)
    assert not list(d.MARS(4, 4).parameters())
    assert d.MARS(4, 6).project.weight.shape == (6, 4)


@unhurried
@given(seeds, clips, st.integers(2, 5), st.floats(0.5, 12.0))
def test_soft_cross_entropy_is_divergence_plus_entropy(seed, size, classes, tau) -> None:
    student, teacher = (Categorical(logits=x / tau) for x in normal(seed, *[(size, classes)] * 2))
    expected = (kl_divergence(teacher, student) + teacher.entropy()).mean()
    found = d.soft_cross_entropy(student.logits * tau, teacher.logits * tau, tau)
    torch.testing.assert_close(found, expected)


@unhurried
@given(seeds, clips)
def test_hallucination_by_loops(seed, size) -> None:
    logits, student, teacher = normal(seed, (size, 4), (size, 2, 3), (size, 2, 3))

    def sigmoid(x):
        return 1 / (1 + math.exp(-x))

    pairs = zip(student.flatten().tolist(), teacher.flatten().tolist(), strict=True)
    maps = sum((sigmoid(a) - sigmoid(b)) ** 2 for a, b in pairs)
    soft = Categorical(logits=logits / 10).entropy().mean().item()
    found = d.hallucination_loss(logits, logits, student, teacher).item()
    assert found == pytest.approx(0.25 * soft + 0.005 * maps)


@unhurried
@given(seeds, clips, widths)
def test_vpd_by_loops(seed, size, wide) -> None:
    student, now, before = normal(seed, (size, 2 * wide), (size, wide), (size, wide))
    total = 0.0
    for b in range(size):
        for i in range(wide):
            total += (student[b, i] - now[b, i]).item() ** 2
            total += (student[b, wide + i] - (now[b, i] - before[b, i])).item() ** 2
    assert d.vpd_loss(student, now, before).item() == pytest.approx(total)


def test_vpd_pairs_each_frame_with_the_one_before() -> None:
    student, teacher = normal(0, (2, 3, 5), (2, 4, 5))
    method = d.VPD([(3, 5)], [(4, 5)]).double()
    expected = 0.0
    for clip in range(2):
        for frame in range(1, 5):
            guess = method.decoder(student[clip, :, frame])
            change = teacher[clip, :, frame] - teacher[clip, :, frame - 1]
            expected += (guess - torch.cat([teacher[clip, :, frame], change])).square().sum() / 2
    found = method(Fields(stages=[student]), Fields(stages=[teacher]), Fields())["loss_vpd"]
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("frames", [3, 5, 8, 16])
def test_vpd_of_a_teacher_with_other_frames_moves_as_the_teacher_does(monkeypatch, frames: int) -> None:
    steady = torch.arange(12.0).expand(1, 4, 12)
    changes = []
    monkeypatch.setattr(
        "kdbench.distillers.vpd.vpd_loss", lambda _, now, before: changes.append(now - before) or now.sum()
    )
    d.VPD([(3, frames)], [(4, 12)])(
        Fields(stages=[torch.zeros(1, 3, frames)]), Fields(stages=[steady]), Fields()
    )
    found = (
        changes[0][1:-1] if frames > 12 else changes[0]
    )  # ends of more frames lie outside the teacher's middles
    torch.testing.assert_close(found, torch.full_like(found, 12 / frames))


@pytest.mark.parametrize(
    ("student", "teacher", "grid"),
    [
        ((4, 8, 8), (6, 4, 4), (4, 4)),
        ((4, 3, 3), (6, 7, 7), (3, 3)),
        ((4, 6, 8, 8), (6, 5), (5,)),
        ((4, 6, 8, 8), (6, 3, 3), (3, 3)),
        ((4, 9), (6, 5, 5), ()),
        ((4,), (6, 5, 5), ()),
    ],
)
def test_stages_meet_on_the_smaller_grid(student, teacher, grid) -> None:
    for one, other in (normal(0, (2, *student), (2, *teacher)), normal(0, (2, *teacher), (2, *student))):
        first, second = matched(one, other)
        assert first.shape == (*one.shape[:2], *grid)
        assert second.shape == (*other.shape[:2], *grid)
        for before, after in ((one, first), (other, second)):
            if all(n % g == 0 for n, g in zip(before.shape[2:], grid, strict=False)):
                means = [x.flatten(2).mean(2) if x.dim() > 2 else x for x in (before, after)]
                torch.testing.assert_close(*means)


def stages(shapes: list[tuple[int, ...]], size: int, seed: int) -> Fields:
    leaves = [x.float().requires_grad_() for x in normal(seed, *[(size, *shape) for shape in shapes])]
    logits = normal(seed, (size, 5))[0].float().requires_grad_()
    return Fields(stages=leaves, preacts=leaves, logits=logits)


def is_refused(name: str, student: tuple[int, ...], teacher: tuple[int, ...]) -> bool:
    """Whether a method that compares positions, or frames, gets only one of them."""
    names = {1: "", 2: "T", 3: "HW", 4: "THW"}
    sizes = [dict(zip(names[len(shape)], shape[1:], strict=True)) for shape in (student, teacher)]
    shared = {axis: min(sizes[0][axis], sizes[1][axis]) for axis in sizes[0] if axis in sizes[1]}
    if name == "VPD":
        return shared.get("T", 1) < 2
    return name in ("AT", "NST", "FT") and math.prod(shared.values()) < 2


@pytest.mark.parametrize("teacher", SHAPES, ids=str)
@pytest.mark.parametrize("student", SHAPES, ids=str)
@pytest.mark.parametrize("name", METHODS)
def test_stages_of_all_shapes_work_or_are_refused_by_name(name, student, teacher) -> None:
    own, other = stages([student, student], 3, 0), stages([(5, *teacher[1:])] * 2, 3, 1)
    kind = DISTILLERS.get(name)
    arguments = kind.infer(own, other, None)
    if is_refused(name, student, teacher):
        with pytest.raises(ValueError, match=f"^{name} .*{re.escape(str((5, *teacher[1:])))}.*; give"):
            kind(**arguments)
        return
    torch.manual_seed(0)  # a regressor of so few channels may begin with all of them below its ReLU
    method = kind(**arguments)
    loss = sum(method(own, other, Fields()).values())
    loss.backward()
    assert loss.isfinite()
    assert all(x.grad is None for x in other.stages)
    assert own.stages[-1].grad.isfinite().all()
    assert own.stages[-1].grad.abs().sum() > 0


@pytest.mark.parametrize("name", ["AT", "FSP", "NST"])
def test_a_student_equal_to_its_teacher_loses_nothing(name: str) -> None:
    own, other = stages([(4, 8, 8), (6, 4, 4)], 2, 0), stages([(4, 8, 8), (6, 4, 4)], 2, 0)
    kind = DISTILLERS.get(name)
    loss = sum(kind(**kind.infer(own, other, None))(own, other, Fields()).values())
    torch.testing.assert_close(loss, torch.zeros(()), atol=1e-6, rtol=0)


def test_the_deepest_stages_are_paired() -> None:
    assert paired([(1,)] * 2, [(1,)] * 3) == [(-2, -2), (-1, -1)]
    assert paired([(1,)] * 2, [(1,)] * 3, [(0, 2)]) == [(0, 2)]
    own, other = stages([(4, 8), (4, 4)], 2, 0), stages([(3, 9), (3, 8), (3, 4)], 2, 1)
    found = d.AT(**d.AT.infer(own, other, None))(own, other, Fields())["loss_at"]
    torch.testing.assert_close(found, d.at_loss(own.stages, other.stages[1:]))


def ft(phase: str) -> d.FT:
    torch.manual_seed(0)
    return d.FT([(4, 8)], [(6, 8)], phase=phase)


def test_ft_trains_the_paraphraser_first_and_then_keeps_it() -> None:
    own, other = stages([(4, 8)], 3, 0), stages([(6, 8)], 3, 1)
    first, second = ft("paraphraser"), ft("factor")
    assert (first.is_kept, first.needs_weights) == (True, False)
    assert (second.is_kept, second.needs_weights) == (False, True)

    losses = first(own, other, Fields())
    assert list(losses) == ["loss_paraphraser"]
    losses["loss_paraphraser"].backward()
    assert own.stages[0].grad is None
    assert all(p.grad is not None for p in first.paraphraser.parameters())
    assert not any(p.requires_grad for p in first.translator.parameters())

    second.load_state_dict(first.state_dict())
    losses = second(own, other, Fields())
    assert list(losses) == ["loss_ft"]
    losses["loss_ft"].backward()
    assert all(p.grad is not None for p in second.translator.parameters())
    assert not any(p.requires_grad for p in second.paraphraser.parameters())


def test_ft_in_one_row_lets_no_factor_loss_into_the_paraphraser() -> None:
    own, other, method = stages([(4, 8)], 3, 0), stages([(6, 8)], 3, 1), ft("joint")
    losses = method(own, other, Fields())
    losses["loss_ft"].backward()
    assert all(p.grad is None for p in method.paraphraser.parameters())
    assert own.stages[0].grad.abs().sum() > 0


def test_given_margins_are_kept() -> None:
    own, other = stages([(4, 8)], 3, 0), stages([(2, 8)], 3, 1)
    method = d.OFD([(4, 8)], [(2, 8)], margins=[[-0.5, -0.25]])
    method(own, other, Fields())
    assert method.margins[0].mean.tolist() == [-0.5, -0.25]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: d.AT([(4,)], [(6,)]),
            "AT compares positions of stages; stage -1 of the student (4,) and stage -1 of the teacher (6,) share only "
            "one; give pairs=[(student stage, teacher stage), ...] of others",
        ),
        (
            lambda: d.FT([(4, 8)], [(6, 2, 2)]),
            "FT compares positions of stages; stage -1 of the student (4, 8) and stage -1 of the teacher (6, 2, 2) "
            "share only one; give stage= and teacher_stage= of others",
        ),
        (lambda: d.NST([(4, 8)], [(6, 8)], pairs=[(0, 1)]), "the teacher has no stage 1; there is: 1 stages"),
        (
            lambda: d.VID([(4, 8)], [(6, 8)], pairs=[]),
            "at least one pair of stages is compared; there is: none",
        ),
        (
            lambda: d.FSP([(4, 8)], [(4, 8), (6, 4)]),
            "FSP compares neighbouring stages and needs two pairs or more; there is: 1 of 1 student stages and 2 "
            "teacher stages; tap more stages",
        ),
        (
            lambda: d.OFD([(4, 8)], [(2, 8)], margins=[[-1.0]]),
            "OFD's margins are one a teacher channel, [2] by pair; there is: [1]",
        ),
        (
            lambda: d.FT([(4, 8)], [(6, 8)], phase="both"),
            "phase 'both' is unknown; there is: joint, paraphraser, factor",
        ),
        (
            lambda: d.AB([(4,)], [(6,)], margin=-1),
            "AB's margin is a distance, 0 or more; there is: margin=-1",
        ),
        (
            lambda: d.VID([(4,)], [(6,)], variance=0),
            "VID's first variance is greater than 1e-05; there is: variance=0",
        ),
        (
            lambda: d.VPD([(4, 8, 8)], [(6, 8)]),
            "VPD needs stages with two frames or more, (C, T) or (C, T, H, W); there is: (4, 8, 8) of the student and "
            "(6, 8) of the teacher; give stage= and teacher_stage= of others",
        ),
    ],
)
def test_what_cannot_work_is_said(make, message) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the whole text is compared
        make()
    assert str(error.value) == message


OF_PAIRED_STAGES = sorted(
    name
    for name, kind in DISTILLERS.module_dict.items()
    if {"stages", "preacts"} & set(kind.needs.student) & set(kind.needs.teacher)
    and kind.__module__.startswith("kdbench.")
)


@pytest.mark.parametrize("name", OF_PAIRED_STAGES)
def test_views_that_one_network_folds_into_the_batch_are_refused_by_name(name) -> None:
    def outputs(views: int) -> Fields:
        maps = [torch.randn(views * 2, 4, 8, 8), torch.randn(views * 2, 4, 4, 4)]
        clips = maps[-1].mean((2, 3)).unflatten(0, (2, -1)).mean(1)
        return Fields(stages=maps, preacts=maps, embedding=clips, logits=torch.randn(2, 5))

    message = "for one batch the student's stages hold 6 maps and the teacher's 2: views are folded into the batch by"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        DISTILLERS.get(name).infer(outputs(3), outputs(1), DataSpec("toy", {}, 5))
