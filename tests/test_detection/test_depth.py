import os
from pathlib import Path

import numpy as np
import pytest

from kdbench.detection import DepthDetector

REAL = Path(os.environ.get("KDBENCH_DATA_ROOT", "nowhere"), "utd_mhad", "depth_s1.npz")


def test_each_connected_part_is_a_person():
    depth = np.zeros((2, 48, 64), dtype=np.uint8)
    depth[0, 6:24, 8:16] = 90
    depth[0, 24:30, 15:20] = 40  # touches by a corner: the same person
    depth[0, 12:36, 40:56] = 7
    depth[0, 0:3, 60:63] = 200  # 9 of 3072 pixels: noise
    found = DepthDetector()(depth)
    boxes = found[0].boxes
    assert boxes[np.argsort(boxes[:, 0])] == pytest.approx(
        np.array([[8 / 64, 6 / 48, 20 / 64, 30 / 48, 1], [40 / 64, 12 / 48, 56 / 64, 36 / 48, 1]])
    )
    expected = depth[0] > 0
    expected[0:3, 60:63] = False
    assert np.array_equal(found[0].mask, expected)
    assert found[1].boxes.shape == (0, 5)
    assert not found[1].mask.any()


def test_noise_of_a_codec_is_below_the_threshold():
    depth = np.full((1, 48, 64, 3), 3, dtype=np.uint8)
    depth[0, 10:30, 20:30] = 120
    assert DepthDetector()(depth)[0].mask.all()
    found = DepthDetector(threshold=0.05)(depth)[0]
    assert found.mask.sum() == 200
    assert len(found.boxes) == 1
    metres = np.zeros((1, 48, 64), dtype=np.float32)
    metres[0, 10:30, 20:30] = 2.5
    assert DepthDetector()(metres)[0].mask.sum() == 200
    with pytest.raises(ValueError, match="threshold"):
        DepthDetector(threshold=1.5)


@pytest.mark.skipif(not REAL.is_file(), reason="no UTD-MHAD below KDBENCH_DATA_ROOT")
def test_one_person_acts_in_each_clip_of_utd_mhad():
    with np.load(REAL) as archive:
        depth = archive["depth"][::50]
    found = DepthDetector()(depth)
    assert np.mean([len(each.boxes) == 1 for each in found]) > 0.9
    assert all(each.mask.any() for each in found)
    kept = sum(each.mask.sum() for each in found) / np.count_nonzero(depth)
    assert kept > 0.98
