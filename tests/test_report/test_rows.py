import json
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdbench.report.entries import entries
from kdbench.report.latency import read_latencies
from kdbench.report.read import read_runs
from kdbench.report.rows import pareto, rows, tables
from kdbench.spec import InvalidDataError
from kdbench.zoo import fold, with_model
from tests.report_runs import write_run


def written(folder, metafiles=()):
    found = read_runs([folder]) if any(folder.iterdir()) else []
    return rows(entries(found, metafiles))


def three(folder, row, scores=(80.0, 82.0, 84.0), **changes):
    return [write_run(folder, row, seed, metrics__top1=score, **changes) for seed, score in enumerate(scores)]


def by_name(found):
    return {row["name"]: row for row in found}


def test_a_row_has_the_scores_of_teacher_lone_student_and_itself(tmp_path):
    teachers = three(tmp_path, "baseline/large", (95.0, 95.0, 95.0), config__parts={"student": "large"})
    three(tmp_path, "baseline/small", (80.0, 82.0, 84.0))
    for seed, score in enumerate((83.0, 82.0, 90.0)):
        write_run(tmp_path, "kd/large_small", seed, metrics__top1=score, teacher=teachers[seed])
    found = by_name(written(tmp_path))
    row = found["kd/large_small"]
    assert row["mean"] == pytest.approx(85.0)
    assert row["std"] == pytest.approx(statistics.stdev((83, 82, 90)))
    assert (row["alone"], row["gain"], row["won"], row["pairs"]) == (82.0, 3.0, 2, 3)
    assert (row["teacher"], row["teacher_mean"]) == ("large", 95.0)
    assert row["low"] < row["mean"] < row["high"]
    assert [row["kind"] for row in found.values()] == ["teacher", "alone", "distilled"]
    assert (row["params"], row["gflops"], row["cpu"]) == (
        298_027,
        0.0123,
        pytest.approx(20.0 + len(row["name"])),
    )


def test_different_budgets_are_ranked_apart_and_the_difference_is_said(tmp_path):
    three(tmp_path, "kd/a", (80.0, 80.0, 80.0))
    three(tmp_path, "at/a", (70.0, 70.0, 70.0))
    three(tmp_path, "crd/a", (90.0, 90.0, 90.0), epochs=12)
    three(tmp_path, "sp/a", (60.0, 60.0, 60.0), student__input_shapes={"depth": [16, 2]})
    found = by_name(written(tmp_path))
    assert {name: row["rank"] for name, row in found.items()} == {"kd/a": 1, "at/a": 2, "crd/a": 1, "sp/a": 1}
    assert {name: row["rank_of_all"] for name, row in found.items()} == {
        "crd/a": 1,
        "kd/a": 2,
        "at/a": 3,
        "sp/a": 4,
    }
    assert found["kd/a"]["other_budget"] == ""
    assert found["crd/a"]["other_budget"] == "12 epochs, not 6"
    assert found["sp/a"]["other_budget"] == "depth, not inertial"


def test_equal_scores_share_a_rank(tmp_path):
    for row, score in (("kd/a", 80.0), ("at/a", 80.0), ("sp/a", 70.0)):
        three(tmp_path, row, (score,) * 3)
    assert {name: row["rank"] for name, row in by_name(written(tmp_path)).items()} == {
        "kd/a": 1,
        "at/a": 1,
        "sp/a": 3,
    }


def test_unreliable_rows_say_why_and_have_no_rank(tmp_path):
    three(tmp_path, "kd/a", (99.0, 99.0))
    three(tmp_path, "at/a", (98.0, 98.0, 98.0), repro__git_dirty=True)
    three(tmp_path, "sp/a", (50.0, 50.0, 50.0))
    found = by_name(written(tmp_path))
    assert found["kd/a"]["reasons"] == ["fewer than 3 seeds"]
    assert found["at/a"]["reasons"] == ["uncommitted changes"]
    assert [found[name]["rank"] for name in ("kd/a", "at/a", "sp/a")] == [None, None, 1]


def test_seeds_that_do_not_belong_together_are_rows_of_their_own(tmp_path):
    three(tmp_path / "one", "kd/a")
    three(tmp_path / "two", "kd/a", config__sha256="other")
    found = written(tmp_path)
    assert [row["count"] for row in found] == [3, 3]
    assert all(
        row["reasons"] == ["the row was run with 2 different configs, budgets or test splits"]
        for row in found
    )


def test_a_seed_that_was_run_twice_is_no_second_seed(tmp_path):
    three(tmp_path / "old", "kd/a", (10.0, 10.0, 10.0))
    write_run(tmp_path / "new", "kd/a", 2, metrics__top1=40.0, repro__created_utc="2027-01-01T00:00:00+00:00")
    (row,) = written(tmp_path)
    assert [seed["value"] for seed in row["seeds"]] == [10.0, 10.0, 40.0]
    assert row["reasons"] == ["a seed was run more than once; the newest run counts"]


def test_recorded_rows_stand_where_there_are_no_runs(tmp_path):
    three(tmp_path, "kd/a")
    results = [run.result for run in read_runs([tmp_path])]
    recorded = with_model({"Collections": [], "Models": []}, fold(results), None)
    other = with_model(recorded, {**fold(results), "Name": "at/a", "In Collection": "at"}, None)
    found = by_name(written(tmp_path, [other]))
    assert set(found) == {"kd/a", "at/a"}
    assert found["at/a"]["mean"] == found["kd/a"]["mean"]
    assert found["at/a"]["budget_text"] == found["kd/a"]["budget_text"]
    assert "inertial 128×6" in found["at/a"]["budget_text"]


def test_the_recorded_interval_stands_beside_the_scores_that_it_is_of(tmp_path):
    three(tmp_path / "runs", "kd/a")
    three(tmp_path / "others", "at/a")
    kept = {"Interval": [79.5, 84.5]}
    recorded = {"Collections": [], "Models": []}
    for folder, change in (("runs", 0.0), ("others", 1.0)):
        entry = fold([run.result for run in read_runs([tmp_path / folder])])
        entry["Results"][0]["Interval"] = kept
        entry["Results"][0]["Seeds"][0]["top1"] += change
        recorded = with_model(recorded, entry, None)
    found = by_name(written(tmp_path, [recorded]))
    assert (found["kd/a"]["low"], found["kd/a"]["high"]) == (79.5, 84.5)
    assert (found["at/a"]["low"], found["at/a"]["high"]) == pytest.approx((77.03, 86.97), abs=0.01)


def test_rows_recorded_before_shapes_were_told_say_whose_inputs_they_are(tmp_path):
    three(tmp_path / "runs", "kd/a")
    entry = fold([run.result for run in read_runs([tmp_path])])
    del entry["Metadata"]["Input Shapes"]
    (row,) = rows(entries([], [with_model({"Collections": [], "Models": []}, entry, None)]))
    assert "the inputs of small" in row["budget_text"]


def test_seeds_of_other_test_splits_stand_apart(tmp_path):
    three(tmp_path / "one", "kd/a")
    three(tmp_path / "two", "kd/a", data__index_sha256={"train": None, "test": "0" * 64})
    found = written(tmp_path)
    assert [row["count"] for row in found] == [3, 3]
    assert all("test splits" in row["reasons"][0] for row in found)


def test_damaged_predictions_of_a_run_that_names_no_test_labels(tmp_path):
    folders = three(tmp_path, "kd/a", data__index_sha256=None)
    (folders[1] / "predictions.safetensors").write_bytes(b"no safetensors")
    (row,) = written(tmp_path)
    assert row["reasons"] == ["unknown test data", "its predictions are not the ones that were recorded"]


def test_rows_that_would_read_alike_say_their_names(tmp_path):
    three(tmp_path, "kd/plain")
    three(tmp_path, "kd/strong")
    three(tmp_path, "at/plain")
    assert [row["difference"] for row in written(tmp_path)] == ["", "plain", "strong"]


def test_what_was_swapped_into_a_row_is_its_method_and_its_student(tmp_path):
    three(
        tmp_path,
        "kd/a+distiller=ofd+student=tiny+model.distiller.tau=2",
        config__swapped={"distiller": "ofd", "student": "tiny"},
        config__parts={"data": "toy", "teacher": "large", "student": "tiny", "distiller": "ofd"},
    )
    (row,) = written(tmp_path)
    assert (row["method"], row["difference"], row["student"]) == ("ofd", "model.distiller.tau=2", "tiny")


def test_rows_that_would_read_alike_say_their_data_parts(tmp_path):
    three(tmp_path, "kd/waves_large_small", config__parts={"data": "waves", "student": "small"})
    three(tmp_path, "kd/waves_strong_large_small", config__parts={"data": "waves_strong", "student": "small"})
    assert [row["difference"] for row in written(tmp_path)] == ["waves", "waves_strong"]


def test_a_table_for_each_data_set_protocol_and_labels(tmp_path):
    three(tmp_path, "kd/a")
    three(tmp_path, "kd/b", data__labels="subjects 1 3")
    three(tmp_path, "kd/c", data__protocol="other")
    found = written(tmp_path)
    made = tables(found)
    assert [(table["protocol"], table["labels"]) for table in made] == [
        ("fixed", "all labels"),
        ("fixed", "subjects 1 3, labelled teacher"),
        ("other", "all labels"),
    ]
    assert [table["rows"] for table in made] == [
        [row["id"]] for row in sorted(found, key=lambda row: row["table"])
    ]


points = st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), max_size=30)


@given(points)
def test_the_front_is_what_a_sweep_from_the_cheapest_finds(found):
    best, kept = float("-inf"), set()
    for cost in sorted({cost for cost, _ in found}):
        score = max(s for c, s in found if c == cost)
        if score > best:
            best = score
            kept.add((cost, score))
    assert {point for point, on_front in zip(found, pareto(found), strict=True) if on_front} == kept


def test_unreliable_rows_are_on_no_front(tmp_path):
    three(tmp_path, "kd/a", (80.0, 80.0, 80.0))
    three(tmp_path, "at/a", (90.0,))
    found = written(tmp_path)
    (table,) = tables(found)
    assert table["fronts"]["cpu"] == [row["id"] for row in found if row["name"] == "kd/a"]
    assert table["fronts"]["latency"] == []


def costs_file(folder, **changes):
    line = {"form": "torch", "data": "toy", "part": "small", "parameters": 298_027, "p50_ms": 1.25}
    content = {
        "machine": "a machine",
        "date": "2026-11-21",
        "packages": {"torch": "2.13.0"},
        "threads": 1,
        "clock": "wall",
        "lines": [line, {**line, "form": "onnx", "p50_ms": 0.5}, {**line, "part": "large", "p50_ms": 9.0}],
    }
    path = folder / "cost.json"
    path.write_text(json.dumps({**content, **changes}))
    return path


def test_a_row_has_the_latency_of_its_student_on_its_data(tmp_path):
    three(tmp_path / "runs", "kd/a")
    three(tmp_path / "runs", "kd/b", student__params=5)
    latencies = read_latencies(costs_file(tmp_path))
    found = rows(entries(read_runs([tmp_path / "runs"])), latencies)
    assert {row["name"]: row["latency"] for row in found} == {"kd/a": 1.25, "kd/b": None}
    assert tables(found)[0]["fronts"]["latency"] == [row["id"] for row in found if row["name"] == "kd/a"]
    assert latencies.how == (
        "median of one clip at a time, 1 thread of a machine, wall clock, torch 2.13.0, 2026-11-21"
    )


@pytest.mark.parametrize("changes", [{"lines": [{"form": "torch"}]}, {"packages": None}, {"lines": 3}])
def test_a_file_of_other_content_holds_no_latencies(tmp_path, changes):
    with pytest.raises(InvalidDataError, match=r"cost\.json holds no latencies.*tools/analysis/cost\.py"):
        read_latencies(costs_file(tmp_path, **changes))
