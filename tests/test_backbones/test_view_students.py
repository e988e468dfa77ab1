"""A student a view: alone, together, shared."""

import pytest
import torch

from kdbench.backbones import ViewStudents

NETWORK = {"type": "SkeletonCNN", "streams": ("joint",), "widths": (8, 8), "strides": (1, 2)}


def test_each_student_sees_its_own_view() -> None:
    torch.manual_seed(0)
    network, clips = ViewStudents(5, NETWORK, views=2).eval(), torch.rand(3, 2, 12, 20, 3)
    out, moved = network(clips), clips.clone()
    moved[:, 1] += torch.rand(20, 3)
    other = network(moved)
    assert torch.equal(out["peers"][:, 0], other["peers"][:, 0])
    assert not torch.allclose(out["peers"][:, 1], other["peers"][:, 1])
    torch.testing.assert_close(out["peers"][:, 1], network.networks[1](clips[:, 1]))
    torch.testing.assert_close(out["logits"].softmax(1), out["peers"].softmax(2).mean(1))


def test_shared_students_are_one_network_of_folded_views() -> None:
    torch.manual_seed(0)
    network, clips = ViewStudents(5, NETWORK, views=2, shared=True).eval(), torch.rand(3, 2, 12, 20, 3)
    out = network(clips)
    assert len(network.networks) == 1
    for view in range(2):
        torch.testing.assert_close(out["view_logits"][:, view], network.networks[0](clips[:, view]))
        own = network.networks[0].embed(clips[:, view])
        torch.testing.assert_close(out["view_embeddings"][:, view], own)


def test_other_views_than_built_for_are_refused() -> None:
    with pytest.raises(ValueError, match="3 views a clip; there are students for views=2"):
        ViewStudents(5, NETWORK, views=2)(torch.rand(1, 3, 12, 20, 3))


def test_networks_of_several_views_are_no_students() -> None:
    with pytest.raises(ValueError, match="ViewStudents are single-clip networks; MultiView is none"):
        ViewStudents(5, {"type": "MultiView", "encoders": {"depth": {"type": "FrameCNN", "in_channels": 1}}})


@pytest.mark.parametrize("shared", [False, True])
def test_an_absent_view_is_not_seen_and_does_not_vote(shared: bool) -> None:
    torch.manual_seed(0)
    network = ViewStudents(5, NETWORK, views=2, shared=shared, view_mask="view_shown")
    assert network.reads == ("skeleton", "view_shown")
    clips, shown = torch.rand(4, 2, 12, 20, 3), torch.tensor([[1.0, 1], [1, 0], [0, 1], [0, 0]])
    moved = clips.clone()
    moved[1, 1], moved[2, 0] = 99.0, -99.0
    for mode in (True, False):  # in training, batch norm has no statistics of it
        torch.manual_seed(1)
        one = network.train(mode)(clips, shown)
        torch.manual_seed(1)
        other = network.train(mode)(moved, shown)
        for name, value in one.items():
            assert torch.equal(value, other[name]), name
    assert one["view_shown"].tolist() == [[True, True], [True, False], [False, True], [True, True]]
    assert not one["peers"][1, 1].any()
    torch.testing.assert_close(one["logits"][1], one["peers"][1, 0].log_softmax(0))
    whole = ViewStudents(5, NETWORK, views=2, shared=shared).eval()
    whole.load_state_dict(network.state_dict())
    seen = whole(clips)
    torch.testing.assert_close(one["logits"][[0, 3]], seen["logits"][[0, 3]])
    torch.testing.assert_close(one["peers"][2, 1], seen["peers"][2, 1])


def test_an_absent_view_gives_its_student_no_gradient() -> None:
    torch.manual_seed(0)
    network = ViewStudents(5, NETWORK, views=2, view_mask="view_shown")
    out = network(torch.rand(3, 2, 12, 20, 3), torch.tensor([[1.0, 0], [1, 0], [1, 0]]))
    out["logits"].sum().backward()
    assert all(not p.grad.any() for p in network.networks[1].parameters() if p.grad is not None)
    assert any(p.grad.any() for p in network.networks[0].parameters())
