import copy
import re
import statistics

import pytest
import scipy.stats
import yaml

from kdbench.zoo import (
    BEGIN,
    END,
    alike,
    between_markers,
    fold,
    interval,
    label_setting,
    metafile_text,
    model_zoo,
    read_metafile,
    read_results,
    readme_tables,
    with_model,
)
from kdbench.zoo.statistics import t_quantile


def result(row="kd/utd_a_b", seed=0, top1=90.0, teacher_top1=96.0, **data):
    is_lone = row.startswith("baseline/")
    parts = {"data": "utd", "student": "b", **({} if is_lone else {"teacher": "a"})}
    origin = {"path": "t", "sha256": "f", "row": "baseline/utd_a", "metrics": {"top1": teacher_top1}}
    return {
        "schema_version": 1,
        "row": row,
        "status": "ok",
        "file": f"work_dirs/{row}/seed{seed}/result.yml",
        "config": {
            "path": f"configs/{row.partition('+')[0]}.py",
            "parts": parts,
            "swapped": {},
            "options": {},
            "smoke": False,
            "sha256": "c0ffee",
        },
        "seed": seed,
        "data": {
            "name": "utd",
            "protocol": "cross-subject",
            "labels": "all",
            "teacher_labels": None if is_lone else "all",
            "task": "single-label",
            "num_train": 431,
            "num_labelled": 431,
            "num_test": 430,
            **data,
        },
        "epochs": 60,
        "steps": 840,
        "primary": "top1",
        "metrics": {"top1": top1, "top5": 99.0},
        "selected": None,
        "teacher": None if is_lone else {"type": "A", "params": 9, "origins": [origin]},
        "student": {"type": "B", "params": 298_027, "gflops": 0.0123456, "sha256": "beef"},
        "distiller": None if is_lone else "KD",
        "train": {"wall_seconds": 20.4 + seed, "cpu_seconds": 10.0 if is_lone else 20.0},
        "environment": {"device_name": "cpu", "threads": 1, "precision": "float32"},
        "repro": {"git_commit": "abc", "git_dirty": False},
    }


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


@pytest.mark.parametrize("freedom", [1, 4, 30, 31, 60, 1000])
def test_t_quantiles(freedom):
    assert t_quantile(freedom) == pytest.approx(scipy.stats.t.ppf(0.975, freedom), abs=2e-3)


def test_the_interval_is_students():
    values = [90.0, 91.0, 92.5, 90.2]
    mean, error = statistics.fmean(values), statistics.stdev(values) / 2
    assert interval(values) == pytest.approx(scipy.stats.t.interval(0.95, 3, mean, error), abs=1e-3)
    assert interval([90.0]) is None


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
        ({"schema_version": 9}, "work_dirs/kd/utd_a_b/seed1/result.yml has layout 9; this version reads 1"),
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
        (folder / "result.yml").write_text(yaml.safe_dump(result(seed=seed)))
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
        "baseline", "–", "b", "89.2 ± 1.3", "–", "86.0 to 92.3", "–", "3", "60", "21", "0.50", "298 k",
        "[config](configs/baseline/utd_b.py)",
    ]  # fmt: skip
    assert distilled == [
        "kd", "a (96.0 ± 0.0)", "b", "89.2 ± 1.3", "91.0 ± 1.0", "88.5 to 93.5", "+1.8 (3/3)", "3", "60", "21",
        "1.00", "298 k", "[config](configs/kd/utd_a_b.py)",
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
    title = "gain over kd (seeds won)"
    place = next(cells(line) for line in text.splitlines() if title in line).index(title)
    assert {cells(line)[0]: cells(line)[place] for line in lines(text)} == {"kd": "–", "rkd": "+0.7 (2/3)"}
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
    text = model_zoo([metafile(group) for group in groups])
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
