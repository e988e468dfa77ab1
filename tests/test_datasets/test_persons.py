import json
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdbench.datasets.person_writer import PersonWriter
from kdbench.datasets.persons import Persons, PersonStore, cells_of_boxes, cells_of_masks
from kdbench.spec import InvalidDataError

COMMAND = "python tools/prepare/some.py --root /data"


def made(rng, frames, grid=(12, 16), fps=25.0, most=3):
    """A record of random people."""
    counts = rng.integers(0, most + 1, frames).astype(np.int32)
    corners = np.sort(rng.random((counts.sum(), 2, 2)), axis=1).reshape(-1, 4)
    boxes = np.concatenate([corners, rng.random((counts.sum(), 1))], axis=1).astype(np.float32)
    scores = rng.random(frames).astype(np.float32)
    return Persons(scores, rng.random((frames, *grid)) < 0.5, boxes, counts, fps)


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def writer_at(root, **changes):
    return PersonWriter(
        root / "persons" / "x", **{"detector": "x", "threshold": 0.3, "command": COMMAND, **changes}
    )


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@given(
    lengths=st.lists(st.integers(1, 40), min_size=0, max_size=5),
    grid=st.tuples(st.integers(1, 13), st.integers(1, 17)),
    seed=st.integers(0, 99),
    most=st.integers(0, 3),
    again=st.integers(0, 5),
)
@settings(max_examples=25, deadline=None)
def test_what_goes_in_comes_out(lengths, grid, seed, most, again):
    """Also when the pack is made in two steps, the second of which replaces a video."""
    rng = np.random.default_rng(seed)
    records = {f"s{i}.npz/é {i}-View1.mp4": made(rng, n, grid, 10.0 + i, most) for i, n in enumerate(lengths)}
    with tempfile.TemporaryDirectory() as folder:
        writer = writer_at(Path(folder), grid=grid)
        for video, record in list(records.items())[:again]:
            writer.add(video, record)
        writer.pack()
        for video, record in list(records.items())[max(0, again - 1) :]:
            records[video] = record._replace(scores=1 - record.scores)
            writer.add(video, records[video])
        store = writer.pack()
        assert set(store.videos) == set(records)
        assert store.grid == grid
        for video, record in records.items():
            assert same(store.persons(video), record)
        left = [path.name for path in (Path(folder) / "persons" / "x").iterdir() if path.name != ".lock"]
        assert len(left) == 5
        assert "index.json" in left


@given(
    fps=st.sampled_from([5.0, 23.976, 25.0, 29.97, 30.0, 59.94]),
    frames=st.integers(1, 300),
    seed=st.integers(0, 99),
)
@settings(max_examples=30, deadline=None)
def test_the_time_of_a_frame_gives_that_frame(fps, frames, seed):
    rng = np.random.default_rng(seed)
    record = made(rng, frames, fps=fps)
    chosen = rng.integers(0, frames, 7)
    with tempfile.TemporaryDirectory() as folder:
        writer = writer_at(Path(folder))
        writer.add("first.mp4", made(rng, 3))  # so that no video starts at row 0 by chance
        writer.add("second.mp4", record)
        store = writer.pack()
        ends = np.cumsum(record.counts)
        for seconds in (chosen / fps, (chosen + 0.9) / fps, (chosen / np.float32(fps)).astype(np.float32)):
            assert np.array_equal(store.scores("second.mp4", seconds), record.scores[chosen])
            assert np.array_equal(store.masks("second.mp4", seconds), record.masks[chosen])
            for frame, boxes in zip(chosen, store.boxes("second.mp4", seconds), strict=True):
                assert np.array_equal(boxes, record.boxes[ends[frame] - record.counts[frame] : ends[frame]])
        assert np.array_equal(store.scores("second.mp4", frames=chosen), record.scores[chosen])
        assert store.scores("second.mp4", [1e6])[0] == record.scores[-1]


@pytest.fixture
def store(tmp_path, rng):
    writer = writer_at(tmp_path)
    for number in (1, 2):
        writer.add(f"s1/a-View{number}.mp4", made(rng, 10))
    return writer.pack()


def test_wrong_questions_are_refused(store):
    video = "s1/a-View1.mp4"
    for seconds in ([-0.1], [float("nan")]):
        with pytest.raises(ValueError, match="times begin at 0"):
            store.scores(video, seconds)
    for frames in ([10], [-1]):
        with pytest.raises(ValueError, match="0 to 9"):
            store.masks(video, frames=frames)
    with pytest.raises(ValueError, match="give one of them"):
        store.scores(video, [0.0], frames=[0])
    with pytest.raises(ValueError, match="below the root"):
        store.scores("../" + video)


def test_a_missing_video_names_the_command(store):
    assert "s1/a-View1.mp4" in store
    assert Path("s1/a-View1.mp4") in store
    assert "s1/a-View7.mp4" not in store
    with pytest.raises(
        InvalidDataError, match=r"no video 's1/a-View7.mp4'.*s1/a-View.*some\.py --root /data"
    ):
        store.scores("s1/a-View7.mp4", [0.0])


def test_a_missing_store_names_the_command(tmp_path):
    for name, detector in (("onnx", "onnx"), ("rtmdet", "mmdet")):
        command = rf"person_masks.py --detector {detector} .*--root {tmp_path} --name {name}"
        with pytest.raises(InvalidDataError, match=rf"index.json is missing; .*{command}"):
            PersonStore(tmp_path / "persons" / name).scores("a.mp4")
    with pytest.raises(InvalidDataError, match="run: make it"):
        PersonStore(tmp_path / "persons" / "onnx", remedy="make it").videos  # noqa: B018


def test_a_store_travels_to_workers_without_its_content(store):
    before = store.scores("s1/a-View1.mp4")
    sent = pickle.dumps(store)
    assert len(sent) < 2000
    assert np.array_equal(pickle.loads(sent).scores("s1/a-View1.mp4"), before)


@pytest.mark.parametrize("name", ["scores", "masks", "boxes", "ends"])
def test_a_damaged_pack_is_named(store, name):
    (path,) = store.folder.glob(f"{name}-*.npy")
    content = path.read_bytes()
    for damaged in (content[:-1], content[:40], b"", None):
        path.unlink() if damaged is None else path.write_bytes(damaged)
        with pytest.raises(InvalidDataError, match=f"{path.name} .*some.py"):
            PersonStore(store.folder).boxes("s1/a-View1.mp4")
    np.save(path, np.zeros(3))
    with pytest.raises(InvalidDataError, match=f"{path.name} holds"):
        PersonStore(store.folder).boxes("s1/a-View1.mp4")


def test_a_damaged_index_is_named(store):
    path = store.folder / "index.json"
    content = path.read_text()
    for damaged in (content[: len(content) // 2], "[]", json.dumps({**json.loads(content), "format": 0})):
        path.write_text(damaged)
        with pytest.raises(InvalidDataError, match=r"index\.json"):
            PersonStore(store.folder).scores("s1/a-View1.mp4")


@pytest.mark.parametrize("how", ["flipped", "cut", "foreign"])
def test_a_damaged_shard_is_made_again(tmp_path, rng, how):
    writer, record = writer_at(tmp_path), made(rng, 200)
    writer.add("a.mp4", record)
    writer.add("b.mp4", record)
    assert writer.has("a.mp4")
    path = writer.shards / "a.mp4.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 255
    if how == "foreign":
        np.savez(path, **{**record._asdict(), "masks": np.zeros((199, 24), dtype=np.uint8)})
    else:
        path.write_bytes(content if how == "flipped" else content[: len(content) // 2])
    with pytest.raises(InvalidDataError, match=r"a\.mp4\.npz .*some.py"):
        writer.pack()
    assert not writer.has("a.mp4")
    assert writer.has("b.mp4")
    writer.add("a.mp4", record)
    assert same(writer.pack().persons("a.mp4"), record)


def test_what_is_packed_is_done(tmp_path, rng):
    writer_at(tmp_path).add("a.mp4", made(rng, 5))
    writer_at(tmp_path).pack()
    assert writer_at(tmp_path).has("a.mp4")
    assert not writer_at(tmp_path).has("b.mp4")
    assert not writer_at(tmp_path, anew=True).has("a.mp4")


@pytest.mark.parametrize("packed", [False, True])
def test_records_of_other_settings_do_not_mix(tmp_path, rng, packed):
    writer = writer_at(tmp_path, settings={"size": (2, 3)})
    writer.add("a.mp4", made(rng, 5))
    if packed:
        writer.pack()
    assert writer_at(tmp_path, settings={"size": (2, 3)}).has("a.mp4")
    for change in ({"threshold": 0.5}, {"grid": (6, 8)}, {"detector": "y"}, {"settings": {"size": (2, 4)}}):
        with pytest.raises(ValueError, match=r"there is: .*--force"):
            writer_at(tmp_path, **{"settings": {"size": (2, 3)}, **change})
    assert writer_at(tmp_path, threshold=0.5, anew=True).pack().videos == ()


def test_a_killed_pack_leaves_the_old_one(tmp_path, rng, monkeypatch):
    writer = writer_at(tmp_path)
    first, second = made(rng, 5), made(rng, 6)
    writer.add("a.mp4", first)
    writer.pack()
    writer.add("b.mp4", second)
    monkeypatch.setattr("kdbench.datasets.person_writer._write_json", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        writer.pack()
    monkeypatch.undo()
    store = PersonStore(writer.folder)
    assert store.videos == ("a.mp4",)
    assert same(store.persons("a.mp4"), first)
    store = writer.pack()
    assert same(store.persons("a.mp4"), first)
    assert same(store.persons("b.mp4"), second)
    assert len(list(writer.folder.glob("*.npy"))) == 4


WRITES = """
import sys
import numpy as np
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_persons import made, writer_at
rng, root = np.random.default_rng(0), Path(sys.argv[1])
for number in range(100000):
    writer = writer_at(root)
    writer.add(f"{{number % 7}}.mp4", made(np.random.default_rng(number % 7), 3000))
    if number % 7 == 6:
        writer.pack()
    print(number, flush=True)
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_a_killed_writer_leaves_only_whole_records(tmp_path):
    script = tmp_path / "writes.py"
    script.write_text(WRITES.format(tests=str(Path(__file__).parent)))
    delays = np.random.default_rng(1).uniform(0.0, 0.4, 6)
    for delay in delays:
        process = subprocess.Popen(
            [sys.executable, script, tmp_path / "root"], stdout=subprocess.PIPE, text=True
        )
        for _ in range(9):  # a pack and something after it
            assert process.stdout.readline()
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        writer = writer_at(tmp_path / "root")
        there = [number for number in range(7) if writer.has(f"{number}.mp4")]
        assert there == list(range(7))
        store = PersonStore(writer.folder)
        for number in there:
            assert same(store.persons(f"{number}.mp4"), made(np.random.default_rng(number), 3000))


@pytest.mark.parametrize(
    "change",
    [
        {"masks": np.zeros((5, 6, 8), dtype=bool)},
        {"scores": np.zeros(4, dtype=np.float32)},
        {"scores": np.full(5, np.nan, dtype=np.float32)},
        {"scores": np.full(5, 1.5, dtype=np.float32)},
        {"counts": np.array([2, 0, 0, 0, 0], dtype=np.int32)},
        {"counts": np.array([2, -1, 0, 0, 0], dtype=np.int32)},
        {"boxes": np.array([[0.5, 0.0, 0.4, 1.0, 0.5]], dtype=np.float32)},
        {"boxes": np.array([[0.5, 0.0, 0.6, 1.1, 0.5]], dtype=np.float32)},
        {"fps": 0.0},
        {"fps": float("inf")},
    ],
)
def test_records_that_cannot_be_are_refused(tmp_path, change):
    good = Persons.from_boxes([np.array([[0.1, 0.1, 0.5, 1.0, 0.5]])] + [np.zeros((0, 5))] * 4, 25.0)
    writer = writer_at(tmp_path)
    writer.add("a.mp4", good)
    with pytest.raises(ValueError, match=r"there is|;"):
        writer.add("b.mp4", good._replace(**change))
    assert writer.pack().videos == ("a.mp4",)


def test_a_score_is_the_mean_confidence():
    frames = [
        np.array([[0, 0, 1, 1, 0.8], [0, 0, 0.5, 0.5, 0.4]]),
        np.zeros((0, 5)),
        np.array([[0, 0, 1, 1, 1.0]]),
    ]
    persons = Persons.from_boxes(frames, 25.0)
    assert persons.scores == pytest.approx([0.6, 0, 1])
    assert persons.counts.tolist() == [2, 0, 1]
    assert persons.masks.any(axis=(1, 2)).tolist() == [True, False, True]


def brute_force(box, grid, share, side=240):
    """Which cells a box covers, by counting points."""
    x, y = np.meshgrid((np.arange(side) + 0.5) / side, (np.arange(side) + 0.5) / side)
    inside = (x >= box[0]) & (x < box[2]) & (y >= box[1]) & (y < box[3])
    rows, columns = np.floor(y * grid[0]).astype(int), np.floor(x * grid[1]).astype(int)
    covered = np.zeros(grid)
    np.add.at(covered, (rows, columns), inside)
    return covered / np.bincount((rows * grid[1] + columns).ravel()).reshape(grid) >= share


@given(
    edges=st.lists(st.integers(0, 48), min_size=4, max_size=4),
    grid=st.sampled_from([(3, 4), (12, 16), (6, 8)]),
    share=st.sampled_from([0.3, 0.55, 0.9]),
)
def test_cells_of_a_box_are_those_that_it_covers(edges, grid, share):
    x0, x1 = sorted(edges[:2])
    y0, y1 = sorted(edges[2:])
    box = np.array([[x0, y0, x1, y1]]) / 48
    found, expected = cells_of_boxes(box, grid, share), brute_force(box[0], grid, share)
    if expected.any():
        assert np.array_equal(found, expected)
    else:
        assert found.any() == (x0 < x1 and y0 < y1)


def test_a_small_person_has_one_cell_beside_a_large_one():
    large, small = [0.0, 0.0, 0.5, 1.0], [0.81, 0.52, 0.82, 0.53]
    cells = cells_of_boxes(np.array([large, small]))
    assert cells[:, :8].all()
    assert np.argwhere(cells[:, 8:]).tolist() == [[6, 5]]  # 12.96 to 13.12 of 16 columns
    assert not cells_of_boxes(np.zeros((0, 4))).any()


@given(seed=st.integers(0, 99), size=st.sampled_from([(24, 32), (25, 31), (12, 16), (7, 9)]))
@settings(max_examples=20, deadline=None)
def test_cells_of_pixels_weigh_what_they_share(seed, size):
    masks = np.random.default_rng(seed).random((3, *size)) < 0.5
    finer = masks.repeat(12, axis=1).repeat(16, axis=2)  # each cell is then made of whole pixels
    covered = finer.reshape(3, 12, size[0], 16, size[1]).mean(axis=(2, 4))
    found = cells_of_masks(masks, share=0.5, block=2)
    clear = np.abs(covered - 0.5) > 1e-6
    assert np.array_equal(found[clear], (covered >= 0.5)[clear])
    assert found[np.abs(covered - 0.5) < 1e-9].all()
    assert cells_of_masks(masks[:0]).shape == (0, 12, 16)


def test_exact_masks_need_no_boxes(tmp_path):
    masks = np.zeros((3, 120, 160), dtype=bool)
    masks[1, 20:60, 40:80] = True
    masks[2, 0, 0] = True  # less than half a cell
    writer = writer_at(tmp_path, threshold=0)
    writer.add("a", Persons.from_masks(masks, 30.0))
    writer.add("b", Persons.from_masks(masks, 30.0, scores=np.array([0.0, 0.5, 0.25])))
    store = writer.pack()
    assert store.masks("a").sum(axis=(1, 2)).tolist() == [0, 16, 0]
    assert store.masks("a")[1, 2:6, 4:8].all()
    assert store.scores("a").tolist() == [0, 1, 0]
    assert store.scores("b").tolist() == [0, 0.5, 0.25]
    assert [len(boxes) for boxes in store.boxes("a")] == [0, 0, 0]
