"""The splits without files, the data set on small made files, and on the real recordings where they are."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader, default_collate

from kdbench.datasets.base import Draw
from kdbench.datasets.sampling import EpochSampler
from kdbench.datasets.utd_mhad import (
    CLASSES,
    MODALITIES,
    PARENTS,
    STREAMS,
    SUBJECTS,
    UTDMHAD,
    all_clips,
    data_spec,
    select,
)
from kdbench.datasets.utd_mhad_depth import turn_of
from kdbench.spec import IGNORED, InvalidDataError

TRAIN = [{"type": "AugmentSkeleton"}, {"type": "AugmentInertial"}, {"type": "AugmentDepth"}]
TEST = [
    {"type": "Resample", "modality": "skeleton", "frames": 48},
    {"type": "Resample", "modality": "inertial", "frames": 128},
    {"type": "SampleDepth", "frames": 16},
]
SHAPES = {"skeleton": (48, 20, 3), "inertial": (128, 6), "depth": (16, 2, 64, 48)}


def made_streams():
    """All 861 clips, each with three skeleton frames and four inertial samples of random numbers."""
    clips, rng = all_clips(), np.random.default_rng(0)
    count = len(clips.name)
    skeleton = rng.normal(size=(count * 3, 20, 3)).astype(np.float32)
    inertial = rng.normal(size=(count * 4, 6)).astype(np.float32)
    lengths = {"skeleton_length": np.full(count, 3), "inertial_length": np.full(count, 4)}
    return {"skeleton": skeleton, "inertial": inertial, "name": clips.name, **lengths}


def made_depth(subject):
    """A board of its own height in two frames a clip."""
    names = all_clips().name[all_clips().subject == subject]
    depth = np.zeros((2 * len(names), 120, 160), dtype=np.uint8)
    for clip in range(len(names)):
        depth[2 * clip : 2 * clip + 2, 20 : 60 + clip % 40, 70:90] = 40
    return {"depth": depth, "length": np.full(len(names), 2), "name": names}


def write_made(root):
    root.mkdir()
    np.savez(root / STREAMS, **made_streams())
    for subject in SUBJECTS:
        np.savez_compressed(root / f"depth_s{subject}.npz", **made_depth(subject))
    return root


@pytest.fixture(scope="module")
def made_root(tmp_path_factory):
    return write_made(tmp_path_factory.mktemp("made") / "utd_mhad")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def broken(tmp_path, made_root):
    """Writes a root with only the file named, its arrays changed, and opens the data set on it."""

    def open_broken(file, modality, changes):
        with np.load(made_root / file) as archive:
            arrays = {**archive, **changes}
        np.savez(tmp_path / file, **{key: value for key, value in arrays.items() if value is not None})
        for subject in SUBJECTS:
            if not (tmp_path / f"depth_s{subject}.npz").exists():
                (tmp_path / f"depth_s{subject}.npz").symlink_to(made_root / f"depth_s{subject}.npz")
        options = {"modalities": (modality,), "train_subjects": (1, 3), "cache_dir": tmp_path / "cache"}
        data = UTDMHAD(tmp_path, **options)
        data.full_init()
        return data

    return open_broken


def test_the_table_of_clips_is_that_of_the_authors():
    clips = all_clips()
    assert len(clips.name) == 861
    assert len(CLASSES) == len(set(clips.label)) == 27
    assert np.bincount(clips.subject)[1:].tolist() == [107, 108, 108, 108, 108, 107, 108, 107]
    assert clips.name[0] == "a1_s1_t1"
    assert clips.name[-1] == "a27_s8_t3"
    assert len(PARENTS) == 20


@pytest.mark.parametrize(
    ("protocol", "split", "count", "subjects"),
    [
        ("cross-subject", "train", 431, {1, 3, 5, 7}),
        ("cross-subject", "test", 430, {2, 4, 6, 8}),
        ("three-subject", "train", 323, {1, 3, 5}),
        ("three-subject", "val", 108, {7}),
        ("three-subject", "test", 430, {2, 4, 6, 8}),
    ],
)
def test_splits_are_the_published_ones(protocol, split, count, subjects):
    rows, targets = select(split, protocol)
    assert len(rows) == count
    assert set(all_clips().subject[rows]) == subjects
    assert (targets == all_clips().label[rows]).all()


@pytest.mark.parametrize(("fraction", "count"), [(1.0, 431), (0.25, 108), (0.1, 44)])
def test_a_labelled_fraction_hides_the_other_labels(fraction, count):
    rows, targets = select("train", labelled={"fraction": fraction, "seed": 0})
    assert len(rows) == 431
    assert (targets != IGNORED).sum() == count
    assert set(targets) - {IGNORED} == set(range(27))
    dropped, left = select("train", labelled={"fraction": fraction, "seed": 0}, unlabelled="drop")
    assert (dropped == rows[targets != IGNORED]).all()
    assert (left >= 0).all()


def test_labelled_subjects_and_training_subjects_are_two_things():
    rows, targets = select("train", labelled={"subjects": (1, 3)})
    subject = all_clips().subject[rows]
    assert set(subject) == {1, 3, 5, 7}
    assert set(subject[targets != IGNORED]) == {1, 3}
    rows, targets = select("train", train_subjects=(1, 3))
    assert set(all_clips().subject[rows]) == {1, 3}
    assert (targets != IGNORED).all()


@given(st.sampled_from(["test", "val"]), st.floats(0.01, 1))
def test_only_training_clips_lose_labels(split, fraction):
    options = {"labelled": {"fraction": fraction}, "unlabelled": "drop", "train_subjects": (1, 3)}
    for kept, all_ in zip(
        select(split, "three-subject", **options), select(split, "three-subject"), strict=True
    ):
        assert (kept == all_).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "val"}, "no split 'val'; there is: train, test"),
        ({"split": "train", "protocol": "cross_subject"}, "did you mean: cross-subject"),
        ({"split": "train", "train_subjects": (1, 2)}, r"trains on \(1, 3, 5, 7\)"),
        ({"split": "train", "labelled": {"subjects": (2,)}}, r"training has: \[1, 3, 5, 7\]"),
        ({"split": "train", "unlabelled": "hide"}, "there is: drop, keep"),
    ],
)
def test_a_bad_selection_says_what_there_is(options, message):
    with pytest.raises(ValueError, match=message):
        select(**options)


def test_the_spec_needs_no_file(monkeypatch):
    monkeypatch.delenv("KDBENCH_DATA_ROOT", raising=False)
    assert data_spec(transforms=TRAIN).inputs == SHAPES
    assert data_spec(transforms=TEST, split="test", root="nowhere").inputs == SHAPES
    assert data_spec(transforms=TEST).num_train == data_spec(transforms=TEST, split="test").num_train == 431
    assert data_spec(("inertial",), TRAIN, protocol="three-subject").num_train == 323
    assert data_spec(("inertial",), TRAIN, train_subjects=(1, 3)).num_train == 215
    assert data_spec(("inertial",), labelled={"fraction": 0.25}, unlabelled="drop").num_train == 108
    assert data_spec().inputs == {"skeleton": (96, 20, 3), "inertial": (192, 6), "depth": (4, 32, 64, 48)}


def test_an_unknown_modality_is_refused_with_near_matches():
    with pytest.raises(ValueError, match="did you mean: inertial"):
        UTDMHAD("anywhere", modalities=("inertia",))
    with pytest.raises(ValueError, match="no modality"):
        UTDMHAD("anywhere", modalities=())


@pytest.mark.parametrize(("split", "transforms"), [("train", TRAIN), ("test", TEST)])
def test_samples_are_as_the_spec_promises(made_root, cache, split, transforms):
    data = UTDMHAD(made_root, split=split, transforms=transforms, cache_dir=cache)
    sample = data[5]
    assert {name: clip.shape for name, clip in sample["inputs"].items()} == SHAPES
    assert {clip.dtype for clip in sample["inputs"].values()} == {np.dtype(np.float32)}
    assert all(np.isfinite(clip).all() for clip in sample["inputs"].values())
    assert sample["index"] == 5
    assert sample["target"] == data.targets[5] == data.clips.label[5]
    assert data.metainfo["classes"] == CLASSES
    batch = default_collate([data[0], data[1]])
    assert batch["target"].dtype == batch["index"].dtype == torch.int64


def test_a_sample_is_a_pure_function_of_its_draw_for_any_workers_and_modalities(made_root, cache):
    data = UTDMHAD(made_root, transforms=TRAIN, cache_dir=cache)
    sampler = EpochSampler(data, seed=3, samples_per_epoch=12)
    alone = UTDMHAD(made_root, transforms=TRAIN, modalities=("depth",), cache_dir=cache)
    plain = list(DataLoader(data, batch_size=4, sampler=sampler))
    for workers in (1, 2):
        for batch, same in zip(plain, DataLoader(data, 4, sampler=sampler, num_workers=workers), strict=True):
            assert all(torch.equal(batch["inputs"][m], same["inputs"][m]) for m in MODALITIES)
    first = plain[0]["inputs"]["depth"][0].numpy()
    assert (alone[next(iter(sampler))]["inputs"]["depth"] == first).all()
    assert (data[Draw(3, 1, int(plain[0]["index"][0]))]["inputs"]["depth"] != first).any()


def test_the_index_is_read_without_any_medium(made_root, tmp_path):
    data = UTDMHAD(made_root, modalities=("depth",), cache_dir=tmp_path / "cache")
    assert len(data) == len(data.targets) == 431
    assert not (tmp_path / "cache").exists()


def test_rendered_depth_is_made_once_and_only_where_needed(made_root, tmp_path):
    data = UTDMHAD(made_root, "test", modalities=("depth",), transforms=TEST, cache_dir=tmp_path)
    first = data[0]["inputs"]["depth"]
    files = sorted((tmp_path / "utd_mhad").glob("*.npy"))
    assert [path.name.split("_")[1] for path in files] == ["s2"]
    before = files[0].stat().st_mtime_ns
    again = UTDMHAD(made_root, "test", modalities=("depth",), transforms=TEST, cache_dir=tmp_path)
    assert (again[0]["inputs"]["depth"] == first).all()
    assert files[0].stat().st_mtime_ns == before
    files[0].write_bytes(files[0].read_bytes()[:-1000])
    again = UTDMHAD(made_root, "test", modalities=("depth",), transforms=TEST, cache_dir=tmp_path)
    assert (again[0]["inputs"]["depth"] == first).all()
    assert not list((tmp_path / "utd_mhad").glob(".*tmp*"))


def test_another_source_is_another_cache_file(broken, made_root, tmp_path):
    cache = tmp_path / "cache" / "utd_mhad"
    UTDMHAD(made_root, "train", "three-subject", ("depth",), (1,), cache_dir=tmp_path / "cache").full_init()
    assert len(list(cache.glob("depth_s1_*.npy"))) == 4
    arrays = made_depth(1)
    arrays["depth"][0, 30, 80] = 60
    broken("depth_s1.npz", "depth", {"depth": arrays["depth"]})
    assert len(list(cache.glob("depth_s1_*.npy"))) == 8


def test_a_data_set_travels_without_its_cache(made_root, cache):
    data = UTDMHAD(made_root, "test", modalities=("depth",), transforms=TEST, cache_dir=cache)
    first = data[0]["inputs"]["depth"]
    packed = pickle.dumps(data)
    assert len(packed) < 200_000
    assert (pickle.loads(packed)[0]["inputs"]["depth"] == first).all()


def test_two_processes_may_make_the_cache_at_once(made_root, tmp_path):
    code = (
        "from kdbench.datasets.utd_mhad import UTDMHAD; "
        f"d = UTDMHAD({str(made_root)!r}, 'test', modalities=('depth',), cache_dir={str(tmp_path)!r}); "
        "d.full_init(); print(sum(int(d.load(i)['inputs']['depth'][0].sum()) for i in range(0, 430, 43)))"
    )
    command = [sys.executable, "-W", "ignore", "-c", code]
    options = {"stdout": subprocess.PIPE, "text": True, "cwd": Path(__file__).parents[2]}
    runs = [subprocess.Popen(command, **options) for _ in range(2)]
    answers = [run.communicate(timeout=120)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0]
    assert answers[0] == answers[1] != ""
    assert len(list((tmp_path / "utd_mhad").glob("*.npy"))) == 4
    assert not list((tmp_path / "utd_mhad").glob(".*tmp*"))


def test_renderings_differ_but_come_again():
    assert (turn_of(0, 5) == np.eye(3)).all()
    assert (turn_of(2, 5) == turn_of(2, 5)).all()
    assert len({turn_of(variant, clip).tobytes() for variant in (1, 2, 3) for clip in range(10)}) == 30


def test_without_a_root_the_message_says_what_to_set(monkeypatch, tmp_path):
    monkeypatch.delenv("KDBENCH_DATA_ROOT", raising=False)
    with pytest.raises(InvalidDataError, match="set KDBENCH_DATA_ROOT"):
        UTDMHAD()
    monkeypatch.setenv("KDBENCH_DATA_ROOT", str(tmp_path))
    with pytest.raises(InvalidDataError, match="is not a folder"):
        UTDMHAD()
    (tmp_path / "utd_mhad").mkdir()
    with pytest.raises(InvalidDataError, match=rf"{STREAMS} is missing; make it again with tools/prepare"):
        UTDMHAD(modalities=("inertial",))
    with pytest.raises(InvalidDataError, match=r"depth_s1.npz is missing"):
        UTDMHAD(modalities=("depth",))


def test_a_recording_that_is_not_finite_is_named(broken):
    inertial = made_streams()["inertial"]
    inertial[4 * 7 + 2, 3] = np.nan
    with pytest.raises(
        InvalidDataError, match=rf"{STREAMS}: the inertial recording of {all_clips().name[7]} holds"
    ):
        broken(STREAMS, "inertial", {"inertial": inertial})
    skeleton = made_streams()["skeleton"]
    skeleton[-1, 3] = np.inf
    with pytest.raises(InvalidDataError, match=r"skeleton recording of a27_s8_t3"):
        broken(STREAMS, "skeleton", {"skeleton": skeleton})


@pytest.mark.parametrize(
    ("name", "modality", "changes", "message"),
    [
        (STREAMS, "inertial", {"inertial_length": np.full(861, 5)}, "lengths add up to 4305"),
        (STREAMS, "inertial", {"name": all_clips().name[:-1]}, r"holds 860 clips.*first absent: a27_s8_t3"),
        (STREAMS, "inertial", {"name": all_clips().name[::-1]}, "in their order"),
        (STREAMS, "skeleton", {"skeleton": None}, "is not a file of this data set"),
        ("depth_s1.npz", "depth", {"length": np.full(107, 3)}, r"depth_s1.npz holds 214 frames"),
        (
            "depth_s1.npz",
            "depth",
            {"name": all_clips().name[:107]},
            r"depth_s1.npz holds 107 clips, not the 107",
        ),
        (
            "depth_s3.npz",
            "depth",
            {"depth": np.zeros((216, 120, 160), np.uint8)},
            "a1_s3_t1: the clip shows nobody",
        ),
    ],
)
def test_files_with_wrong_counts_are_named(broken, name, modality, changes, message):
    with pytest.raises(InvalidDataError, match=message):
        broken(name, modality, changes)


@pytest.mark.parametrize("name", [STREAMS, "depth_s1.npz"])
@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "text"])
def test_damaged_archives_are_named(made_root, tmp_path, name, damage):
    content = bytearray((made_root / name).read_bytes())
    half = len(content) // 2
    flipped = content[:half] + bytes(b ^ 255 for b in content[half : half + 8]) + content[half + 8 :]
    for path in made_root.iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / name).unlink()
    made = {"cut": content[:half], "flipped": flipped, "empty": b"", "text": b"<html>not found</html>"}[
        damage
    ]
    (tmp_path / name).write_bytes(made)
    with pytest.raises(InvalidDataError, match=rf"{name} is (truncated or damaged|not a file)"):
        UTDMHAD(
            tmp_path, modalities=("skeleton", "inertial", "depth"), cache_dir=tmp_path / "cache"
        ).full_init()
    assert not list(tmp_path.glob("cache/utd_mhad/*s1*.npy"))


REAL = Path(os.environ.get("KDBENCH_DATA_ROOT", "nowhere"), "utd_mhad")
real = pytest.mark.skipif(not REAL.is_dir(), reason="KDBENCH_DATA_ROOT has no utd_mhad/")


@pytest.fixture(scope="module")
def real_data():
    return UTDMHAD(REAL, modalities=("skeleton", "inertial"))


@real
def test_real_recordings_are_all_there(real_data):
    test = UTDMHAD(REAL, "test", modalities=("inertial",))
    assert (len(real_data), len(test)) == (431, 430)
    assert not set(real_data.clips.name) & set(test.clips.name)


@real
def test_real_skeletons_are_canonical(real_data):
    clips = np.stack([real_data.load(i)["inputs"]["skeleton"] for i in range(len(real_data))])
    assert clips.shape == (431, 96, 20, 3)
    assert np.abs(np.median(clips[:, :, 3], axis=1)).max() < 0.1
    torso = np.median(np.linalg.norm(clips[:, :, 1] - clips[:, :, 3], axis=-1), axis=1)
    assert np.allclose(torso, 1, atol=0.05)
    head, foot = np.median(clips[:, :, 0, 1]), np.median(clips[:, :, [15, 19], 1])
    assert head > 1
    assert foot < -1
    assert np.median(clips[:, :, 8, 0] - clips[:, :, 4, 0]) > 0.3


@real
def test_real_inertial_clips_are_of_about_unit_size(real_data):
    clips = np.stack([real_data.load(i)["inputs"]["inertial"] for i in range(len(real_data))])
    assert clips.shape == (431, 192, 6)
    assert 0.5 < np.median(np.linalg.norm(clips[..., :3], axis=-1)) < 1.5
    assert 0.05 < clips[..., 3:].std() < 2


@real
def test_real_depth_shows_a_whole_person(tmp_path):
    data = UTDMHAD(REAL, "train", "three-subject", ("depth",), (3,), depth_variants=2, cache_dir=tmp_path)
    for index in (0, 40, 107):
        straight, turned = data.load(index)["inputs"]["depth"]
        assert straight.shape == (32, 64, 48)
        rows = np.flatnonzero((straight > 0).any(axis=(0, 2)))
        assert 2 <= rows[0] <= 20
        assert 50 <= rows[-1] <= 62
        assert 0.08 < (straight > 0).mean() < 0.3
        assert (straight != turned).any()


def test_depth_is_seen_from_the_angles_that_are_asked_for(made_root, cache):
    options = dict(root=made_root, split="test", modalities=("depth",), cache_dir=cache)
    views = UTDMHAD(**options, depth_angles=(-45.0, 0.0, 45.0), transforms=TEST)
    assert views[Draw(0, 0, 3)]["inputs"]["depth"].shape == (3, 16, 2, 48, 48)
    spec = data_spec(("depth",), TEST, "test", depth_angles=(-45.0, 0.0, 45.0))
    assert spec.inputs == {"depth": (3, 16, 2, 48, 48)}
    board = views.load(3)["inputs"]["depth"][0]
    widths = [np.count_nonzero(view.any(axis=(0, 1))) for view in board]
    assert widths[0] < widths[1]  # a board that is turned looks narrower
    assert widths[2] < widths[1]
    alone = UTDMHAD(**options, depth_angles=(0.0,))
    assert np.array_equal(alone.load(3)["inputs"]["depth"][0][0], board[1])
