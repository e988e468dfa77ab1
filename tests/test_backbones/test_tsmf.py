"""TSMF: weights of joints and crops written out, what is trained, what is decided together."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from safetensors.torch import save_file
from torch import Tensor

from kdbench.backbones import TSMF
from kdbench.backbones.tsmf import cropped, joint_weights
from kdbench.datasets import AugmentSkeleton
from kdbench.datasets.transforms.time import resample
from kdbench.registry import TRANSFORMS
from kdbench.spec import MissingWeightsError

GUIDE = {"type": "CompactSTGCN", "widths": (8, 8), "strides": (1, 2)}
STUDENT = {"type": "ResNet", "blocks": (1, 1, 1)}


def made(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def network(**options) -> TSMF:
    torch.manual_seed(0)
    return TSMF(5, **{"guide": {**GUIDE, "weights": "random"}, "student": STUDENT, **options})


@pytest.fixture
def clips() -> tuple[Tensor, Tensor]:
    return 0.5 * made(0, 3, 24, 20, 3), made(1, 3, 10, 2, 64, 48)


@pytest.mark.parametrize("share", [0.05, 0.3, 1.0])
def test_weights_are_the_largest_times_of_a_joint_beside_the_whole_clip(share) -> None:
    features = made(0, 2, 3, 7, 4)
    found = joint_weights(features, joints=(0, 3), share=share)
    for clip in range(2):
        length = [[math.hypot(*features[clip, :, t, j].tolist()) for j in range(4)] for t in range(7)]
        flat = [value for row in length for value in row]
        for place, joint in enumerate((0, 3)):
            times = [255 / 127 * (row[joint] - min(flat)) / (max(flat) - min(flat)) for row in length]
            largest = sorted(times)[-max(1, math.ceil(share * 7)) :]
            assert found[clip, place].item() == pytest.approx(sum(largest) / len(largest), rel=1e-5)


def test_a_clip_is_weighed_by_itself_and_one_without_any_difference_by_zero() -> None:
    features = made(0, 2, 3, 7, 4)
    alone = joint_weights(features[:1], (1, 2))
    features[1] *= 100
    torch.testing.assert_close(joint_weights(features, (1, 2))[:1], alone)
    assert joint_weights(torch.ones(1, 3, 4, 2), (0, 1)).tolist() == [[0, 0]]


def test_crops_are_the_pixels_around_a_place_and_zero_beyond_the_edge() -> None:
    video, size = made(0, 2, 3, 2, 9, 7), 4
    centres = torch.tensor([[-3.0, 1.2], [4.4, 3.0], [8.6, 9.0], [100.0, -50.0]]).expand(2, 3, 4, 2)
    found = cropped(video, centres, size)
    assert found.shape == (2, 3, 4, 2, size, size)
    for place in range(4):
        row, column = (round(value) for value in centres[0, 0, place].tolist())
        for i in range(size):
            for j in range(size):
                r, c = row - 2 + i, column - 2 + j
                is_inside = 0 <= r < 9 and 0 <= c < 7
                expected = video[..., r, c] if is_inside else torch.zeros(2, 3, 2)
                assert torch.equal(found[:, :, place, :, i, j], expected)


def test_a_joint_s_picture_stands_in_its_row_at_its_time_times_its_weight() -> None:
    model = network(joints=(0, 5), times=3, size=6)
    skeleton, video = torch.zeros(1, 24, 20, 3), torch.zeros(1, 9, 2, 64, 48)
    skeleton[0, :, 5, :2] = torch.tensor([1.0, -0.5])
    video[0, 4, 1, 28 + 6, 24 + 12] = 3.0  # the middle of the middle third, where joint 5 is
    canvas = model.canvas(skeleton, video, torch.tensor([[1.0, 2.0]]))
    assert canvas.shape == (1, 2, 12, 18)
    assert canvas[0, 1, 6 + 3, 6 + 3] == 6.0
    assert canvas.count_nonzero() == 1


def test_the_guide_stays_as_it_is(clips) -> None:
    model = network().train()
    assert not model.guide.training
    assert model.student.training
    before = {name: value.clone() for name, value in model.guide.state_dict().items()}
    model(*clips).sum().backward()
    assert all(p.grad is None for p in model.guide.parameters())
    assert all(p.grad is not None for p in (*model.student.parameters(), *model.colours.parameters()))
    assert all(torch.equal(value, before[name]) for name, value in model.guide.state_dict().items())


def test_both_networks_decide_together_in_tests_only(clips) -> None:
    model, alone = network().eval(), network(together=False).eval()
    guided, seen = model.guide(clips[0]), alone(*clips)
    torch.testing.assert_close(model(*clips).exp(), (guided.softmax(1) + seen.softmax(1)) / 2)
    torch.manual_seed(0)
    weights = joint_weights(model.guide.joint_features(clips[0]), model.joints)
    torch.testing.assert_close(seen, alone.student(alone.colours(alone.canvas(*clips, weights))))


def test_the_guide_is_read_from_its_file_and_must_have_one(tmp_path: Path) -> None:
    path = tmp_path / "guide.safetensors"
    other = network()
    save_file({name: value + 1 for name, value in other.guide.state_dict().items()}, path)
    model = network(guide={**GUIDE, "weights": str(path)})
    model.load_own_weights()
    for name, value in model.guide.state_dict().items():
        torch.testing.assert_close(value, other.guide.state_dict()[name] + 1)
    absent = network(guide=GUIDE)
    assert not absent.has_own_weights
    with pytest.raises(
        MissingWeightsError, match=r"^the guide of TSMF has no weights and is never trained; give"
    ):
        absent.load_own_weights()


def test_a_guide_without_joints_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"^TSMF is guided by features of joints; SkeletonCNN has none; take CompactSTGCN$"
    ):
        network(guide={"type": "SkeletonCNN"})


def test_joints_of_training_clips_stay_where_the_pictures_are() -> None:
    config = Config.fromfile(Path(__file__).parents[2] / "configs/tsmf/utd_aligned_tsmf_depth.py")
    skeletons = next(t for t in config.train_dataloader.dataset.transforms if t["type"] is AugmentSkeleton)
    change = TRANSFORMS.build(dict(skeletons))
    clip = np.random.default_rng(0).normal(size=(60, 20, 3)).astype(np.float32)
    moved = change.apply(clip, np.random.default_rng(1)) - resample(clip, change.frames)
    assert np.abs(moved).max() < 0.05  # torsos of 12 pixels
