"""The benchmark of the teacher cache compares what it says."""

import pytest
import torch

from benchmarks import cache


@pytest.mark.parametrize("pair", cache.PAIRS)
def test_all_three_train_the_same_student_and_only_one_has_a_teacher(pair) -> None:
    models = {how: cache.model(pair, how) for how in ("alone", "cached", "live")}
    first = models["alone"].student.state_dict()
    for network in models.values():
        assert all(torch.equal(value, first[name]) for name, value in network.student.state_dict().items())
    assert [how for how, network in models.items() if network.teacher is not None] == ["live"]


def test_a_cached_step_learns_from_what_was_read(tmp_path) -> None:
    lessons = cache.cache(tmp_path, {"logits": (27,)}, clips=cache.CLIPS, epochs=1)
    asked = []
    run = cache.step(
        cache.model("skeleton to inertial", "cached"), lambda *what: asked.append(what) or lessons(0, what[1])
    )
    losses = run()
    assert losses["loss_kd"].isfinite()
    assert len(asked) == 1
    assert asked[0][1].shape == (cache.BATCH,)
