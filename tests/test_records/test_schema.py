"""What a record may say, and what is refused by name."""

import copy
import json
import re
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from kdbench.records import (
    Predictions,
    index_hash,
    json_schema,
    predictions_of,
    read_predictions,
    read_record,
    reasons_for_doubt,
    run_id,
    validated,
)
from kdbench.records import tested_on as hash_of_test_split
from kdbench.spec import InvalidDataError
from tests.test_records.made import HASH, record

ROOT = Path(__file__).parents[2]


def changed(path: str, value):
    made = record()
    *parents, last = path.split(".")
    node = made
    for key in parents:
        node = node[key]
    node[last] = value
    return made


def test_a_record_is_one():
    assert validated(record(), "here") == record()
    jsonschema.validate(record(), json_schema())


def test_a_record_of_the_first_version_is_read():
    old = {**record(), "schema_version": 1}
    del old["run_id"]
    for role in ("student", "teacher"):
        for field in ("modalities", "views"):
            del old[role][field]
    for field in ("lone_student", "starts_from"):
        del old["config"][field]
    assert validated(old, "here") == old


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("speed", 3, "speed: Extra inputs are not permitted"),
        ("data.manifest", "x", "data.manifest: Extra inputs are not permitted"),
        ("student.sha256", "beef", "student.sha256: String should match pattern '^[0-9a-f]{64}$'"),
        ("train.wall_seconds", -1, "train.wall_seconds: Input should be greater than or equal to 0"),
        ("metrics", {"top1": "good"}, "metrics.top1: Input should be a valid number"),
        ("run_id", None, "the whole: Value error, a record of version 2 has a run_id"),
        ("primary", "mAP", "the whole: Value error, the primary metric 'mAP' is not among: top1, top5"),
        ("predictions", {"path": "../x", "sha256": HASH, "n": 1}, "predictions.path: String should match"),
    ],
)
def test_what_a_record_may_not_say(path, value, message):
    with pytest.raises(InvalidDataError, match=f"^here is no record of a run:\n  - {re.escape(message)}"):
        validated(changed(path, value), "here")


def test_an_unknown_version_or_ending():
    with pytest.raises(InvalidDataError, match=r"^here has layout 9; this version reads 1 and 2$"):
        validated({**record(), "schema_version": 9}, "here")
    with pytest.raises(InvalidDataError, match="'diverged', 'failed', 'preempted', 'invalid'"):
        validated({**record(), "status": "fine"}, "here")


def test_a_failure_holds_no_metric():
    failure = {
        key: record()[key] for key in ("schema_version", "row", "config", "seed", "epochs", "steps", "repro")
    }
    failure |= {"status": "failed", "reason": "killed", "run_id": HASH}
    jsonschema.validate(validated(failure, "here"), json_schema())
    with pytest.raises(InvalidDataError, match="metrics: Extra inputs are not permitted"):
        validated({**failure, "metrics": {}}, "here")


def test_the_published_schema_is_that_of_the_models():
    assert json.loads((ROOT / "docs/result.schema.json").read_text()) == json_schema()


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=4),
        max_leaves=8,
    ),
    st.sampled_from(
        ["", "data", "student", "metrics", "config", "repro", "predictions", "schema_version", "status"]
    ),
)
def test_whatever_a_file_holds_it_is_read_or_refused(tmp_path_factory, value, part):
    path = tmp_path_factory.getbasetemp() / "result.yml"
    path.write_text(yaml.safe_dump({**record(), part: value} if part else value))
    try:
        said = read_record(path)["file"]
    except InvalidDataError as error:
        said = str(error)
    assert str(path) in said


def test_a_file_that_is_not_there_or_no_yaml(tmp_path):
    for text in (None, "a: [", "\x00"):
        path = tmp_path / "result.yml"
        if text is not None:
            path.write_text(text)
        with pytest.raises(InvalidDataError, match=f"^{re.escape(str(path))} cannot be read"):
            read_record(path)


def test_the_id_is_of_what_was_found_not_of_when():
    one = record()
    other = copy.deepcopy(one)
    other["train"]["wall_seconds"] += 100
    other["repro"] |= {"created_utc": "2027", "command": "python tools/train.py --resume"}
    assert run_id(other) == run_id({**one, "file": "elsewhere"}) == one["run_id"]
    for path, value in (
        ("metrics.top1", 90.1),
        ("seed", 1),
        ("repro.git_commit", "def"),
        ("data.labels", "few"),
    ):
        assert run_id(changed(path, value)) != one["run_id"]


def test_the_id_survives_the_file(tmp_path):
    (tmp_path / "result.yml").write_text(yaml.safe_dump(record(top1=0.1 + 0.2)))
    found = read_record(tmp_path / "result.yml")
    assert run_id(found) == found["run_id"]


def saved(folder: Path, name: str = "predictions.safetensors", **columns) -> Path:
    rng = np.random.default_rng(0)
    made = {
        "score": rng.random((6, 3)).astype(np.float16),
        "target": rng.integers(0, 3, 6),
        "index": np.arange(6),
        **columns,
    }
    save_file(made, folder / name)
    return folder / name


def test_predictions_are_read_and_checked(tmp_path):
    import hashlib

    path = saved(tmp_path, group=np.array([0, 0, 1, 1, 2, 2]))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    found = read_predictions(path, digest)
    assert found.score.shape == (6, 3)
    assert found.group.tolist() == [0, 0, 1, 1, 2, 2]
    with pytest.raises(InvalidDataError, match=r"is not the file that result\.yml beside it names$"):
        read_predictions(path, HASH)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(InvalidDataError, match="cannot be read"):
        read_predictions(path)


def test_predictions_of_a_record_that_was_set_aside(tmp_path):
    import hashlib

    path = saved(tmp_path, "predictions.0123abcd.safetensors")
    about = {
        "path": "predictions.safetensors",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "n": 6,
    }
    made = {**record(), "predictions": about}
    assert predictions_of({**made, "file": str(tmp_path / "result.0123abcd.yml")}).source == str(path)
    assert predictions_of({**made, "file": str(tmp_path / "result.yml")}) is None
    assert predictions_of({**record(), "file": str(tmp_path / "result.yml")}) is None


def test_what_makes_a_row_unreliable():
    three = [record(seed=seed) for seed in range(3)]
    assert reasons_for_doubt(three, [HASH] * 3) == []
    three[1]["repro"]["git_dirty"] = True
    three[2]["repro"]["git_commit"] = None
    assert reasons_for_doubt(three, [HASH, None, HASH]) == [
        "uncommitted changes",
        "unknown commit",
        "unknown test data",
    ]
    assert reasons_for_doubt(three[:1], [HASH]) == ["fewer than 3 seeds"]


def test_a_teacher_read_from_a_cache_is_said_and_its_top_alone_is_doubted():
    form = {"key": HASH, "dtype": "float16", "taps": ["logits"], "records": 9, "draws": None, "top_k": None}
    cached = validated({**record(), "teacher_cache": form}, "here")
    assert run_id(cached) != run_id(record())
    top = validated({**record(), "teacher_cache": {**form, "top_k": 3}}, "here")
    assert reasons_for_doubt([cached] * 3, [HASH] * 3) == []
    assert reasons_for_doubt([cached, cached, top], [HASH] * 3) == [
        "a teacher of which only the top logits were kept"
    ]
    with pytest.raises(InvalidDataError, match=r"teacher_cache\.dtype"):
        validated({**record(), "teacher_cache": {**form, "dtype": "int8"}}, "here")


def test_the_hash_of_the_test_split_is_that_of_the_predictions():
    target = np.array([2, 0, 1])
    predictions = Predictions(np.zeros((3, 3)), target, np.arange(3))
    assert (
        hash_of_test_split(record(), predictions) == index_hash(target) == index_hash(target.astype(np.int32))
    )
    assert hash_of_test_split(record(index_sha256={"test": HASH}), predictions) == HASH
    assert hash_of_test_split(record(), None) is None
    assert index_hash(target) != index_hash(target[:, None])
