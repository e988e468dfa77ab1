"""Methods by labels: what stands in a cell, which settings stay apart, and what is left out."""

import pytest
from scipy.stats import ttest_1samp

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
    assert "| method | subjects 1 (107) | subjects 1 3 (215) | all labels | over KD, few labels |" in text
    assert [cells(line) for line in lines(text)] == [
        ["labels alone", "71.0 ± 1.0", "81.0 ± 1.0", "96.0 ± 1.0", "–"],
        ["kd", "73.0 ± 0.0 (+2.0)", "83.0 ± 1.0 (+2.0)", "97.0 ± 1.0", "–"],
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


def test_another_way_to_draw_clips_has_a_table_of_its_own_and_another_method_a_line():
    half, tau = "+train_dataloader.sampler.labelled_share=0.5", "+model.distiller.tau=2.0"
    text = glance(
        seeds("baseline/utd_s13_b", (80.0, 81.0, 82.0), **FEW),
        taught(FEW, (83.0, 84.0, 82.0), row="kd/utd_s13_a_b"),
        taught(FEW, (83.5, 84.5, 82.5), row=f"kd/utd_s13_a_b{tau}"),
        taught(FEW, (85.0, 86.0, 84.0), row="fitnet/utd_s13_a_b"),
        taught(FEW, (87.0, 88.0, 86.0), row=f"kd/utd_s13_a_b{half}"),
        taught(FEW, (91.0, 92.0, 90.0), row=f"fitnet/utd_s13_a_b{half}"),
    )
    plain, _, other = text.partition(f"few labels for both, {half[1:]}")
    methods = {cells(line)[0]: cells(line)[1:] for line in lines(plain)}
    assert {name: found[0] for name, found in methods.items()} == {
        "labels alone": "81.0 ± 1.0",
        "fitnet": "85.0 ± 1.0 (+4.0)",
        "kd": "83.0 ± 1.0 (+2.0)",
        "kd, model.distiller.tau=2.0": "83.5 ± 1.0 (+2.5)",
    }
    assert methods["fitnet"][-1].startswith("+2.0")
    halves = {cells(line)[0]: cells(line)[1:] for line in lines(other)}
    assert halves["kd"][0] == "87.0 ± 1.0 (+6.0)"
    assert halves["fitnet"][-1].startswith("+4.0")


def test_what_was_not_run_and_what_ran_too_seldom_is_marked():
    text = glance(
        seeds("baseline/utd_s13_b", (80.0, 81.0, 82.0), **FEW),
        taught(FEW, (83.0, 84.0)),
        taught(FEWER, (73.0, 73.0, 73.0), row="fitnet/utd_s1_a_b"),
    )
    assert [cells(line) for line in lines(text)] == [
        ["labels alone", "–", "81.0 ± 1.0", "–", "–"],
        ["fitnet", "73.0 ± 0.0", "–", "–", "–"],
        ["kd", "–", "83.5 ± 0.7§ (+3.0)", "–", "–"],
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


def two_sets(*of_fitnet):
    """KD and FitNets with two sets of labels; ``of_fitnet`` are its scores with each."""
    return [
        taught(FEW, (80.0, 80.0, 80.0), row="kd/utd_s13_a_b"),
        taught(FEWER, (70.0, 70.0, 70.0), row="kd/utd_s1_a_b"),
        taught(FEW, of_fitnet[0], row="fitnet/utd_s13_a_b"),
        taught(FEWER, of_fitnet[1], row="fitnet/utd_s1_a_b"),
    ]


def last_cells(text):
    return {found[0]: found[-1] for found in map(cells, lines(text))}


def test_the_gain_over_kd_is_of_all_sets_of_labels_together():
    groups = two_sets((81.0, 82.0, 83.0), (74.0, 72.0, 75.0))
    expected = ttest_1samp([1.0, 2.0, 3.0, 4.0, 2.0, 5.0], 0.0)
    low, high = expected.confidence_interval()
    assert last_cells(glance(*groups))["fitnet"] == (
        f"+2.8 [{low:.1f}, {high:.1f}] (2 sets; p {expected.pvalue:.3f})"
    )


def test_kd_that_was_swapped_into_another_row_is_kd():
    swapped = taught(FEW, (93.0, 94.0, 92.0), "all", "crossview/utd_s13_a_b+distiller=utd_kd")
    other = taught(FEW, (94.0, 96.0, 95.0), "all", "crossview/utd_s13_a_b")
    for found in swapped:
        found["config"]["parts"]["distiller"], found["config"]["swapped"] = "utd_kd", {"distiller": "utd_kd"}
    found = last_cells(glance(swapped, other))
    assert found["utd_kd"] == "–"
    assert found["crossview"].startswith("+2.0 [")


def test_p_is_corrected_within_the_table_and_absent_between_precisions():
    groups = two_sets((81.0, 82.0, 83.0), (74.0, 72.0, 75.0))
    dkd = taught(FEW, (82.0, 82.0, 83.0), row="dkd/utd_s13_a_b")
    alone, both = last_cells(glance(*groups))["fitnet"], last_cells(glance(*groups, dkd))
    p = float(alone.rpartition(" p ")[2].rstrip(")"))
    assert float(both["fitnet"].rpartition(" p ")[2].rstrip(")")) == pytest.approx(2 * p, abs=2e-3)
    for found in dkd:
        found["environment"]["precision"] = "bfloat16"
    between = last_cells(glance(*groups, dkd))
    assert between["fitnet"] == alone
    assert "¶" in between["dkd"]
    assert " p " not in between["dkd"]
