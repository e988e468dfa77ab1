"""Uploads by the tool, through huggingface_hub, to a server of our own on this machine."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kdbench.publishing import load
from tests.test_publishing.fake_hub import FakeHub
from tests.test_publishing.made import REASON, artefact, run
from tests.toy_project import ROOT


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with FakeHub() as server:
        yield server


def publish(hub: FakeHub, home: Path, to: str, *more: str) -> subprocess.CompletedProcess:
    """The tool as a process of its own: the address of the hub is read when huggingface_hub is imported."""
    environment = {
        **{k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")},
        **{"HF_ENDPOINT": hub.address, "HF_TOKEN": "hf_made_up", "HF_HOME": str(home)},
        **{"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_OFFLINE": "0"},
        **{"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "NO_PROXY": "127.0.0.1"},
    }
    arguments = [str(ROOT / "tools" / "publish.py"), str(run()), "--to", to, *more]
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
    )


@pytest.mark.slow
def test_one_commit_brings_the_whole_artefact(hub: FakeHub, tmp_path: Path) -> None:
    done = publish(hub, tmp_path / "home", "hub:lab/student", "--force", REASON)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{hub.address}/lab/student\n"
    assert hub.commits == [f"Publish {artefact().name}"]
    assert hub.tokens >= {"Bearer hf_made_up"}
    for name, content in hub.repositories["lab/student"].items():
        path = tmp_path / "download" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    assert load(tmp_path / "download").record["row"] == "kd/rooms_view_av_view_v"

    again = publish(hub, tmp_path / "home", "hub:lab/student", "--force", REASON)
    assert again.returncode == 0, again.stderr
    assert len(hub.commits) == 1
    other = publish(hub, tmp_path / "home", "hub:lab/student", "--force", "another reason")
    assert other.returncode == 2
    assert "error: lab/student holds something else; give another name" in other.stderr
    assert len(hub.commits) == 1


@pytest.mark.slow
def test_without_a_name_it_is_the_user_s(hub: FakeHub, tmp_path: Path) -> None:
    done = publish(hub, tmp_path, "hub", "--force", REASON)
    assert done.returncode == 0, done.stderr
    assert list(hub.repositories) == [f"someone/{artefact().name}"]


@pytest.mark.slow
def test_an_unreliable_run_is_not_uploaded(hub: FakeHub, tmp_path: Path) -> None:
    done = publish(hub, tmp_path, "hub:lab/student")
    assert done.returncode == 2
    assert "it is a smoke run, which measures nothing" in done.stderr
    assert not hub.repositories


def test_what_the_hub_refuses_is_one_message(hub: FakeHub, tmp_path: Path) -> None:
    hub.refuses = True
    done = publish(hub, tmp_path, "hub:lab/student", "--force", REASON)
    assert done.returncode == 2
    error = done.stderr[done.stderr.index("error: ") :]
    assert error.startswith(f"error: lab/student was not uploaded to {hub.address}: ")
    assert "Traceback" not in done.stderr


def test_a_hub_that_is_not_there_is_one_message(hub: FakeHub, tmp_path: Path) -> None:
    hub.server.server_close()
    done = publish(hub, tmp_path, "hub:lab/student", "--force", REASON)
    assert done.returncode == 2
    assert f"lab/student was not uploaded to {hub.address}: " in done.stderr
    assert "Traceback" not in done.stderr
