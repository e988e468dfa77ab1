"""CIFAR from archives written in the original byte formats, and what all image data sets share."""

import hashlib
import importlib.util
import io
import os
import pickle
import struct
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from kdbench.datasets import CIFAR10, CIFAR100, Draw, EpochSampler
from kdbench.datasets.images.archives import Packing, read_pickle
from kdbench.spec import IGNORED, InvalidDataError

TRAIN, TEST = 50, 20  # pictures of the made archives
KINDS = {"CIFAR10": CIFAR10, "CIFAR100": CIFAR100}
NUM_CLASSES = {CIFAR10: 10, CIFAR100: 100}


class OldPickler(pickle._Pickler):
    """Writes text and bytes as Python 2 did, which is how the published pickles are."""

    dispatch = dict(pickle._Pickler.dispatch)

    def save_text(self, value):
        content = value.encode("latin1") if isinstance(value, str) else value
        self.write(b"T" + struct.pack("<i", len(content)) + content)
        self.memoize(value)

    dispatch[str] = dispatch[bytes] = save_text


def old_pickle(value):
    file = io.BytesIO()
    OldPickler(file, protocol=2).dump(value)
    return file.getvalue().replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")


def made(kind, split):
    """Pictures ``(N, 3072)`` bytes, and the label columns in the order of the binary version."""
    count = TRAIN if split == "train" else TEST
    rng = np.random.default_rng(["train", "test"].index(split))
    fine = rng.permutation(np.arange(count) % NUM_CLASSES[kind])
    columns = {"labels": fine} if kind is CIFAR10 else {"coarse_labels": fine % 20, "fine_labels": fine}
    return rng.integers(0, 256, (count, 3072), dtype=np.uint8), columns


def written(kind, version, dump=old_pickle):
    """The content of every file of a version."""
    files = {}
    for split, names in kind.files[version].items():
        images, columns = made(kind, split)
        for name, rows in zip(names, np.array_split(np.arange(len(images)), len(names)), strict=True):
            part = {key: column[rows] for key, column in columns.items()}
            if version == "binary":
                files[name] = np.column_stack((*part.values(), images[rows])).astype(np.uint8).tobytes()
            else:
                lists = {key: column.tolist() for key, column in part.items()}
                files[name] = dump({"batch_label": "made", **lists, "data": images[rows]})
    return files


def put(root, kind, version, form, files):
    packing = kind.packings[version]
    if form == "folder":
        (root / packing.folder).mkdir()
        for name, content in files.items():
            (root / packing.folder / name).write_bytes(content)
        return
    with tarfile.open(root / packing.archive, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"{packing.folder}/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def small(kind, **changes):
    """The data set for the made archives, which have fewer pictures."""
    return type(f"Small{kind.__name__}", (kind,), {"counts": {"train": TRAIN, "test": TEST}, **changes})


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("form", ["folder", "archive"])
@pytest.mark.parametrize("version", ["binary", "python"])
def test_what_the_published_formats_hold_comes_out(kind, version, form, tmp_path):
    put(tmp_path, kind, version, form, written(kind, version))
    for split in ("train", "test"):
        data, (images, columns) = small(kind)(tmp_path, split, checksum=False), made(kind, split)
        assert (data.images == images.reshape(-1, 3, 32, 32)).all()
        assert (data.targets == list(columns.values())[-1]).all()
        sample = data[3]
        assert (sample["inputs"]["image"] == images[3].reshape(3, 32, 32)).all()
        assert sample["inputs"]["image"].dtype == np.uint8
        assert (sample["target"], sample["index"]) == (data.targets[3], 3)


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_of_python_3_are_read_too(protocol, tmp_path):
    files = written(CIFAR10, "python", lambda value: pickle.dumps(value, protocol))
    put(tmp_path, CIFAR10, "python", "folder", files)
    data = small(CIFAR10)(tmp_path, checksum=False)
    assert (data.images.reshape(-1, 3072) == made(CIFAR10, "train")[0]).all()


def test_both_levels_of_cifar100(tmp_path):
    for version in ("binary", "python"):
        (tmp_path / version).mkdir()
        put(tmp_path / version, CIFAR100, version, "folder", written(CIFAR100, version))
        coarse = small(CIFAR100)(tmp_path / version, checksum=False, level="coarse")
        assert (coarse.targets == made(CIFAR100, "train")[1]["coarse_labels"]).all()
        assert len(coarse.metainfo["classes"]) == len(set(coarse.classes)) == 20
    fine = small(CIFAR100)(tmp_path / "binary", checksum=False)
    assert len(fine.classes) == len(set(fine.classes)) == 100
    assert list(fine.classes) == sorted(fine.classes)
    with pytest.raises(ValueError, match="level='super'; there is: coarse, fine"):
        CIFAR100(tmp_path, level="super")


class Call:
    """A pickle that calls something when it is read."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def test_a_hostile_pickle_is_refused_and_nothing_in_it_runs(tmp_path):
    marker = tmp_path / "was_here"
    calls = [
        Call(os.mkdir, str(marker)),
        Call(os.system, f"mkdir {marker}"),
        Call(eval, f"__import__('os').mkdir({str(marker)!r})"),
        Call(getattr, "text", "upper"),
        Call(np.load, str(tmp_path)),
        Call(importlib.import_module, "antigravity"),
    ]
    for dump in (old_pickle, pickle.dumps):
        for call in calls:
            content = dump({"data": call, "labels": [0]})
            with pytest.raises(InvalidDataError, match=r"it asks for \w+\.\w+, and pictures and labels need"):
                read_pickle(content, Path("data_batch_1"), "take the original")
    with pytest.raises(InvalidDataError, match=r"in the encoding b?'zlib_codec'"):
        read_pickle(b"\x80\x02c_codecs\nencode\nU\x01aU\nzlib_codec\x86R.", Path("x"), "")
    assert not marker.exists()
    put(
        tmp_path,
        CIFAR10,
        "python",
        "folder",
        dict.fromkeys(CIFAR10.packings["python"].files, pickle.dumps(calls[0])),
    )
    with pytest.raises(
        InvalidDataError, match=r"data_batch_1 is not a pickle of arrays \(it asks for posix.mkdir"
    ):
        small(CIFAR10)(tmp_path, checksum=False)
    assert not marker.exists()


@settings(deadline=None)
@given(st.data())
def test_a_damaged_pickle_is_an_error_with_a_name(data):
    content = bytearray(old_pickle({"data": np.arange(12, dtype=np.uint8).reshape(2, 6), "labels": [1, 2]}))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        read_pickle(content, Path("batch"), "take it again")
    except InvalidDataError as error:
        message = str(error)
    else:
        message = "batch is a dict after all; take it again"
    assert message.startswith("batch ")
    assert message.endswith("; take it again")


def test_checksums_are_verified(tmp_path):
    files = written(CIFAR10, "binary")
    put(tmp_path, CIFAR10, "binary", "folder", files)
    published = CIFAR10.packings["binary"].files["data_batch_1.bin"]
    found = hashlib.md5(files["data_batch_1.bin"]).hexdigest()
    with pytest.raises(
        InvalidDataError, match=rf"data_batch_1.bin has the MD5 {found}.*{published}.*checksum=False"
    ):
        small(CIFAR10)(tmp_path)
    with pytest.raises(
        InvalidDataError, match=r"curl -L https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
    ):
        small(CIFAR10)(tmp_path)


@pytest.mark.parametrize("form", ["folder", "archive"])
def test_files_with_the_expected_checksums_pass(form, tmp_path):
    files = written(CIFAR10, "binary")
    put(tmp_path, CIFAR10, "binary", form, files)
    packing = CIFAR10.packings["binary"]
    archive = tmp_path / packing.archive
    md5 = hashlib.md5(archive.read_bytes()).hexdigest() if archive.exists() else "of a folder: not read"
    own = Packing(
        packing.archive, md5, packing.folder, {name: hashlib.md5(c).hexdigest() for name, c in files.items()}
    )
    assert len(small(CIFAR10, packings={"binary": own})(tmp_path)) == TRAIN
    if form == "archive":
        with pytest.raises(InvalidDataError, match=f"has the MD5 {md5}, the published one is {packing.md5}"):
            small(CIFAR10)(tmp_path)


def test_every_published_file_has_a_checksum_of_its_own():
    for kind in KINDS.values():
        for version, splits in kind.files.items():
            packing = kind.packings[version]
            assert sorted(packing.files) == sorted(name for names in splits.values() for name in names)
            assert {len(digest) for digest in (packing.md5, *packing.files.values())} == {32}
    digests = [d for k in KINDS.values() for p in k.packings.values() for d in (p.md5, *p.files.values())]
    assert len(digests) == len(set(digests)) == 20


def test_missing_files_say_what_there_is_and_how_to_get_them(tmp_path, monkeypatch):
    monkeypatch.delenv("KDBENCH_DATA_ROOT", raising=False)
    with pytest.raises(InvalidDataError, match="KDBENCH_DATA_ROOT is not set; get it with: mkdir -p"):
        CIFAR100()
    monkeypatch.setenv("KDBENCH_DATA_ROOT", str(tmp_path))
    with pytest.raises(InvalidDataError, match="cifar100 is not a folder; get it with"):
        CIFAR100()
    (tmp_path / "cifar100").mkdir()
    (tmp_path / "cifar100" / "cifar.zip").touch()
    with pytest.raises(
        InvalidDataError, match=r"none of cifar-100-python/, .*there is: cifar.zip; get it with"
    ):
        CIFAR100()
    with pytest.raises(ValueError, match=r"no split 'val'; there is: test, train"):
        CIFAR100(split="val")
    put(tmp_path / "cifar100", CIFAR100, "python", "folder", {"test": b""})
    with pytest.raises(InvalidDataError, match=r"cifar-100-python.train cannot be read \(No such file"):
        CIFAR100()


@pytest.mark.parametrize("version", ["binary", "python"])
def test_counts_and_labels_are_verified_in_copies_of_ones_own(version, tmp_path):
    put(tmp_path, CIFAR100, version, "archive", written(CIFAR100, version))
    with pytest.raises(InvalidDataError, match="has 50 pictures to train, not 50000"):
        CIFAR100(tmp_path, checksum=False)
    few = small(CIFAR100)
    few._label_key = lambda self: "fine_labels"
    with pytest.raises(InvalidDataError, match="has labels outside 0 to 19"):
        few(tmp_path, checksum=False, level="coarse")


@pytest.mark.parametrize(
    ("version", "name", "change", "message"),
    [
        ("binary", "train.bin", lambda c: c[:-7], r"train.bin has 153693 bytes.*records of 3074"),
        ("binary", "train.bin", lambda c: b"", r"train.bin has 0 bytes"),
        ("python", "train", lambda c: c[:-7], r"train is not a pickle of arrays"),
        ("python", "train", lambda c: pickle.dumps([1]), r"train holds a list, not a dict"),
        (
            "python",
            "train",
            lambda c: pickle.dumps({"data": 1}),
            r"train has no 'fine_labels'; there is: data",
        ),
        (
            *("python", "train"),
            lambda c: pickle.dumps({"data": np.zeros((2, 9), np.uint8), "fine_labels": [1, 2]}),
            r"'data' is uint8 of shape \(2, 9\), not bytes of \(2, 3072\)",
        ),
    ],
)
def test_damaged_files_are_named(version, name, change, message, tmp_path):
    files = written(CIFAR100, version)
    put(tmp_path, CIFAR100, version, "folder", {**files, name: change(files[name])})
    with pytest.raises(InvalidDataError, match=message):
        small(CIFAR100)(tmp_path, checksum=False)


def test_a_damaged_archive_is_named(tmp_path):
    put(tmp_path, CIFAR10, "binary", "archive", written(CIFAR10, "binary"))
    path = tmp_path / CIFAR10.packings["binary"].archive
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(InvalidDataError, match=r"binary.tar.gz is truncated or damaged"):
        small(CIFAR10)(tmp_path, checksum=False)
    path.unlink()
    put(tmp_path, CIFAR10, "binary", "archive", {"readme.html": b""})
    with pytest.raises(InvalidDataError, match=r"binary.tar.gz has no cifar-10-batches-bin/data_batch_1.bin"):
        small(CIFAR10)(tmp_path, checksum=False)


@pytest.fixture
def cifar(tmp_path):
    put(tmp_path, CIFAR10, "binary", "folder", written(CIFAR10, "binary"))
    return lambda *arguments, **options: small(CIFAR10)(tmp_path, *arguments, checksum=False, **options)


def test_some_labels_and_some_images(cifar):
    whole, few = cifar(), cifar(labelled={"fraction": 0.4, "seed": 1})
    assert (few.targets != IGNORED).sum() == 20
    assert (few.targets[few.targets != IGNORED] == whole.targets[few.targets != IGNORED]).all()
    dropped = cifar(labelled={"fraction": 0.4, "seed": 1}, unlabelled="drop")
    assert (dropped.images == whole.images[few.targets != IGNORED]).all()
    assert (dropped.targets >= 0).all()
    assert (cifar("test", labelled={"fraction": 0.4}).targets >= 0).all()
    part = cifar(num_images=7)
    assert (part.images == whole.images[[0, 7, 14, 21, 28, 35, 42]]).all()
    for options, message in (
        ({"labelled": {"subjects": (1,)}}, "images have no subjects"),
        ({"unlabelled": "hide"}, "there is: drop, keep"),
        ({"num_images": 51}, "num_images=51; the split has 1 to 50"),
    ):
        with pytest.raises(ValueError, match=message):
            cifar(**options)


def test_a_sample_is_a_pure_function_of_its_draw_for_any_number_of_workers(cifar):
    data = cifar(transforms=[{"type": "AugmentImage"}, {"type": "RandAugment", "into": "image_strong"}])
    sampler = EpochSampler(data, seed=3)
    plain = list(DataLoader(data, 16, sampler=sampler))
    for batch, same in zip(plain, DataLoader(data, 16, sampler=sampler, num_workers=2), strict=True):
        assert all(torch.equal(batch["inputs"][m], same["inputs"][m]) for m in ("image", "image_strong"))
    assert plain[0]["inputs"]["image"].dtype == torch.uint8
    assert plain[0]["target"].dtype == plain[0]["index"].dtype == torch.int64
    index = int(plain[0]["index"][0])
    later = [data[Draw(3, epoch, index)]["inputs"]["image"] for epoch in range(4)]
    assert (later[0] == plain[0]["inputs"]["image"][0].numpy()).all()
    assert len({picture.tobytes() for picture in later}) > 1
