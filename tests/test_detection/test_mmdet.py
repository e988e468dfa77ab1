import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kdbench.compat import _absent_operator, _nms, mmengine_checkpoint
from kdbench.detection import MMDetDetector
from kdbench.detection.mmdet import CONFIG
from kdbench.spec import InvalidDataError, MissingPackageError

HAS_MMDET = importlib.util.find_spec("mmdet") is not None
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
    found = _nms(boxes, scores, iou_threshold=threshold, offset=offset)
    assert found.tolist() == slow_nms(boxes.tolist(), scores.tolist(), threshold, offset)


def test_the_other_operators_of_mmcv_say_what_they_need():
    with pytest.raises(MissingPackageError, match="'roi_align_forward' needs full mmcv"):
        _absent_operator("roi_align_forward")(1, 2)
    with pytest.raises(AttributeError):
        _absent_operator("__path__")


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
        assert len(one.boxes) == 100
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


@needs_mmdet
@quiet
def test_a_config_that_is_unknown_has_near_ones():
    with pytest.raises(ValueError, match=r"did you mean.*rtmdet_tiny"):
        MMDetDetector("none", "rtmdet/rtmdet_tini")
