"""CWD, MGD and ReviewKD: stages of all ranks, identities, and loops that read like the papers."""

import math

import pytest
import torch
from torch import nn

from kdbench.distillers import CWD, MGD, ReviewKD, cwd_loss, hcl_loss
from kdbench.distillers.mgd import random_mask
from kdbench.distillers.norm import AnyNorm
from kdbench.spec import Fields

SHAPES = [(4, 8), (4, 7), (4, 8, 8), (4, 4, 2), (4, 6, 8, 8), (4, 3, 4, 5)]


def waves(*shape: int, seed: int = 0) -> torch.Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=rng, dtype=torch.float64)


def fields(*shapes: tuple[int, ...], clips: int = 3, seed: int = 0) -> Fields:
    stages = [waves(clips, *shape, seed=seed + i).float().requires_grad_() for i, shape in enumerate(shapes)]
    return Fields(stages=stages, embedding=waves(clips, 6, seed=seed + 9).float().requires_grad_())


def shared(student: tuple[int, ...], teacher: tuple[int, ...]) -> set[str]:
    axes = {1: "T", 2: "HW", 3: "THW"}
    return set(axes[len(student) - 1]) & set(axes[len(teacher) - 1])


PAIRS = [
    pytest.param(s, t, id=f"{s}-{t}")
    for s in SHAPES
    for t in [(5, *shape[1:]) for shape in SHAPES]
    if shared(s, t)
]


@pytest.mark.parametrize("kind", [CWD, MGD, ReviewKD])
@pytest.mark.parametrize(("student", "teacher"), PAIRS)
def test_stages_of_any_rank_and_grid_meet(kind, student, teacher) -> None:
    for clips in (1, 3):
        from_student, from_teacher = fields(student, clips=clips), fields(teacher, clips=clips, seed=5)
        torch.manual_seed(1)  # MGD's mask may hide every position of a short clip
        method = kind(**kind.infer(from_student, from_teacher, None))
        (loss,) = method(from_student, from_teacher, Fields()).values()
        loss.backward()
        assert loss.isfinite()
        assert from_student.stages[0].grad.abs().sum() > 0
        assert from_teacher.stages[0].grad is None


def test_cwd_is_a_divergence_for_each_channel() -> None:
    student, teacher, tau = waves(2, 3, 2, 2), waves(2, 3, 2, 2, seed=1), 3.0

    def softmax(values: list[float]) -> list[float]:
        powers = [math.exp(v / tau) for v in values]
        return [p / sum(powers) for p in powers]

    expected = 0.0
    for b in range(2):
        for c in range(3):
            s, t = (softmax(x[b, c].flatten().tolist()) for x in (student, teacher))
            expected += tau**2 * sum(q * math.log(q / p) for p, q in zip(s, t, strict=True)) / 6
    assert float(cwd_loss(student, teacher, tau)) == pytest.approx(expected, rel=1e-9)


def test_cwd_does_not_see_a_channel_s_level() -> None:
    teacher = waves(2, 3, 5)
    torch.testing.assert_close(cwd_loss(teacher + waves(2, 3, 1), teacher), waves(()) * 0, atol=1e-12, rtol=0)


def test_cwd_of_one_position_is_refused() -> None:
    with pytest.raises(ValueError, match="CWD compares positions of stages") as error:
        CWD([(4, 8, 8)], [(4, 8)])
    assert "teacher_stage" in str(error.value)


def test_mgd_is_the_squared_error_of_what_is_generated() -> None:
    student, teacher = fields((3, 5)), fields((3, 5), seed=4)
    method = MGD([(3, 5)], [(3, 5)], alpha=0.5, mask_ratio=0.0)
    for layer in method.generate[::2]:
        nn.init.dirac_(layer.weight)
        nn.init.zeros_(layer.bias)
    loss = method(student, teacher, Fields())["loss_mgd"]
    error = student.stages[0].detach().clamp(min=0) - teacher.stages[0].detach()
    torch.testing.assert_close(loss.detach(), 0.5 * error.square().sum() / 3)


@pytest.mark.parametrize(("over", "shape"), [("positions", (200, 1, 5, 4)), ("channels", (200, 7, 1, 1))])
def test_mgd_hides_the_share_it_says(over: str, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    mask = random_mask(torch.zeros(200, 7, 5, 4), 0.3, over)
    assert mask.shape == shape
    assert set(mask.unique().tolist()) == {0.0, 1.0}
    assert float(mask.mean()) == pytest.approx(0.7, abs=0.05)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mask": "frames"}, "mask='frames' is unknown; there is: positions, channels"),
        ({"mask_ratio": 1.0}, "mask_ratio=1.0 hides no share"),
        ({"teacher_shapes": [(4,)]}, "share no axis; give stage="),
    ],
)
def test_mgd_names_what_it_cannot_do(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MGD(**{"student_shapes": [(4, 8)], "teacher_shapes": [(4, 8)], **options})


@pytest.mark.parametrize("grid", [(), (1,), (3,), (9,), (2, 2), (5, 3), (3, 6), (6, 5, 4)], ids=str)
def test_hcl_averages_each_level_window_by_window(grid: tuple[int, ...]) -> None:
    student, teacher = waves(2, 3, *grid), waves(2, 3, *grid, seed=1)

    def averaged(x: torch.Tensor, level: int) -> torch.Tensor:
        for axis in range(2, x.dim()):
            size = x.shape[axis]
            windows = [(i * size // level, -(-(i + 1) * size // level)) for i in range(level)]
            x = torch.cat([x.narrow(axis, a, b - a).mean(axis, keepdim=True) for a, b in windows], axis)
        return x

    levels = [level for level in (4, 2, 1) if grid and level < grid[0]]
    errors = [(student - teacher).square().mean()]
    errors += [(averaged(student, n) - averaged(teacher, n)).square().mean() for n in levels]
    weights = [1 / 2**i for i in range(len(errors))]
    expected = sum(w * e for w, e in zip(weights, errors, strict=True)) / sum(weights)
    torch.testing.assert_close(hcl_loss([student, student], [teacher, teacher]), 2 * expected)


def test_reviewkd_guesses_each_stage_from_the_deeper_ones_only() -> None:
    student, teacher = (
        fields((4, 8, 8), (6, 4, 4), (6, 2, 2)),
        fields((5, 8, 8), (7, 4, 4), (9, 4, 4), seed=3),
    )
    method = ReviewKD(**ReviewKD.infer(student, teacher, None)).eval()
    assert len(method.fusions) == 4
    guesses = []
    for fusion in method.fusions:
        fusion.register_forward_hook(lambda module, inputs, output: guesses.append(output[0]))
    method(student, teacher, Fields())
    assert [tuple(g.shape[1:]) for g in guesses] == [(6, 1, 1), (9, 4, 4), (7, 4, 4), (5, 8, 8)]
    inputs = [student.embedding, *reversed(student.stages)]
    for i, guess in enumerate(guesses):
        gradients = torch.autograd.grad(guess.sum(), inputs, retain_graph=True, allow_unused=True)
        assert [g is not None for g in gradients] == [j <= i for j in range(4)]


def test_reviewkd_takes_networks_of_other_depths_vectors_and_chosen_pairs() -> None:
    student, teacher = fields((4,), (4,)), fields((5, 3, 8, 8), (5, 3, 8), (5, 3, 2), seed=2)
    for pairs in (None, [(-1, -1), (0, 1)], [(0, 1), (2, 3), (1, -2)]):
        method = ReviewKD(**ReviewKD.infer(student, teacher, None), pairs=pairs)
        (loss,) = method(student, teacher, Fields()).values()
        assert loss.isfinite()


def test_reviewkd_leaves_out_an_embedding_of_several_views() -> None:
    student, teacher = fields((4, 8), clips=6), fields((5, 4), clips=6, seed=2)
    student["embedding"] = student.embedding[:3]
    method = ReviewKD(**ReviewKD.infer(student, teacher, None))
    assert len(method.fusions) == 1
    assert method(student, teacher, Fields())["loss_reviewkd"].isfinite()


@pytest.mark.parametrize("shape", [(4, 3), (4, 3, 5), (4, 3, 5, 2), (2, 3, 2, 2, 2)], ids=str)
def test_the_norm_of_any_rank_is_torch_s(shape: tuple[int, ...]) -> None:
    ours = AnyNorm(3)
    theirs = [nn.BatchNorm1d, nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d][len(shape) - 2](3)
    for mode in (True, False):
        x = waves(*shape).float()
        torch.testing.assert_close(ours.train(mode)(x), theirs.train(mode)(x))
    torch.testing.assert_close(ours.running_var, theirs.running_var)
