"""VPN++: both losses against their definition, which term trains what, what is refused."""

from itertools import product

import pytest
import torch
import torch.nn.functional as F

from kdbench.distillers import VPNPP, attention_level_loss, matching_loss
from kdbench.spec import MULTI_LABEL, DataSpec, Fields, Needs

K, WIDTH, POSE = 3, 4, 6
DATA = DataSpec("toy", {}, K)


def made(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def outputs(clips: int = 5, grid: tuple[int, ...] = (7,)) -> tuple[Fields, Fields, Fields]:
    student = Fields(
        stages=[made(0, clips, WIDTH, *grid).requires_grad_()],
        embedding=made(1, clips, 2 * WIDTH).requires_grad_(),
    )
    return student, Fields(embedding=made(2, clips, POSE)), Fields(target=torch.arange(clips) % K)


def built(student: Fields, teacher: Fields, **config) -> VPNPP:
    torch.manual_seed(0)
    return VPNPP(**{**VPNPP.infer(student, teacher, DATA), **config}).double()


def test_attention_is_compared_at_every_position_of_every_clip() -> None:
    student, pose = made(0, 3, 5), made(1, 3, 5)
    expected = sum((student[b, p] - pose[b, p]) ** 2 for b in range(3) for p in range(5))
    torch.testing.assert_close(attention_level_loss(student, pose), expected)
    assert attention_level_loss(pose, pose) == 0


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
@pytest.mark.parametrize("classes", [None, (0, 1, 0, 2)])
def test_matching_is_the_mean_over_all_draws_of_one_other_clip_each(similarity, classes) -> None:
    """The released batch: every clip with its own pose, then every clip with the pose of one other."""
    student, pose = made(0, 4, 3), made(1, 4, 3)
    target = torch.tensor(classes or range(4))
    unit = (lambda x: x / x.norm(dim=1, keepdim=True)) if similarity == "cosine" else (lambda x: x)
    s, p = unit(student), unit(pose)
    choices = [[j for j in range(4) if j != i and target[j] != target[i]] for i in range(4)]
    drawn = []
    for draw in product(*choices):
        dots = torch.stack([*(s[i] @ p[i] for i in range(4)), *(s[i] @ p[j] for i, j in enumerate(draw))])
        match = torch.tensor([1.0] * 4 + [0.0] * 4, dtype=torch.float64)
        drawn.append(F.binary_cross_entropy_with_logits(dots.exp(), match))
    same = None if classes is None else target[:, None] == target
    torch.testing.assert_close(matching_loss(student, pose, same, similarity), torch.stack(drawn).mean())


def test_without_others_there_is_the_own_pose_only() -> None:
    student, pose = made(0, 2, 3), made(1, 2, 3)
    own = F.softplus(-F.cosine_similarity(student, pose).exp()).mean() / 2
    torch.testing.assert_close(matching_loss(student, pose, torch.ones(2, 2, dtype=torch.bool)), own)
    torch.testing.assert_close(
        matching_loss(student[:1], pose[:1]),
        F.softplus(-F.cosine_similarity(student[:1], pose[:1]).exp()).mean() / 2,
    )


def test_cosines_keep_it_finite_whatever_the_length() -> None:
    student = (1e4 * made(0, 4, 3)).requires_grad_()
    loss = matching_loss(student, 1e4 * made(1, 4, 3))
    loss.backward()
    assert loss.isfinite()
    assert student.grad.isfinite().all()


@pytest.mark.parametrize("grid", [(7,), (3, 4), (2, 3, 2)], ids=str)
def test_the_terms_are_what_the_docstring_says(grid) -> None:
    student, teacher, batch = outputs(grid=grid)
    method = built(student, teacher)
    found, stage = method(student, teacher, batch), student.stages[0].flatten(2)
    pointed = method.point(teacher.embedding).sigmoid()
    seen = torch.stack([(stage[b] * (1 + pointed[b])).mean(1) for b in range(5)])
    torch.testing.assert_close(
        found["loss_vpnpp_guided"], 0.1 * F.cross_entropy(method.classify(seen), batch.target)
    )
    weight, bias = method.look.weight.flatten(), method.look.bias
    own = (torch.einsum("bcp,c->bp", stage, weight) + bias).sigmoid()
    torch.testing.assert_close(found["loss_vpnpp_attention"], 0.001 * (own - pointed).square().sum())
    pair = method.embed_student(student.embedding), method.embed_teacher(teacher.embedding)
    expected = matching_loss(*pair, batch.target[:, None] == batch.target)
    torch.testing.assert_close(found["loss_vpnpp_feature"], 0.001 * expected)


def test_labels_teach_where_poses_point_and_poses_teach_the_student() -> None:
    student, teacher, batch = outputs()
    method = built(student, teacher)
    found, stage = method(student, teacher, batch), student.stages[0]
    (pointing,) = torch.autograd.grad(found["loss_vpnpp_guided"], method.point.weight, retain_graph=True)
    assert pointing.abs().sum() > 0
    assert torch.autograd.grad(found["loss_vpnpp_guided"], stage, allow_unused=True, retain_graph=True) == (
        None,
    )
    attention = found["loss_vpnpp_attention"]
    assert torch.autograd.grad(attention, method.point.weight, allow_unused=True, retain_graph=True) == (
        None,
    )
    (gradient,) = torch.autograd.grad(attention, stage)
    own = method.look(stage).flatten(1).sigmoid()
    error = 0.002 * (own - method.point(teacher.embedding).sigmoid()) * own * (1 - own)
    torch.testing.assert_close(gradient, error[:, None] * method.look.weight.reshape(1, WIDTH, 1))


def test_clips_without_a_label_still_learn_from_poses() -> None:
    student, teacher, batch = outputs()
    batch["target"] = torch.full((5,), -100)
    found = built(student, teacher)(student, teacher, batch)
    assert found["loss_vpnpp_guided"] == 0
    assert found["loss_vpnpp_attention"] > 0
    torch.testing.assert_close(
        found["loss_vpnpp_feature"],
        built(student, teacher, by_class=False)(student, teacher, batch)["loss_vpnpp_feature"],
    )


@pytest.mark.parametrize(
    ("config", "reads", "terms"),
    [
        (dict(guided=0.0, attention=0.0), ("embedding",), {"feature"}),
        (dict(feature=0.0), ("stages",), {"guided", "attention"}),
        (dict(feature=0.0, attention=0.0), ("stages",), {"guided"}),
    ],
)
def test_a_term_of_weight_zero_reads_nothing(config, reads, terms) -> None:
    student, teacher, batch = outputs()
    assert VPNPP.needs_for(config) == Needs(student=reads, teacher=("embedding",), batch=("target",))
    method = built(Fields({name: student[name] for name in reads}), teacher, **config)
    assert method.needs == VPNPP.needs_for(config)
    assert set(method(student, teacher, batch)) == {f"loss_vpnpp_{term}" for term in terms}
    assert VPNPP.needs_for(dict(guided=0.0, attention=0.0, by_class=False)).batch == ()


def test_several_labels_are_two_class_questions() -> None:
    student, teacher, _ = outputs()
    target = (made(3, 5, K) > 0).double()
    config = VPNPP.infer(student, teacher, DataSpec("toy", {}, K, MULTI_LABEL))
    method = built(student, teacher, **config)
    pointed, stage = method.point(teacher.embedding).sigmoid(), student.stages[0]
    seen = (stage * (1 + pointed[:, None])).mean(2)
    expected = 0.1 * F.binary_cross_entropy_with_logits(method.classify(seen), target)
    found = method(student, teacher, Fields(target=target))
    torch.testing.assert_close(found["loss_vpnpp_guided"], expected)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: VPNPP(similarity="cosin"), "similarity 'cosin' is unknown; did you mean: cosine?"),
        (
            lambda: VPNPP(guided=0.0),
            "attention=0.001 with guided=0: nothing would teach where poses point; give guided a weight, or "
            "attention=0",
        ),
        (
            lambda: VPNPP(guided=0, attention=0, feature=0),
            "VPNPP has no term left: guided=0 and feature=0; give one of them a weight",
        ),
        (
            lambda: VPNPP([(4,)], 4, 6, K),
            "VPNPP points at positions of a stage, (C, T), (C, H, W) or (C, T, H, W); the student's is (4,); "
            "give stage= of another, or guided=0 and attention=0",
        ),
        (
            lambda: VPNPP.infer(Fields(stages=[made(0, 6, 4, 8)]), Fields(embedding=made(0, 2, 6)), DATA),
            "for 2 clips the student's stages hold 6 maps: views are folded into the batch; take a network of one "
            "view, or a method on logits or embeddings",
        ),
    ],
)
def test_what_cannot_work_is_said(make, message) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the whole text is compared
        make()
    assert str(error.value) == message
