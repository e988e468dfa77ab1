"""What is published: which files, what the card says, what is refused, and that it gives the recorded score again."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import torch
import yaml
from huggingface_hub import ModelCard, parse_eval_result_entries
from safetensors.torch import load_file

from kdbench.compose import compose
from kdbench.publishing import disagreements, enter_weights, load, publish
from kdbench.publishing.artefact import _takes_part
from kdbench.weights import file_hash
from tests.test_publishing.made import REASON, artefact, copied, run, seal, weights_of
from tests.toy_project import ROOT, command

UTD = Path(os.environ.get("KDBENCH_DATA_ROOT", "/nowhere"), "utd_mhad")


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)  # paths of rows are relative to the project


@pytest.fixture
def changed_run(tmp_path: Path) -> Callable[[Callable[[dict[str, Any]], Any]], Path]:
    """A copy of the run with another result."""

    def make(change: Callable[[dict[str, Any]], Any]) -> Path:
        folder = Path(shutil.copytree(run(), tmp_path / "run" / "seed0"))
        result = yaml.safe_load((folder / "result.yml").read_text())
        change(result)
        (folder / "result.yml").write_text(yaml.safe_dump(result))
        return folder

    return make


def test_an_artefact_has_weights_named_by_their_hash_and_says_everything_about_them() -> None:
    folder, record = artefact(), yaml.safe_load((run() / "result.yml").read_text())
    weights = weights_of(folder)
    assert weights.name == f"kd_rooms_view_av_view_v-{record['student']['sha256'][:8]}.safetensors"
    assert file_hash(weights) == record["student"]["sha256"]
    assert (folder / "result.yml").read_bytes() == (run() / "result.yml").read_bytes()
    assert sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()) == [
        ".eval_results/rooms.yaml",
        "README.md",
        "artefact.json",
        "config.json",
        weights.name,
        "result.yml",
    ]


def test_the_card_gives_the_scores_back_to_the_hub_s_own_reader() -> None:
    record = yaml.safe_load((run() / "result.yml").read_text())
    card = ModelCard.load(artefact() / "README.md")
    last = [r for r in card.data.eval_results if r.dataset_args["rule"] == "last epoch"]
    assert {r.metric_name: r.metric_value for r in last} == {
        name: round(value, 4) for name, value in record["metrics"].items()
    }
    assert card.data.license == "apache-2.0"
    entries = yaml.safe_load((artefact() / ".eval_results" / "rooms.yaml").read_text())
    (entry,) = parse_eval_result_entries(entries)
    assert entry.value == round(record["metrics"][record["primary"]], 4)
    assert entry.dataset_id == "kdbench/rooms"


def test_the_card_says_how_it_was_made_and_what_it_is_not() -> None:
    record = yaml.safe_load((run() / "result.yml").read_text())
    text = (artefact() / "README.md").read_text()
    assert record["repro"]["command"] in text
    assert record["repro"]["git_commit"] in text
    assert "synthetic" in text
    assert f"Labels that the student saw: {record['data']['labels']}." in text
    assert "it is a smoke run, which measures nothing" in text
    assert f"Published all the same: {REASON}." in text


def test_the_loaded_student_is_the_trained_one() -> None:
    loaded = load(artefact())
    torch.testing.assert_close(loaded.student.state_dict(), load_file(run() / "student.safetensors"))
    assert not loaded.student.training
    assert "teacher" not in loaded.config.model


def test_the_tool_tests_an_artefact_and_finds_the_recorded_scores(tmp_path: Path) -> None:
    done = command(ROOT, "test", str(artefact()), "--work-dir", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("as published\n")
    again = yaml.safe_load((tmp_path / "result.yml").read_text())
    assert not disagreements(yaml.safe_load((run() / "result.yml").read_text()), again["metrics"])
    assert again["student"]["sha256"] is None or again["row"] == "kd/rooms_view_av_view_v"
    load(artefact())  # nothing was written into it


def test_scores_that_are_not_the_recorded_ones_are_said(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    record = yaml.safe_load((folder / "result.yml").read_text())
    wrong = record["metrics"]["mAP_C"] = record["metrics"]["mAP_C"] + 1
    (folder / "result.yml").write_text(yaml.safe_dump(record))
    seal(folder)
    done = command(ROOT, "test", str(folder), "--work-dir", str(tmp_path / "out"))
    assert done.returncode == 2
    assert "the scores are not those that were published: mAP_C is " in done.stderr
    assert f"recorded was {wrong:.4f}" in done.stderr


def test_an_artefact_takes_no_swaps() -> None:
    done = command(ROOT, "test", str(artefact()), "--student", "view_v_small", "--seed", "0")
    assert done.returncode == 2
    assert done.stderr == "error: a published artefact is tested as it is; leave out: student, seed\n"


def test_publishing_again_changes_nothing_and_other_content_is_refused(tmp_path: Path) -> None:
    folder = publish(run(), tmp_path, force=REASON)
    assert (folder / "artefact.json").read_bytes() == (artefact() / "artefact.json").read_bytes()
    written = folder.stat().st_mtime_ns
    publish(run(), tmp_path, force=REASON)
    assert folder.stat().st_mtime_ns == written
    with pytest.raises(ValueError, match="holds something else; move it away"):
        publish(run(), tmp_path, force="another reason")
    assert REASON in (folder / "README.md").read_text()
    assert [p.name for p in tmp_path.iterdir()] == [folder.name]


def test_a_failure_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    with (
        patch("kdbench.publishing.artefact.card", side_effect=OSError("no space left on device")),
        pytest.raises(OSError, match="no space"),
    ):
        publish(run(), tmp_path, force=REASON)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r["repro"].update(git_dirty=True), "uncommitted changes"),
        (lambda r: r["repro"].update(git_commit=None), "no commit is known"),
        (lambda r: r.update(flags={"unreliable": True, "reason": "a broken disk"}), "flagged: a broken disk"),
        (lambda r: None, "it is a smoke run"),
    ],
)
def test_unreliable_runs_are_refused_with_the_reason(
    change: Callable, message: str, changed_run: Callable, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        publish(changed_run(change), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r.update(status="diverged"), "ended as 'diverged' and has no student"),
        (lambda r: r["student"].update(sha256="0" * 64), "is not what .* speaks of"),
        (lambda r: r["config"].update(sha256="0" * 64), "has changed since"),
    ],
)
def test_what_cannot_be_published_is_refused_even_with_a_reason(
    change: Callable, message: str, changed_run: Callable, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        publish(changed_run(change), tmp_path / "out", force=REASON)


def test_methods_that_take_part_in_inference_are_known() -> None:
    simkd = compose("configs/simkd/utd_skeleton_cnn_inertial_cnn.py").model.distiller
    kd = compose("configs/kd/utd_skeleton_cnn_inertial_cnn.py").model.distiller
    assert _takes_part(simkd)
    assert not _takes_part(kd)
    assert _takes_part({"type": "Sum", "methods": [kd, simkd]})
    assert not _takes_part(compose("configs/sum/utd_skeleton_cnn_depth_cnn.py").model.distiller)


def test_text_of_a_record_is_no_markup_on_the_card(changed_run: Callable, tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script> [x](javascript:y) `z` | \n# heading"
    folder = changed_run(
        lambda r: (r["data"].update(labels=hostile), r["repro"].update(command="a\n```\n<b>"))
    )
    text = (publish(folder, tmp_path / "out", force=REASON) / "README.md").read_text()
    body = text.split("\n---\n", 1)[1]
    assert "<script>" not in body
    assert "\n# heading" not in body
    assert "[x](javascript" not in body
    assert r"\[x\](javascript" in body
    assert "````bash\na\n```\n<b>\n````" in body


def test_the_metafile_says_where_the_weights_are(tmp_path: Path) -> None:
    record = yaml.safe_load((run() / "result.yml").read_text())
    weights = [
        {"Seed": seed, "SHA256": sha} for seed, sha in ((0, record["student"]["sha256"]), (1, "f" * 64))
    ]
    models = [{"Name": record["row"], "Weights": weights}, {"Name": "kd/other", "Weights": weights[1:]}]
    path = tmp_path / "metafile.yml"
    path.write_text(yaml.safe_dump({"Collections": [], "Models": models}))
    enter_weights(path, record, "a-01234567.safetensors", "https://hub/a")
    first, second = yaml.safe_load(path.read_text())["Models"]
    assert first["Weights"][0] == {**weights[0], "File": "a-01234567.safetensors", "Link": "https://hub/a"}
    assert first["Weights"][1] == weights[1]
    assert second == models[1]
    with pytest.raises(ValueError, match=r"has no entry kd/absent; record the row first"):
        enter_weights(path, {**record, "row": "kd/absent"}, "a", None)
    with pytest.raises(ValueError, match="lists other weights"):
        enter_weights(path, {**record, "seed": 1}, "a", None)


def test_the_tool_warns_of_few_seeds_and_prints_the_folder(tmp_path: Path) -> None:
    done = command(ROOT, "publish", str(run()), "--to", str(tmp_path), "--force", REASON)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{tmp_path / artefact().name}\n"
    assert done.stderr == "the row has 1 of 3 seeds; the card says that it is one run\n"
    refused = command(ROOT, "publish", str(tmp_path / "nothing"), "--to", str(tmp_path))
    assert refused.returncode == 2
    assert "give the folder of a run" in refused.stderr


@pytest.mark.slow
@pytest.mark.skipif(not UTD.is_dir(), reason="UTD-MHAD is not under $KDBENCH_DATA_ROOT")
@pytest.mark.parametrize(
    "row", ["configs/baseline/utd_inertial_cnn.py", "configs/classical/utd_inertial_ridge.py"]
)
def test_a_student_trained_on_real_recordings_gives_its_score_again(row: str, tmp_path: Path) -> None:
    few = [] if "classical" in row else ["--cfg-options", "train_cfg.max_epochs=3"]
    folder = tmp_path / "seed0"
    done = command(ROOT, "train", row, "--seed", "0", "--work-dir", str(folder), *few)
    assert done.returncode == 0, done.stderr
    place = publish(folder, tmp_path / "out", force="a test")
    tested = command(ROOT, "test", str(place), "--work-dir", str(tmp_path / "again"))
    assert tested.returncode == 0, tested.stderr
    scores = [
        yaml.safe_load((tmp_path / name / "result.yml").read_text())["metrics"]["top1"]
        for name in ("seed0", "again")
    ]
    assert scores[0] == pytest.approx(scores[1], abs=1e-6)
    assert scores[0] > 30
    assert json.loads((place / "config.json").read_text())["protocol"] == "cross-subject"
