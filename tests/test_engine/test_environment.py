"""What a record says of the code that was run."""

import subprocess
from pathlib import Path

import pytest

from kdbench.engine import environment


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one committed module, in place of kdbench's own."""
    module = tmp_path / "kdbench" / "engine" / "environment.py"
    module.parent.mkdir(parents=True)
    module.write_text("")
    who = ("-c", "user.name=A", "-c", "user.email=a@b.example")
    for words in (("init", "-q"), ("add", "."), (*who, "commit", "-q", "-m", "first")):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    monkeypatch.setattr(environment, "__file__", str(module))
    return tmp_path


def test_a_clean_checkout_is_its_commit(repository: Path) -> None:
    (repository / "notes.txt").write_text("neither code nor row")
    found = environment.commit()
    assert len(found["git_commit"]) == 40
    assert found["git_dirty"] is False


@pytest.mark.parametrize(
    "name", ["kdbench/engine/environment.py", "kdbench/distillers/mine.py", "configs/mine.py"]
)
def test_code_and_rows_of_no_commit_are_a_difference(repository: Path, name: str) -> None:
    (repository / name).parent.mkdir(exist_ok=True)
    (repository / name).write_text("new = 1")
    assert environment.commit()["git_dirty"] is True


def test_without_a_repository_nothing_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "__file__", str(tmp_path / "environment.py"))
    assert environment.commit() == {"git_commit": None, "git_dirty": None}
