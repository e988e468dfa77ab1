"""Artefacts made to do something: each is refused with one message, and nothing happens meanwhile."""

import json
import os
import pickle
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from kdbench.weights import file_hash
from tests.test_publishing.hostile import CONTROL
from tests.test_publishing.made import artefact, change_config, copied, seal, weights_of
from tests.toy_project import ROOT

SENTINEL = "sentinel_was_here"


class Gadget:
    """Executes a command when it is unpickled."""

    def __reduce__(self) -> tuple:
        return os.system, (f"touch {SENTINEL}",)


def student(key: str, value: Any) -> Callable[[Path], None]:
    return lambda folder: change_config(folder, lambda tree: tree["model"]["student"].update({key: value}))


def loader(key: str, value: Any) -> Callable[[Path], None]:
    return lambda folder: change_config(
        folder, lambda tree: tree["test_dataloader"]["dataset"].update({key: value})
    )


def top(key: str, value: Any) -> Callable[[Path], None]:
    return lambda folder: change_config(folder, lambda tree: tree.update({key: value}))


def text(name: str, content: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / name).write_text(content)
        seal(folder)

    return write


def record(addition: str) -> Callable[[Path], None]:
    """More lines in the record."""
    return lambda folder: text("result.yml", (folder / "result.yml").read_text() + addition)(folder)


def pickled(folder: Path) -> None:
    weights_of(folder).write_bytes(pickle.dumps(Gadget()))
    reseal_weights(folder)


def oversize_header(folder: Path) -> None:
    weights_of(folder).write_bytes(struct.pack("<Q", 1 << 40) + b"{")
    reseal_weights(folder)


def reseal_weights(folder: Path) -> None:
    """Name, record and manifest as they have to be for these weights."""
    old = weights_of(folder)
    sha256 = file_hash(old)
    new = old.rename(old.with_name(f"{old.stem[:-8]}{sha256[:8]}.safetensors"))
    result = yaml.safe_load((folder / "result.yml").read_text())
    result["student"]["sha256"] = sha256
    (folder / "result.yml").write_text(yaml.safe_dump(result))
    rename_in_manifest(folder, old.name, new.name)
    seal(folder)


def rename_in_manifest(folder: Path, old: str, new: str) -> None:
    manifest = json.loads((folder / "artefact.json").read_text())
    manifest["files"][new] = manifest["files"].pop(old)
    (folder / "artefact.json").write_text(json.dumps(manifest))


def pickle_by_name(folder: Path) -> None:
    old = weights_of(folder)
    old.rename(folder / "student.pth").write_bytes(pickle.dumps(Gadget()))
    rename_in_manifest(folder, old.name, "student.pth")
    seal(folder)


def traversal(name: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder.parent / "outside.safetensors").write_bytes(weights_of(folder).read_bytes())
        rename_in_manifest(folder, weights_of(folder).name, name)

    return write


def extra_python(folder: Path) -> None:
    (folder / "config.py").write_text(f"open({SENTINEL!r}, 'w')")


def extra_python_in_manifest(folder: Path) -> None:
    extra_python(folder)
    manifest = json.loads((folder / "artefact.json").read_text())
    manifest["files"]["config.py"] = {}
    (folder / "artefact.json").write_text(json.dumps(manifest))
    seal(folder)


def link(folder: Path) -> None:
    weights = weights_of(folder)
    weights.rename(folder.parent / "elsewhere.safetensors")
    weights.symlink_to(folder.parent / "elsewhere.safetensors")


def flipped(folder: Path) -> None:
    content = bytearray(weights_of(folder).read_bytes())
    content[-1] ^= 1
    weights_of(folder).write_bytes(content)


def smaller(folder: Path) -> None:
    change_config(folder, lambda tree: tree["model"]["data"].update(num_classes=5))


HOSTILE: dict[str, tuple[Callable[[Path], None], str]] = {
    "callable as type": (student("type", "os.system"), "registered names, without dots"),
    "class by path": (student("type", "sentinel_module.Net"), "registered names, without dots"),
    "unregistered name": (student("type", "system"), "not registered"),
    "a class of another place": (student("type", "Rooms"), "not registered"),
    "nested callable": (student("activation", {"type": "os.system"}), "registered names, without dots"),
    "nested unregistered": (student("activation", {"type": "Popen"}), "not registered"),
    "type that is no text": (student("type", ["InertialCNN"]), "registered names, without dots"),
    "scope": (student("_scope_", "sentinel_module"), "says '_scope_'"),
    "delete": (student("_delete_", True), "says '_delete_'"),
    "weights elsewhere": (student("weights", "outside.pth"), "says 'weights'"),
    "start elsewhere": (student("start", {"weights": "x", "modules": []}), "says 'start'"),
    "unknown argument": (student("colour", "red"), "makes no network"),
    "a path in a name": (student("fusion", "../../etc/passwd"), "names no files"),
    "a huge number": (student("width", 10**12), "numbers up to"),
    "data set by path": (loader("type", "sentinel_module.Data"), "registered names, without dots"),
    "a metric that writes": (
        top("test_evaluator", [{"type": "DumpResults", "out_file_path": SENTINEL}]),
        "not registered",
    ),
    "a metric's folder": (
        top("test_evaluator", [{"type": "TopK", "collect_dir": SENTINEL}]),
        "says 'collect_dir'",
    ),
    "root": (loader("root", "data"), "says 'root'"),
    "cache": (loader("cache", "disk"), "says 'cache'"),
    "transform by path": (loader("transforms", [{"type": "os.system"}]), "registered names, without dots"),
    "unregistered transform": (loader("transforms", [{"type": "Compose"}]), "not registered"),
    "sampler": (
        lambda folder: change_config(
            folder, lambda tree: tree["test_dataloader"]["sampler"].update(type="InfiniteSampler")
        ),
        "not registered",
    ),
    "collate function": (
        lambda folder: change_config(
            folder, lambda tree: tree["test_dataloader"].update(collate_fn="pseudo_collate")
        ),
        "there is: default_collate",
    ),
    "custom imports": (top("custom_imports", {"imports": ["sentinel_module"]}), "says 'custom_imports'"),
    "base outside": (top("_base_", "../../evil.py"), "says '_base_'"),
    "hooks": (top("custom_hooks", [{"type": "sentinel_module.Hook"}]), "registered names, without dots"),
    "no JSON": (text("config.json", "import os"), "is not read"),
    "NaN": (text("config.json", '{"labels": NaN}'), "NaN is no number"),
    "a name twice": (text("config.json", '{"model": {}, "model": {}}'), "a name stands twice"),
    "deep JSON": (text("config.json", "[" * 100_000), "is not read"),
    "nested config": (top("labels", json.loads("[" * 60 + "]" * 60)), "beyond all configs"),
    "a large text": (text("config.json", " " * (2 << 20)), "at most"),
    "other classes": (smaller, "does not fit"),
    "YAML tag": (
        record(f"evil: !!python/object/apply:os.system ['touch {SENTINEL}']\n"),
        "it has the tag",
    ),
    "YAML own tag": (record("evil: !new {a: 1}\n"), "it has the tag"),
    "YAML anchors": (record("a: &a [1, 1]\nb: [*a, *a]\n"), "it has the anchor"),
    "no record": (text("result.yml", "[]"), "is no record of a run"),
    "pickle for weights": (pickled, "is no weight file"),
    "pickle by name": (pickle_by_name, "is no file of an artefact"),
    "oversize header": (oversize_header, "is no weight file"),
    "traversal": (traversal("../outside.safetensors"), "is no file of an artefact"),
    "traversal with a hash": (traversal("../outside-01234567.safetensors"), "is no file of an artefact"),
    "absolute name": (traversal("/tmp/outside-01234567.safetensors"), "is no file of an artefact"),
    "results elsewhere": (traversal(".eval_results/../x.yaml"), "is no file of an artefact"),
    "Python beside": (extra_python, "holds config.py, which is not of the artefact"),
    "Python in the manifest": (extra_python_in_manifest, "is no file of an artefact"),
    "a link": (link, "is a link"),
    "a flipped bit": (flipped, "is not the file that artefact.json names"),
    "no manifest": (lambda folder: (folder / "artefact.json").unlink(), "is no published artefact"),
}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What loading each gave, in a process whose path and folder hold a module that leaves a trace when imported."""
    base = tmp_path_factory.mktemp("hostile")
    trap = base / "here"
    trap.mkdir()
    code = f"open({str(trap / SENTINEL)!r}, 'w')\nclass Net: pass\nData = Hook = Net\n"
    (trap / "sentinel_module.py").write_text(code)
    folders = {}
    for number, (name, (change, _)) in enumerate(HOSTILE.items()):
        (base / str(number)).mkdir()
        folder = copied(base / str(number))
        change(folder)
        folders[str(folder)] = name
    done = subprocess.run(
        [sys.executable, "-m", "tests.test_publishing.hostile", str(artefact()), *folders],
        cwd=trap,
        capture_output=True,
        text=True,
        timeout=600,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{trap}", "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"folder"')]
    assert not list(base.rglob(SENTINEL))
    return {folders.get(one["folder"], one["folder"]): one for one in found}


def test_the_hook_sees_what_a_pickle_does(outcomes: dict) -> None:
    events = " ".join(outcomes[CONTROL]["events"])
    assert "pickle.find_class" in events
    assert "os.system" in events
    assert "open for writing" in events


@pytest.mark.parametrize("name", HOSTILE)
def test_it_is_refused_with_one_message_and_does_nothing(name: str, outcomes: dict) -> None:
    found = outcomes[name]
    assert found["error"] == "InvalidDataError", found
    assert HOSTILE[name][1] in found["message"]
    assert "Traceback" not in found["message"]
    assert found["events"] == []
