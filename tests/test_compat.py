"""Work-arounds: each shows its symptom first, cures it, and does nothing where nothing is wrong."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from kdbench import compat
from kdbench.backbones.external.building import BUILDERS
from kdbench.registry import FOREIGN

# Registers a shape for an operator that its binary, which does not load beside this torch, would have defined.
TORCHVISION = """import torch
torch.library.register_fake("torchvision::nms")(lambda dets, scores, iou_threshold: dets)
__version__ = "0.0"
"""


def package(folder: Path, name: str, text: str = "") -> None:
    (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / name / "__init__.py").write_text(text, encoding="utf-8")


def run(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Python code in a process of its own, which sees the packages of a folder first."""
    code = f"import sys; sys.path.insert(0, {str(folder)!r}); {code}"
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False
    )


def test_importing_kdbench_patches_nothing() -> None:
    code = "import numpy as np, kdbench.backbones, kdbench.compat; print(hasattr(np, 'Inf'), 'mmcv' in sys.modules)"
    done = run(Path(), code)
    assert done.stdout.split() == ["False", "False"], done.stderr


def test_torchvision_imports_without_its_binary(tmp_path: Path) -> None:
    package(tmp_path, "torchvision", TORCHVISION)
    assert "operator torchvision::nms does not exist" in run(tmp_path, "import torchvision").stderr
    code = (
        "from kdbench.compat import provide_torchvision_operators as cure; cure(); cure(); "
        "import torchvision; print(torchvision.__version__)"
    )
    done = run(tmp_path, code)
    assert done.stdout == "0.0\n", done.stderr


def test_a_torchvision_that_imports_is_left_alone(tmp_path: Path) -> None:
    package(tmp_path, "torchvision")
    code = (
        "import torch; from kdbench.compat import provide_torchvision_operators as cure; cure(); "
        "print(hasattr(torch.ops.torchvision, 'nms'))"
    )
    done = run(tmp_path, code)
    assert done.stdout == "False\n", done.stderr


def test_the_environment_is_told_beside_a_torchvision_that_does_not_import(tmp_path: Path) -> None:
    package(tmp_path, "torchvision", TORCHVISION)
    symptom = run(tmp_path, "from mmengine.utils.dl_utils import collect_env; collect_env()")
    assert "operator torchvision::nms does not exist" in symptom.stderr
    code = (
        "from kdbench.compat import collect_environment; print('PyTorch' in collect_environment()); "
        "print('torchvision' in sys.modules)"
    )
    done = run(tmp_path, code)
    assert done.stdout.split() == ["True", "False"], done.stderr


@pytest.mark.parametrize(("has_drn", "expected"), [(False, "True"), (True, "False")])
def test_the_forgotten_module_of_mmaction_is_put_in_if_it_is_not_there(
    tmp_path: Path, has_drn: bool, expected: str
) -> None:
    package(tmp_path, "mmaction")
    if has_drn:
        package(tmp_path, "mmaction/models/localizers/drn")
    code = (
        "from kdbench.compat import provide_mmaction_drn as cure; cure(); "
        "print('mmaction.models.localizers.drn.drn' in sys.modules)"
    )
    done = run(tmp_path, code)
    assert done.stdout == f"{expected}\n", done.stderr


def test_names_that_numpy_dropped_come_back_and_others_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NAN", "trapz", "in1d"):
        monkeypatch.delattr(np, name, raising=False)
    monkeypatch.setattr(np, "Inf", "its own", raising=False)
    compat.provide_numpy_names()
    assert np.Inf == "its own"
    assert np.isnan(np.NAN)
    assert np.trapz([1.0, 1.0]) == 1.0
    assert np.in1d([1, 2], [2]).tolist() == [False, True]
    for name in ("NAN", "trapz", "in1d"):
        delattr(np, name)


def test_rates_are_numbers_also_where_only_shapes_are() -> None:
    with torch.device("meta"):
        with pytest.raises(RuntimeError, match="meta tensors"):
            torch.linspace(0, 1, 3)[2].item()
        with compat.NumbersOfRates():
            assert [rate.item() for rate in torch.linspace(0, 1, 3)] == [0.0, 0.5, 1.0]
            assert torch.zeros(2).is_meta
            assert torch.linspace(0, 1, 3, device="meta").is_meta


def test_mmengine_reads_its_own_checkpoints(tmp_path: Path) -> None:
    code = """
import torch
from mmengine.logging import HistoryBuffer
from mmengine.optim import OneCycleLR
from mmengine.runner import CheckpointLoader
from kdbench.compat import provide_mmengine_loading
optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
state = OneCycleLR(optimizer, eta_max=1.0, total_steps=4).state_dict()
saved = dict(state_dict=dict(a=torch.ones(2)), s=state)
saved["message_hub"] = dict(log_scalars=dict(loss=HistoryBuffer([1.0], [1])))
torch.save(saved, PATH)
try:
    CheckpointLoader.load_checkpoint(PATH, map_location='cpu')
except Exception as error:
    print(type(error).__name__)
provide_mmengine_loading()
print(CheckpointLoader.load_checkpoint(PATH, map_location='cpu')['state_dict'])
"""
    done = run(tmp_path, f"exec({code.replace('PATH', repr(str(tmp_path / 'a.pth')))!r})")
    said = [line for line in done.stdout.splitlines() if " - INFO - " not in line]
    assert said == ["UnpicklingError", "{'a': tensor([1., 1.])}"], done.stderr


def test_packages_of_foreign_networks_are_those_that_the_registry_names() -> None:
    assert set(FOREIGN) == set(compat.SCOPES) == set(BUILDERS)
