"""Compressed pictures: Tiny-ImageNet and folders in their layouts, the JPEG copy of CIFAR-10."""

import os
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdbench.datasets import CIFAR10, CIFAR10JPEG, ImageFolder, TinyImageNet
from kdbench.datasets.images import cifar_jpeg
from kdbench.datasets.images.decoding import decoded, is_whole
from kdbench.spec import InvalidDataError
from tests.scripts import script

ROOT = Path(__file__).parents[2]


def picture(seed, height=64, width=64):
    """A smooth picture, (H, W, 3) bytes, BGR."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def encoded(seed, suffix=".jpg", **extent):
    return cv2.imencode(suffix, picture(seed, **extent))[1].tobytes()


def file(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


WNIDS = ("n02124075", "n01443537", "n04067472")  # not in sorted order, as in the original


@pytest.fixture
def tiny(tmp_path):
    (tmp_path / "wnids.txt").write_text("\n".join(WNIDS) + "\n")
    for c, name in enumerate(WNIDS):
        for i in range(4):
            file(tmp_path / "train" / name / "images" / f"{name}_{i}.JPEG", encoded(10 * c + i))
        file(tmp_path / "train" / name / f"{name}_boxes.txt", b"")
    for i, name in enumerate(WNIDS[::-1]):
        file(tmp_path / "val" / "images" / f"val_{i}.JPEG", encoded(100 + i))
        with (tmp_path / "val" / "val_annotations.txt").open("a") as annotations:
            annotations.write(f"val_{i}.JPEG\t{name}\t0\t32\t44\t62\n")
    return tmp_path, type("Small", (TinyImageNet,), {"counts": {"classes": 3, "train": 12, "val": 3}})


def test_tiny_imagenet_in_its_layout(tiny):
    root, kind = tiny
    train, val = kind(root), kind(root, "val")
    assert train.classes == val.classes == tuple(sorted(WNIDS))
    assert train.targets.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert val.targets.tolist() == [2, 0, 1]
    assert train.images.shape == (12, 3, 64, 64)
    assert np.abs(val.images[0].astype(int) - picture(100)[..., ::-1].transpose(2, 0, 1)).mean() < 4
    assert (kind(root, num_images=3).images == train.images[::4]).all()
    with pytest.raises(ValueError, match="no split 'test'"):
        kind(root, "test")


def test_tiny_imagenet_says_what_is_wrong(tiny):
    root, kind = tiny
    with pytest.raises(
        InvalidDataError, match=r"wnids.txt has 3 classes, not 200; get it with: curl -LO http"
    ):
        TinyImageNet(root)
    cut = root / "train" / WNIDS[0] / "images" / f"{WNIDS[0]}_2.JPEG"
    cut.write_bytes(cut.read_bytes()[:-30])
    with pytest.raises(InvalidDataError, match=rf"{cut.name} is truncated"):
        kind(root)
    cut.unlink()
    with pytest.raises(InvalidDataError, match=r"train has 11 pictures, not 12"):
        kind(root)
    (root / "val" / "images" / "val_1.JPEG").unlink()
    with pytest.raises(InvalidDataError, match=r"val_1.JPEG cannot be read"):
        kind(root, "val")
    (root / "val" / "val_annotations.txt").write_text("val_0.JPEG\tn99\t0\n")
    with pytest.raises(InvalidDataError, match=r"val_annotations.txt, line 1: no class of wnids.txt"):
        kind(root, "val")
    (root / "wnids.txt").unlink()
    with pytest.raises(InvalidDataError, match=r"wnids.txt cannot be read"):
        kind(root)


@pytest.fixture
def pictures(tmp_path):
    for split, count in (("train", 3), ("test", 2)):
        for c, name in enumerate(("zebra", "ant")):
            for i in range(count):
                file(tmp_path / split / name / f"{i}.png", encoded(10 * c + i, ".png", height=20, width=24))
    (tmp_path / "train" / "ant" / "notes.txt").touch()
    return tmp_path


def test_a_folder_a_class(pictures):
    data, test = ImageFolder(pictures), ImageFolder(pictures, "test", title="Animals")
    assert data.metainfo == {"dataset": pictures.name, "classes": ("ant", "zebra")}
    assert test.metainfo["dataset"] == "Animals"
    assert data.targets.tolist() == [0, 0, 0, 1, 1, 1]
    assert (data.images[3] == picture(0, 20, 24)[..., ::-1].transpose(2, 0, 1)).all()
    assert ImageFolder(pictures, size=16).images.shape == (6, 3, 16, 16)
    assert (ImageFolder(pictures, size=20).images == data.images[..., 2:22]).all()


def test_a_folder_says_what_is_wrong(pictures):
    file(pictures / "test" / "yak" / "0.png", encoded(0, ".png"))
    for problem, options in (
        (r"train has 2 classes, not 3: ant, zebra", {"num_classes": 3}),
        (r"test has classes that train has not: yak", {"split": "test"}),
    ):
        with pytest.raises(InvalidDataError, match=problem):
            ImageFolder(pictures, **options)
    with pytest.raises(ValueError, match=r"no split 'val'; there is: test, train"):
        ImageFolder(pictures, "val")
    with pytest.raises(
        InvalidDataError, match=r"nowhere is not a folder; the layout is <root>/<split>/<class>/"
    ):
        ImageFolder(pictures / "nowhere")
    file(pictures / "train" / "zebra" / "9.png", encoded(0, ".png"))
    with pytest.raises(InvalidDataError, match=r"9.png is 64 x 64, .*0.png is 24 x 20; say size="):
        ImageFolder(pictures)
    file(pictures / "train" / "zebra" / "9.png", b"no picture")
    with pytest.raises(InvalidDataError, match=r"9.png is no image that can be read \(10 bytes\)"):
        ImageFolder(pictures)
    (pictures / "train" / "yak").mkdir()
    with pytest.raises(InvalidDataError, match=r"yak holds no picture \(.jpg"):
        ImageFolder(pictures)


@settings(deadline=None)
@given(st.sampled_from([".jpg", ".png"]), st.floats(0.01, 0.99))
def test_a_cut_image_is_never_taken_for_a_whole_one(suffix, share):
    content = encoded(1, suffix)
    assert is_whole(content)
    assert decoded(content, "x").shape == (3, 64, 64)
    with pytest.raises(InvalidDataError, match=r"x.jpg is (truncated|no image)"):
        decoded(content[: int(share * len(content))], "x.jpg")


def test_the_end_of_a_thumbnail_is_not_the_end_of_the_image():
    content = encoded(1)
    thumbnail = b"\xff\xe1" + struct.pack(">H", 2 + 4) + b"\xff\xd8\xff\xd9"
    content = content[:2] + thumbnail + content[2:]
    assert is_whole(content)
    assert is_whole(content + b"a trailer")
    assert not is_whole(content[:-2])


def copy_arrays(count=20):
    contents = [encoded(i, height=32, width=32) for i in range(count)]
    return {
        "jpeg": np.frombuffer(b"".join(contents), np.uint8),
        "length": np.array([len(content) for content in contents], np.int32),
        "label": (np.arange(count) % 10).astype(np.uint8),
        "classes": np.array(CIFAR10.classes),
    }


@pytest.fixture
def write_copy(tmp_path, monkeypatch):
    monkeypatch.setattr(cifar_jpeg, "COUNTS", {"train": 20, "test": 20})

    def write(**changes):
        np.savez(tmp_path / "cifar10_train_jpeg.npz", **{**copy_arrays(), **changes})
        return tmp_path

    return write


def test_the_jpeg_copy_goes_by_its_own_name(write_copy):
    data = CIFAR10JPEG(write_copy())
    assert data.metainfo == {"dataset": "CIFAR-10 (JPEG copy)", "classes": CIFAR10.classes}
    assert data.title != CIFAR10.title
    assert np.abs(data.images[7].astype(int) - picture(7, 32, 32)[..., ::-1].transpose(2, 0, 1)).mean() < 8
    assert (CIFAR10JPEG(write_copy(), num_images=5).images == data.images[::4]).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"label": np.zeros(19, np.uint8)}, "has 20 pictures and 19 labels, not 20"),
        ({"length": np.ones(20, np.int32)}, "its lengths add up to 20"),
        ({"classes": np.array(["dog", "cat"])}, "other classes than CIFAR-10: dog, cat"),
        ({"jpeg": copy_arrays()["jpeg"][::-1]}, r"train_jpeg.npz: picture \d+ is no image"),
    ],
)
def test_a_copy_with_something_wrong_is_refused(write_copy, changes, message):
    with pytest.raises(InvalidDataError, match=message):
        CIFAR10JPEG(write_copy(**changes))


def test_the_copy_is_made_from_folders(tmp_path, monkeypatch, capsys):
    tool = script("prepare/cifar10_jpeg")
    for split in ("train", "test"):
        for c, name in enumerate(CIFAR10.classes):
            for i in range(2):
                file(
                    tmp_path / "source" / split / name / f"{i}.jpg", encoded(10 * c + i, height=32, width=32)
                )
    assert tool.main([str(tmp_path / "source"), str(tmp_path / "out")]) == 1
    assert "train has 20 pictures, not 50000" in capsys.readouterr().err
    monkeypatch.setattr(CIFAR10, "counts", {"train": 20, "test": 20})
    monkeypatch.setattr(cifar_jpeg, "COUNTS", CIFAR10.counts)
    assert tool.main([str(tmp_path / "source"), str(tmp_path / "out")]) == 0
    for split in ("train", "test"):
        data = CIFAR10JPEG(tmp_path / "out", split)
        seen = {
            (label, image.tobytes()) for label, image in zip(data.targets.tolist(), data.images, strict=True)
        }
        assert seen == {
            (c, decoded(encoded(10 * c + i, height=32, width=32), "x").tobytes())
            for c in range(10)
            for i in range(2)
        }


REAL = Path(os.environ.get("KDBENCH_DATA_ROOT", "/nowhere"), "cifar10")


@pytest.mark.skipif(
    not (REAL / cifar_jpeg.FILES["train"]).is_file(), reason="no JPEG copy below KDBENCH_DATA_ROOT"
)
@pytest.mark.parametrize("split", ["train", "test"])
def test_the_real_copy_is_as_its_description_says(split):
    count = CIFAR10.counts[split]
    _, _, labels = cifar_jpeg.read_copy(REAL / cifar_jpeg.FILES[split], count)
    assert np.bincount(labels).tolist() == [count // 10] * 10
    pixels = CIFAR10JPEG(REAL, split, num_images=5000).images.reshape(5000, 3, -1)
    assert np.allclose(pixels.mean(axis=(0, 2)) / 255, (0.4913, 0.4821, 0.4465), atol=0.008)
    assert np.allclose(pixels.std(axis=(0, 2)) / 255, (0.2452, 0.2428, 0.2606), atol=0.004)
