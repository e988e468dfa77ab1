"""NTU RGB+D: RGB videos beside the skeletons, and takes of several cameras."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kdbench.datasets import NTU, Draw, NTUTakes
from kdbench.datasets.ntu.names import Name
from kdbench.datasets.ntu.store import Part, write_part, write_store
from kdbench.datasets.ntu.videos import Videos
from kdbench.records import read_yaml
from kdbench.spec import IGNORED, InvalidDataError
from tests.test_datasets.made_videos import av, damage, make, pictures

ROOT = Path(__file__).parents[2]
FRAMES, COUNT, SIZE = 4, 40, 48  # pictures are 48 x 64, so that their middle square shows the bits 1 to 6
RGB = {"frames": FRAMES, "size": SIZE}
TAKES = [(performer, action) for performer in (1, 2, 3) for action in (1, 2, 50)]
GONE = Name(1, 2, 1, 1, 1)  # no skeleton
LOST = Name(1, 3, 2, 1, 2)  # no video
BROKEN = Name(1, 1, 2, 1, 50)  # a damaged one
NAMES = [Name(1, camera, performer, 1, action) for camera in (1, 2, 3) for performer, action in TAKES]
OFFICIAL = Name(1, 1, 1, 1, 1)  # the only one that is an AVI


def encode_avi(path: Path, tint: int) -> None:
    """A video as the authors give them: MPEG-4 part 2 in AVI."""
    with av.open(str(path), "w", format="avi") as file:
        stream = file.add_stream("mpeg4", rate=30)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 64, 48, "yuv420p", 4_000_000
        for picture in pictures(COUNT, tint):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(stream.encode())


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "ntu"
    folder.mkdir()
    rng = np.random.default_rng(0)
    there = [name for name in NAMES if name != GONE]
    skeletons = {str(name): rng.normal(size=(1, 9, 25, 3)).astype(np.float32) for name in there}
    part = folder / "S001.npz"
    write_part(part, Part.of(skeletons, {}))
    write_store(folder, [part])
    (folder / "rgb").mkdir()
    for name in NAMES:
        if name == OFFICIAL:
            encode_avi(folder / "rgb" / f"{name}_rgb.avi", 60 * name.camera)
        elif name != LOST:
            make(folder / "rgb" / f"{name}.mp4", COUNT, sound=None, tint=60 * name.camera)
    damage(folder / "rgb" / f"{BROKEN}.mp4")
    return folder


def halves(clip: np.ndarray) -> list[int]:
    """Half the number of each frame ``(T, 3, 48, 48)``, rounded down: bar 0 is cut off."""
    bars = clip[:, :, 4:20].mean((1, 2)).reshape(len(clip), 6, 8)[:, :, 2:6].mean(2)
    return ((bars > 128) << np.arange(6)).sum(1).tolist()


def at(data: NTU | NTUTakes, *wanted: int) -> int:
    return next(i for i, take in enumerate(data.takes) if take[0].group == (1, wanted[0], 1, wanted[1]))


@pytest.mark.parametrize("name", [OFFICIAL, Name(1, 3, 1, 1, 2)], ids=["avi", "mp4"])
def test_frames_are_those_of_even_stretches(root: Path, name: Name) -> None:
    videos = Videos(root / "rgb", **RGB)
    assert halves(videos.read(name, None)) == [0, 5, 10, 15]
    seen = [halves(videos.read(name, np.random.default_rng(seed))) for seed in range(20)]
    for place, drawn in enumerate(np.transpose(seen)):
        assert drawn.min() >= 5 * place
        assert drawn.max() < 5 * (place + 1)
        assert len({*drawn}) > 2
    assert halves(Videos(root / "rgb", every=4, **RGB).read(name, None)) == [0, 4, 10, 14]


def test_a_cache_changes_nothing_but_the_decoding(root: Path, tmp_path: Path) -> None:
    live, kept = (
        Videos(root / "rgb", every=3, cache=cache, cache_dir=tmp_path, **RGB) for cache in (False, True)
    )
    for seed in (None, 1, 2):
        one, other = (
            of.read(OFFICIAL, None if seed is None else np.random.default_rng(seed)) for of in (live, kept)
        )
        assert np.array_equal(one, other)
    assert len([*tmp_path.rglob("*.npy")]) == 1


def test_clips_of_both_modalities_are_a_pure_function_of_their_draw(root: Path) -> None:
    data = NTU(root, modalities=("skeleton", "rgb"), rgb=RGB)
    one, same, other = (data[Draw(0, epoch, 0)] for epoch in (1, 1, 2))
    assert one["inputs"]["rgb"].shape == (FRAMES, 3, SIZE, SIZE)
    assert one["inputs"]["rgb"].dtype == np.uint8
    assert np.array_equal(one["inputs"]["rgb"], same["inputs"]["rgb"])
    assert not np.array_equal(one["inputs"]["rgb"], other["inputs"]["rgb"])
    assert np.array_equal(one["inputs"]["skeleton"], other["inputs"]["skeleton"])
    alone = NTU(root, modalities=("rgb",), rgb=RGB)
    assert [*alone[0]["inputs"]] == ["rgb"]
    assert alone.samples == data.samples
    tested = NTU(root, "test", modalities=("rgb",), rgb=RGB)
    assert np.array_equal(tested[Draw(0, 1, 0)]["inputs"]["rgb"], tested[Draw(5, 2, 0)]["inputs"]["rgb"])


def test_clips_without_a_video_are_replaced_named_and_counted(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = NTU(root, modalities=("rgb",), rgb=RGB)
    lost, broken = data.samples.index(LOST), data.samples.index(BROKEN)
    for _ in range(2):
        for place in (lost, broken):
            sample, following = data[Draw(0, 0, place)], data.samples[place + 1]
            assert sample["index"] == place + 1
            assert sample["target"] == following.label
    assert data.substituted == {"missing view": 1, "unreadable view": 1}
    assert f"no video of {LOST}: no {LOST}_rgb.avi or {LOST}.mp4" in caplog.text
    assert f"{BROKEN}.mp4 is truncated or damaged" in caplog.text
    strict = NTU(root, modalities=("rgb",), rgb=RGB, on_problem="fail")
    with pytest.raises(InvalidDataError, match=f"no video of {LOST}"):
        strict[lost]


def test_takes_mark_the_cameras_that_are_absent(root: Path) -> None:
    data = NTUTakes(root, modalities=("skeleton", "rgb", "view_shown"), rgb=RGB)
    assert len(data) == 6  # of performers 1 and 2
    for take, cameras in {(1, 2): (1, 2, 3), (1, 1): (1, 3), (2, 2): (1, 2), (2, 50): (2, 3)}.items():
        sample = data.load(at(data, *take))
        rgb, shown = (sample["inputs"][name] for name in ("rgb", "view_shown"))
        assert rgb.shape == (3, FRAMES, 3, SIZE, SIZE)
        assert [camera for camera in (1, 2, 3) if shown[camera - 1]] == [*cameras]
        for camera in (1, 2, 3):
            if camera not in cameras:
                assert not rgb[camera - 1].any()
                continue
            assert halves(rgb[camera - 1]) == [0, 5, 10, 15]
            assert abs(rgb[camera - 1, :, 0, 30:].mean() - 60 * camera) < 8  # its own video
        own = Name(1, cameras[0], take[0], 1, take[1])
        alone = NTU(root)
        assert np.array_equal(
            sample["inputs"]["skeleton"], alone[alone.samples.index(own)]["inputs"]["skeleton"]
        )
        assert sample["target"] == take[1] - 1
    assert data.substituted == {"missing view": 1, "unreadable view": 1}


@pytest.mark.parametrize("kind", [NTU, NTUTakes])
def test_which_clip_there_is_depends_on_what_substitutes_are_by_and_on_nothing_else(
    root: Path, kind: type[NTU | NTUTakes]
) -> None:
    """A teacher's cache relies on it (``Live``)."""
    found: dict[bool, list[list]] = {True: [], False: []}
    for more in ((), ("view_shown",), ("rgb",), ("rgb", "view_shown")):
        if {*more} <= {*kind.known}:
            data = kind(root, modalities=("skeleton", *more), rgb=RGB)
            samples = [data[Draw(0, 0, place)] for place in range(len(data))]
            clips = [[s["index"], s["target"], s["inputs"]["skeleton"].tolist()] for s in samples]
            found[not {*more}.isdisjoint(kind.substituted_by)].append(clips)
    for alike in found.values():
        assert all(clips == alike[0] for clips in alike)
    assert found[True][0] != found[False][0]


def test_takes_are_whole_in_one_split(root: Path) -> None:
    train, test = (NTUTakes(root, split, modalities=("skeleton",)) for split in ("train", "test"))
    assert {take[0].performer for take in train.takes} == {1, 2}
    assert {take[0].performer for take in test.takes} == {3}
    with pytest.raises(ValueError, match="'xview-60' splits by camera"):
        NTUTakes(root, protocol="xview-60")


@pytest.mark.parametrize("fraction", [0.3, 0.5, 0.8])
def test_a_fraction_shows_the_labels_of_whole_takes_the_same_ones_everywhere(
    root: Path, fraction: float
) -> None:
    rule = {"fraction": fraction, "seed": 1}
    clips, takes = NTU(root, labelled=rule), NTUTakes(root, labelled=rule)
    known = {
        name.group for name, target in zip(clips.samples, clips.targets, strict=True) if target != IGNORED
    }
    hidden = {
        name.group for name, target in zip(clips.samples, clips.targets, strict=True) if target == IGNORED
    }
    assert known
    assert not known & hidden
    assert known == {
        take[0].group for take, t in zip(takes.takes, takes.targets, strict=True) if t != IGNORED
    }
    kept = NTU(root, labelled=rule, unlabelled="drop")
    assert {name.group for name in kept.samples} == known
    assert kept.targets.tolist() == [name.label for name in kept.samples]


def test_where_the_videos_belong_is_said(root: Path, tmp_path: Path) -> None:
    with pytest.raises(
        InvalidDataError, match=r"nowhere is not a folder; put the videos, NAME_rgb\.avi or NAME\.mp4"
    ):
        NTU(root, modalities=("rgb",), rgb={"root": tmp_path / "nowhere"})
    with pytest.raises(ValueError, match="frames=0, size=112, every=1; all are 1 or more"):
        Videos(root, frames=0)
    with pytest.raises(InvalidDataError, match="no video of the split can be read"):
        NTU(root, modalities=("rgb",), rgb={"root": tmp_path})[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    "row",
    [
        "kd/ntu60_xsub_stgcnpp_paper_rgb_cnn_112",
        "crossview/ntu60_xsub_p10_takes_stgcnpp_paper_rgb_view_students",
    ],
)
def test_rows_train_and_are_tested_on_files(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: str
) -> None:
    monkeypatch.setenv("KDBENCH_DATA_ROOT", str(root.parent))
    command = [
        sys.executable,
        "tools/train.py",
        f"configs/{row}.py",
        "--smoke",
        "--work-dir",
        str(tmp_path / "run"),
    ]
    options = [
        "train_dataloader.num_workers=0",
        "test_dataloader.num_workers=0",
        "train_dataloader.drop_last=False",
    ]
    done = subprocess.run(
        [*command, "--threads", "1", "--cfg-options", *options], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    result = read_yaml(tmp_path / "run" / "result.yml")
    assert result["status"] == "ok"
    assert result["metrics"]["top1"] >= 0
    views = [name for name in result["metrics"] if name.startswith("view_")]
    assert sorted(views) == ([f"view_{v}/top{k}" for v in range(3) for k in (1, 5)] if "takes" in row else [])
    assert "no video of" in done.stdout + done.stderr
