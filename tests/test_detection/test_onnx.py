import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdbench.detection import OnnxDetector, onnx
from kdbench.spec import InvalidDataError

cv2 = pytest.importorskip("cv2", reason="OpenCV resizes frames for the detector")
DATA = Path(os.environ.get("KDBENCH_DATA_ROOT", "/nowhere"))
MODELS = {
    "light_person_detector_192.onnx": 192,
    "yolox_nano_416.onnx": 416,
}
RUNTIMES = [
    pytest.param(
        "onnxruntime",
        marks=pytest.mark.skipif(
            importlib.util.find_spec("onnxruntime") is None, reason="onnxruntime is not installed"
        ),
    ),
    "opencv",
]
needs_models = pytest.mark.skipif(not (DATA / "models").is_dir(), reason="no models below KDBENCH_DATA_ROOT")
WALKERS = np.array(  # in the first frame of vtest_30s.mp4, as seen
    [[0.33, 0.38, 0.37, 0.53], [0.65, 0.27, 0.69, 0.405], [0.84, 0.415, 0.89, 0.56]]
)


def encoded(boxes, size, classes):
    """What a YOLOX network gives for boxes ``(n, 6)``: corners in its pixels, objectness, probability of class 0.

    Each box is put at the place of the finest grid that holds its centre; the other places show nothing.
    """
    cells = size // 8
    rows = [cells * cells, (size // 16) ** 2, (size // 32) ** 2]
    given = np.zeros((1, sum(rows), 5 + classes), dtype=np.float32)
    for x0, y0, x1, y1, objectness, person in boxes:
        column, row = int((x0 + x1) / 2 // 8), int((y0 + y1) / 2 // 8)
        at = given[0, row * cells + column]
        at[:2] = (x0 + x1) / 16 - column, (y0 + y1) / 16 - row
        at[2:4] = np.log((x1 - x0) / 8), np.log((y1 - y0) / 8)
        at[4], at[5] = objectness, person
    return given


def detector_giving(tmp_path, monkeypatch, answer, size=64, **options):
    """A detector whose network answers with ``answer(picture)``."""
    monkeypatch.setitem(onnx._RUNTIMES, "opencv", lambda path: (answer, size))
    (tmp_path / "model.onnx").write_bytes(b"x")
    return OnnxDetector(tmp_path / "model.onnx", runtime="opencv", **options)


def overlap(a, b):
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:4], b[2:4])
    common = np.prod(np.clip(high - low, 0, None))
    return common / (np.prod(a[2:4] - a[:2]) + np.prod(b[2:4] - b[:2]) - common)


@given(
    height=st.integers(20, 300),
    width=st.integers(20, 300),
    corner=st.tuples(st.floats(0, 0.7), st.floats(0, 0.7)),
    extent=st.tuples(st.floats(0.1, 0.3), st.floats(0.1, 0.3)),
    classes=st.sampled_from([1, 80]),
)
@settings(max_examples=40, deadline=None)
def test_a_box_comes_back_to_where_it_was_in_the_frame(height, width, corner, extent, classes):
    size = 192
    x0, y0 = corner[0] * width, corner[1] * height
    box = np.array([x0, y0, x0 + extent[0] * width, y0 + extent[1] * height])
    ratio = min(size / height, size / width)
    given_out = encoded([[*(box * ratio), 0.9, 0.8]], size, classes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(onnx._RUNTIMES, "opencv", lambda path: (lambda picture: given_out, size))
        found = OnnxDetector(__file__, runtime="opencv")(np.zeros((1, height, width, 3), dtype=np.uint8))
    assert found[0].mask is None
    expected = [*(box / [width, height, width, height]), 0.72]
    assert found[0].boxes == pytest.approx(np.array([expected]), abs=1e-3)


def test_the_picture_is_letterboxed_blue_first(tmp_path, monkeypatch):
    seen = []
    detector = detector_giving(
        tmp_path, monkeypatch, lambda picture: seen.append(picture) or encoded([], 64, 1)
    )
    frame = np.zeros((30, 60, 3), dtype=np.uint8)
    frame[..., 0], frame[..., 2] = 200, 50  # red, blue
    assert detector(np.stack([frame, frame]))[1].boxes.shape == (0, 5)
    assert len(seen) == 2
    assert seen[0].shape == (1, 3, 64, 64)
    assert seen[0].dtype == np.float32
    assert seen[0][0, :, :32].reshape(3, -1).T.tolist() == [[50, 0, 200]] * (32 * 64)
    assert (seen[0][0, :, 32:] == 114).all()


def test_sure_boxes_stay_and_hide_those_below(tmp_path, monkeypatch):
    boxes = [
        [0, 0, 20, 20, 0.9, 0.9],
        [9, 0, 29, 20, 0.9, 0.8],  # 11 / 29 of the first: both stay
        [30, 30, 60, 60, 0.6, 0.6],
        [38, 30, 60, 60, 0.9, 1.0],  # 22 / 30 of the one before, and surer
        [0, 40, 20, 60, 0.5, 0.5],  # below 0.3
    ]
    answer = encoded(boxes, 64, 3)
    answer[0, 5, 4], answer[0, 5, 6] = 1.0, 1.0  # something else than a person
    detector = detector_giving(tmp_path, monkeypatch, lambda picture: answer)
    found = detector(np.zeros((1, 64, 64, 3), dtype=np.uint8))[0].boxes
    assert found[:, 4] == pytest.approx([0.9, 0.81, 0.72])
    assert (found[:, :4] * 64)[0] == pytest.approx([38, 30, 60, 60], abs=1e-3)
    strict = detector_giving(tmp_path, monkeypatch, lambda picture: answer, threshold=0.75, overlap=0.3)
    assert strict(np.zeros((1, 64, 64, 3), dtype=np.uint8))[0].boxes[:, 4] == pytest.approx([0.9, 0.81])
    other = detector_giving(tmp_path, monkeypatch, lambda picture: answer, person=1)
    assert len(other(np.zeros((1, 64, 64, 3), dtype=np.uint8))[0].boxes) == 1


def test_what_is_no_such_network_is_refused(tmp_path, monkeypatch):
    frames = np.zeros((1, 64, 64, 3), dtype=np.uint8)
    for shape in ((1, 84, 5), (1, 83, 6), (84, 6)):
        detector = detector_giving(tmp_path, monkeypatch, lambda picture, shape=shape: np.zeros(shape))
        with pytest.raises(InvalidDataError, match=r"a YOLOX network gives \(1, 84, 6 or more\)"):
            detector(frames)
    with pytest.raises(ValueError, match="--size"):
        detector_giving(tmp_path, monkeypatch, None, size=None)
    with pytest.raises(ValueError, match="multiple of 32"):
        detector_giving(tmp_path, monkeypatch, None, size=100)
    for threshold in (-0.1, 1.0, float("nan")):
        with pytest.raises(ValueError, match="threshold"):
            detector_giving(tmp_path, monkeypatch, None, threshold=threshold)
    with pytest.raises(ValueError, match="there is: onnxruntime, opencv"):
        OnnxDetector(tmp_path / "model.onnx", runtime="tensorrt")


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_file_that_is_no_network_is_named(tmp_path, runtime):
    path = tmp_path / "model.onnx"
    with pytest.raises(InvalidDataError, match=r"model\.onnx cannot be read .* ONNX file"):
        OnnxDetector(path, runtime=runtime)
    path.write_bytes(b"no network")
    with pytest.raises(InvalidDataError, match=r"model\.onnx is no ONNX file"):
        OnnxDetector(path, runtime=runtime)


@needs_models
@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("name", MODELS)
def test_real_networks_find_real_people(name, runtime):
    from kdbench.datasets.media import read_frames

    frame = read_frames(DATA / "videos" / "vtest_30s.mp4", [0]).permute(0, 2, 3, 1).numpy()
    detector = OnnxDetector(DATA / "models" / name, runtime=runtime)
    assert detector.settings["size"] == MODELS[name]
    boxes = detector(frame)[0].boxes
    for walker in WALKERS:
        assert max(overlap(walker, box) for box in boxes) > 0.6
    assert len(boxes) <= 4  # yolox_nano also finds someone far away


@needs_models
@pytest.mark.skipif(importlib.util.find_spec("onnxruntime") is None, reason="onnxruntime is not installed")
@pytest.mark.parametrize("name", MODELS)
def test_both_runtimes_agree(name):
    from kdbench.datasets.media import read_frames

    frames = read_frames(DATA / "videos" / "mmaction2_demo.mp4", [0, 100]).permute(0, 2, 3, 1).numpy()
    found = [
        OnnxDetector(DATA / "models" / name, runtime=runtime)(frames) for runtime in ("opencv", "onnxruntime")
    ]
    for one, other in zip(*found, strict=True):
        assert one.boxes == pytest.approx(other.boxes, abs=1e-3)
