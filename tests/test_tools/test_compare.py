"""tools/compare.py on records and predictions as runs leave them."""

import csv
import hashlib
import json

import numpy as np
import pytest
import yaml
from safetensors.numpy import save_file
from scipy import stats

from tests.test_records.made import record
from tests.toy_project import ROOT, command

CLIPS = 120


def write_row(root, name, skill, seeds=(0, 1, 2), clips=CLIPS, **changes):
    """A row whose networks are right with the probability ``skill``, on the same clips where all are alike."""
    easy = np.random.default_rng(0).random(clips)
    for seed in seeds:
        rng = np.random.default_rng([seed, int(1000 * skill)])
        target = np.arange(clips) % 4
        hit = easy + rng.normal(0, 0.05, clips) < skill
        score = np.eye(4)[np.where(hit, target, (target + 1) % 4)] * 0.7 + 0.075
        folder = root / name / f"seed{seed}"
        folder.mkdir(parents=True)
        path = folder / "predictions.safetensors"
        save_file({"score": score.astype(np.float16), "target": target, "index": np.arange(clips)}, path)
        made = record(name, seed, float(100 * hit.mean()), num_test=clips)
        made["metrics"]["brier"] = float(((score - np.eye(4)[target]) ** 2).sum(1).mean())
        made |= {
            "predictions": {
                "path": path.name,
                "n": clips,
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            }
        }
        for key, value in changes.items():
            made[key] = {**made[key], **value} if isinstance(value, dict) else value
        (folder / "result.yml").write_text(yaml.safe_dump(made))
    return str(root / name)


@pytest.fixture
def rows(tmp_path):
    return [
        write_row(tmp_path, "kd/utd_a_b", 0.9),
        write_row(tmp_path, "at/utd_a_b", 0.8),
        write_row(tmp_path, "baseline/utd_b", 0.7),
    ]


def said(*arguments):
    done = command(ROOT, "compare", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def refused(*arguments):
    done = command(ROOT, "compare", *arguments)
    assert done.returncode in (2, 3)
    assert "Traceback" not in done.stderr
    return done.stderr


def test_the_better_row_is_named_with_its_interval(rows):
    lines = said(rows[0], rows[2]).splitlines()
    assert lines[0] == "kd/utd_a_b is better than baseline/utd_b on top1."
    assert "points, 95 % interval +" in lines[1]
    assert lines[2] == "  hierarchical bootstrap: 3 seeds (0, 1, 2), 120 clips of 120 recordings"
    assert (
        lines[3] == "  better on 3 of 3 seeds; swapped within seeds: p 0.25 (not less than 0.25 with 3 seeds)"
    )
    assert lines[4] == "  budgets are the same"
    assert said(rows[2], rows[0]).splitlines()[0] == lines[0]


def test_a_lower_brier_score_is_better(rows):
    lines = said(rows[0], rows[2], "--metric", "brier").splitlines()
    assert lines[0] == "kd/utd_a_b is better than baseline/utd_b on brier."
    assert "95 % interval -" in lines[1]
    assert lines[3].startswith("  better on 3 of 3 seeds")


def test_no_difference_is_not_made_one(tmp_path):
    one, other = write_row(tmp_path, "kd/a", 0.8), write_row(tmp_path, "at/a", 0.801)
    assert said(one, other).startswith("No difference between kd/a and at/a is shown on top1.\n")


def test_other_budgets_are_not_ranked_unless_asked(tmp_path):
    one = write_row(tmp_path, "kd/a", 0.9, epochs=120, steps=1680)
    other = write_row(tmp_path, "baseline/a", 0.7)
    text = said(one, other)
    assert text.startswith(
        "kd/a and baseline/a had different budgets and are not ranked; --across-budgets ranks them.\n"
    )
    assert "  budgets differ: epochs 120 against 60; steps 1680 against 840" in text
    text = said(one, other, "--across-budgets")
    assert text.startswith("kd/a is better than baseline/a on top1.\n")
    assert "  budgets differ: epochs 120 against 60; steps 1680 against 840" in text


def test_several_rows_beside_one(rows, tmp_path):
    rows.append(write_row(tmp_path, "sp/utd_a_b", 0.95, epochs=120))
    files = tmp_path / "out.csv", tmp_path / "out.json"
    text = said(*rows, "--baseline", "baseline/utd_b", "--csv", str(files[0]), "--json", str(files[1]))
    table = [line.split("  ")[0] for line in text.splitlines() if "/utd" in line and "beside" not in line]
    assert table == ["kd/utd_a_b", "at/utd_a_b", "sp/utd_a_b"]  # another budget comes last and is not ranked
    assert "not ranked" in text.splitlines()[-1]
    assert "epochs 120 against 60" in text
    found = {one["row"]: one for one in json.loads(files[1].read_text())}
    p = sorted(found[name]["p"] for name in ("kd/utd_a_b", "at/utd_a_b"))
    assert min(found[name]["corrected_p"] for name in ("kd/utd_a_b", "at/utd_a_b")) == pytest.approx(2 * p[0])
    assert found["sp/utd_a_b"]["corrected_p"] is None
    with files[0].open() as file:
        written = {line["row"]: line for line in csv.DictReader(file)}
    assert float(written["kd/utd_a_b"]["low"]) == found["kd/utd_a_b"]["low"]
    assert written["kd/utd_a_b"]["seed_numbers"] == "0 1 2"


def test_only_seeds_of_both_count(tmp_path):
    one, other = (
        write_row(tmp_path, "kd/a", 0.9, seeds=(0, 1, 2)),
        write_row(tmp_path, "at/a", 0.7, seeds=(1, 2, 3)),
    )
    assert "2 seeds (1, 2)" in said(one, other)
    apart = write_row(tmp_path, "sp/a", 0.7, seeds=(7,))
    assert "kd/a has seeds 0, 1, 2; sp/a has 7: none is in both" in refused(one, apart)
    assert "not to be relied on: sp/b: fewer than 3 seeds" in said(
        one, write_row(tmp_path, "sp/b", 0.7, seeds=(0,)) + "/seed0"
    )


def test_two_work_directories_of_one_row(tmp_path):
    one, other = (write_row(tmp_path / name, "kd/a", skill) for name, skill in (("x", 0.9), ("y", 0.7)))
    assert said(one, other).startswith(f"{one} is better than {other} on top1.")


def test_what_cannot_be_compared_is_one_message(rows, tmp_path):
    elsewhere = write_row(tmp_path, "kd/rooms", 0.9, data={"name": "Rooms", "protocol": "one home"})
    assert refused(elsewhere, rows[0]).splitlines() == [
        "error: these rows cannot be compared:",
        "  - data set of kd/rooms is 'Rooms'; of kd/utd_a_b 'utd'",
        "  - protocol of kd/rooms is 'one home'; of kd/utd_a_b 'cross-subject'",
    ]
    fewer = write_row(tmp_path, "kd/fewer", 0.9, clips=100)
    assert "are not of the same clips: their column 'index' differs" in refused(fewer, rows[0])
    assert "has no 'ECE' that saved scores give; there is: top1, top5, brier" in refused(
        *rows[:2], "--metric", "ECE"
    )
    assert "3 rows were given; say --baseline, one of: kd/utd_a_b, at/utd_a_b" in refused(*rows)
    assert "no row is called 'kd'; there is: at/utd_a_b" in refused(*rows, "--baseline", "kd")
    assert "one row was given; name two or more" in refused(rows[0])
    assert "holds no seed*/result.yml" in refused(rows[0], str(tmp_path / "nowhere"))


def test_predictions_must_be_there_and_those_of_the_run(rows, tmp_path):
    path = tmp_path / "kd/utd_a_b/seed1/predictions.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert "is not the file that result.yml beside it names" in refused(rows[0], rows[2])
    path.unlink()
    message = f"{rows[0]} has a record without its predictions; test those weights again with tools/test.py"
    assert message in refused(rows[0], rows[2])


def test_one_method_against_another_over_several_pairs(tmp_path):
    skills = {"kd/a": 0.9, "kd/b": 0.8, "baseline/a": 0.7, "baseline/b": 0.75}
    rows = {name: write_row(tmp_path, name, skill) for name, skill in skills.items()}
    ours, theirs = [rows["kd/a"], rows["kd/b"]], [rows["baseline/a"], rows["baseline/b"]]
    text = said(*ours, "--against", *theirs).splitlines()
    scores = {
        name: [
            yaml.safe_load((tmp_path / name / f"seed{seed}/result.yml").read_text())["metrics"]["top1"]
            for seed in range(3)
        ]
        for name in skills
    }
    gained = [x - y for n in "ab" for x, y in zip(scores[f"kd/{n}"], scores[f"baseline/{n}"], strict=True)]
    test = stats.ttest_1samp(gained, 0.0)
    ends = test.confidence_interval(0.95)
    assert text[2].split() == ["kd/a", "baseline/a", f"{np.mean(gained[:3]):+.2f}", "3/3", "the", "same"]
    interval = f"95 % interval {ends.low:+.2f} to {ends.high:+.2f}"
    assert text[-1].startswith(f"all: {np.mean(gained):+.2f} top1, {interval}, p ")


def test_pairs_need_a_row_on_each_side_and_the_same_data(tmp_path):
    one, other = write_row(tmp_path, "kd/a", 0.9), write_row(tmp_path, "baseline/a", 0.7)
    elsewhere = write_row(tmp_path, "baseline/b", 0.7, data={"name": "elsewhere"})
    assert "2 rows stand against 1; there is: a row against each" in refused(one, other, "--against", other)
    assert "data set of kd/a is" in refused(one, "--against", elsewhere)
