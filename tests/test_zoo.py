import copy
import hashlib
import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from safetensors.numpy import save_file

from kdbench.records import Predictions
from kdbench.spec import InvalidDataError
from kdbench.statistics import measured
from kdbench.zoo import (
    BEGIN,
    END,
    alike,
    between_markers,
    fold,
    interval_of,
    label_setting,
    metafile_text,
    model_zoo,
    read_metafile,
    read_published,
    read_results,
    readme_tables,
    with_model,
)
from tests.test_records.made import HASH, record


def result(row="kd/utd_a_b", seed=0, top1=90.0, teacher_top1=96.0, **data):
    made = record(row, seed, top1, teacher_top1, index_sha256={"test": HASH}, **data)
    return {**made, "file": f"work_dirs/{row}/seed{seed}/result.yml"}


def metafile(*groups):
    made = {"Collections": [], "Models": []}
    for group in groups:
        made = with_model(made, fold(group), "Distilling (Hinton et al., 2014)")
    return made


def seeds(row="kd/utd_a_b", scores=(90.0, 91.0, 92.0), **data):
    return [result(row, seed, score, **data) for seed, score in enumerate(scores)]


def lines(text):
    found = [line for line in text.splitlines() if line.startswith("| ")]
    return [line for line in found if not line.startswith(("| method", "| ---"))]


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_fold_keeps_every_seed():
    entry = fold(seeds())
    found = entry["Results"][0]
    assert found["Metrics"] == {"top1": 91.0, "top5": 99.0}
    assert found["Std"] == {"top1": 1.0, "top5": 0.0}
    assert found["Seeds"][2] == {"top1": 92.0, "top5": 99.0}
    assert entry["Metadata"]["Seconds"] == 21.4
    assert entry["Metadata"]["Parameters"] == 298_027
    assert entry["Metadata"]["Teacher"]["Seeds"][0] == {"top1": 96.0}
    assert entry["Metadata"]["Dirty"] is False


def test_one_dirty_seed_flags_the_row():
    group = seeds()
    group[1]["repro"]["git_dirty"] = True
    assert fold(group)["Metadata"]["Dirty"] is True
    assert cells(lines(model_zoo([metafile(group)]))[0])[0] == "kd‡"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"epochs": 30},
            "work_dirs/kd/utd_a_b/seed0/result.yml has epochs 60; work_dirs/kd/utd_a_b/seed1/result.yml has 30",
        ),
        (
            {"status": "diverged", "reason": "the loss is nan in step 3"},
            "work_dirs/kd/utd_a_b/seed1/result.yml is of a run that ended as 'diverged': the loss is nan in step 3",
        ),
        (
            {"config": {**result()["config"], "smoke": True}},
            "work_dirs/kd/utd_a_b/seed1/result.yml is of a smoke run, which measures nothing",
        ),
        (
            {"data": {**result()["data"], "num_labelled": 215}},
            "work_dirs/kd/utd_a_b/seed0/result.yml has data.num_labelled 431; "
            "work_dirs/kd/utd_a_b/seed1/result.yml has 215",
        ),
    ],
)
def test_results_that_do_not_belong_together_are_refused(change, message):
    group = [result(), {**result(seed=1), **change}]
    text = f"these results are not recorded:\n  - {message}"
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        fold(group)


def test_a_folder_without_results(tmp_path):
    with pytest.raises(ValueError, match=r"holds no seed\*/result.yml; make one with tools/train.py$"):
        read_results(tmp_path)


def test_results_are_read_by_seed(tmp_path):
    for seed in (10, 9):
        folder = tmp_path / f"seed{seed}"
        folder.mkdir()
        (folder / "result.yml").write_text(yaml.safe_dump(record(seed=seed)))
    assert [found["seed"] for found in read_results(tmp_path)] == [9, 10]


def test_a_metafile_is_sorted_and_keeps_what_people_wrote(tmp_path):
    made = metafile(seeds("kd/utd_z_b"), seeds("kd/utd_a_b"))
    made["Collections"][0]["Paper"]["URL"] = "https://arxiv.org/abs/1503.02531"
    made = with_model(made, fold(seeds("kd/utd_z_b", scores=(80.0,))), "Distilling (Hinton et al., 2014)")
    assert [model["Name"] for model in made["Models"]] == ["kd/utd_a_b", "kd/utd_z_b"]
    assert made["Models"][1]["Results"][0]["Metrics"]["top1"] == 80.0
    assert made["Collections"][0]["Paper"]["URL"] == "https://arxiv.org/abs/1503.02531"
    path = tmp_path / "metafile.yml"
    path.write_text(metafile_text(made))
    assert read_metafile(path) == made
    assert metafile_text(read_metafile(path)) == metafile_text(made)


def test_a_line_of_the_table():
    text = model_zoo([metafile(seeds("baseline/utd_b", scores=(88.0, 90.5, 89.0))), metafile(seeds())])
    assert text.count("### utd · cross-subject · all labels · top1") == 1
    lone, distilled = (cells(line) for line in lines(text))
    assert lone == [
        "baseline", "–", "b", "89.2 ± 1.3", "–", "86.0 to 92.3 t", "–", "3", "60", "21", "0.50", "298 k",
        "[config](configs/baseline/utd_b.py)",
    ]  # fmt: skip
    assert distilled == [
        "kd", "a (96.0 ± 0.0)", "b", "89.2 ± 1.3", "91.0 ± 1.0", "88.5 to 93.5 t", "+1.8 (3/3; p 0.13 t)",
        "3", "60", "21", "1.00", "298 k", "[config](configs/kd/utd_a_b.py)",
    ]  # fmt: skip


def test_a_cell_that_was_not_run():
    line = cells(lines(model_zoo([metafile(seeds(scores=(90.0,)))]))[0])
    assert line[3] == line[5] == line[6] == "–"
    assert line[4] == "90.0"


def test_peers_without_a_teacher_are_compared_with_one_of_them_alone():
    group = seeds("dml/utd_b_peers", scores=(91.0, 92.0, 93.0))
    for found in group:
        found["teacher"], found["data"]["teacher_labels"] = None, None
        found["config"]["parts"] = {"data": "utd", "student": "b_peers", "distiller": "dml"}
        found["config"]["lone_student"] = "b"
    text = model_zoo([metafile(seeds("baseline/utd_b")), metafile(group)])
    peers = next(cells(line) for line in lines(text) if line.startswith("| dml"))
    assert peers[1:5] == ["–", "b_peers", "91.0 ± 1.0", "92.0 ± 1.0"]
    assert peers[6] == "+1.0 (3/3)"


def test_cost_is_that_of_a_step_beside_kd_with_the_same_teacher():
    slow = [
        {**r, "train": {"wall_seconds": 1.0, "cpu_seconds": 45.0}, "steps": 420} for r in seeds("at/utd_a_b")
    ]
    other = [{**r, "train": {"wall_seconds": 1.0, "cpu_seconds": 80.0}} for r in seeds("kd/utd_0_b")]
    for found in other:
        found["config"] = {**found["config"], "parts": {**found["config"]["parts"], "teacher": "0"}}
    found = {cells(line)[0]: cells(line)[-3] for line in lines(model_zoo([metafile(slow, seeds())]))}
    assert found == {"at": "4.50", "kd": "1.00"}
    by_row = {cells(line)[-1]: cells(line)[-3] for line in lines(model_zoo([metafile(slow, seeds(), other)]))}
    assert by_row["[config](configs/at/utd_a_b.py)"] == "4.50"
    unknown = [{**r, "train": {"wall_seconds": 1.0}} for r in seeds("at/utd_a_b")]
    assert cells(lines(model_zoo([metafile(unknown, seeds())]))[0])[-3] == "–"


def test_gain_over_kd_is_of_the_same_seeds_and_only_beside_kd_with_the_same_teacher():
    rkd, kd = seeds("rkd/utd_a_b", scores=(92.0, 95.0, 94.0)), seeds("kd/utd_a_b", scores=(91.0, 96.0, 92.0))
    text = model_zoo([metafile(rkd, kd)])
    title = "gain over kd (seeds won; p)"
    place = next(cells(line) for line in text.splitlines() if title in line).index(title)
    assert {cells(line)[0]: cells(line)[place] for line in lines(text)} == {
        "kd": "–",
        "rkd": "+0.7 (2/3; p 0.53 t)",
    }
    for found in kd:
        found["config"] = {**found["config"], "parts": {**found["config"]["parts"], "teacher": "0"}}
    assert title not in model_zoo([metafile(rkd, kd)])


def test_a_second_metric_stands_beside_the_first_where_the_field_reports_both():
    group = [
        {**r, "primary": "mAP_C", "metrics": {"mAP_C": 60.0, "mAP_S": 70.0 + i}}
        for i, r in enumerate(seeds())
    ]
    text = model_zoo([metafile(group)])
    assert "| mAP_S 71.0 ± 1.0 |" in lines(text)[0]
    assert "mAP_S" not in model_zoo([metafile(seeds())])


def test_a_lone_student_with_another_budget_says_so():
    lone = [{**found, "epochs": 40} for found in seeds("baseline/utd_b")]
    assert cells(lines(model_zoo([metafile(lone), metafile(seeds())]))[1])[3] == "91.0 ± 1.0 (40 epochs)"


def test_a_teacher_that_saw_more_labels_has_a_table_of_its_own():
    few = {"labels": "subjects 1 3", "num_labelled": 215}
    groups = [
        seeds("baseline/utd_b", **few),
        seeds("kd/utd_a_b", **few, teacher_labels="subjects 1 3"),
        seeds("kd/utd2_a_b", **few, teacher_labels="all"),
    ]
    text = model_zoo([metafile(group) for group in groups]).partition("## Few labels")[0]
    assert re.findall(r"^### (.*)$", text, re.M) == [
        "utd · cross-subject · subjects 1 3 · top1",
        "utd · cross-subject · subjects 1 3, few labels for both · top1",
        "utd · cross-subject · subjects 1 3, labelled teacher · top1",
    ]
    assert [cells(line)[3] for line in lines(text)] == ["91.0 ± 1.0"] * 3
    assert label_setting("sequence labels", "frame labels") == (
        "sequence labels for the student, frame labels for the teacher"
    )


def test_swaps_changes_and_random_teachers_are_marked():
    group = seeds("kd/utd_a_b+student=c")
    for found in group:
        found["teacher"]["origins"] = []
    text = model_zoo([metafile(group)], changed={"kd/utd_a_b+student=c"})
    assert cells(lines(text)[0])[:2] == ["kd (student=c)†", "a (random)"]


def test_the_same_metafiles_give_the_same_bytes():
    files = [metafile(seeds("baseline/utd_b")), metafile(seeds())]
    assert model_zoo(files) == model_zoo(copy.deepcopy(files[::-1]))
    assert model_zoo([]).endswith("Nothing has been recorded yet.\n")


def test_a_readme_keeps_its_own_words():
    tables = readme_tables("kd", [metafile(seeds())])
    assert "[config](utd_a_b.py)" in tables
    text = between_markers("# KD\n\nOwn words.\n", tables)
    assert text.startswith("# KD\n\nOwn words.\n\n" + BEGIN)
    assert between_markers(text, tables) == text
    assert between_markers(f"a\n{BEGIN}\nold\n{END}\nb\n", "new\n") == f"a\n{BEGIN}\n\nnew\n\n{END}\nb\n"


def test_a_metric_that_is_no_number_has_no_spread():
    group = seeds()
    group[1]["metrics"]["ECE"] = float("nan")
    for other in (group[0], group[2]):
        other["metrics"]["ECE"] = 3.0
    found = fold(group)["Results"][0]
    assert str(found["Metrics"]["ECE"]) == "nan"
    assert found["Std"]["ECE"] is None
    assert found["Std"]["top1"] == 1.0


def test_results_of_two_configs_are_two_groups():
    one, two = seeds(), seeds(scores=(80.0, 81.0))
    for other in two:
        other["config"]["sha256"] = "other"
    assert alike([*one, *two]) == [one, two]
    assert alike([]) == []


def kept(entry, *others, interval=(88.0, 93.0), p=0.01):
    """The entry with what the metafile keeps of predictions."""
    entry["Results"][0]["Interval"] = {"Metric": "top1", "Interval": list(interval), "Method": "m"}
    entry["Results"][0]["Paired"] = [
        {"Against": other["Name"], "Students": {w["Seed"]: w["SHA256"][:8] for w in other["Weights"]},
         "Interval": [0.1, 3.0], "P": p}
        for other in others
    ]  # fmt: skip
    return entry


def table(*entries):
    metafile = {"Collections": [], "Models": list(entries)}
    return {cells(line)[0].rstrip("§"): cells(line) for line in lines(model_zoo([metafile]))}


def test_intervals_of_predictions_stand_in_the_place_of_those_over_seeds():
    lone, kd = fold(seeds("baseline/utd_b", scores=(88.0, 90.5, 89.0))), fold(seeds())
    found = table(lone, kept(kd, lone))
    assert found["kd"][5:7] == ["88.0 to 93.0", "+1.8 (3/3; p 0.010)"]
    assert found["baseline"][5] == "86.0 to 92.3 t"


def test_a_pair_that_was_computed_with_other_students_does_not_count():
    lone, kd = fold(seeds("baseline/utd_b", scores=(88.0, 90.5, 89.0))), fold(seeds())
    kept(kd, lone)
    lone["Weights"][1]["SHA256"] = "dead" + 60 * "0"
    assert table(lone, kd)["kd"][6] == "+1.8 (3/3; p 0.13 t)"


def test_rows_that_would_read_alike_say_their_data_parts():
    entries = [metafile(seeds("kd/utd_a_b"), seeds("kd/utd_strong_a_b"), seeds("at/utd_a_b"))]
    for model in entries[0]["Models"]:
        model["Metadata"]["Data"] = "utd_strong" if "strong" in model["Name"] else "utd"
    assert [cells(line)[0] for line in lines(model_zoo(entries))] == ["at", "kd on utd", "kd on utd_strong"]


def test_p_values_are_corrected_for_the_rows_of_the_table():
    lone = fold(seeds("baseline/utd_b", scores=(88.0, 90.5, 89.0)))
    rows = [
        kept(fold(seeds(f"{name}/utd_a_b")), lone, p=p)
        for name, p in (("at", 0.01), ("rkd", 0.03), ("sp", 0.5))
    ]
    found = table(lone, *rows)
    assert [found[name][6] for name in ("at", "rkd", "sp")] == [
        "+1.8 (3/3; p 0.030)", "+1.8 (3/3; p 0.060)", "+1.8 (3/3; p 0.50)"
    ]  # fmt: skip


def test_rows_of_another_budget_are_not_tested_against_each_other():
    lone = fold(seeds("baseline/utd_b", scores=(88.0, 90.5, 89.0)))
    longer = fold([{**found, "epochs": 120} for found in seeds("at/utd_a_b")])
    found = table(lone, kept(longer, lone, p=0.001), kept(fold(seeds("sp/utd_a_b")), lone, p=0.04))
    assert found["at"][6] == "+1.8 (3/3; other budget)"
    assert found["sp"][6] == "+1.8 (3/3; p 0.040)"


def test_scores_of_the_epochs_that_validation_selected_stand_beside_the_last():
    group = seeds()
    for found in group:
        found["selected"] = {
            "epoch": 40,
            "metric": "top1",
            "value": 80.0,
            "metrics": {"top1": 92.0 + found["seed"]},
        }
    text = model_zoo([metafile(group)])
    title = "selected by validation"
    place = next(cells(line) for line in text.splitlines() if title in line).index(title)
    assert cells(lines(text)[0])[place] == "93.0 ± 1.0"
    assert title not in model_zoo([metafile(seeds())])


def test_predictions_that_are_too_coarse_give_no_interval(tmp_path):
    """Sigmoids of a sure network, saved in half precision, are tied at 1: the ranking that was measured is lost."""
    rng = np.random.default_rng(0)
    target = rng.integers(0, 2, (80, 4))
    logit = 12 + 2 * target + rng.normal(0, 1, target.shape)
    single = (1 / (1 + np.exp(-logit))).astype(np.float32)
    single = np.nextafter(np.float32(1), np.float32(0)) - (1 - single) * np.float32(0.99)
    exact = measured("mAP_C", Predictions(single, target, np.arange(80)))
    made = record()
    made |= {"primary": "mAP_C", "metrics": {"mAP_C": exact}, "file": str(tmp_path / "result.yml")}
    found = {}
    for kind in (np.float32, np.float16):
        path = tmp_path / "predictions.safetensors"
        save_file({"score": single.astype(kind), "target": target, "index": np.arange(80)}, path)
        saved = {"path": path.name, "n": 80, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        found[kind] = interval_of([{**made, "seed": 0, "predictions": saved}])
    assert found[np.float32]["Interval"][0] < exact < found[np.float32]["Interval"][1]
    assert found[np.float16] is None


def test_what_makes_a_row_doubtful_is_marked():
    assert cells(lines(model_zoo([metafile(seeds(scores=(90.0, 91.0)))]))[0])[0] == "kd§"
    group = [{**found, "data": {**found["data"], "index_sha256": None}} for found in seeds()]
    entry = fold(group)
    assert entry["Metadata"]["Unreliable"] == ["unknown test data"]
    assert cells(lines(model_zoo([metafile(group)]))[0])[0] == "kd§"
    group = seeds()
    group[0]["data"]["index_sha256"] = {"test": "dead" + 60 * "0"}
    with pytest.raises(ValueError, match=r"^kd/utd_a_b: its seeds were tested on different clips or labels$"):
        fold(group)


def test_published_numbers_stand_apart(tmp_path):
    path = tmp_path / "published.yml"
    assert read_published(path) == ()
    number = {"method": "a|b", "network": "n", "scores": {"top1": 76.74}}
    entry = {"dataset": "utd", "protocol": "p", "source": "S 2022", "url": "https://s", "selection": "best"}
    path.write_text(yaml.safe_dump([{**entry, "numbers": [number]}]))
    text = model_zoo([metafile(seeds())], (), read_published(path))
    ours, theirs = text.split("## Published numbers")
    assert "76.74" not in ours
    assert "### Published: utd · p\n" in theirs
    assert "[S 2022](https://s). Selection: best.\n" in theirs
    assert "| a/b | n | top1 76.74 | – |" in theirs
    del entry["selection"]
    path.write_text(yaml.safe_dump([{**entry, "numbers": [number]}]))
    with pytest.raises(
        InvalidDataError, match=r"holds what is no published number:\n  - 0.selection: Field required"
    ):
        read_published(path)


def test_our_published_numbers_have_source_protocol_and_selection():
    found = read_published(Path(__file__).parent.parent / "configs/published.yml")
    assert {one.dataset for one in found} >= {"UTD-MHAD", "MM-Office", "CIFAR-100"}
    assert all(one.url.startswith("https://") for one in found)
