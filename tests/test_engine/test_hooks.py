"""Guards, ramps, targets, the log."""

import json

import pytest
import torch
from mmengine.hooks import Hook
from safetensors.torch import load_file

from kdbench.distillers import CrossView
from kdbench.engine import DivergedError, Ramp, TeacherChangedError
from kdbench.engine.checkpoint import checkpoints, read_checkpoint
from kdbench.engine.log import HISTORY, extend_history

from . import toy


def test_a_broken_sample_stops_training_by_name_and_the_last_good_checkpoint_stays(tmp_path):
    run = toy.runner(tmp_path, dataset=toy.Points(broken=17), norm=False)
    order = run.build_dataloader(toy.loader(toy.Points()), seed=0).sampler
    order.set_epoch(0)
    step = list(order.order(0)).index(17) // 8 + 1
    with pytest.raises(
        DivergedError, match=rf"the loss is nan in step {step}; samples of that batch: \[.*\b17\b.*\]"
    ) as stop:
        run.train()
    assert stop.value.exit_code == 4
    for path in checkpoints(tmp_path):
        state = read_checkpoint(path)
        assert state["meta"]["iter"] < step
        assert all(w.isfinite().all() for w in state["state_dict"].values())


class Break(Hook):
    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter == 4:
            runner.model.student[0].weight.data[0, 0] = float("inf")


def test_broken_weights_are_not_saved(tmp_path):
    with pytest.raises(
        DivergedError, match=r"weights student\.0\.weight are not finite|the loss is nan in step 6"
    ):
        toy.runner(tmp_path, hooks=[Break()]).train()
    assert [path.name for path in checkpoints(tmp_path)] == ["step_3.safetensors"]


class Touch(Hook):
    def __init__(self, what):
        self.what = what

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.what(runner.model.teacher)


@pytest.mark.parametrize(
    ("what", "message"),
    [
        (lambda t: t.train(), "is in train mode"),
        (lambda t: t.requires_grad_(True), "takes gradients"),
        (lambda t: t[0].bias.add_(1), "has changed weights"),
    ],
)
def test_the_teacher_only_looks_on(tmp_path, what, message):
    with pytest.raises(TeacherChangedError, match=message):
        toy.runner(tmp_path, hooks=[Touch(what)]).train()


def test_a_change_behind_the_version_counter_is_found_at_the_end(tmp_path):
    with pytest.raises(TeacherChangedError, match="has changed weights"):
        toy.runner(tmp_path, hooks=[Touch(lambda t: t[0].bias.data.add_(1))]).train()


def test_the_distiller_gets_the_training_labels(tmp_path):
    run = toy.runner(tmp_path)
    run.train()
    assert run.model.distiller.labels.tolist() == toy.Points().labels.tolist()


def test_a_ramp_is_a_function_of_time():
    ramp = Ramp("model.distill_weight", start=1.0, end=3.0, begin=2, until=4)
    assert [ramp.value(t) for t in (0, 2, 3, 4, 9)] == [1, 1, 2, 3, 3]
    assert Ramp("x.y", 0, 1, until=2, curve="cosine").value(0.5) == pytest.approx(0.1464466)
    assert Ramp("x.y", 0, 1, until=1, curve="sigmoid").value(1) == 1


class Watch(Hook):
    def __init__(self):
        self.seen = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.seen.append(runner.model.distill_weight)


def test_a_ramp_moves_a_weight_of_the_model(tmp_path):
    watch = Watch()
    ramp = dict(type="Ramp", path="model.distill_weight", start=0.0, end=1.0, until=2)
    toy.runner(tmp_path, hooks=[ramp, watch]).train()
    assert watch.seen == [min(step / 16, 1.0) for step in range(32)]


def test_a_ramp_to_nowhere_says_what_there_is(tmp_path):
    with pytest.raises(ValueError, match="a Toy has no 'distil_weight'; did you mean: distill_weight"):
        toy.runner(tmp_path, hooks=[Ramp("model.distil_weight", 0, 1, until=1)]).train()
    with pytest.raises(ValueError, match="no curve is called 'linaer'; did you mean: linear"):
        Ramp("a.b", 0, 1, until=1, curve="linaer")
    with pytest.raises(ValueError, match="no hook is called 'Rmp'; did you mean"):
        toy.runner(tmp_path, hooks=[dict(type="Rmp")])


def test_a_ramp_of_a_term_that_was_left_out_is_an_error(tmp_path):
    run = toy.runner(tmp_path, hooks=[Ramp("model.distiller.contrast", 0, 1, until=1)])
    run.model.distiller = CrossView(contrast=0.0)
    with pytest.raises(
        ValueError, match="this CrossView was built without 'contrast', whose weight was 0; give"
    ):
        run.train()


def test_the_history_holds_every_step_and_the_logs_are_json_lines(tmp_path):
    run = toy.runner(tmp_path, default_hooks=dict(log=dict(interval=3)))
    run.train()
    history = json.loads((tmp_path / HISTORY).read_text())
    assert len(history["train/loss"]) == len(history["train/lr"]) == len(history["train/grad_norm"]) == 32
    assert len(history["val/toy/accuracy"]) == 2
    assert history["val/epoch"] == [2, 4]
    assert not [key for key in history if key.endswith("time")]
    lines = [
        json.loads(line) for line in next(tmp_path.glob("*/vis_data/scalars.json")).read_text().splitlines()
    ]
    assert [line["step"] for line in lines if "loss" in line] == [3, 6, 11, 14, 19, 22, 27, 30]
    assert lines[0]["loss"] == pytest.approx(sum(history["train/loss"][:3]) / 3)


def test_a_history_grows_as_if_one_by_one(tmp_path):
    hub = toy.runner(tmp_path).message_hub
    extend_history(hub, "a", [1.0, 2.0])
    extend_history(hub, "a", [3.0])
    extend_history(hub, "a", [4.0, 5.0])
    values, counts = hub.get_scalar("a").data
    assert values.tolist() == [1, 2, 3, 4, 5]
    assert counts.tolist() == [1] * 5


def test_validation_does_not_disturb_training(tmp_path):
    settings = (
        dict(train_cfg=dict(max_epochs=4, val_interval=1)),
        dict.fromkeys(("val_cfg", "val_dataloader", "val_evaluator")),
    )
    one, other = (
        toy.runner(tmp_path / str(k), **more).train().state_dict() for k, more in enumerate(settings)
    )
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_workers_do_not_change_the_run(tmp_path):
    one, other = (toy.runner(tmp_path / str(k), workers=k).train().state_dict() for k in (0, 2))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_run_of_no_epochs_keeps_its_weights_and_writes_the_student(tmp_path):
    run = toy.runner(tmp_path, epochs=0, param_scheduler=None)
    before = {name: value.clone() for name, value in run.model.student.state_dict().items()}
    run.train()
    after = load_file(tmp_path / "student.safetensors")
    assert set(after) == set(before)
    assert all(torch.equal(after[name], before[name]) for name in before)
