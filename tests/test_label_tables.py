"""Methods by labels: what stands in a cell, which settings stay apart, and what is left out."""

from kdbench.zoo import model_zoo
from tests.test_zoo import cells, lines, metafile, seeds

FEW = {"labels": "subjects 1 3", "num_labelled": 215}
ALL = {"labels": "all", "num_labelled": 431}
FEWER = {"labels": "subjects 1", "num_labelled": 107}


def glance(*groups):
    """What stands after the heading, without the published numbers."""
    return model_zoo([metafile(group) for group in groups]).partition("## Few labels at a glance")[2]


def taught(labels, scores, teacher=None, row="kd/utd_a_b"):
    group = seeds(row, scores, **labels, teacher_labels=teacher or labels["labels"])
    for found in group:
        found["config"]["parts"]["distiller"] = row.partition("/")[0]
    return group


def test_few_labels_come_first_and_all_labels_last():
    text = glance(
        seeds("baseline/utd_b", (95.0, 96.0, 97.0)),
        seeds("baseline/utd_s13_b", (80.0, 81.0, 82.0), **FEW),
        seeds("baseline/utd_s1_b", (70.0, 71.0, 72.0), **FEWER),
        taught(ALL, (96.0, 97.0, 98.0)),
        taught(FEW, (83.0, 84.0, 82.0), row="kd/utd_s13_a_b"),
        taught(FEWER, (73.0, 73.0, 73.0), row="kd/utd_s1_a_b"),
    )
    assert "### utd · cross-subject · b · few labels for both" in text
    assert "| method | subjects 1 (107) | subjects 1 3 (215) | all labels |" in text
    assert [cells(line) for line in lines(text)] == [
        ["labels alone", "71.0 ± 1.0", "81.0 ± 1.0", "96.0 ± 1.0"],
        ["kd", "73.0 ± 0.0 (+2.0)", "83.0 ± 1.0 (+2.0)", "97.0 ± 1.0"],
    ]


def test_a_labelled_teacher_has_a_table_of_its_own():
    text = glance(
        seeds("baseline/utd_s13_b", **FEW),
        taught(FEW, (83.0, 84.0, 82.0)),
        taught(FEW, (93.0, 94.0, 92.0), "all", "kd/utd2_a_b"),
    )
    both, _, labelled = text.partition("· labelled teacher")
    assert "83.0 ± 1.0" in both
    assert "93.0" not in both
    assert "93.0 ± 1.0" in labelled
    assert "83.0 ± 1.0" not in labelled


def test_what_was_not_run_and_what_ran_too_seldom_is_marked():
    text = glance(
        seeds("baseline/utd_s13_b", (80.0, 81.0, 82.0), **FEW),
        taught(FEW, (83.0, 84.0)),
        taught(FEWER, (73.0, 73.0, 73.0), row="fitnet/utd_s1_a_b"),
    )
    assert [cells(line) for line in lines(text)] == [
        ["labels alone", "–", "81.0 ± 1.0", "–"],
        ["fitnet", "73.0 ± 0.0", "–", "–"],
        ["kd", "–", "83.5 ± 0.7§ (+3.0)", "–"],
    ]


def test_several_students_are_named():
    group = taught(FEW, (90.0, 90.0, 90.0), row="dml/utd_s13_a_peers")
    for found in group:
        found["config"]["parts"]["student"], found["config"]["lone_student"] = "b_peers", "b"
    assert "| dml (b_peers) | 90.0 ± 0.0 |" in glance(group)


def test_full_labels_of_another_kind_are_no_few_labels():
    frames = {"labels": "frame labels", "num_labelled": 431}
    assert not glance(seeds("baseline/utd_b", **frames), taught(frames, (83.0, 84.0, 82.0)))


def test_a_gain_between_two_precisions_is_marked():
    alone, group = seeds("baseline/utd_s13_b", (80.0, 81.0, 82.0), **FEW), taught(FEW, (83.0, 84.0, 82.0))
    assert "83.0 ± 1.0 (+2.0) |" in glance(alone, group)
    for found in group:
        found["environment"]["precision"] = "bfloat16"
    assert "83.0 ± 1.0 (+2.0¶) |" in glance(alone, group)
    assert "| +2.0¶ (" in model_zoo([metafile(alone), metafile(group)])
