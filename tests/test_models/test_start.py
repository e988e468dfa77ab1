"""A student that begins with some modules of another network: in the model, in a row, beside any method."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from kdbench.compose import compose
from kdbench.engine.lineage import check_lineage
from kdbench.models import Distillation
from kdbench.spec import IncompatibleError, MissingWeightsError

from .toys import DATA, ToyInertial

CONFIGS = Path(__file__).parents[2] / "configs"
FILE = "work_dirs/baseline/utd_views_frame_asl_{}/seed{}/student.safetensors"


@pytest.fixture
def source(tmp_path):
    torch.manual_seed(5)
    network = ToyInertial(num_classes=5)
    save_file(network.state_dict(), tmp_path / "teacher.safetensors")
    return network


def started(tmp_path, modules=("body",), **options):
    torch.manual_seed(0)
    start = {"weights": str(tmp_path / "teacher.safetensors"), "modules": modules}
    return Distillation(data=DATA, student={"type": "ToyInertial", "start": start}, **options)


def test_the_modules_named_come_from_the_file_and_the_others_do_not(tmp_path, source):
    student, fresh = started(tmp_path).student, started(tmp_path, load_weights=False).student
    assert torch.equal(student.body.weight, source.body.weight)
    assert torch.equal(student.fc.weight, fresh.fc.weight)
    assert not torch.equal(student.fc.weight, source.fc.weight)
    assert student.body.weight.requires_grad
    both = started(tmp_path, modules=("body", "fc")).student
    assert torch.equal(both.fc.weight, source.fc.weight)


def test_a_start_goes_with_a_method(tmp_path, source):
    model = started(
        tmp_path,
        teacher={"type": "ToyInertial", "weights": str(tmp_path / "teacher.safetensors")},
        distiller={"type": "KD"},
    )
    assert torch.equal(model.student.body.weight, model.teacher.body.weight)
    assert not torch.equal(model.student.fc.weight, model.teacher.fc.weight)


def test_whole_weights_go_before_a_start(tmp_path, source):
    other = ToyInertial(num_classes=5)
    save_file(other.state_dict(), tmp_path / "whole.safetensors")
    start = {"weights": str(tmp_path / "absent.safetensors"), "modules": ("body",)}
    student = {"type": "ToyInertial", "weights": str(tmp_path / "whole.safetensors"), "start": start}
    assert torch.equal(Distillation(data=DATA, student=student).student.body.weight, other.body.weight)


def test_a_start_that_does_not_fit_is_refused(tmp_path, source):
    with pytest.raises(
        MissingWeightsError, match=r"'head' of .*teacher.safetensors does not fit ToyInertial"
    ):
        started(tmp_path, modules=("head",))
    save_file(ToyInertial(5, width=9).state_dict(), tmp_path / "teacher.safetensors")
    with pytest.raises(MissingWeightsError, match=r"(?s)'body' of .* does not fit ToyInertial: .*size mis"):
        started(tmp_path)
    (tmp_path / "teacher.safetensors").unlink()
    with pytest.raises(MissingWeightsError, match="there is no weight file"):
        started(tmp_path)
    student = {"type": "ToyInertial", "start": {"file": "x", "modules": ()}}
    with pytest.raises(ValueError, match="start of the student says file, modules; there is: weights"):
        Distillation(data=DATA, student=student)


@pytest.mark.parametrize("row", ["baseline/utd_views_asl_d_start", "vicokd/utd_views_asl_di_asl_d_start"])
def test_a_row_starts_from_the_file_of_the_part(row, monkeypatch):
    monkeypatch.chdir(CONFIGS.parent)
    config = compose(f"configs/{row}.py", seed=3)
    assert config.model.student.start == {"modules": ("encoders.depth",), "weights": FILE.format("di", 3)}
    assert config.row.starts_from is None
    plain = compose(f"configs/{row.removesuffix('_start')}.py", seed=3)
    assert "start" not in plain.model.student
    assert plain.row.sha256 != config.row.sha256
    own = compose(f"configs/{row}.py", student="asl_d_start_d", seed=4)
    assert own.model.student.start.weights == FILE.format("d", 4)


def test_a_start_in_a_smoke_run_may_be_absent_and_a_teacher_has_none(tmp_path, monkeypatch):
    monkeypatch.chdir(CONFIGS.parent)
    row = "configs/kd/utd_views_asl_di_asl_d_start.py"
    config = compose(row, smoke=True, seed=987)
    assert config.model.student.start.weights == "random"
    assert FILE.format("di", 987) in config.row.random_weights
    Distillation(**{key: value for key, value in config.model.items() if key != "type"})
    assert "start" not in compose(row, teacher="asl_d_start").model.teacher


def test_a_part_without_a_place_for_teachers_is_refused(monkeypatch):
    monkeypatch.chdir(CONFIGS.parent)
    monkeypatch.setattr("kdbench.compose.row.load", without_teachers(compose.__globals__["load"]))
    with pytest.raises(ValueError, match=r"starts from the part 'asl_di'; .*give start.weights"):
        compose("configs/baseline/utd_views_asl_d_start.py")


def without_teachers(load):
    def loaded(path):
        config = load(path)
        config.pop("teacher_weights", None)
        return config

    return loaded


def test_a_start_that_trained_on_other_subjects_is_refused(tmp_path, monkeypatch, source):
    found = {"row": "x", "labels": "frame labels", "protocol": "three-subject", "path": "teacher.safetensors"}
    monkeypatch.setattr("kdbench.engine.lineage.origin", lambda path: found)
    start = {"weights": str(tmp_path / "teacher.safetensors"), "modules": ("body",)}
    config = {"model": {"student": {"type": "ToyInertial", "start": start}}, "protocol": "cross-subject"}
    with pytest.raises(IncompatibleError, match="has protocol 'three-subject'; the row says 'cross-subject'"):
        check_lineage(config)
    check_lineage({**config, "protocol": "three-subject"})
