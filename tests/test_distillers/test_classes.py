"""The class of a method gives its formula, written out or proven in the other files, of what the class reads."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from kdbench import distillers as d
from kdbench.distillers.binary import binary_logits, binary_target
from kdbench.spec import MULTI_LABEL, SINGLE_LABEL, Fields

from .test_contract import K, Setting, head

Formula = Callable[[d.Distiller, Fields, Fields, Fields], Tensor]
FORMS = {SINGLE_LABEL: "softmax", MULTI_LABEL: "bernoulli"}


def squares(one: Tensor, other: Tensor) -> Tensor:
    return (one - other).square().mean()


def halved(maps: Tensor) -> Tensor:
    """The means of windows of 2 x 2."""
    return (maps[..., ::2, ::2] + maps[..., 1::2, ::2] + maps[..., ::2, 1::2] + maps[..., 1::2, 1::2]) / 4


def class_maps(stage: Tensor) -> Tensor:
    layer = head(stage.shape[1])
    return torch.einsum("kc,bchw->bkhw", layer.weight, stage) + layer.bias[:, None, None]


def fitnet(method: d.FitNet, student: Fields, teacher: Fields, batch: Fields) -> Tensor:
    adapter = method.regressor
    return squares(adapter.norm(adapter.connection(student.stages[-1])).clamp(min=0), teacher.stages[-1])


def camkd(method: d.CAMKD, student: Fields, teacher: Fields, batch: Fields) -> Tensor:
    guesses = [project(student.embedding) for project in method.projections]
    said = [head(guess.shape[1])(guess) for guess in guesses]
    scores = d.camkd_loss(student.logits, teacher.member_logits, batch.target, 4.0, method.form)
    pairs = guesses, teacher.member_embeddings, said
    return scores + 50 * d.camkd_feature_loss(*pairs, batch.target, method.form)


def flat(stage: Tensor) -> Tensor:
    return stage.flatten(2)


# For both tasks, where the method has both.
FORMULAS: dict[str, Formula] = {
    "AverageMKD": lambda m, s, t, b: d.average_mkd_loss(s.logits, t.member_logits, tau=4.0, form=m.form),
    "CAMKD": camkd,
    "CATKD": lambda m, s, t, b: squares(*(halved(class_maps(x.stages[-1])) for x in (s, t))),
    "CC": lambda m, s, t, b: d.cc_loss(m.embed_student(s.embedding), m.embed_teacher(t.embedding)),
    "DIST": lambda m, s, t, b: d.dist_loss(s.logits, t.logits, 1.0, 1.0, 4.0, m.form),
    "FitNet": fitnet,
    "ICKD": lambda m, s, t, b: d.ickd_loss(m.embed(flat(s.stages[-1])), t.stages[-1]),
    "PKT": lambda m, s, t, b: d.pkt_loss(s.embedding, t.embedding),
    "RKD": lambda m, s, t, b: (
        25 * d.rkd_distance_loss(s.embedding, t.embedding) + 50 * d.rkd_angle_loss(s.embedding, t.embedding)
    ),
    "SP": lambda m, s, t, b: d.sp_loss(s.stages[-1], t.stages[-1]),
    "SimKD": lambda m, s, t, b: squares(m.project(s.stages[-1]), t.stages[-1]),
}
ON_LABELS: dict[str, Callable[..., Tensor]] = {
    "TfKD": lambda target, student: d.tfkd_loss(student, target, correct=0.99, tau=20.0),
    "WSLD": lambda target, student, teacher: d.wsld_loss(student, teacher, target, tau=2.0),
}


def same(found: Tensor, expected: Tensor) -> None:
    """Equal to single precision, whatever the scale."""
    assert expected.abs() > 0
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=0)


@pytest.mark.parametrize("task", FORMS)
@pytest.mark.parametrize("name", FORMULAS)
def test_a_class_gives_the_formula_of_what_it_reads(name: str, task: str) -> None:
    setting = Setting(name, task)
    assert getattr(setting.distiller, "form", FORMS[task]) == FORMS[task]
    expected = FORMULAS[name](setting.distiller, setting.student, setting.teacher, setting.batch)
    same(setting.total(), expected)


@pytest.mark.parametrize("task", FORMS)
@pytest.mark.parametrize("name", ON_LABELS)
def test_a_class_asks_two_questions_a_class_where_labels_are_several(name: str, task: str) -> None:
    setting = Setting(name, task)
    roles = [fields.logits for fields in (setting.student, setting.teacher) if fields]
    target = setting.batch.target
    if task == MULTI_LABEL:
        roles, target = [binary_logits(x) for x in roles], binary_target(target)
    same(setting.total(), ON_LABELS[name](target, *roles))


def test_a_sum_weighs_its_methods() -> None:
    setting = Setting("DIST", SINGLE_LABEL)
    method = d.Sum([d.KD(tau=2.0), {"type": "DIST"}], weights=[0.25, 3.0])
    losses = method(setting.student, setting.teacher, Fields())
    logits = setting.student.logits, setting.teacher.logits
    same(losses["loss_kd"], 0.25 * d.kd_loss(*logits, tau=2.0))
    same(losses["loss_dist"], 3 * d.dist_loss(*logits))


@pytest.mark.parametrize("grid", [(4,), (4, 6), (2, 4, 2)], ids=str)
def test_normalised_class_maps_have_length_one_over_positions(grid: tuple[int, ...]) -> None:
    rng = torch.Generator().manual_seed(0)
    maps = [torch.randn(3, K, *grid, generator=rng, dtype=torch.float64) for _ in range(2)]
    averaged = maps
    for axis, size in enumerate(grid, start=2):
        averaged = [x.unflatten(axis, (2, size // 2)).mean(axis + 1) for x in averaged]
    unit = [x.flatten(2) / x.flatten(2).square().sum(2, keepdim=True).sqrt() for x in averaged]
    found = d.cat_kd_loss(*maps, cam_resolution=2, normalize=True)
    torch.testing.assert_close(found, squares(*unit))
    torch.testing.assert_close(d.cat_kd_loss(*maps, 2, normalize=False), squares(*averaged))


def test_rkd_loss_weighs_its_terms() -> None:
    rng = torch.Generator().manual_seed(0)
    pair = [torch.randn(5, width, generator=rng, dtype=torch.float64) for width in (3, 4)]
    torch.testing.assert_close(d.rkd_loss(*pair, 2.0, 0.0), 2 * d.rkd_distance_loss(*pair))
    torch.testing.assert_close(d.rkd_loss(*pair, 0.0, 3.0), 3 * d.rkd_angle_loss(*pair))
