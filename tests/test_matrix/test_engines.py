"""The engines on real cells: a Ray cluster that loses a node, submitit's local cluster, and what is missing."""

import builtins
import os
import signal
from pathlib import Path

import pytest

from kdbench.matrix.engines import make_engine
from kdbench.matrix.files import read_matrix
from kdbench.matrix.folder import Folder
from kdbench.matrix.plan import judge_all, make_plan
from kdbench.matrix.run import Run
from kdbench.spec import MissingPackageError
from tests.test_imports import loaded_by
from tests.toy_project import ROOT

from .deaths import begun, below, records, slow_project, to_the_end
from .toys import events

TOOL = ROOT / "tools" / "train.py"
TEXT = """
seeds = (0, 1)
rows = [dict(row="wave_kd/waves_wave_skeleton_wave_inertial")]
"""


@pytest.mark.parametrize(("name", "package"), [("ray", "ray"), ("slurm", "submitit")])
def test_a_missing_package_says_what_to_install(name, package, monkeypatch) -> None:
    real = builtins.__import__

    def absent(wanted, *arguments):
        if wanted.split(".")[0] == package:
            raise ImportError(f"No module named '{package}'")
        return real(wanted, *arguments)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(
        MissingPackageError, match=rf"the engine '{name}' needs .*pip install kdbench\[{name}\]"
    ):
        make_engine(name, 1, 1)


def test_an_unknown_engine_and_no_jobs_are_refused() -> None:
    with pytest.raises(ValueError, match="no engine is called 'grid'; there is: local, ray, slurm"):
        make_engine("grid", 1, 1)
    with pytest.raises(ValueError, match="the engine 'local' has no option 'gpus'; there is: fresh"):
        make_engine("local", 1, 1, gpus=1)
    with pytest.raises(ValueError, match="jobs and threads are at least 1"):
        make_engine("local", 0, 1)


@pytest.mark.parametrize("module", ["child", "engines.ray_cluster", "engines.slurm"])
def test_a_worker_that_only_waits_imports_no_torch(module) -> None:
    assert not loaded_by(f"import kdbench.matrix.{module}") & {"torch", "mmengine", "ray", "submitit"}


@pytest.fixture
def environment(monkeypatch):
    def enter(folder: Path) -> None:
        monkeypatch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep}{folder}")
        monkeypatch.setenv("OMP_NUM_THREADS", "1")
        monkeypatch.syspath_prepend(str(folder))
        monkeypatch.chdir(folder)

    return enter


def run_here(engine, listen=lambda _: None) -> int:
    """The toy matrix of the present folder on an engine."""
    plan = make_plan(read_matrix("configs/matrices/toy.py"))
    judge_all(plan)
    folder = Folder("toy")
    folder.claim()
    run = Run(plan, engine, folder, TOOL, listen=listen)
    try:
        return run.go()
    finally:
        engine.close()
        folder.lock.release()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = slow_project(tmp_path_factory.mktemp("whole"), text=TEXT)
    code, out = to_the_end(folder, "--jobs", "2")
    assert code == 0, out
    return folder


def two_nodes(tries: int = 4):
    """A cluster of two nodes, and the second; Ray gives a node 30 seconds to start, which a busy machine may exceed."""
    from ray.cluster_utils import Cluster

    cluster = Cluster()
    try:
        cluster.add_node(num_cpus=1, include_dashboard=False)
        return cluster, cluster.add_node(num_cpus=1)
    except Exception:
        cluster.shutdown()
        if tries == 1:
            raise
        return two_nodes(tries - 1)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_ray_cluster_loses_a_node_and_nothing_else(whole, tmp_path, environment) -> None:
    ray = pytest.importorskip("ray")
    folder = slow_project(tmp_path / "ray", seconds=0.1, text=TEXT)
    environment(folder)
    cluster, second = two_nodes()
    lost: list[str] = []

    def lose(run: Run) -> None:
        if not lost and len(run.of("running")) == 2 and (there := begun(folder)):
            lost.extend(there)
            cluster.remove_node(second, allow_graceful=False)

    try:
        ray.init(address=cluster.address, log_to_driver=False)
        engine = make_engine("ray", 2, 1)
        code = run_here(engine, lose)
    finally:
        ray.shutdown()
        cluster.shutdown()
    assert code == 0
    assert lost
    assert records(folder) == records(whole)
    why = [event["why"] for event in events() if event["event"] == "requeued"]
    assert why, "no cell was on the node that was lost"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_submitit_runs_cells_and_those_that_are_killed_go_on(whole, tmp_path, environment) -> None:
    pytest.importorskip("submitit")
    folder = slow_project(tmp_path / "slurm", seconds=0.1, text=TEXT)
    environment(folder)
    engine = make_engine("slurm", 2, 1, folder=folder / "jobs", cluster="local", timeout_min=10)
    killed: list[int] = []

    def kill_one(run: Run) -> None:
        found = [pid for pid, line in below(os.getpid()).items() if "kdbench.matrix.process" in line]
        if not killed and found and begun(folder):
            killed.append(found[0])
            os.kill(found[0], signal.SIGKILL)

    code = run_here(engine, kill_one)
    assert code == 0
    assert records(folder) == records(whole)
    why = [event["why"] for event in events() if event["event"] == "requeued"]
    assert killed
    assert why == ["killed by SIGKILL"]
