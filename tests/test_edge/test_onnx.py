"""Networks as ONNX files: every family that stands as a student in rows gives the same logits, in eight bits nearly."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from kdbench.edge import TOLERANCE, Session, export, farthest, onnx_file, quantise
from kdbench.edge.onnx_file import Logits
from kdbench.spec import IncompatibleError
from tests.test_backbones.test_contract import inputs, model

for package in ("onnx", "onnxscript", "onnxruntime"):
    pytest.importorskip(package, reason="ONNX files need the extra kdbench[edge]")

# The smallest part of every class and temporal form; docs/edge.md names the same.
QUICK = ("inertial_cnn_w6", "skeleton_cnn", "depth_cnn")
SLOW = (
    "inertial_transformer", "depth_attention", "stgcn", "stgcn_small", "stgcnpp_small", "agcn_small", "ctrgcn_small",
    "posec3d_small", "asl_d", "tsf_d", "trans_d", "early_d", "asl_v", "tsf_v", "trans_v", "view_v", "view_v_attention",
    "view_students", "late_fusion", "token_fusion", "peers",
)  # fmt: skip


def clips(network: nn.Module, count: int = 3) -> list[dict[str, Tensor]]:
    """Some clips of random numbers, each other than the others."""
    first = dict(zip(network.reads, inputs(network, batch=1), strict=True))
    generator = torch.Generator().manual_seed(2)
    others = [
        {name: torch.rand(value.shape, generator=generator) for name, value in first.items()}
        for _ in range(count - 1)
    ]
    return [first, *others]


@pytest.mark.parametrize("name", [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)])
def test_the_file_gives_the_logits_of_torch(name: str, tmp_path: Path) -> None:
    network = model(name).train()
    modes = [module.training for module in network.modules()]
    file = tmp_path / "student.onnx"
    seen = clips(network)
    assert export(network, seen[:1], file) <= TOLERANCE
    assert [module.training for module in network.modules()] == modes
    session = Session(file)
    assert session.names == network.reads
    assert farthest(network.eval(), seen, session) <= TOLERANCE
    assert session({key: value.numpy() for key, value in seen[0].items()}).shape == (1, 7)


class Sorted(nn.Module):
    """What it does depends on the numbers of a clip, which no file can say."""

    reads = ("inertial",)

    def forward(self, inertial: Tensor) -> Tensor:
        return inertial[:, 0] if float(inertial.sum()) > 0 else inertial[:, 1]


def test_a_network_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        IncompatibleError, match=r"Sorted cannot be written as ONNX \(.+\); docs/edge\.md lists"
    ):
        export(Sorted(), [{"inertial": torch.ones(1, 4, 6)}], tmp_path / "student.onnx")
    assert not [*tmp_path.iterdir()]


class Restless(nn.Module):
    """It gives other logits when it is written than when it is asked."""

    def forward(self, inertial: Tensor) -> dict[str, Tensor]:
        return {"peers": inertial, "logits": inertial.mean(1) + 1e-3 * torch.compiler.is_exporting()}


def test_a_file_that_gives_other_logits_is_not_left(tmp_path: Path) -> None:
    with pytest.raises(IncompatibleError, match=r"Restless gives logits that differ by .+; wanted: 1e-05"):
        export(Restless(), [{"inertial": torch.ones(1, 4, 6)}], tmp_path / "student.onnx")
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("network", [Sorted(), Restless()], ids=["unwritten", "unequal"])
def test_an_earlier_file_outlives_a_refusal(network: nn.Module, tmp_path: Path) -> None:
    file = tmp_path / "student.onnx"
    file.write_text("of before")
    with pytest.raises(IncompatibleError):
        export(network, [{"inertial": torch.ones(1, 4, 6)}], file)
    assert [path.name for path in tmp_path.iterdir()] == ["student.onnx"]
    assert file.read_text() == "of before"


class Plain(nn.Module):
    """A network of one product, which is soon written."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(6, 3)

    def forward(self, inertial: Tensor) -> Tensor:
        return self.fc(inertial.mean(1))


ONES = {"inertial": torch.ones(1, 4, 6)}


def test_a_file_is_checked_before_it_is_in_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def spy(network: nn.Module, clips: list, session: Session) -> float:
        seen.append(sorted(path.name.startswith(".") for path in tmp_path.iterdir()))
        return farthest(network, clips, session)

    monkeypatch.setattr(onnx_file, "farthest", spy)
    export(Plain(), [ONES], tmp_path / "student.onnx")
    assert seen == [[True]]
    assert [path.name for path in tmp_path.iterdir()] == ["student.onnx"]


def test_a_folder_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is a folder, and a file is to be written; give the name of one"):
        export(Plain(), [ONES], tmp_path)
    with pytest.raises(ValueError, match="is a folder"):
        quantise(tmp_path / "plain.onnx", tmp_path, [])
    assert not [*tmp_path.iterdir()]


def test_what_the_system_refuses_is_not_blamed_on_the_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=str(tmp_path / "file")):
        export(Plain(), [ONES], tmp_path / "file" / "student.onnx")

    def full(*arguments: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch.onnx, "export", full)
    with pytest.raises(OSError, match="No space left on device"):
        export(Plain(), [ONES], tmp_path / "student.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("dies", [True, False], ids=["killed", "unreadable"])
def test_an_earlier_file_outlives_a_bad_quantisation(
    dies: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnxruntime.quantization

    def half(source: str, target: str, *arguments: object, **options: object) -> None:
        Path(target).write_bytes(b"half")
        if dies:
            raise KeyboardInterrupt("killed")

    plain, small = tmp_path / "plain.onnx", tmp_path / "small.onnx"
    export(Plain(), [ONES], plain)
    small.write_text("of before")
    monkeypatch.setattr(onnxruntime.quantization, "quantize_static", half)
    with pytest.raises(KeyboardInterrupt if dies else Exception, match="killed" if dies else "(?i)protobuf"):
        quantise(plain, small, [{"inertial": ONES["inertial"].numpy()}])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plain.onnx", "small.onnx"]
    assert small.read_text() == "of before"


def test_of_several_outputs_the_logits_are_taken() -> None:
    assert Logits(Restless())(torch.ones(1, 4, 6)).tolist() == [[1.0] * 6]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[nn.Module, Path, Path]:
    folder = tmp_path_factory.mktemp("edge")
    network, plain, small = model("inertial_cnn_w12").eval(), folder / "plain.onnx", folder / "small.onnx"
    seen = clips(network, 12)
    export(network, seen[:1], plain)
    quantise(plain, small, ({name: value.numpy() for name, value in clip.items()} for clip in seen))
    return network, plain, small


def test_eight_bits_are_near_and_not_equal(files: tuple[nn.Module, Path, Path]) -> None:
    network, plain, small = files
    gap = farthest(network, clips(network, 12), Session(small))
    assert farthest(network, clips(network, 12), Session(plain)) < 1e-5 < gap < 0.1


def test_weights_of_products_are_in_eight_bits(files: tuple[nn.Module, Path, Path]) -> None:
    import onnx

    network, _, small = files
    stored = onnx.load(small).graph.initializer
    bytes_each = {
        tensor.name: np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)) for tensor in stored
    }
    sizes = {tensor.name: int(np.prod(tensor.dims)) for tensor in stored}
    in_bytes = sum(size for name, size in sizes.items() if bytes_each[name] == np.int8)
    products = [
        layer.weight.numel() for layer in network.modules() if isinstance(layer, nn.Conv1d | nn.Linear)
    ]
    assert in_bytes >= sum(products)
