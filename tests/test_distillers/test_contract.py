"""What every distiller keeps to, whatever it computes."""

import inspect
import re
import sys

import pytest
import torch

import kdbench.distillers
from kdbench.registry import DISTILLERS, build
from kdbench.spec import IGNORED, MULTI_LABEL, SINGLE_LABEL, DataSpec, Fields

N, K, V, T = 40, 5, 3, 4
# Arguments that only a test must give: small sizes, and the parts of the composite.
ARGUMENTS = {
    "CRD": {"num_negatives": 8},
    "Sum": {"methods": [{"type": "KD"}, {"type": "CRD", "num_negatives": 8}], "weights": [1.0, 0.5]},
}
OURS = sorted(n for n, c in DISTILLERS.module_dict.items() if c.__module__.startswith("kdbench."))
PAPER = re.compile(r"^.+ \((.+ et al\.|\w+ and \w+), .*(19|20)\d\d\)\.$")
OF_FRAMES = {"VPD"}  # read stages with a time axis; the others get images
COMPOSITES = {"Sum"}


def cases() -> list:
    every = [(name, task) for name in OURS for task in (SINGLE_LABEL, MULTI_LABEL)]
    kept = [
        case
        for case in every
        if case[1] in DISTILLERS.get(case[0]).needs_for(ARGUMENTS.get(case[0], {})).tasks
    ]
    return [pytest.param(*case, id="-".join(case)) for case in kept]


each = pytest.mark.parametrize(("name", "task"), cases())


def spec(task: str) -> DataSpec:
    return DataSpec("toy", inputs={}, num_classes=K, task=task, num_train=N, fields={"visible": (V, T)})


IMAGES, FRAMES, VECTORS = ((8, 8), (4, 4)), ((8,), (4,)), ((), ())  # the grids of two stages
Grids = tuple[tuple[int, ...], ...]


def outputs(size: int, width: int, seed: int, scale: float = 1.0, grids: Grids = IMAGES) -> Fields:
    rng = torch.Generator().manual_seed(seed)

    def leaf(*shape: int) -> torch.Tensor:
        return torch.randn(size, *shape, generator=rng).requires_grad_()

    stages = [leaf(width, *grids[0]), leaf(2 * width, *grids[1])]
    preacts = [x.detach().clone().requires_grad_() for x in stages]
    embedding = stages[-1].reshape(size, 2 * width, -1).mean(2).detach().requires_grad_()
    logits = (scale * leaf(K)).detach().requires_grad_()
    peers = (scale * leaf(3, K)).detach().requires_grad_()
    members = {
        "member_logits": [(scale * leaf(K)).detach().requires_grad_() for _ in range(3)],
        "member_embeddings": [leaf(width + i) for i in range(3)],
    }
    views = {
        "features": leaf(V, T, width),
        "view_frame_logits": (scale * leaf(V, T, K)).detach().requires_grad_(),
    }
    singles = {"logits": logits, "embedding": embedding, "peers": peers}
    return Fields(**singles, stages=stages, preacts=preacts, **members, **views)


def batch(size: int, task: str) -> Fields:
    target = torch.arange(size) % K
    if task == MULTI_LABEL:
        target = torch.nn.functional.one_hot(target, K).float()
    visible = torch.ones(size, V, T, dtype=torch.bool)
    visible[:, 1, 0] = False
    return Fields(target=target, index=torch.arange(size), visible=visible)


def head(width: int) -> torch.nn.Linear:
    """A last linear layer with the same weights every time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        return torch.nn.Linear(width, K)


class Setting:
    """A distiller with only what it asks for: teacher twice as wide as the student."""

    def __init__(
        self,
        name: str,
        task: str,
        size: int = 6,
        scale: float = 1.0,
        seed: int = 0,
        grids: Grids | None = None,
    ):
        torch.manual_seed(seed)
        kind, config = DISTILLERS.get(name), {"type": name, **ARGUMENTS.get(name, {})}
        grids = grids or (FRAMES if name in OF_FRAMES else IMAGES)
        full_student = outputs(size, 4, 1, scale, grids)
        full_teacher = outputs(size, 8, 2, scale, grids)
        needs = kind.needs_for(config)
        self.distiller = build(
            DISTILLERS, kind.complete(config, full_student, full_teacher, spec(task))
        ).train()
        heads = {"student": head(8), "teacher": head(16), "teacher_members": [head(8 + i) for i in range(3)]}
        self.distiller.borrow(**{role: heads[role] for role in needs.heads})
        self.student = Fields({n: full_student[n] for n in needs.student})
        self.teacher = Fields({n: full_teacher[n] for n in needs.teacher})
        whole = batch(size, task)
        self.batch = Fields({n: whole[n] for n in needs.batch})

    def losses(self) -> dict:
        return self.distiller(self.student, self.teacher, self.batch)

    def total(self) -> torch.Tensor:
        return sum(self.losses().values())


def leaves(fields: Fields) -> list[torch.Tensor]:
    return [x for value in fields.values() for x in (value if isinstance(value, list) else [value])]


@each
def test_losses_are_finite_scalars_with_a_gradient_for_the_student_only(name: str, task: str) -> None:
    setting = Setting(name, task)
    losses = setting.losses()
    assert losses
    for key, value in losses.items():
        assert key.startswith("loss_")
        assert value.shape == ()
        assert value.isfinite()
    sum(losses.values()).backward()
    gradients = [x.grad for x in leaves(setting.student) if x.grad is not None]
    assert gradients
    assert all(g.isfinite().all() and g.abs().sum() > 0 for g in gradients)
    assert all(x.grad is None for x in leaves(setting.teacher))
    assert all(p.grad is not None for p in setting.distiller.parameters()), "an unused parameter stops DDP"


@each
def test_saturated_logits_stay_finite(name: str, task: str) -> None:
    setting = Setting(name, task, scale=200.0)
    total = setting.total()
    total.backward()
    assert total.isfinite()
    assert all(x.grad.isfinite().all() for x in leaves(setting.student) if x.grad is not None)


@each
def test_a_batch_of_one(name: str, task: str) -> None:
    assert Setting(name, task, size=1).total().isfinite()


@each
def test_a_batch_of_one_whose_stages_are_vectors(name: str, task: str) -> None:
    try:
        setting = Setting(name, task, size=1, grids=VECTORS)
    except ValueError as error:
        assert "; give " in str(error) or "; take " in str(error)  # noqa: PT017
    else:
        assert setting.total().isfinite()


@each
def test_bfloat16_outputs_under_autocast_come_near_float32(name: str, task: str) -> None:
    exact = Setting(name, task).total()
    setting = Setting(name, task)
    for fields in (setting.student, setting.teacher):
        for key, value in fields.items():
            fields[key] = [x.bfloat16() for x in value] if isinstance(value, list) else value.bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = setting.total()
    rough.backward()
    assert rough.dtype == torch.float32
    torch.testing.assert_close(rough, exact, rtol=0.1, atol=0.02)


@each
def test_the_same_seed_gives_the_same_losses(name: str, task: str) -> None:
    first, again = (Setting(name, task, seed=3).losses() for _ in range(2))
    for key in first:
        torch.testing.assert_close(first[key], again[key], rtol=0, atol=0)


@each
def test_state_goes_through_a_state_dict(name: str, task: str) -> None:
    trained, fresh = Setting(name, task), Setting(name, task, seed=9)
    trained.total()
    fresh.distiller.load_state_dict(trained.distiller.state_dict())
    results = []
    for setting in (trained, fresh):
        torch.manual_seed(5)
        results.append(setting.total())
    torch.testing.assert_close(*results, rtol=0, atol=0)


@each
def test_inference_is_the_students_unless_the_method_says_so(name: str, task: str) -> None:
    student = outputs(4, 4, 1)
    assert Setting(name, task).distiller.predict(student).shape == student.logits.shape


@each
@pytest.mark.parametrize("seen", [False, True])
def test_masks_of_nobody_and_of_everybody_are_no_obstacle(name: str, task: str, seen: bool) -> None:
    setting = Setting(name, task, scale=200.0)
    if "visible" in setting.batch:
        setting.batch["visible"] = torch.full_like(setting.batch.visible, seen)
    total = setting.total()
    total.backward()
    assert total.isfinite()
    assert all(x.grad.isfinite().all() for x in leaves(setting.student) if x.grad is not None)


@each
def test_unlabelled_clips_are_no_obstacle(name: str, task: str) -> None:
    setting = Setting(name, task)
    if "target" in setting.batch:
        setting.batch["target"] = torch.full_like(setting.batch.target, IGNORED)
    total = setting.total()
    total.backward()
    assert total.isfinite()


@pytest.mark.parametrize("name", OURS)
def test_the_module_names_its_paper(name: str) -> None:
    first = sys.modules[DISTILLERS.get(name).__module__].__doc__.splitlines()[0]
    assert name in COMPOSITES or PAPER.match(first), first


@pytest.mark.parametrize("name", OURS)
def test_it_is_exported_and_infers_what_it_requires(name: str) -> None:
    kind = DISTILLERS.get(name)
    assert name in kdbench.distillers.__all__
    assert getattr(kdbench.distillers, name) is kind
    parameters = list(inspect.signature(kind.__init__).parameters.values())[1:]
    required = {p.name for p in parameters if p.default is p.empty}
    found = kind.infer(outputs(2, 4, 1), outputs(2, 8, 2), spec(SINGLE_LABEL))
    assert name in COMPOSITES or required <= set(found)
    assert set(found) <= {p.name for p in parameters}


def test_every_public_name_exists() -> None:
    assert all(hasattr(kdbench.distillers, name) for name in kdbench.distillers.__all__)
