"""Mistakes in a row that was written by hand: one line that names the row, and exit code 2."""

import pytest

from tests.toy_project import ROW, command, write_project

MINE = "configs/wave_kd/mine.py"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return write_project(tmp_path_factory.mktemp("project"))


def trained(project, old, new, *options):
    """A dry run of the toy row with ``old`` replaced."""
    text = (project / ROW).read_text()
    assert old in text
    (project / MINE).write_text(text.replace(old, new))
    return command(project, "train", MINE, "--dry-run", *options)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "import wave_skeleton as",
            "import wave_skelton as",
            ", line 7: configs/_base_/models/skeleton.py has no 'wave_skelton'; did you mean: wave_skeleton, ",
        ),
        (
            "models.skeleton",
            "models.skeletn",
            ", line 7: there is no configs/_base_/models/skeletn.py; did you mean: skeleton?",
        ),
        ("tau=3.0)", "tau=3.0", ", line 15: '(' was never closed"),
        (
            "student=student",
            "student=studnt",
            ", line 16: name 'studnt' is not defined; did you mean: student",
        ),
    ],
)
def test_a_row_that_cannot_be_read(project, old, new, message):
    done = trained(project, old, new)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {MINE}{message}")
    assert done.stderr.count("\n") == 1


def test_a_base_file_that_cannot_be_read(project):
    base = project / "configs/_base_/runtime.py"
    text = base.read_text()
    base.write_text(text + "wrong = (\n")
    try:
        done = trained(project, "tau=3.0", "tau=3.0")
    finally:
        base.write_text(text)
    assert (done.returncode, done.stderr) == (
        2,
        "error: configs/_base_/runtime.py, line 5: '(' was never closed\n",
    )
