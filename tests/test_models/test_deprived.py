"""A student tested without views or modalities is the same network on clips that lack them."""

from typing import Any

import pytest
import torch
from torch import Tensor

import kdbench.backbones  # noqa: F401  (fills the registry)
from kdbench.models import Deprived
from kdbench.spec import IncompatibleError

VIEWS, FRAMES, CLASSES = 3, 8, 5
DATA = {
    "name": "three rooms",
    "inputs": {"rgb": (VIEWS, FRAMES, 3, 32, 32), "audio": (VIEWS, FRAMES, 8, 32)},
    "num_classes": CLASSES,
    "task": "multi-label",
    "fields": {"target": (CLASSES,)},
}
ENCODERS = {
    "rgb": {"type": "FrameCNN", "in_channels": 3, "width": 16, "widths": (8, 8, 8), "grid": (2, 2)},
    "audio": {"type": "SpectrogramCNN", "width": 16},
}
NETWORKS = {
    "MultiASL": {"width": 16, "head_width": 8, "cross_modal": True},
    "MultiTSF": {"width": 16, "heads": 4, "view_hidden": 16},
    "MultiTrans": {"width": 16},
    "MultiView": {"width": 16},
}


def deprived(kind: str = "MultiASL", without: Any = (), **options: Any) -> Deprived:
    torch.manual_seed(0)
    student = {"type": kind, "encoders": ENCODERS, **NETWORKS[kind], **options}
    return Deprived(data=DATA, student=student, without=without, each_view=True).eval()


def clips(batch: int = 2) -> dict[str, Tensor]:
    rng = torch.Generator().manual_seed(1)
    return {name: torch.rand(batch, *shape, generator=rng) for name, shape in DATA["inputs"].items()}


def predicted(model: Deprived, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    rows = model(inputs, mode="predict")
    return {name: torch.stack([row[name] for row in rows]) for name in rows[0]}


@pytest.mark.parametrize("kind", NETWORKS)
def test_without_a_view_is_the_network_on_the_others(kind: str) -> None:
    model, inputs = deprived(kind, [{"views": (1,)}, {"views": (0, 2)}]), clips()
    found = predicted(model, inputs)
    for place, kept in enumerate([[0, 2], [1]]):
        alone = model.student(*(value[:, kept] for value in inputs.values()))
        for name, logits in (("without_score", "logits"), ("without_frame_score", "frame_logits")):
            torch.testing.assert_close(found[name][:, place], alone[logits].sigmoid(), rtol=1e-4, atol=1e-5)
    assert found["view_frame_score"].shape == (2, VIEWS, FRAMES, CLASSES)
    assert not torch.allclose(found["without_score"][:, 0], found["score"], atol=1e-6)


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_modality_that_is_gone_is_zero(kind: str) -> None:
    model, inputs = deprived(kind, [{"modalities": ("audio",)}]), clips()
    found = predicted(model, inputs)
    seen = model.student(inputs["rgb"], torch.zeros_like(inputs["audio"]))
    torch.testing.assert_close(found["without_score"][:, 0], seen["logits"].sigmoid())
    other = {**inputs, "audio": torch.randn_like(inputs["audio"])}
    torch.testing.assert_close(predicted(model, other)["without_score"], found["without_score"])
    assert not torch.allclose(found["score"], seen["logits"].sigmoid(), atol=1e-6)


def test_views_and_modalities_go_together() -> None:
    model, inputs = deprived(without=[{"views": (2,), "modalities": ("rgb",)}]), clips()
    heard = model.student(torch.zeros_like(inputs["rgb"][:, :2]), inputs["audio"][:, :2])
    found = predicted(model, inputs)["without_score"][:, 0]
    torch.testing.assert_close(found, heard["logits"].sigmoid(), rtol=1e-4, atol=1e-5)


def test_a_classifier_of_so_many_views_is_asked_with_a_mask() -> None:
    model = deprived("MultiTrans", [{"views": (1,)}], fusion="concat", num_views=VIEWS)
    inputs = clips()
    other = {name: value.clone() for name, value in inputs.items()}
    for value in other.values():
        value[:, 1] += 1
    first, second = predicted(model, inputs), predicted(model, other)
    torch.testing.assert_close(first["without_score"], second["without_score"])
    assert not torch.allclose(first["score"], second["score"], atol=1e-6)


def test_a_mask_that_the_data_have_loses_the_view_too() -> None:
    data = {**DATA, "inputs": {**DATA["inputs"], "present": (VIEWS,)}}
    torch.manual_seed(0)
    student = {"type": "MultiASL", "encoders": ENCODERS, **NETWORKS["MultiASL"], "view_mask": "present"}
    model = Deprived(data=data, student=student, without=[{"views": (0,)}]).eval()
    present = torch.tensor([[1.0, 1.0, 0.0]] * 2)
    found = predicted(model, {**clips(), "present": present})["without_score"][:, 0]
    alone = model.student(*clips().values(), torch.tensor([[0.0, 1.0, 0.0]] * 2))["logits"].sigmoid()
    torch.testing.assert_close(found, alone)


@pytest.mark.parametrize("shared", [False, True])
def test_students_a_view_are_tested_without_one_of_them(shared: bool) -> None:
    network = {"type": "SkeletonCNN", "streams": ("joint",), "widths": (8,), "strides": (1,)}
    student = {"type": "ViewStudents", "network": network, "views": 2, "shared": shared}
    data = {
        "name": "two views",
        "inputs": {"skeleton": (2, 8, 20, 3)},
        "num_classes": 5,
        "task": "single-label",
    }
    torch.manual_seed(0)
    model = Deprived(data=data, student=student, without=[{"views": (0,)}], each_view=True).eval()
    clip = {"skeleton": torch.rand(2, 2, 8, 20, 3)}
    alone = model.student(*clip.values())["view_logits"][:, 1].softmax(1)
    torch.testing.assert_close(predicted(model, clip)["without_score"][:, 0], alone)


def test_what_belongs_to_no_view_stays_when_one_goes() -> None:
    data = {**DATA, "inputs": {**DATA["inputs"], "audio": (FRAMES, 8, 32)}}
    torch.manual_seed(0)
    student = {"type": "MultiTrans", "encoders": ENCODERS, "width": 16, "worn": ("audio",)}
    model = Deprived(data=data, student=student, without=[{"views": (0,)}]).eval()
    inputs = {"rgb": clips()["rgb"], "audio": clips()["audio"][:, 0]}
    alone = model.student(inputs["rgb"][:, 1:], inputs["audio"])["logits"].sigmoid()
    found = predicted(model, inputs)["without_score"][:, 0]
    torch.testing.assert_close(found, alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("without", "message"),
    [
        ({"views": (3,)}, "the view '3' is to be taken away; there is: 0, 1, 2"),
        ({"views": (0, 1, 2)}, r"every view is to be taken away \(0, 1, 2\); leave one"),
        ({"modalities": ("depth",)}, "the modality 'depth' is to be taken away; there is: rgb, audio"),
        ({"modalities": ("rgb", "audio")}, r"every modality is to be taken away \(rgb, audio\); leave one"),
    ],
)
def test_what_cannot_be_taken_is_refused(without: dict[str, Any], message: str) -> None:
    with pytest.raises(IncompatibleError, match=message):
        deprived(without=[without])


def test_a_network_of_one_view_is_refused() -> None:
    data = {"name": "one room", "inputs": {"inertial": (16, 6)}, "num_classes": 4}
    with pytest.raises(IncompatibleError, match="InertialCNN gives no view_logits"):
        Deprived(data=data, student={"type": "InertialCNN"}, each_view=True)
