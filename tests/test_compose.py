import re
import sys
from pathlib import Path

import pytest

from kdbench.compose import (
    compose,
    expected_stem,
    imported_parts,
    parse_options,
    parts,
    recompose,
    rows,
    work_dir,
)
from tests.toy_project import ALONE, ROW, TEACHER, write_project


@pytest.fixture(scope="module")
def toy_folder(tmp_path_factory):
    folder = write_project(tmp_path_factory.mktemp("project"))
    sys.path.insert(0, str(folder))
    yield folder
    sys.path.remove(str(folder))


@pytest.fixture(autouse=True)
def project(toy_folder, monkeypatch):
    monkeypatch.chdir(toy_folder)
    return toy_folder


def refused(message, *arguments, **keywords):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        compose(*arguments, **keywords)


def test_a_row_as_it_stands():
    config = compose(ROW)
    assert config.row.name == "wave_kd/waves_wave_skeleton_wave_inertial"
    assert config.row.swapped == {}
    assert config.row.parts == {
        "data": "waves",
        "schedule": "short",
        "teacher": "wave_skeleton",
        "student": "wave_inertial",
    }
    assert config.model.teacher.weights == "work_dirs/baseline/waves_wave_skeleton/seed0/student.safetensors"
    assert work_dir(config) == "work_dirs/wave_kd/waves_wave_skeleton_wave_inertial/seed0"


def test_a_swap_changes_the_model_and_the_name():
    config = compose(ROW, student="wave_inertial_wide", distiller="wave_hint", seed=3)
    assert config.model.student.width == 24
    assert config.model.distiller.type.__name__ == "WaveHint"
    assert config.row.name == (
        "wave_kd/waves_wave_skeleton_wave_inertial+student=wave_inertial_wide+distiller=wave_hint"
    )
    assert config.randomness.seed == config.row.seed == 3
    assert "seed3" in config.model.teacher.weights
    assert work_dir(config).endswith("+student=wave_inertial_wide+distiller=wave_hint/seed3")


def test_loss_weights_of_a_distillers_part_go_to_the_model(project):
    swapped = compose(ROW, distiller="wave_hint")
    assert swapped.model.distill_weight == 100.0
    assert "distill_weight" not in swapped.model.distiller
    row = project / ROW
    text = row.read_text()
    row.write_text(
        text.replace("distiller=distiller)", "distiller=distiller, task_weight=0.3, distill_weight=0.7)")
    )
    try:
        assert compose(ROW).model.distill_weight == 0.7
        assert (
            "task_weight" not in compose(ROW, distiller="wave_hint").model
        )  # was meant for the other method
        assert (
            compose(ROW, distiller="wave_hint", options={"model.distill_weight": 5.0}).model.distill_weight
            == 5.0
        )
    finally:
        row.write_text(text)


def test_whom_peers_are_compared_with_is_the_rows_and_not_a_swapped_students(project):
    path = project / ROW
    text = path.read_text()
    path.write_text(text + 'lone_student = "wave_inertial"\n')
    try:
        assert compose(ROW).row.lone_student == "wave_inertial"
        assert compose(ROW, student="wave_inertial_wide").row.lone_student is None
    finally:
        path.write_text(text)


def test_weights_of_a_part_are_for_its_use_as_a_teacher():
    assert (
        compose(ROW, teacher="wave_skeleton_wide", seed=5).model.teacher.weights == "zoo/wide-5.safetensors"
    )
    assert "weights" not in compose(TEACHER, student="wave_skeleton_wide").model.student


def test_a_swapped_teacher_comes_from_its_baseline(project):
    path = project / "configs/_base_/datasets/waves.py"
    text = path.read_text()
    path.write_text(text.replace("teacher_weights", "unused"))
    try:
        weights = compose(ROW, teacher="wave_inertial_wide").model.teacher.weights
        assert weights == "work_dirs/baseline/waves_wave_inertial_wide/seed0/student.safetensors"
        assert "weights" not in compose(ROW).model.teacher
    finally:
        path.write_text(text)


def test_options_are_set_where_they_stand():
    options = {
        "model.distiller.tau": 2,
        "model.student.scale": 0.5,
        "optim_wrapper.optimizer.weight_decay": 0.1,
        "param_scheduler.0.eta_min": 1e-5,
        "train_dataloader.num_workers": 1,
        "train_dataloader.drop_last": True,
        "optim_wrapper.clip_grad.norm_type": 1,
        "model.task_weight": 2.0,
        "model.student.taps": {"embedding": "body"},
        "model.data.num_train": 4,
        "auto_scale_lr": {"enable": False},
    }
    config = compose(ROW, options=options)
    assert config.model.distiller.tau == 2
    assert config.model.student.scale == 0.5
    assert config.param_scheduler[0].eta_min == 1e-5
    assert config.optim_wrapper.clip_grad == {"max_norm": 5.0, "norm_type": 1}
    assert config.row.options == options


def test_schedules_follow_the_number_of_epochs():
    config = compose(ROW, options={"train_cfg.max_epochs": 7})
    assert config.param_scheduler[0].T_max == 7
    assert config.train_cfg.val_interval == 1


def test_options_that_change_no_result_do_not_change_the_name():
    assert compose(ROW, options={"train_dataloader.num_workers": 2}).row.name == compose(ROW).row.name
    assert compose(ROW, options={"model.distiller.tau": 2.5}).row.name.endswith("+model.distiller.tau=2.5")
    long = {"model.student.weights": "a/very/long/path" * 10}
    assert re.search(r"\+[0-9a-f]{8}$", compose(ROW, options=long).row.name)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (
            "model.distiller.betta",
            "option 'model.distiller.betta': model.distiller takes no 'betta'; did you mean: tau?",
        ),
        (
            "model.distiller.ta",
            "option 'model.distiller.ta': model.distiller takes no 'ta'; did you mean: tau?",
        ),
        (
            "model.distiler.tau",
            "option 'model.distiler.tau': model has no 'distiler'; did you mean: distiller?",
        ),
        (
            "distiller.tau",
            "option 'distiller.tau' changes nothing that runs; did you mean: model.distiller.tau?",
        ),
        (
            "optim_wraper.optimizer.lr",
            "option 'optim_wraper.optimizer.lr' changes nothing that runs; did you mean: optim_wrapper?",
        ),
        (
            "optim_wrapper.optimizer.wd",
            "option 'optim_wrapper.optimizer.wd': optim_wrapper.optimizer takes no 'wd'; there is: amsgrad, betas, "
            "capturable, differentiable, eps, foreach, fused, lr, maximize, params, weight_decay",
        ),
        (
            "param_scheduler.1.eta_min",
            "option 'param_scheduler.1.eta_min': param_scheduler has 1 entries, counted from 0; '1' is none of them",
        ),
        (
            "model.distiller.tau.x",
            "option 'model.distiller.tau.x': model.distiller.tau is 3.0 and has no 'x'",
        ),
        (
            "train_cfg.max_epoch",
            "option 'train_cfg.max_epoch': train_cfg takes no 'max_epoch'; did you mean: max_epochs?",
        ),
        (
            "train_dataloader.batchsize",
            "option 'train_dataloader.batchsize': train_dataloader takes no 'batchsize'; "
            "did you mean: batch_size, batch_sampler, dataset?",
        ),
        (
            "model.student.tap",
            "option 'model.student.tap': model.student takes no 'tap'; did you mean: taps, start?",
        ),
    ],
)
def test_a_mistyped_option_is_refused(key, message):
    refused(message, ROW, options={key: 1})


def test_texts_that_are_no_options():
    with pytest.raises(
        ValueError, match=r"^'tau' is no option; write KEY=VALUE, such as model.distiller.tau=2$"
    ):
        parse_options(["tau"])
    assert parse_options(["a.b=[1,2]", "c=None", "d=1e-3"]) == {"a.b": [1, 2], "c": None, "d": 0.001}


def test_unknown_names_are_refused_with_near_ones():
    near = "wave_inertial, wave_inertial_wide, wave_skeleton"
    refused(f"no part in models is called 'wave_inertia'; did you mean: {near}?", ROW, student="wave_inertia")
    refused(
        "no part in distillers is called 'wave_dk'; did you mean: wave_kd, wave_hint?",
        ROW,
        distiller="wave_dk",
    )
    refused(
        "there is no config configs/baseline/waves_skeleton.py; did you mean: "
        "configs/baseline/waves_wave_skeleton.py, configs/baseline/waves_wave_inertial.py, "
        "configs/wave_kd/waves_wave_skeleton_wave_inertial.py?",
        "configs/baseline/waves_skeleton.py",
    )


def test_parts_are_unique(project):
    assert set(parts(Path("configs"), "models")) == {
        "wave_inertial",
        "wave_inertial_wide",
        "wave_skeleton",
        "wave_skeleton_wide",
    }
    double = project / "configs/_base_/models/more.py"
    double.write_text("wave_inertial = dict(type='WaveInertial')\n")
    try:
        refused(
            "the part 'wave_inertial' stands twice: in configs/_base_/models/inertial.py and in "
            "configs/_base_/models/more.py",
            ROW,
            student="wave_inertial",
        )
    finally:
        double.unlink()


def test_smoke_settings_and_absent_teachers(project):
    config = compose(ROW, smoke=True)
    assert config.train_cfg.max_epochs == 1
    assert config.param_scheduler[0].T_max == 1
    assert config.model.teacher.weights == "random"
    assert config.row.random_weights == ["work_dirs/baseline/waves_wave_skeleton/seed0/student.safetensors"]
    assert work_dir(config) == "work_dirs/smoke/wave_kd/waves_wave_skeleton_wave_inertial/seed0"
    file = project / "work_dirs/smoke/baseline/waves_wave_skeleton/seed0/student.safetensors"
    file.parent.mkdir(parents=True)
    file.touch()
    assert compose(ROW, smoke=True).model.teacher.weights == str(file.relative_to(project))
    assert (
        compose(ROW).model.teacher.weights
        == "work_dirs/baseline/waves_wave_skeleton/seed0/student.safetensors"
    )


def test_the_fingerprint_is_of_content_not_of_the_seed(project):
    sha = compose(ROW).row.sha256
    assert compose(ROW, seed=7).row.sha256 == sha
    assert compose(ROW, options={"model.distiller.tau": 2}).row.sha256 != sha
    assert compose(ROW, options={"train_dataloader.num_workers": 2, "log_level": "INFO"}).row.sha256 == sha
    assert recompose(compose(ROW, student="wave_inertial_wide", seed=2).row).row.seed == 2
    path = project / ROW
    text = path.read_text()
    path.write_text(text.replace("tau=3.0", "tau=3.5"))
    assert compose(ROW).row.sha256 != sha
    path.write_text(text.replace('"""Toy', '"""Other words: toy'))
    assert compose(ROW).row.sha256 == sha
    path.write_text(text)


def test_the_stem_of_a_row_is_what_it_imports():
    for row in rows(Path("configs")):
        assert row.stem == expected_stem(row)
    assert imported_parts(Path(ALONE)) == {"data": "waves", "student": "wave_inertial", "schedule": "short"}
