"""N-UCLA: splits and refusals on a small made file, the published counts on the real one."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from kdbench.datasets import NUCLA, Draw
from kdbench.datasets.nucla import ACTIONS, CLASSES, FILE, read_clips
from kdbench.spec import IGNORED, InvalidDataError
from tests.scripts import script

REAL = Path(os.environ.get("KDBENCH_DATA_ROOT", "/nowhere"), "nucla")
tool = script("prepare/nucla")
needs_clips = pytest.mark.skipif(not REAL.is_dir(), reason="N-UCLA is not under $KDBENCH_DATA_ROOT")


def made() -> dict[str, np.ndarray]:
    """Each class of each subject in each view once, of 1 to 7 frames."""
    rng = np.random.default_rng(0)
    label, subject, view = (g.ravel() for g in np.meshgrid(range(10), range(1, 11), (1, 2, 3), indexing="ij"))
    length = rng.integers(1, 8, len(label))
    return {
        "skeleton": rng.normal(size=(length.sum(), 20, 3)).astype(np.float32),
        "length": length,
        "label": label,
        "subject": subject,
        "view": view,
        "episode": np.zeros(len(label), np.int16),
        "name": np.array(
            [f"a{a:02}_s{s:02}_e00_v{v:02}" for a, s, v in zip(label, subject, view, strict=True)]
        ),
    }


def write(root: Path, **changed: np.ndarray) -> Path:
    np.savez(root / FILE, **{**made(), **changed})
    return root


@pytest.mark.parametrize(
    ("protocol", "split", "column", "values"),
    [
        ("cross-view", "train", "view", {1, 2}),
        ("cross-view", "test", "view", {3}),
        ("single-view", "train", "view", {1}),
        ("single-view", "val", "view", {2}),
        ("cross-subject", "train", "subject", {1, 2, 3, 4, 5}),
        ("cross-subject", "test", "subject", {6, 7, 8, 9, 10}),
    ],
)
def test_a_split_holds_the_clips_of_its_views_or_subjects(
    tmp_path: Path, protocol: str, split: str, column: str, values: set[int]
) -> None:
    data = NUCLA(write(tmp_path), split, protocol)
    assert {*getattr(data.clips, column).tolist()} == values
    everything, _ = read_clips(tmp_path / FILE)
    assert len(data) == np.isin(getattr(everything, column), [*values]).sum()
    assert data.targets.tolist() == data.clips.label.tolist()
    assert data.subjects.tolist() == data.clips.subject.tolist()


def test_a_clip_is_its_own_recording_in_canonical_pose(tmp_path: Path) -> None:
    data = NUCLA(write(tmp_path), "test")
    clips, recordings = read_clips(tmp_path / FILE)
    for index in (0, 57, len(data) - 1):
        row = int(np.flatnonzero(clips.name == data.clips.name[index])[0])
        pose = data[index]["inputs"]["skeleton"]
        assert pose.shape == recordings[row].shape
        np.testing.assert_allclose(np.median(pose[:, 0, 1]), 0, atol=1e-5)
        # turned and scaled only: all distances in one proportion
        first, second = (np.linalg.norm(s[:, 3] - s[:, 11], axis=1) for s in (pose, recordings[row]))
        np.testing.assert_allclose(first / second, (first / second)[0], rtol=1e-3)


def test_hidden_labels_are_those_of_other_subjects(tmp_path: Path) -> None:
    root = write(tmp_path)
    data = NUCLA(root, labelled={"subjects": (2, 3)})
    shown = np.isin(data.clips.subject, (2, 3))
    assert (data.targets[~shown] == IGNORED).all()
    assert (data.targets[shown] == data.clips.label[shown]).all()
    assert (NUCLA(root, "test", labelled={"subjects": (2, 3)}).targets >= 0).all()
    alone = NUCLA(root, labelled={"subjects": (2, 3)}, unlabelled="drop")
    assert list(alone.clips.subject) == list(data.clips.subject[shown])
    assert (alone.targets == data.targets[shown]).all()
    for mine, place in zip(range(len(alone)), np.flatnonzero(shown), strict=True):
        assert np.array_equal(alone[mine]["inputs"]["skeleton"], data[int(place)]["inputs"]["skeleton"])


def test_a_clip_of_one_frame_can_be_augmented(tmp_path: Path) -> None:
    data = NUCLA(write(tmp_path), transforms=[{"type": "AugmentSkeleton", "frames": 52}])
    short = int(np.flatnonzero([len(s) == 1 for s in data._skeletons])[0])
    one, again = data[Draw(0, 3, short)], data[Draw(0, 3, short)]
    assert one["inputs"]["skeleton"].shape == (52, 20, 3)
    assert np.array_equal(one["inputs"]["skeleton"], again["inputs"]["skeleton"])


def test_a_student_a_view_sees_the_clips_of_its_view(tmp_path: Path) -> None:
    root, names = write(tmp_path), ("view_skeleton", "view_shown", "skeleton")
    train, test = (NUCLA(root, split, modalities=names) for split in ("train", "test"))
    for data, alone in ((train, NUCLA(root)), (test, NUCLA(root, "test"))):
        for index in range(0, len(data), 7):
            inputs, view = data[index]["inputs"], data.clips.view[index]
            assert tuple(inputs) == names
            assert np.array_equal(inputs["skeleton"], alone[index]["inputs"]["skeleton"])
            shown = [True, True] if view == 3 else [view == 1, view == 2]
            assert inputs["view_shown"].tolist() == shown
            for place in range(2):
                expected = inputs["skeleton"] if shown[place] else np.zeros_like(inputs["skeleton"])
                assert np.array_equal(inputs["view_skeleton"][place], expected)
    for protocol in ("single-view", "cross-subject"):
        with pytest.raises(
            ValueError, match=f"'{protocol}' trains on no two views apart; there is: cross-view"
        ):
            NUCLA(root, protocol=protocol, modalities=names)


def test_a_second_augmentation_goes_where_the_clip_goes(tmp_path: Path) -> None:
    root, names = write(tmp_path), ("view_skeleton", "view_shown")
    stronger = {"type": "AugmentSkeleton", "into": "skeleton_strong"}
    assert [*NUCLA(root, transforms=[stronger])[3]["inputs"]] == ["skeleton", "skeleton_strong"]
    inputs = NUCLA(root, modalities=names, transforms=[stronger])[Draw(0, 1, 3)]["inputs"]
    assert [*inputs] == [*names, "view_skeleton_strong"]
    place = int(inputs["view_shown"].argmax())
    assert not inputs["view_skeleton_strong"][1 - place].any()
    assert not np.array_equal(inputs["view_skeleton_strong"][place], inputs["view_skeleton"][place])


def test_clips_prepared_as_others_stand_in_the_places_of_the_views(tmp_path: Path) -> None:
    train = NUCLA(
        write(tmp_path), modalities=("view_skeleton", "view_shown"), transforms=[{"type": "AugmentSkeleton"}]
    )
    plain = NUCLA(tmp_path, modalities=("view_skeleton", "view_shown"))
    found, wanted = train.prepared_as(plain)[5]["inputs"], plain[5]["inputs"]
    assert {name: value.tolist() for name, value in found.items()} == {
        name: value.tolist() for name, value in wanted.items()
    }


def test_bad_requests_say_what_there_is(tmp_path: Path) -> None:
    root = write(tmp_path)
    with pytest.raises(ValueError, match="protocol 'cross-views' is unknown; did you mean: cross-view"):
        NUCLA(root, protocol="cross-views")
    with pytest.raises(ValueError, match="protocol 'cross-view' has no split 'val'; there is: train, test"):
        NUCLA(root, "val")
    with pytest.raises(
        ValueError, match="modality 'rgb' is unknown; there is: skeleton, view_shown, view_skeleton"
    ):
        NUCLA(root, modalities=("rgb",))
    with pytest.raises(ValueError, match="unlabelled 'hide' is unknown; there is: drop, keep"):
        NUCLA(root, unlabelled="hide")


def test_bad_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidDataError, match=f"{FILE} is missing"):
        NUCLA(tmp_path)
    arrays = made()
    with pytest.raises(InvalidDataError, match=r"holds \d+ frames for 300 clips"):
        NUCLA(write(tmp_path, skeleton=arrays["skeleton"][:-1]))
    broken = arrays["skeleton"].copy()
    broken[0, 0, 0] = np.nan
    with pytest.raises(InvalidDataError, match=f"{arrays['name'][0]} holds values that are not finite"):
        NUCLA(write(tmp_path, skeleton=broken))
    with pytest.raises(InvalidDataError, match=f"{arrays['name'][5]} has a view, subject or label"):
        NUCLA(write(tmp_path, view=np.where(np.arange(300) == 5, 4, arrays["view"])))


def write_json(source: Path, arrays: dict[str, np.ndarray]) -> None:
    """One file a clip, as they are published."""
    source.mkdir(parents=True, exist_ok=True)
    recordings = np.split(arrays["skeleton"], np.cumsum(arrays["length"])[:-1])
    for name, label, clip in zip(arrays["name"], arrays["label"], recordings, strict=True):
        action = f"a{ACTIONS[label]:02}{name[3:]}"
        text = json.dumps({"file_name": action, "label": int(label) + 1, "skeletons": clip.tolist()})
        (source / f"{action}.json").write_text(text)


def test_prepared_files_hold_what_the_source_held(tmp_path: Path) -> None:
    arrays = made()
    write_json(tmp_path / "source", arrays)
    assert tool.main([str(tmp_path / "source"), str(tmp_path / "nucla"), "--allow-partial"]) == 0
    clips, recordings = read_clips(tmp_path / "nucla" / FILE)
    expected = np.split(arrays["skeleton"], np.cumsum(arrays["length"])[:-1])
    for column in ("label", "subject", "episode", "view"):
        assert getattr(clips, column).tolist() == arrays[column].tolist()
    assert all(np.array_equal(a, b) for a, b in zip(recordings, expected, strict=True))


def test_a_source_that_is_not_whole_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_json(tmp_path / "source", made())
    out = [str(tmp_path / "source"), str(tmp_path / "nucla")]
    assert tool.main(out) == 1
    assert "holds 300 files" in capsys.readouterr().err
    damaged = tmp_path / "source" / "a01_s01_e00_v01.json"
    damaged.write_text(damaged.read_text()[:-10])
    assert tool.main([*out, "--allow-partial"]) == 1
    assert f"{damaged} is truncated or damaged" in capsys.readouterr().err
    damaged.write_text('{"skeletons": [[[0, 0, 0]]]}')
    assert tool.main([*out, "--allow-partial"]) == 1
    assert "has the shape (1, 1, 3), not (any, 20, 3)" in capsys.readouterr().err
    damaged.rename(damaged.with_name("a07_s01_e00_v01.json"))
    assert tool.main([*out, "--allow-partial"]) == 1
    assert "an action that N-UCLA lacks" in capsys.readouterr().err
    assert not (tmp_path / "nucla" / FILE).exists()


@needs_clips
def test_the_real_file_has_the_published_clips() -> None:
    train, test = NUCLA(split="train"), NUCLA(split="test")
    assert (len(train), len(test)) == (1020, 464)
    assert len({*train.clips.name} | {*test.clips.name}) == 1484
    assert np.unique(train.targets).tolist() == list(range(len(CLASSES)))
    lengths = [len(skeleton) for data in (train, test) for skeleton in data._skeletons]
    assert (min(lengths), max(lengths)) == (1, 201)


@needs_clips
def test_canonical_people_stand_upright_and_face_one_way() -> None:
    data = NUCLA(split="test")
    heads = np.array([np.median(s[:, 3, 1]) for s in data._skeletons])
    assert (heads > 0.5).mean() > 0.95
    across = np.array([np.median(s[:, 8, 0] - s[:, 4, 0]) for s in data._skeletons])
    assert (across > 0).mean() > 0.95
