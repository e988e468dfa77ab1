"""The annotation of Home1 and Home2 in the layouts in which they are published."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from kdbench.datasets.multisensor_home import HOME1_CLASSES, MultiSensorHome, named_classes, read_records
from kdbench.datasets.timeline import Interval
from kdbench.spec import InvalidDataError


def entry(path: str, *actions: tuple[float, float, str], views: int = 5) -> dict:
    """A record as the README of MultiSensorHome shows it; ``path`` has a {} for the view."""
    urls = {f"video_url_{view}": path.format(view) for view in range(1, views + 1)}
    return {**urls, "tricks": [{"start": s, "end": e, "labels": [label]} for s, e, label in actions]}


RECORDS = [
    entry("01/00-View{}-Part1.mp4", (3.25, 6.13, "Sitdown"), (7.52, 59.07, "ReadBook")),
    entry("01/00-View{}-Part2.mp4", (0.0, 4.0, "Standup")),
    entry("02/00-View{}-Part1.mp4", (1.0, 2.0, "Eat"), (5.0, 9.0, "Eat")),
]


def write(root: Path, train=RECORDS, test=RECORDS[:1], names=("train.json", "test.json")) -> Path:
    root.mkdir(exist_ok=True, parents=True)
    for name, records in zip(names, (train, test), strict=True):
        (root / name).write_text(json.dumps(records))
    return root


def test_home1(tmp_path):
    data = MultiSensorHome(write(tmp_path / "home"))
    assert len(data) == 3
    assert data.classes == HOME1_CLASSES
    assert (len(data.classes), data.classes[0], data.classes[15]) == (16, "AdjustAC", "UsePhone")
    assert [record.name for record in data.records] == ["01/00-Part1", "01/00-Part2", "02/00-Part1"]
    assert data.recordings == ["01/00", "01/00", "02/00"]
    assert data.records[0].videos == tuple(f"01/00-View{view}-Part1.mp4" for view in range(1, 6))
    assert data.records[0].intervals == (Interval("Sitdown", 3.25, 6.13), Interval("ReadBook", 7.52, 59.07))
    assert [np.flatnonzero(row).tolist() for row in data.targets] == [[9, 10], [11], [5]]
    assert len(MultiSensorHome(tmp_path / "home", split="test")) == 1


def test_home2_has_other_names_and_its_own_classes(tmp_path):
    own = [entry("01/00-View{}-Part1.mp4", (0, 1, "Cook")), entry("01/01-View{}-Part1.mp4", (0, 1, "Eat"))]
    names = ("train_data.json", "test_data.json")
    root = write(tmp_path / "home", own, [entry("03/07-View{}-Part1.mp4", (0, 1, "Bathe"))], names)
    data = MultiSensorHome(root, home=2)
    assert data.classes == ("Bathe", "Cook", "Eat")
    assert MultiSensorHome(root, home=2, split="test").targets.tolist() == [[1, 0, 0]]
    (root / "all_labels.json").write_text(json.dumps([entry("01/00-View{}-Part1.mp4", (0, 1, "Sweep"))]))
    assert named_classes(root) == ("Sweep",)
    assert MultiSensorHome(root, home=2, classes=("Eat", "Cook", "Bathe")).classes[0] == "Eat"


def test_videos_below_the_folder_that_the_archive_unpacks_to(tmp_path):
    root = write(tmp_path / "home", names=("train_data.json", "test_data.json"))
    (root / "MultiSensor-Home2" / "01").mkdir(parents=True)
    assert MultiSensorHome(root, home=2).records[0].videos[4] == "MultiSensor-Home2/01/00-View5-Part1.mp4"
    (root / "01").mkdir()
    (root / "01" / "00-View3-Part1.mp4").touch()
    assert MultiSensorHome(root, home=2).records[0].videos[4] == "01/00-View5-Part1.mp4"


def test_views_are_in_the_order_of_their_numbers_and_one_that_is_not_named_is_missing(tmp_path):
    shuffled = dict(reversed(RECORDS[0].items()))
    lacking = {key: value for key, value in RECORDS[1].items() if key != "video_url_2"}
    data = MultiSensorHome(write(tmp_path / "home", [shuffled, lacking]))
    assert data.records[0].videos == tuple(f"01/00-View{view}-Part1.mp4" for view in range(1, 6))
    assert len(data.records[1].videos) == 5
    kinds = [problem for problem in data.problems() if "00-Part2: view 2" in problem.message]
    assert [problem.kind for problem in kinds] == ["missing view"]
    assert "video_url_2 is not given" in kinds[0].message


def test_all_labels_of_an_interval_count(tmp_path):
    record = {**RECORDS[0], "tricks": [{"start": 0, "end": 1, "labels": ["Eat", "Drink"]}]}
    data = MultiSensorHome(write(tmp_path / "home", [record]))
    assert data.records[0].labels == ("Eat", "Drink")


@pytest.mark.parametrize(
    "tricks",
    [[{"start": 0, "labels": ["Eat"]}], [{"start": 0, "end": 1}], [{"start": "x", "end": 1, "labels": []}], ["Eat"],
     [{"start": float("nan"), "end": 1, "labels": ["Eat"]}]],
)  # fmt: skip
def test_a_damaged_record_is_named(tmp_path, tricks):
    root = write(tmp_path / "home", [RECORDS[0], {**RECORDS[1], "tricks": tricks}])
    with pytest.raises(
        InvalidDataError, match=r"train\.json: recording 1 \(01/00-View1-Part2\.mp4\) has an action"
    ):
        MultiSensorHome(root)


@pytest.mark.parametrize("text", ["", "[{", '{"a": 1}', '[{"tricks": []}]', "[1]"])
def test_a_damaged_annotation_is_named(tmp_path, text):
    root = write(tmp_path / "home")
    (root / "train.json").write_text(text)
    with pytest.raises(InvalidDataError, match=r"train\.json is (truncated or damaged|no list)"):
        MultiSensorHome(root)


def test_an_empty_annotation_and_wrong_options(tmp_path):
    root = write(tmp_path / "home", train=[])
    with pytest.raises(InvalidDataError, match="lists no recording of the split 'train'"):
        MultiSensorHome(root)
    with pytest.raises(ValueError, match="no split 'val'; there is: test, train"):
        MultiSensorHome(root, split="val")
    with pytest.raises(ValueError, match="home=3; there is: 1, 2"):
        MultiSensorHome(root, home=3)


@pytest.mark.parametrize("home", [1, 2])
def test_without_the_data_the_error_says_where_it_looked_and_how_to_get_it(tmp_path, monkeypatch, home):
    command = f"hf download thanhhff/MultiSensor-Home{home} --repo-type dataset --local-dir "
    monkeypatch.setenv("KDBENCH_DATA_ROOT", str(tmp_path))
    with pytest.raises(InvalidDataError, match=re.escape(command)) as refused:
        MultiSensorHome(home=home)
    assert str(tmp_path / f"multisensor_home{home}") in str(refused.value)
    assert ("unzip" in str(refused.value)) == (home == 2)
    (tmp_path / f"multisensor_home{home}").mkdir()
    with pytest.raises(InvalidDataError, match=r"neither train\.json nor train_data\.json.*hf download"):
        MultiSensorHome(home=home)
    monkeypatch.delenv("KDBENCH_DATA_ROOT")
    with pytest.raises(InvalidDataError, match=r"neither root nor KDBENCH_DATA_ROOT.*hf download"):
        MultiSensorHome(home=home)


def test_promises_come_from_the_annotation(tmp_path):
    root = write(tmp_path / "home")
    assert MultiSensorHome.promises(root=root) == {"num_train": 3, "num_classes": 16}
    write(tmp_path / "home2", names=("train_data.json", "test_data.json"))
    assert MultiSensorHome.promises(root=tmp_path / "home2", home=2, split="train", num_frames=9) == {
        "num_train": 3,
        "num_classes": 4,
    }
    assert MultiSensorHome.promises(root=tmp_path / "nowhere") == {}


def test_a_prefix_stands_before_each_path(tmp_path):
    root = write(tmp_path / "home")
    assert read_records(root / "train.json", "a/")[0].videos[0] == "a/01/00-View1-Part1.mp4"
