"""Specs, fields and registry look-ups: what their errors say."""

import pytest

from kdbench.registry import BACKBONES, find, near
from kdbench.spec import DataSpec, Fields, IncompatibleError, missing, refuse


def test_fields_are_read_by_attribute_and_a_miss_says_what_there_is() -> None:
    fields = Fields(logits=1, embedding=2)
    assert (fields.logits, fields.embedding) == (1, 2)
    with pytest.raises(AttributeError, match=r"no field 'embeding'; did you mean: embedding\?"):
        _ = fields.embeding
    with pytest.raises(AttributeError, match="no field 'zzz'; there is: embedding, logits"):
        _ = fields.zzz


def test_an_unknown_task_is_refused() -> None:
    with pytest.raises(ValueError, match="task 'multilabel' is unknown; there is: single-label, multi-label"):
        DataSpec(name="x", inputs={}, num_classes=2, task="multilabel")


def test_near_without_anything_known() -> None:
    assert near("x", []) == "there is: nothing"


def test_refuse_lists_every_problem_at_once() -> None:
    problems = [*missing("KD", "the teacher's", ("logits", "stages"), ("logits",)), "another"]
    with pytest.raises(IncompatibleError) as error:
        refuse("KD", "rooms", problems)
    assert str(error.value) == (
        "KD cannot run on rooms:\n  - KD reads the teacher's 'stages'; there is: logits\n  - another"
    )
    refuse("KD", "rooms", [])


def test_an_unknown_name_in_a_registry_has_near_matches() -> None:
    with pytest.raises(ValueError, match="no backbone is called 'NoSuchNetwork'; "):
        find(BACKBONES, "NoSuchNetwork")


@pytest.mark.parametrize("name", ["mmaction.MViT", "timm.resnet18"])
def test_a_bare_name_of_another_package_says_how_to_write_it(name):
    with pytest.raises(
        ValueError, match=rf"say type='External', network=dict\(name='{name}', width=\.\.\.\)"
    ):
        find(BACKBONES, name)
