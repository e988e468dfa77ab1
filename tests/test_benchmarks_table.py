"""The benchmarks together: one interface, one table, one file; unequal candidates are refused before a time is told."""

import doctest
import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks import __main__ as suites
from benchmarks import bootstrap, evaluation, figures, step, step_peers
from benchmarks.figures import as_json, cost, exact, from_json, gain
from tests.scripts import script

ROOT = Path(__file__).parent.parent
SECONDS = {"ours": [1.0, 2.0, 3.0], "bound": [1.0, 1.0, 1.0], "peer": [4.0, 4.0, 6.0]}
RESNET = {"type": "ResNet", "blocks": (1, 1, 1), "widths": (4, 4, 4), "stem": 4}


def test_the_examples_of_the_figures_hold() -> None:
    assert doctest.testmod(figures).failed == 0


def test_a_ratio_is_of_turns_and_keeps_to_its_target_from_its_own_side() -> None:
    slower, faster = cost("x", SECONDS, "ours", "bound", 1.9), gain("x", SECONDS, "ours", "peer", 1.9)
    assert (slower.ratio.median, slower.met) == (2.0, False)
    assert (faster.ratio.median, faster.met) == (2.0, True)
    assert cost("x", SECONDS, "ours", "bound").met is None
    assert exact("x", "1", "1", 1.05, 1.05).met
    for figure in (slower, faster):
        assert from_json(json.loads(json.dumps(as_json(figure)))) == figure


@pytest.mark.parametrize("name", suites.KNOWN)
def test_every_suite_has_figures(name: str) -> None:
    assert callable(importlib.import_module(f"benchmarks.{name}").figures)


@pytest.mark.parametrize("suite", [evaluation, bootstrap])
def test_a_suite_gives_figures_with_targets(suite) -> None:
    found = [figure for figure in suite.figures(quick=True) if not isinstance(figure, str)]
    assert found
    assert all(figure.target and figure.ratio.median > 0 for figure in found)


def test_a_cached_step_a_live_one_and_the_bare_loop_have_one_loss(tmp_path: Path) -> None:
    data = {**step.PICTURES, "num_classes": 5}
    pair = step.Pair(data, {**RESNET, "stem": 8}, RESNET, 3, tmp_path / "cache")
    loop = step.bare(pair.own(), True)
    hand = pair.turning(lambda batch: loop(batch["inputs"]["image"], batch["target"]))
    steps = {"live": pair.step("live"), "bare loop": hand, "cached": pair.step("cached")}
    step.same_losses(steps, "bare loop", 4)
    ends = [model.student.state_dict() for model in (pair.live, pair.cached)]
    torch.testing.assert_close(*ends, rtol=1e-2, atol=1e-3)
    assert pair.at_best > 1


def test_other_losses_are_refused() -> None:
    steps = {"live": lambda: torch.tensor(1.0), "timm": lambda: torch.tensor(1.01)}
    with pytest.raises(AssertionError, match="timm has the losses"):
        step.same_losses(steps, "live", 1)


@pytest.mark.parametrize("name", step_peers.MAKERS)
def test_a_peer_takes_the_step_of_the_bare_loop(name: str, tmp_path: Path) -> None:
    if isinstance(reason := step_peers.imported(name), str):
        pytest.skip(f"{name}: {reason}")
    with step_peers.without_warnings():
        pair = step.Pair(step.PICTURES, RESNET, RESNET, 3, tmp_path / "cache")
        loops = {"bare loop": step.bare(pair.own(), True), name: step_peers.MAKERS[name](pair.own())}
        steps = {
            n: pair.turning(lambda b, s=s: s(b["inputs"]["image"], b["target"])) for n, s in loops.items()
        }
        step.same_losses(steps, "bare loop", 4)


def test_an_error_ends_a_suite_and_keeps_what_it_has(monkeypatch, capsys) -> None:
    def broken(*_: object):
        yield exact("size", "1", "1", 1.0, 1.0)
        raise AssertionError("losses differ")

    monkeypatch.setattr(suites, "figures_of", broken)
    found = suites.measured("step", True)
    assert [figure["name"] for figure in found["figures"]] == ["size"]
    assert found["notes"] == ["ended by AssertionError: losses differ"]
    assert found["exit code"] == 1
    assert "losses differ" in capsys.readouterr().err


def test_an_unknown_suite_names_those_that_there_are() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "stop"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "no suite is called stop; there is: step, cache" in done.stderr


def test_the_page_has_the_machine_the_figures_and_what_was_left_out() -> None:
    performance_page = script("performance_page")

    machine = {**suites.machine(), "load average after": [0.0, 0.0, 0.0]}
    found = {
        "figures": [as_json(exact("size", "2 MB", "1 | MB", 2.0, 1.5))],
        "notes": ["timm: not installed"],
    }
    text = performance_page.figures({"machine": machine, "suites": {"cache": {"seconds": 1.0, **found}}})
    assert "0 of 1 targets are met." in text
    assert "| size | 2 MB | 1 \\| MB | 2 [2, 2] | at most 1.5 | missed |" in text
    assert "- timm: not installed" in text
    assert torch.__version__ in text


@pytest.mark.slow
def test_several_suites_make_one_table_and_one_file(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    command = [sys.executable, "-m", "benchmarks", "evaluation", "bootstrap", "--quick", "--json", str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found = json.loads(file.read_text(encoding="utf-8"))
    assert list(found["suites"]) == ["evaluation", "bootstrap"]
    assert "evaluation: mAP of 2,000 clips" in done.stdout
    assert {"processor", "torch", "load average before", "load average after"} <= set(found["machine"])


@pytest.mark.slow
def test_suites_run_under_pytest_benchmark() -> None:
    command = [sys.executable, "-m", "pytest", "benchmarks", "-k", "bootstrap", "--benchmark-disable"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout
    assert "1 passed" in ran.stdout
