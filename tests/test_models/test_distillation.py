"""The one model: roles, losses, modes, checkpoints, and all that it refuses before a weight is read."""

import pytest
import torch
from safetensors.torch import save_file

from kdbench.models import Distillation, Preprocessor
from kdbench.models.role import Role
from kdbench.spec import DataSpec, IncompatibleError, MissingWeightsError
from kdbench.weights import load_weights, read_weights

from .toys import DATA, ToyInertial, ToyMimic

STUDENT, TEACHER = {"type": "ToyInertial"}, {"type": "ToySkeleton", "weights": "random"}


def model(**options) -> Distillation:
    torch.manual_seed(0)
    return Distillation(**{"data": DATA, "student": STUDENT, **options})


def distilling(**options) -> Distillation:
    return model(**{"teacher": TEACHER, "distiller": {"type": "ToyMimic"}, **options})


def batch(size: int = 4) -> dict:
    rng = torch.Generator().manual_seed(1)
    shapes = DATA["inputs"].items()
    return {
        "inputs": {name: torch.randn(size, *shape, generator=rng) for name, shape in shapes},
        "target": torch.arange(size) % 5,
        "index": torch.arange(size),
    }


def test_without_a_teacher_it_is_plain_supervised_training() -> None:
    alone = model()
    losses = alone(**batch(), mode="loss")
    assert list(losses) == ["loss_task"]
    losses["loss_task"].backward()
    assert alone.student.fc.weight.grad is not None


def test_the_total_is_the_weighted_sum_of_task_and_distiller() -> None:
    once, twice = (
        distilling()(**batch(), mode="loss"),
        distilling(task_weight=2.0, distill_weight=3.0)(**batch(), mode="loss"),
    )
    assert set(once) == {"loss_task", "loss_mimic"}
    torch.testing.assert_close(twice["loss_task"], 2 * once["loss_task"])
    torch.testing.assert_close(twice["loss_mimic"], 3 * once["loss_mimic"])


def test_the_teacher_stays_in_eval_mode_without_gradients_and_out_of_checkpoints() -> None:
    net = distilling().train()
    assert net.student.training
    assert not net.teacher.training
    sum(net(**batch(), mode="loss").values()).backward()
    assert all(p.grad is None and not p.requires_grad for p in net.teacher.parameters())
    assert {key.split(".")[0] for key in net.state_dict()} == {"student", "distiller"}
    assert str(net.load_state_dict(net.state_dict())) == "<All keys matched successfully>"


def test_a_missing_student_key_is_still_an_error() -> None:
    net = distilling()
    state = net.state_dict()
    del state["student.fc.weight"]
    with pytest.raises(RuntimeError, match=r"student\.fc\.weight"):
        net.load_state_dict(state)


def test_the_student_never_receives_a_modality_that_it_does_not_read() -> None:
    net, seen = distilling(), []
    net.student.register_forward_pre_hook(lambda _, inputs: seen.append([x.shape[1:] for x in inputs]))
    net(**batch(), mode="loss")
    assert seen == [[(16, 6)]]


def test_prediction_goes_through_the_distiller_and_scores_are_probabilities() -> None:
    net = distilling().eval()
    plain = net(**batch(), mode="tensor")
    net.distiller.bias.data.fill_(1.5)
    samples = net(**batch(), mode="predict")
    torch.testing.assert_close(torch.stack([s["logits"] for s in samples]), plain + 1.5)
    assert all(abs(float(s["score"].sum()) - 1) < 1e-6 for s in samples)
    assert [int(s["index"]) for s in samples] == [0, 1, 2, 3]


def test_frame_logits_and_the_teacher_s_logits_are_predicted_when_asked() -> None:
    net = model(
        student={"type": "ToySkeleton"}, teacher=TEACHER, distiller={"type": "ToyMimic"}, predict_teacher=True
    )
    sample = net.eval()(**batch(), mode="predict")[0]
    assert sample["frame_score"].shape == (8, 5)
    torch.testing.assert_close(sample["frame_logits"].softmax(-1), sample["frame_score"])
    torch.testing.assert_close(
        sample["teacher_logits"], net.teacher(batch()["inputs"]["skeleton"])["logits"][0]
    )


def test_rehearsal_and_probe_leave_no_trace() -> None:
    net = distilling()
    assert int(net.distiller.seen) == 0
    assert torch.equal(net.student.norm.running_mean, torch.zeros(8))
    model()
    after_model = torch.rand(3)
    torch.manual_seed(0)
    ToyInertial(num_classes=5)
    assert torch.equal(after_model, torch.rand(3))


def test_unlabelled_clips_have_no_task_loss() -> None:
    net, data = model().eval(), batch()
    data["target"][1:] = -100
    some = net(**data, mode="loss")["loss_task"]
    alone = net(inputs={k: v[:1] for k, v in data["inputs"].items()}, target=data["target"][:1], mode="loss")[
        "loss_task"
    ]
    torch.testing.assert_close(some, alone)
    data["target"][:] = -100
    assert net(**data, mode="loss")["loss_task"].detach() == 0


def test_all_problems_are_listed_in_one_error() -> None:
    with pytest.raises(IncompatibleError) as error:
        model(
            student={"type": "ToyInertial", "reads": ("rgb",)},
            teacher={"type": "ToySkeleton", "num_classes": 7, "taps": {}},
            distiller={"type": "ToyMimic"},
            task_loss={"type": "TwoWay"},
        )
    assert str(error.value) == (
        "ToyMimic (student ToyInertial, teacher ToySkeleton) cannot run on toy:\n"
        "  - the task loss works on multi-label tasks; toy is single-label; take one for single-label tasks\n"
        "  - the student reads the modality 'rgb'; there is: inertial, skeleton\n"
        "  - ToyMimic reads the teacher's 'embedding'; there is: logits, frame_logits; "
        "take a network that has it, or name its place in the teacher's taps\n"
        "  - the teacher has 7 classes; toy has 5; give it as many"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"distiller": {"type": "ToyMimic"}}, "ToyMimic learns from a teacher; the row has none"),
        (
            {"teacher": TEACHER},
            "the row has a teacher and no distiller to learn from it; give one, or predict_teacher=True to compare",
        ),
        (
            {"task_loss": {"type": "BinaryCrossEntropy"}},
            "the task loss works on multi-label tasks; toy is single-label",
        ),
        (
            {"student": {"type": "ToyInertial", "reads": ()}},
            "the student ToyInertial does not say what it reads",
        ),
    ],
)
def test_each_refusal(options: dict, message: str) -> None:
    with pytest.raises(IncompatibleError, match=message):
        model(**options)


def test_taps_that_are_no_dict_are_refused() -> None:
    with pytest.raises(ValueError, match=r"taps of the student are 'fc'; they map names to places"):
        model(student={"type": "ToyInertial", "taps": "fc"})


def test_a_teacher_without_weights_is_an_error_unless_it_says_random() -> None:
    with pytest.raises(
        MissingWeightsError, match='the teacher ToySkeleton has no weights; give a file, or weights="random"'
    ):
        distilling(teacher={"type": "ToySkeleton"})
    distilling(teacher={"type": "ToySkeleton"}, load_weights=False)


def test_a_teacher_that_is_only_compared_with() -> None:
    net = model(teacher=TEACHER, predict_teacher=True)
    assert list(net(**batch(), mode="loss")) == ["loss_task"]
    assert "teacher_logits" in net(**batch(), mode="predict")[0]


def test_a_distiller_that_goes_on_from_an_earlier_row(tmp_path, monkeypatch) -> None:
    earlier = distilling(distiller={"type": "ToyMimic", "bias": 3.0})
    save_file(earlier.distiller.state_dict(), tmp_path / "distiller.safetensors")
    going_on = {"type": "ToyMimic", "weights": str(tmp_path / "distiller.safetensors")}
    assert distilling(distiller=going_on).distiller.bias == 3.0
    monkeypatch.setattr(ToyMimic, "needs_weights", True)
    with pytest.raises(
        MissingWeightsError, match=r"^ToyMimic goes on from what an earlier row learned and has no"
    ):
        distilling()
    assert distilling(distiller={"type": "ToyMimic", "weights": "random"}).distiller.bias == 0


TWO_VIEWS = {**DATA, "inputs": {**DATA["inputs"], "inertial_strong": (16, 6), "skeleton_strong": (8, 5, 3)}}


def two_views(**options) -> Distillation:
    return distilling(**{"data": TWO_VIEWS, "distiller": {"type": "MLKD", "strong": True}, **options})


def test_both_roles_read_the_strong_view_for_a_method_that_asks() -> None:
    net, inputs = two_views().eval(), batch()["inputs"]
    strong = {f"{name}_strong": 2 * value + 1 for name, value in inputs.items()}
    found = net._roles["student"]({**inputs, **strong})
    torch.testing.assert_close(found.logits, net.student(inputs["inertial"]))
    torch.testing.assert_close(found.logits_strong, net.student(strong["inertial_strong"]))
    lesson = net._lesson({**inputs, **strong})
    torch.testing.assert_close(lesson.logits_strong, net.teacher(strong["skeleton_strong"])["logits"])
    assert not lesson.logits_strong.requires_grad


def test_the_strong_view_costs_nothing_where_nobody_reads_it() -> None:
    calls = []
    for net in (two_views(distiller={"type": "KD"}), two_views()):
        forwards = []
        for role in (net.student, net.teacher):
            role.register_forward_pre_hook(lambda *_, seen=forwards: seen.append(1))
        strong = {f"{name}_strong": value for name, value in batch()["inputs"].items()}
        net(**{**batch(), "inputs": {**batch()["inputs"], **strong}}, mode="loss")
        net.eval()(**batch(), mode="predict")  # test clips have no strong view
        calls.append(len(forwards))
    assert calls == [3, 5]


def test_a_modality_without_a_strong_view_is_read_as_it_is() -> None:
    data = {**DATA, "inputs": {**DATA["inputs"], "inertial_strong": (16, 6)}}
    role = Role("student", {"type": "ToyBoth"}, DataSpec(**data))
    inputs = {**batch()["inputs"], "inertial_strong": torch.ones(4, 16, 6)}
    found = role(inputs)
    torch.testing.assert_close(found.logits_strong, role.model(inputs["inertial_strong"], inputs["skeleton"]))


def test_data_without_a_strong_view_are_refused_by_name() -> None:
    with pytest.raises(IncompatibleError) as error:
        two_views(data=DATA)
    assert str(error.value).splitlines()[1:] == [
        f"  - MLKD reads the {role}'s 'logits_strong'; there is: {there}; take data with the input "
        f"'{modality}_strong', which a transform with into= makes"
        for role, modality, there in (
            ("student", "inertial", "logits, embedding, stages"),
            ("teacher", "skeleton", "logits, frame_logits, embedding"),
        )
    ]


def test_the_strong_view_is_standardised_like_its_modality() -> None:
    step = Preprocessor(mean={"image": [10.0]}, std={"image": 2.0})
    image = torch.full((1, 1, 2, 2), 100, dtype=torch.uint8)
    inputs = step({"inputs": {"image": image, "image_strong": image}})["inputs"]
    torch.testing.assert_close(inputs["image_strong"], inputs["image"])


def test_a_missing_weight_file_says_how_to_make_it() -> None:
    weights = "work_dirs/baseline/toy_skeleton/seed3/student.safetensors"
    with pytest.raises(
        MissingWeightsError,
        match=r"make it with: python tools/train\.py configs/baseline/toy_skeleton\.py --seed 3",
    ):
        distilling(teacher={"type": "ToySkeleton", "weights": weights})


def test_weights_come_from_safetensors_or_a_weights_only_pth(tmp_path) -> None:
    source = ToyInertial(num_classes=5)
    save_file(source.state_dict(), tmp_path / "a.safetensors")
    torch.save({"state_dict": source.state_dict()}, tmp_path / "a.pth")
    for name in ("a.safetensors", "a.pth"):
        net = model(student={"type": "ToyInertial", "weights": str(tmp_path / name)})
        assert torch.equal(net.student.body.weight, source.body.weight)


def test_a_late_fusion_starts_from_its_members_files(tmp_path) -> None:
    from safetensors.torch import save_file

    from kdbench.backbones import InertialCNN

    sources = [InertialCNN(num_classes=5, width=6) for _ in range(2)]
    members = []
    for number, source in enumerate(sources):
        save_file(source.state_dict(), tmp_path / f"{number}.safetensors")
        members.append(
            {"type": "InertialCNN", "width": 6, "weights": str(tmp_path / f"{number}.safetensors")}
        )
    fusion = model(student={"type": "LateFusion", "members": members}).student
    assert all(
        torch.equal(net.norm.weight, source.norm.weight)
        and torch.equal(net.fc[1].weight, source.fc[1].weight)
        for net, source in zip(fusion.members, sources, strict=True)
    )


def test_hostile_damaged_and_misnamed_files_are_refused(tmp_path) -> None:
    class Hostile:
        def __reduce__(self):
            return (open, (str(tmp_path / "executed"), "w"))

    torch.save({"x": Hostile()}, tmp_path / "hostile.pth")
    with pytest.raises(
        MissingWeightsError, match=r"holds more than tensors, .* state_dict alone, best as \.safetensors$"
    ):
        read_weights(tmp_path / "hostile.pth")
    assert not (tmp_path / "executed").exists()
    (tmp_path / "cut.safetensors").write_bytes(b"\x10\x00")
    with pytest.raises(MissingWeightsError, match="damaged"):
        read_weights(tmp_path / "cut.safetensors")
    torch.save({}, tmp_path / "net-00000000.pth")
    with pytest.raises(MissingWeightsError, match="is not the file that its name says"):
        read_weights(tmp_path / "net-00000000.pth")
    torch.save({"other": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(MissingWeightsError, match="does not fit ToyInertial"):
        load_weights(ToyInertial(5), tmp_path / "other.pth")


def test_an_error_inside_the_rehearsal_keeps_its_type_and_gains_a_note() -> None:
    with pytest.raises(RuntimeError) as error:
        distilling(teacher={"type": "ToySkeleton", "width": 6, "weights": "random"})
    assert any(
        "while rehearsing 'loss' on a batch of zeros shaped like toy's" in n for n in error.value.__notes__
    )


def test_the_preprocessor_scales_bytes_and_standardises() -> None:
    from kdbench.models import Preprocessor

    step = Preprocessor(mean={"rgb": (0.5, 0.0, 0.0)}, std={"rgb": 0.5})
    out = step(
        {"inputs": {"rgb": torch.full((2, 4, 3, 5, 5), 255, dtype=torch.uint8)}, "target": torch.zeros(2)}
    )
    assert out["inputs"]["rgb"][0, 0, :, 0, 0].tolist() == [1.0, 2.0, 2.0]


def borrowing(
    method: str, student: dict | None = None, teacher: dict | None = None, **options
) -> Distillation:
    torch.manual_seed(0)
    data = {"name": "toy", "inputs": {"inertial": (32, 6)}, "num_classes": 5, "num_train": 12}
    network = {"type": "InertialCNN", "width": 6}
    teacher = teacher or {"type": "InertialCNN", "width": 8, "weights": "random"}
    return Distillation(
        data=data, student=student or network, teacher=teacher, distiller={"type": method}, **options
    )


def inertial(size: int = 4) -> dict:
    return {"inputs": {"inertial": torch.randn(size, 32, 6)}, "target": torch.arange(size) % 5}


def test_a_borrowed_head_has_the_weights_that_were_read(tmp_path) -> None:
    from safetensors.torch import save_file

    from kdbench.backbones import InertialCNN

    torch.manual_seed(3)
    save_file(InertialCNN(num_classes=5, width=8).state_dict(), tmp_path / "t.safetensors")
    net = borrowing(
        "SimKD",
        teacher={"type": "InertialCNN", "width": 8, "weights": str(tmp_path / "t.safetensors")},
        task_weight=0.0,
    )
    head = net.teacher.fc[1]
    assert torch.equal(net.distiller.head_weight, head.weight)
    assert torch.equal(net.distiller.head_bias, head.bias)
    sum(net.train()(**inertial(), mode="loss").values()).backward()
    assert head.weight.grad is None
    state = net.state_dict()
    assert {"distiller.head_weight", "distiller.head_bias"} <= set(state)
    fresh = borrowing("SimKD", load_weights=False)
    fresh.load_state_dict(state)
    batch = inertial()
    torch.testing.assert_close(fresh.eval()(**batch), net.eval()(**batch))


def test_the_student_s_own_head_is_lent_and_stays_its_own() -> None:
    net = borrowing("CATKD", task_weight=0.0).train()
    assert not any(key.startswith("distiller.") for key in net.state_dict())
    sum(net(**inertial(), mode="loss").values()).backward()
    assert net.student.fc[1].weight.grad.abs().sum() > 0
    assert net.teacher.fc[1].weight.grad is None


@pytest.mark.parametrize("place", ["fc", "body:in"])
def test_a_head_that_cannot_be_borrowed_is_refused(place: str) -> None:
    teacher = {
        "type": "InertialCNN",
        "weights": "random",
        "taps": {"embedding": place, "stages": ["body.blocks.2"]},
    }
    with pytest.raises(
        IncompatibleError, match="SimKD borrows the last linear layer of the teacher"
    ) as error:
        borrowing("SimKD", teacher=teacher)
    assert f"the tap 'embedding' of InertialCNN is '{place}' and names none" in str(error.value)


def test_a_network_that_does_not_pool_its_last_stage_is_refused() -> None:
    teacher = {
        "type": "InertialCNN",
        "weights": "random",
        "taps": {"embedding": "fc:in", "stages": ["body.blocks.0"]},
    }
    with pytest.raises(IncompatibleError, match=r"is not the stage .* pooled by mean or mean_max") as error:
        borrowing("SimKD", teacher=teacher)
    assert str(error.value).startswith(
        "SimKD (student InertialCNN, teacher InertialCNN) cannot run on toy:\n  - "
    )


def test_a_network_that_fails_on_the_data_s_shapes_is_refused_by_name() -> None:
    with pytest.raises(IncompatibleError) as error:
        model(data={**DATA, "inputs": {"inertial": (16, 7), "skeleton": (8, 5, 3)}})
    first, problem = str(error.value).split("\n  - ")
    assert first == "ToyInertial cannot run on toy:"
    assert problem.startswith(
        "the student ToyInertial fails on zeros shaped like toy's inertial (16, 7) (RuntimeError: "
    )
    assert problem.endswith("; take a network for such clips")
    assert isinstance(error.value.__cause__.__cause__, RuntimeError)


def test_the_weights_of_a_sum_are_no_file():
    methods = [dict(type="KD"), dict(type="KD", tau=1.0)]
    net = distilling(distiller=dict(type="Sum", methods=methods, weights=[1.0, 3.0]))
    assert net.distiller.weights == (1.0, 3.0)
