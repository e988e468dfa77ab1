"""What is known of the networks of other packages: the axes that they read and give, and where their stages are."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...registry import near

# Where features are: a module's place, "" for what the network returns; from there on indices and attributes.
Source = tuple[str, tuple[int | str, ...], str]
RETURNED = ""
MAPS, VECTORS = (
    ":features",
    ":head",
)  # of timm: what ``forward_features`` gives, and its head without classifier


@dataclass(frozen=True)
class Family:
    """Networks that are read alike.

    ``reads`` are the axes of the input (see ``layouts``). ``maps`` are the features, each as ``(place, path, axes)``;
    ``vectors`` those that a classifier reads, where they are not the means of ``maps``. ``stages`` is a pattern of the
    places of blocks that follow each other, ``stage_axes`` what these give. ``heads`` are the keys of classifiers in
    files of weights, ``prefixes`` what may stand before the keys of the network.
    """

    reads: str
    maps: tuple[Source, ...]
    vectors: tuple[Source, ...] = ()
    stages: str = ""
    stage_axes: str = "BCTHW"
    heads: tuple[str, ...] = ("head.", "fc.", "classifier.")
    prefixes: tuple[str, ...] = ()


def _mmaction(reads: str, axes: str, stages: str = r"layer\d+", **more: Any) -> Family:
    return Family(
        **{
            "reads": reads,
            "maps": ((RETURNED, (), axes),),
            "stages": stages,
            "stage_axes": axes,
            "heads": ("cls_head.", "data_preprocessor."),
            "prefixes": ("backbone.",),
            **more,
        }
    )


_VIDEO = _mmaction("BCTHW", "BCTHW")
_VIT = _mmaction("BCTHW", "BC", r"blocks\.\d+", stage_axes="BLC")
_GRAPH = _mmaction("BMTVC", "BMCTV", r"gcn\.\d+", stage_axes="PCTV")
_TSM = _mmaction("NCHW", "NCHW")

FAMILIES: dict[str, Family] = {
    "mmaction.MViT": _mmaction(
        "BCTHW",
        "BCTHW",
        r"blocks\.\d+",
        maps=((RETURNED, (-1, 0), "BCTHW"),),
        vectors=((RETURNED, (-1, 1), "BC"),),  # the class token, as in its published head
        stage_axes="BLC",
    ),
    "mmaction.SwinTransformer3D": _mmaction("BCTHW", "BCTHW", r"layers\.\d+", stage_axes="BTHWC"),
    "mmaction.UniFormer": _mmaction("BCTHW", "BCTHW", r"blocks\d\.\d+"),
    "mmaction.VisionTransformer": _VIT,
    "mmaction.TimeSformer": _mmaction("BCTHW", "BC", r"transformer_layers\.layers\.\d+", stage_axes="BLC"),
    "mmaction.ResNet3dSlowFast": _mmaction(
        "BCTHW",
        "BCTHW",
        r"slow_path\.layer\d+",
        maps=((RETURNED, (0,), "BCTHW"), (RETURNED, (1,), "BCTHW")),
    ),
    **{
        f"mmaction.{name}": _VIDEO
        for name in ("X3D", "ResNet3d", "ResNet3dSlowOnly", "ResNet2Plus1d", "ResNet3dCSN", "C3D")
    },
    "mmaction.C2D": _mmaction("BCTHW", "BCTHW", stage_axes="NCHW"),
    "mmaction.ResNetTSM": _TSM,
    "mmaction.MobileNetV2TSM": _TSM,
    "mmaction.STGCN": _GRAPH,
    "mmaction.AAGCN": _GRAPH,
    "mmaction.ResNetAudio": _mmaction("BCFS", "BCTS"),
    **{
        f"torchvision.{name}": Family(
            "BCTHW", (("layer4", (), "BCTHW"),), ((RETURNED, (), "BC"),), r"layer\d", "BCTHW"
        )
        for name in ("r3d_18", "mc3_18", "r2plus1d_18")
    },
    **{
        f"torchvision.{name}": Family(
            "BCTHW", (("norm", (), "BTHWC"),), ((RETURNED, (), "BC"),), r"features\.[0246]", "BTHWC"
        )
        for name in ("swin3d_t", "swin3d_s", "swin3d_b")
    },
    **{
        f"torchvision.{name}": Family(
            "BCTHW", (("norm", (), "BLC"),), ((RETURNED, (), "BC"),), r"blocks\.\d+", "BLC"
        )
        for name in ("mvit_v1_b", "mvit_v2_s")
    },
    "transformers.VideoMAE": Family(
        "BTCHW",
        ((RETURNED, ("last_hidden_state",), "BLC"),),
        stages=r"(encoder\.)?layers?\.\d+",
        stage_axes="BLC",
        prefixes=("videomae.",),
    ),
    "transformers.AST": Family(
        "BFS",
        ((RETURNED, ("last_hidden_state",), "BLC"),),
        vectors=((RETURNED, ("pooler_output",), "BC"),),
        stages=r"(encoder\.)?layers?\.\d+",
        stage_axes="BLC",
        prefixes=("audio_spectrogram_transformer.",),
    ),
}
# timm's names are many; what their features look like is asked of the network (see ``Foreign``).
TIMM = Family(
    "NCHW",
    ((MAPS, (), ""),),
    ((VECTORS, (), "NC"),),
    stages=r"(layer|layers|stages|blocks)\.?\d+",
    stage_axes="",
)


def family_of(name: str, reads: str | None = None, gives: str | None = None) -> Family:
    """The family of a network by its name; of an unknown one ``reads`` and ``gives`` say the axes."""
    scope = name.split(".")[0]
    if reads is not None and gives is not None:
        return Family(reads, ((RETURNED, (), gives),), stage_axes=gives)
    if scope == "timm":
        return TIMM
    if name in FAMILIES:
        return FAMILIES[name]
    known = [known for known in FAMILIES if known.startswith(f"{scope}.")]
    raise ValueError(
        f"the axes of '{name}' are not known; say them, such as reads='BCTHW', gives='BCTHW'; {near(name, known)}"
    )


def matching(pattern: str, places: Sequence[str]) -> list[str]:
    """The places that a pattern of stages means, in their order."""
    return [place for place in places if pattern and re.fullmatch(pattern, place)]
