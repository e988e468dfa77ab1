"""tools/test.py on single views and without views or modalities, on a smoke run of Rooms."""

import re

import pytest
import yaml

from tests.toy_project import ROOT, command

ROW = str(ROOT / "configs/baseline/rooms_frame_view_av.py")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rooms")
    done = command(folder, "train", ROW, "--smoke", "--no-validate")
    assert done.returncode == 0, done.stderr
    return folder


def rated(folder, *arguments):
    return command(folder, "test", ROW, "--smoke", "--work-dir", "tested", *arguments)


def test_scores_of_parts_are_printed_and_recorded(trained):
    plain = rated(trained)
    assert plain.returncode == 0, plain.stderr
    before = yaml.safe_load((trained / "tested/result.yml").read_text())["metrics"]
    done = rated(trained, "--each-view", "--drop-view", "1", "2", "--drop-modality", "audio")
    assert done.returncode == 0, done.stderr
    found = yaml.safe_load((trained / "tested/result.yml").read_text())["metrics"]
    assert {name: found[name] for name in before} == before
    parts = {name.split("/")[0] for name in found if "/" in name}
    views = {f"{what}_{view}" for what in ("view", "without_view") for view in range(3)}
    assert parts == {*views, "without_view_1_2", "without_audio"}
    # What is left without the others is the first view: both ways lead to the same scores.
    for name in before:
        assert found[f"without_view_1_2/{name}"] == pytest.approx(found[f"view_0/{name}"], abs=1e-3)
        line = next(line for line in done.stdout.splitlines() if line.startswith("without_audio "))
        assert f"{found[f'without_audio/{name}']:.1f}" in line
    assert re.search(r"^whole +[\d.]+ +[\d.]+", done.stdout, re.MULTILINE)


def test_what_is_not_there_is_refused(trained):
    done = rated(trained, "--drop-modality", "depth")
    assert done.returncode == 2
    assert "the modality 'depth' is to be taken away; there is: rgb, audio" in done.stderr
