"""The hash of code follows what it does, through imports, and not how it is written."""

import importlib
import sys

import pytest

from kdbench.cache.code import code_hashes
from kdbench.datasets import UTDMHAD

BASE = "def scale(x):\n    return 2 * x\n"
USER = '"""A."""\nfrom .base import scale\nimport torch\n\nclass Net(torch.nn.Linear):\n    go = scale\n'


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of two modules; gives a function that writes them and hashes its class."""
    folder = tmp_path / "codekit"
    folder.mkdir()
    (folder / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)

    def hashed(base=BASE, user=USER):
        (folder / "base.py").write_text(base)
        (folder / "user.py").write_text(user)
        for name in [name for name in sys.modules if name.startswith("codekit")]:
            del sys.modules[name]
        importlib.invalidate_caches()
        return code_hashes([importlib.import_module("codekit.user").Net])

    yield hashed
    for name in [name for name in sys.modules if name.startswith("codekit")]:
        del sys.modules[name]


def test_what_an_imported_module_does_counts(package):
    before, after = package(), package(base=BASE.replace("2", "3"))
    assert set(before) >= {"codekit.user", "codekit.base"}
    assert [name for name in before if before[name] != after[name]] == ["codekit.base"]


def test_comments_docstrings_and_layout_do_not_count(package):
    again = package(base='"""B."""\n\n# twice\ndef scale(x):\n    """Twice x."""\n    return (2 * x)\n')
    assert package() == again


def test_installed_packages_are_left_out_and_ours_are_not(package):
    assert not [name for name in package() if name.startswith("torch")]
    found = code_hashes([UTDMHAD])
    assert {"kdbench.datasets.utd_mhad", "kdbench.datasets.base"} <= set(found)
    assert not [name for name in found if name.startswith(("kdbench.distillers", "kdbench.backbones"))]
