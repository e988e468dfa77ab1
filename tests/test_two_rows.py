"""Methods of two rows: the second goes on from what the first ended with, and has the budget of both."""

from pathlib import Path

import pytest
import yaml

from kdbench.compose import compose
from kdbench.engine.lineage import check_lineage
from kdbench.spec import IncompatibleError
from kdbench.weights import read_weights
from kdbench.zoo import fold, read_results
from tests.toy_project import ROW, TEACHER, command, write_project

KEEPER = '''
from torch import nn

from kdbench.distillers.base import Distiller
from kdbench.registry import DISTILLERS


@DISTILLERS.register_module()
class Keeper(Distiller):
    """Toy of two phases (Nobody et al., NOWHERE 2002)."""

    def __init__(self, first=True):
        super().__init__()
        self.is_kept, self.needs_weights = first, not first
        self.line = nn.Linear(3, 3)

    def forward(self, student, teacher, batch):
        return {"loss_keeper": (self.line(teacher.logits) - student.logits).square().mean()}
'''
STEM = "waves_wave_skeleton_wave_inertial"
FIRST, SECOND, KEPT, GOES_ON = (
    f"configs/{name}/{STEM}.py" for name in ("first", "second", "kept", "goes_on")
)
LABELS_ONLY = (
    "model = dict(type=Distillation, data=data, teacher=teacher, student=student, predict_teacher=True)"
)


def changed(text: str, distiller: str, model: str, before: str = "") -> str:
    """The toy row with another distiller and model."""
    head = text[: text.index("distiller = dict")]
    lines = [f'starts_from = "{before}/{STEM}"'] if before else []
    return head + "\n".join(["from keeper import Keeper", *lines, distiller, model, ""])


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = write_project(tmp_path_factory.mktemp("project"))
    (folder / "keeper.py").write_text(KEEPER)
    row = (folder / ROW).read_text()
    whole = "model = dict(type=Distillation, data=data, teacher=teacher, student=student, distiller=distiller, {})"
    texts = {
        FIRST: changed(row, "distiller = dict(type=WaveKD)", whole.format("task_weight=0.0")),
        SECOND: changed(row, "", LABELS_ONLY, "first"),
        KEPT: changed(row, "distiller = dict(type=Keeper)", whole.format("task_weight=0.0")),
        GOES_ON: changed(row, "distiller = dict(type=Keeper, first=False)", whole.format(""), "kept"),
    }
    for path, text in texts.items():
        (folder / path).parent.mkdir()
        (folder / path).write_text(text)
    return folder


@pytest.fixture(autouse=True)
def here(project, monkeypatch):
    monkeypatch.chdir(project)
    monkeypatch.syspath_prepend(str(project))


def run(project: Path, row: str, *options: str):
    return command(project, "train", row, *options)


def test_the_student_goes_on_and_where_both_have_the_method_the_distiller() -> None:
    second, goes_on = compose(SECOND, seed=3), compose(GOES_ON, seed=3)
    folder = f"work_dirs/first/{STEM}/seed3"
    assert second.model.student.weights == f"{folder}/student.safetensors"
    assert second.row.starts_from == folder
    assert goes_on.model.distiller.weights == f"work_dirs/kept/{STEM}/seed3/distiller.safetensors"
    assert "weights" not in goes_on.model.student
    assert compose(FIRST).row.starts_from is None


def test_the_first_row_is_swapped_along_but_keeps_its_method() -> None:
    config = compose(SECOND, student="wave_inertial_wide", distiller="wave_kd")
    name = f"first/{STEM}+student=wave_inertial_wide"
    assert config.model.student.weights == f"work_dirs/{name}/seed0/student.safetensors"


def test_a_start_that_is_no_row_is_refused(project) -> None:
    text = (project / SECOND).read_text()
    (project / SECOND).write_text(text.replace("first/", "frist/"))
    with pytest.raises(ValueError, match=f"^there is no config configs/frist/{STEM}.py; did you mean: "):
        compose(SECOND)
    (project / SECOND).write_text(text)


@pytest.mark.parametrize("row", [SECOND, GOES_ON])
def test_a_smoke_run_needs_no_start(project, row) -> None:
    done = run(project, row, "--smoke")
    assert done.returncode == 0, done.stderr
    config = compose(row, smoke=True)
    assert config.row.starts_from is None
    result = yaml.safe_load(Path("work_dirs/smoke", config.row.name, "seed0/result.yml").read_text())
    assert result["start"] is None


@pytest.fixture
def trained(project):
    """The folder after one run of each row."""
    rows = (TEACHER, FIRST, SECOND, KEPT, GOES_ON)
    for row in rows if not Path(f"work_dirs/goes_on/{STEM}").is_dir() else ():
        done = run(project, row)
        assert done.returncode == 0, done.stderr
    return project


def test_without_the_first_run_the_second_says_how_to_make_it(project) -> None:
    run(project, TEACHER, "--seed", "9")
    done = run(project, SECOND, "--seed", "9")
    assert done.returncode == 2
    assert f"the row goes on from work_dirs/first/{STEM}/seed9, whose run has not ended well" in done.stderr


def test_the_second_row_has_the_budget_of_both_and_shows_the_teacher(trained) -> None:
    results = read_results(f"work_dirs/second/{STEM}")
    entry = fold(results)["Metadata"]
    alone = fold(read_results(f"work_dirs/first/{STEM}"))["Metadata"]
    assert (entry["Epochs"], entry["Steps"]) == (2 * alone["Epochs"], 2 * alone["Steps"]) == (4, 12)
    clocks = [(r["train"]["wall_seconds"], r["start"]["wall_seconds"]) for r in results]
    assert all(seconds > 0 for pair in clocks for seconds in pair)
    assert entry["Seconds"] == pytest.approx(sum(map(sum, clocks)) / len(clocks), abs=0.051)
    assert entry["Teacher"]["Part"] == "wave_skeleton"
    assert entry["Teacher"]["Rows"] == ["baseline/waves_wave_skeleton"]


def test_its_paper_is_that_of_the_method(trained) -> None:
    done = command(trained, "record", f"work_dirs/second/{STEM}")
    assert done.returncode == 0, done.stderr
    (found,) = yaml.safe_load(Path("configs/second/metafile.yml").read_text())["Collections"]
    assert found["Paper"]["Title"].startswith(
        "Waves of three classes"
    )  # the first line of the first row's method


def test_what_the_first_distiller_learnt_is_where_the_second_starts(trained) -> None:
    from kdbench.registry import MODELS, build

    first = read_weights(f"work_dirs/kept/{STEM}/seed0/distiller.safetensors")
    begun = build(MODELS, compose(GOES_ON).model).distiller.state_dict()
    assert all((begun[name] == value).all() for name, value in first.items())
    assert not Path(f"work_dirs/goes_on/{STEM}/seed0/distiller.safetensors").exists()


def test_a_start_under_other_labels_is_refused(trained) -> None:
    config = compose(SECOND)
    check_lineage(config)
    config.train_dataloader.dataset.labelled = {"fraction": 0.5}
    with pytest.raises(
        IncompatibleError, match=r"the start work_dirs/first/.* has labels 'all'; the row says '50 %"
    ):
        check_lineage(config)


def test_seeds_that_started_from_different_rows_are_not_folded(trained) -> None:
    one = read_results(f"work_dirs/second/{STEM}")[0]
    other = {**one, "seed": 1, "start": {**one["start"], "epochs": 7}}
    with pytest.raises(ValueError, match=r"has start\.epochs 2; .* has 7"):
        fold([one, other])


def test_a_first_phase_is_not_recorded(trained) -> None:
    before = {path: path.read_bytes() for path in trained.glob("configs/*/metafile.yml")}
    done = command(trained, "record", f"work_dirs/first/{STEM}", f"work_dirs/second/{STEM}")
    assert (done.returncode, done.stderr) == (
        2,
        f"error: first/{STEM} is the first phase of a method, no result; there is: second/{STEM}, whose record has the "
        "budget of both\n",
    )
    assert {path: path.read_bytes() for path in trained.glob("configs/*/metafile.yml")} == before
