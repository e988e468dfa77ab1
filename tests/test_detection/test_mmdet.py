import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kdbench.compat import mmengine_checkpoint
from kdbench.compat.operators import absent_operator, nms, roi_align
from kdbench.detection import MMDetDetector
from kdbench.detection.mmdet import CONFIG
from kdbench.spec import InvalidDataError, MissingPackageError

HAS_MMDET = importlib.util.find_spec("mmdet") is not None
HAS_OPERATORS = (
    importlib.util.find_spec("mmcv") is not None and importlib.util.find_spec("mmcv._ext") is not None
)
needs_mmdet = pytest.mark.skipif(
    not HAS_MMDET, reason="mmdet is not installed (pip install 'kdbench[mmdet]')"
)
quiet = pytest.mark.filterwarnings("ignore")  # mmdet's own deprecations


def slow_nms(boxes, scores, threshold, offset):
    """The definition, box by box."""
    left, kept = sorted(range(len(scores)), key=lambda i: -scores[i]), []
    while left:
        best, *left = left
        kept.append(best)
        left = [i for i in left if iou(boxes[best], boxes[i], offset) <= threshold]
    return kept


def iou(a, b, offset):
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]) + offset)
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]) + offset)
    areas = [(c[2] - c[0] + offset) * (c[3] - c[1] + offset) for c in (a, b)]
    return width * height / (sum(areas) - width * height)


@given(
    count=st.integers(0, 25),
    seed=st.integers(0, 999),
    threshold=st.sampled_from([0.1, 0.5, 0.8]),
    offset=st.integers(0, 1),
)
@settings(max_examples=60, deadline=None)
def test_the_operator_for_mmcv_is_the_definition(count, seed, threshold, offset):
    rng = np.random.default_rng(seed)
    corners = np.sort(rng.random((count, 2, 2)) * 10, axis=1)
    boxes = torch.from_numpy(corners.reshape(-1, 4)).double()
    scores = torch.from_numpy(rng.permutation(count) + 1.0)
    found = nms(boxes, scores, iou_threshold=threshold, offset=offset)
    assert found.tolist() == slow_nms(boxes.tolist(), scores.tolist(), threshold, offset)


def bilinear(picture, y, x):
    """One sample of ``(H, W)``, from the definition: zero far outside, the border's value just outside."""
    height, width = len(picture), len(picture[0])
    if not (-1 <= y <= height and -1 <= x <= width):
        return 0.0
    y, x = min(max(y, 0.0), height - 1.0), min(max(x, 0.0), width - 1.0)
    top, left = int(y), int(x)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    above = picture[top][left] * (1 - x + left) + picture[top][right] * (x - left)
    below = picture[bottom][left] * (1 - x + left) + picture[bottom][right] * (x - left)
    return above * (1 - y + top) + below * (y - top)


def slow_roi_align(picture, box, bins, ratio, aligned):
    """Means of samples, bin by bin and sample by sample, of one channel."""
    x0, y0, x1, y1 = (place - (0.5 if aligned else 0.0) for place in box)
    width, height = (x1 - x0, y1 - y0) if aligned else (max(x1 - x0, 1.0), max(y1 - y0, 1.0))
    out = []
    for row in range(bins[0]):
        for column in range(bins[1]):
            down = ratio or max(math.ceil(height / bins[0]), 1)
            along = ratio or max(math.ceil(width / bins[1]), 1)
            samples = [
                bilinear(
                    picture,
                    y0 + (row + (i + 0.5) / down) * height / bins[0],
                    x0 + (column + (j + 0.5) / along) * width / bins[1],
                )
                for i in range(down)
                for j in range(along)
            ]
            out.append(sum(samples) / len(samples))
    return torch.tensor(out, dtype=torch.float64).reshape(bins)


@given(
    seed=st.integers(0, 999),
    size=st.tuples(st.integers(1, 7), st.integers(1, 7)),
    bins=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    ratio=st.integers(0, 2),
    aligned=st.booleans(),
    scale=st.sampled_from([1.0, 0.5]),
)
@settings(max_examples=80, deadline=None)
def test_roi_align_for_mmcv_is_the_definition(seed, size, bins, ratio, aligned, scale):
    rng = np.random.default_rng(seed)
    pictures = torch.from_numpy(rng.normal(size=(2, 2, *size)))
    corners = np.sort(rng.uniform(-4, 10, size=(3, 2, 2)), axis=1).reshape(-1, 4) / scale
    rois = torch.from_numpy(np.concatenate([rng.integers(0, 2, (3, 1)), corners], 1))
    found = torch.full((3, 2, *bins), torch.nan, dtype=torch.float64)
    roi_align(pictures, rois, found, None, None, *bins, scale, ratio, 1, aligned)
    for roi, per_channel in zip(rois.tolist(), found, strict=True):
        for channel, values in zip(pictures[int(roi[0])].tolist(), per_channel, strict=True):
            expected = slow_roi_align(channel, [place * scale for place in roi[1:]], bins, ratio, aligned)
            torch.testing.assert_close(values, expected)


def test_roi_align_with_maxima_is_refused():
    with pytest.raises(MissingPackageError, match="maxima needs full mmcv"):
        roi_align(torch.zeros(1, 1, 2, 2), torch.zeros(0, 5), None, None, None, 1, 1, 1.0, 0, 0, True)


@pytest.mark.skipif(not HAS_OPERATORS, reason="mmcv's compiled operators are not installed (mmcv-lite)")
def test_the_stand_ins_equal_the_compiled_operators():
    import mmcv._ext as compiled

    rng = np.random.default_rng(0)
    corners = torch.from_numpy(np.sort(rng.random((200, 2, 2)) * 50, axis=1).reshape(-1, 4)).float()
    scores = torch.from_numpy(rng.random(200)).float()
    assert torch.equal(nms(corners, scores, 0.5), compiled.nms(corners, scores, iou_threshold=0.5, offset=0))
    pictures, rois = torch.rand(1, 3, 60, 60), torch.cat((torch.zeros(200, 1), corners), 1)
    ours, theirs = torch.zeros(200, 3, 7, 7), torch.zeros(200, 3, 7, 7)
    nothing = torch.zeros(0)
    for call, out in ((roi_align, ours), (compiled.roi_align_forward, theirs)):
        call(
            pictures,
            rois,
            out,
            nothing,
            nothing,
            aligned_height=7,
            aligned_width=7,
            spatial_scale=1.0,
            sampling_ratio=0,
            pool_mode=1,
            aligned=True,
        )
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_the_other_operators_of_mmcv_say_what_they_need():
    with pytest.raises(MissingPackageError, match="'deform_conv_forward' needs full mmcv"):
        absent_operator("deform_conv_forward")(1, 2)
    with pytest.raises(AttributeError):
        absent_operator("__path__")


class Hostile:
    def __reduce__(self):
        return Path.touch, (Path(self.path),)


def test_a_checkpoint_with_losses_is_read_and_a_hostile_one_is_not(tmp_path):
    from mmengine.logging import HistoryBuffer

    losses = HistoryBuffer()
    losses.update(1.0)
    losses.update(np.float64(2.0))
    weights = {"a": torch.arange(3.0)}
    content = {"state_dict": weights, "meta": {"seed": np.int64(3)}, "message_hub": {"loss": losses}}
    torch.save(content, tmp_path / "good.pth")
    with pytest.raises(Exception, match="Unsupported global"):  # the symptom
        torch.load(tmp_path / "good.pth", weights_only=True)
    assert torch.equal(mmengine_checkpoint(tmp_path / "good.pth")["state_dict"]["a"], weights["a"])

    hostile = Hostile()
    hostile.path = str(tmp_path / "was_here")
    torch.save({**content, "extra": hostile}, tmp_path / "hostile.pth")
    with pytest.raises(InvalidDataError, match=r"hostile\.pth is no checkpoint of weights"):
        mmengine_checkpoint(tmp_path / "hostile.pth")
    assert not (tmp_path / "was_here").exists()


def test_nothing_is_reached_through_a_checkpoint(tmp_path):
    """A file may name ``getattr``, which HistoryBuffer's own state needs; it must not be the real one."""

    class Reaches:
        def __reduce__(self):
            return getattr, (np.dtype, "__name__")

    torch.save({"state_dict": {}, "reached": Reaches()}, tmp_path / "reaches.pth")
    assert mmengine_checkpoint(tmp_path / "reaches.pth")["reached"] is None


@pytest.mark.parametrize("content", [b"", b"no checkpoint", None])
def test_what_is_no_checkpoint_is_named(tmp_path, content):
    path = tmp_path / "x.pth"
    torch.save({"weights": 1}, path) if content is None else path.write_bytes(content)
    with pytest.raises(InvalidDataError, match=r"x\.pth is no checkpoint"):
        mmengine_checkpoint(path)


@pytest.mark.skipif(HAS_MMDET, reason="mmdet is installed")
def test_without_the_package_the_error_says_how_to_get_it():
    with pytest.raises(MissingPackageError, match=r"pip install 'kdbench\[mmdet\]'"):
        MMDetDetector("none")


def people_everywhere(model):
    """Let each place of the coarsest grid find a person (logit 3) one stride wide to each side, the others nothing."""
    head = model.bbox_head
    with torch.no_grad():
        for layer in (*head.rtm_cls, *head.rtm_reg):
            layer.weight.zero_()
            layer.bias.fill_(1.0)
        for layer in head.rtm_cls:
            layer.bias.fill_(-9.0)
        head.rtm_cls[-1].bias[0] = 3.0


@pytest.mark.slow
@needs_mmdet
@quiet
@pytest.mark.parametrize("config", [CONFIG, "rtmdet/rtmdet-ins_tiny_8xb32-300e_coco"])
def test_the_weights_of_a_file_are_those_that_detect(tmp_path, config):
    frames = np.random.default_rng(0).integers(0, 256, (2, 120, 160, 3), dtype=np.uint8)
    random = MMDetDetector("none", config)
    people_everywhere(random._model)
    expected = random(frames)
    classes = ("cat", *random._model.dataset_meta["classes"][1:])
    for name, meta in (("coco", {}), ("pets", {"dataset_meta": {"classes": classes}})):
        torch.save({"state_dict": random._model.state_dict(), "meta": meta}, tmp_path / f"{name}.pth")
    found = MMDetDetector(tmp_path / "coco.pth", config)(frames)
    for one, other in zip(expected, found, strict=True):
        # All places are equally sure: which of them are kept, and lie in the picture, is up to torch's sorting.
        assert 50 < len(one.boxes) <= random._model.test_cfg.max_per_img
        assert np.array_equal(one.boxes, other.boxes)
        assert one.boxes[:, 4] == pytest.approx(1 / (1 + np.exp(-3)), abs=1e-4)
        if config == CONFIG:  # strides of 32 in a picture enlarged to 640 x 480
            assert np.median(one.boxes[:, 2:4] - one.boxes[:, :2], axis=0) == pytest.approx(
                [64 / 640, 64 / 480]
            )
        assert (one.mask is None) == (config == CONFIG)
        if one.mask is not None:
            assert one.mask.shape == (120, 160)
            assert np.array_equal(one.mask, other.mask)
    with pytest.raises(ValueError, match="no class 'person'"):
        MMDetDetector(tmp_path / "pets.pth", config)
    with pytest.raises(InvalidDataError, match=r"does not fit yolox_tiny.*--config"):
        MMDetDetector(tmp_path / "coco.pth", "yolox/yolox_tiny_8xb8-300e_coco")


@pytest.mark.slow
@needs_mmdet
@quiet
@pytest.mark.parametrize(
    "config", [CONFIG, "yolox/yolox_tiny_8xb8-300e_coco", "faster_rcnn/faster-rcnn_r50_fpn_1x_coco"]
)
def test_detectors_of_one_and_two_stages_run_with_random_weights(config):
    torch.manual_seed(0)
    detector = MMDetDetector("none", config, threshold=0.0)
    frames = np.random.default_rng(0).integers(0, 256, (1, 60, 80, 3), dtype=np.uint8)
    (found,) = detector(frames)
    assert found.boxes.ndim == 2
    assert found.boxes.shape[1] == 5
    assert found.boxes.dtype == np.float32
    assert ((found.boxes >= 0) & (found.boxes <= 1)).all()
    assert (found.boxes[:, :2] < found.boxes[:, 2:4]).all()
    assert detector.settings["config"] == config.split("/")[1]


@needs_mmdet
@quiet
def test_a_config_that_is_unknown_has_near_ones():
    with pytest.raises(ValueError, match=r"did you mean.*rtmdet_tiny"):
        MMDetDetector("none", "rtmdet/rtmdet_tini")
