"""A student with an encoder of another package is given away and comes back: ``pytest -m external``."""

import pytest
import torch

from kdbench.compat import load_scope
from kdbench.publishing import load, publish
from kdbench.spec import MissingPackageError
from kdbench.weights import read_weights
from tests.toy_project import ROOT, command

pytestmark = [pytest.mark.external, pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def test_a_swin_student_is_published_and_loaded(tmp_path):
    try:
        load_scope("mmaction")
    except MissingPackageError as error:
        pytest.skip(str(error))
    run = tmp_path / "seed0"
    row = "configs/baseline/rooms5_asl_swin_v.py"
    done = command(ROOT, "train", row, "--smoke", "--seed", "0", "--work-dir", str(run))
    assert done.returncode == 0, done.stderr
    student = load(publish(run, tmp_path / "published", force="it shows the form only")).student
    assert type(student.encoders["rgb"].network.net).__name__ == "SwinTransformer3D"
    trained = read_weights(run / "student.safetensors")
    assert all(torch.equal(value, trained[name]) for name, value in student.state_dict().items())
    with torch.no_grad():
        assert student(torch.rand(1, 5, 8, 3, 32, 32))["logits"].isfinite().all()
