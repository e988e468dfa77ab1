"""Multi-modal networks: late fusion, fusion of feature tokens, networks side by side."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..registry import BACKBONES, build, near
from ..weights import RANDOM, load_weights
from .blocks import TransformerBlock, positions, prefixed

MEANS = ("probabilities", "logits", "sigmoid")


def mean_logits(logits: Tensor, of: str = "probabilities", shares: Sequence[float] | None = None) -> Tensor:
    """One decision of several networks: ``(P, B, K)`` to ``(B, K)``.

    ``of`` is what is averaged: ``"logits"``, softmax ``"probabilities"`` (the result is the log of their
    mean) or ``"sigmoid"`` probabilities a class (the result is their log-odds). ``shares`` are P positive numbers,
    how much each network counts beside the others; by default all count alike.

    >>> mean_logits(torch.tensor([[[0.0, 2.0]], [[2.0, 0.0]]])).softmax(-1)
    tensor([[0.5000, 0.5000]])
    """
    share = logits.new_tensor(shares or [1.0] * len(logits), dtype=torch.float32)[:, None, None]
    share = share / share.sum()
    if of == "logits":
        return (logits * share.to(logits.dtype)).sum(0)
    logits = logits.float()  # half precision cannot hold the log of a small probability
    if of == "probabilities":
        return (logits.log_softmax(-1) + share.log()).logsumexp(0)
    if of == "sigmoid":
        sigmoid = nn.functional.logsigmoid
        return (sigmoid(logits) + share.log()).logsumexp(0) - (sigmoid(-logits) + share.log()).logsumexp(0)
    raise ValueError(f"the mean of '{of}' is unknown; {near(of, MEANS)}")


class Members(nn.ModuleList):
    """Networks built from configs; ``reads`` is the union of what they read, in order of appearance."""

    def __init__(self, configs: Sequence[Mapping[str, Any]], num_classes: int):
        super().__init__()
        for config in configs:
            config = dict(config)
            reads = config.pop("reads", None)
            network = build(BACKBONES, config, num_classes=num_classes)
            network.reads = tuple(reads or network.reads)
            self.append(network)
        self.reads = tuple(dict.fromkeys(name for network in self for name in network.reads))

    def inputs(self, values: Sequence[Tensor]) -> list[list[Tensor]]:
        """What each network reads, from the values of ``reads``."""
        named = dict(zip(self.reads, values, strict=True))
        return [[named[name] for name in network.reads] for network in self]


@BACKBONES.register_module()
class LateFusion(nn.Module):
    """Whole networks that decide together; the logits are the log of their mean probability.

    ``members`` are configs of networks with ``embed`` and ``fc``, each with its own modalities and, if it was trained
    before, its own ``weights`` file (and the ``prefix`` of its keys in that of a larger network), which
    ``load_own_weights`` reads. ``fusion`` and ``shares`` are as in ``mean_logits``: CTR-GCN joins joint, bone, joint
    motion and bone motion as ``fusion="logits", shares=(0.6, 0.6, 0.4, 0.4)`` (Chen et al., ICCV 2021). Taps:
    ``embedding`` (all members' side by side), ``member_logits`` and ``member_embeddings`` (lists) and, for methods that
    read maps, those of the member number ``lead``.
    """

    def __init__(
        self,
        num_classes: int,
        members: Sequence[Mapping[str, Any]],
        fusion: str = "probabilities",
        lead: int = 0,
        shares: Sequence[float] | None = None,
    ):
        super().__init__()
        if fusion not in MEANS:
            raise ValueError(f"the fusion '{fusion}' is unknown; {near(fusion, MEANS)}")
        if shares is not None and (len(shares) != len(members) or not all(share > 0 for share in shares)):
            raise ValueError(
                f"shares={tuple(shares)}; there is: {len(members)} members, a positive share each"
            )
        members = [dict(member) for member in members]
        self.files = [(member.pop("weights", None), member.pop("prefix", "")) for member in members]
        self.members = Members(members, num_classes)
        strange = [type(member).__name__ for member in self.members if not hasattr(member, "embed")]
        if strange:
            raise ValueError(f"LateFusion joins single-clip networks; {', '.join(strange)} is none")
        self.fusion, self.shares, self.reads = fusion, shares, self.members.reads
        self.joined = nn.Identity()
        self.taps = {
            **prefixed(f"members.{lead}", self.members[lead].taps),
            "member_logits": [f"members.{i}.fc" for i in range(len(members))],
            "member_embeddings": [f"members.{i}.fc:in" for i in range(len(members))],
            "embedding": "joined",
        }

    @property
    def has_own_weights(self) -> bool:
        """Whether every member says where its weights come from, be it ``"random"``."""
        return all(path is not None for path, _ in self.files)

    def load_own_weights(self) -> None:
        """Read the weight file of every member that has one. Not done when built: checks come before files."""
        for member, (path, prefix) in zip(self.members, self.files, strict=True):
            if path not in (None, RANDOM):
                load_weights(member, path, prefix)

    def _embedded(self, inputs: Sequence[Sequence[Tensor]]) -> list[Tensor]:
        """The embedding ``(B, D)`` of each member, from what each reads."""
        return [member.embed(*values) for member, values in zip(self.members, inputs, strict=True)]

    def forward(self, *inputs: Tensor) -> Tensor:
        embeddings = self._embedded(self.members.inputs(inputs))
        self.joined(torch.cat(embeddings, 1))
        logits = [member.fc(embedding) for member, embedding in zip(self.members, embeddings, strict=True)]
        return mean_logits(torch.stack(logits), self.fusion, self.shares)


@BACKBONES.register_module()
class TokenFusion(nn.Module):
    """Feature maps of several networks as tokens of one transformer; the class token decides.

    ``encoders`` are configs of single-clip networks; their maps ``(B, C, T)`` become ``T`` tokens of
    ``width`` each, with a position and a learned code of the encoder added. Taps: ``tokens`` ``[(B, 1 + N,
    width)]``, ``attention`` ``[(B, heads, 1 + N, 1 + N)]``, ``embedding`` ``(B, width)``.
    """

    def __init__(
        self,
        num_classes: int,
        encoders: Sequence[Mapping[str, Any]],
        width: int = 128,
        layers: int = 2,
        heads: int = 4,
        block_dropout: float = 0.1,
        dropout: float = 0.4,
    ):
        super().__init__()
        self.encoders = Members(encoders, num_classes=0)
        self.reads = self.encoders.reads
        self.projections = nn.ModuleList(nn.Linear(encoder.channels, width) for encoder in self.encoders)
        self.codes = nn.Parameter(0.02 * torch.randn(1 + len(self.encoders), width))
        self.blocks = nn.ModuleList(
            TransformerBlock(width, heads, dropout=block_dropout) for _ in range(layers)
        )
        self.norm = nn.LayerNorm(width)
        self.fc = nn.Sequential(nn.Dropout(dropout), nn.Linear(width, num_classes))
        self.taps = {
            "tokens": [f"blocks.{i}" for i in range(layers)],
            "attention": [f"blocks.{i}.attention.softmax" for i in range(layers)],
            "embedding": "fc:in",
        }

    def forward(self, *inputs: Tensor) -> Tensor:
        x = self._tokens(inputs)
        for block in self.blocks:
            x = block(x)
        return self.fc(self.norm(x[:, 0]))

    def _tokens(self, inputs: Sequence[Tensor]) -> Tensor:
        groups = [self.codes[0].expand(len(inputs[0]), 1, -1)]
        networks = zip(self.encoders, self.projections, self.encoders.inputs(inputs), strict=True)
        for code, (encoder, projection, values) in zip(self.codes[1:], networks, strict=True):
            tokens = projection(encoder.features(*values).transpose(1, 2))
            groups.append(tokens + code + positions(*tokens.shape[1:], like=tokens))
        return torch.cat(groups, 1)


@BACKBONES.register_module()
class Peers(nn.Module):
    """Several networks side by side, for methods in which students teach each other (or a student a view).

    ``networks`` are configs; gives ``logits`` ``(B, K)``, the mean over networks, and ``peers`` ``(B, P,
    K)``.
    """

    def __init__(self, num_classes: int, networks: Sequence[Mapping[str, Any]]):
        super().__init__()
        self.networks = Members(networks, num_classes)
        self.reads = self.networks.reads
        self.taps: dict[str, Any] = {}

    def forward(self, *inputs: Tensor) -> dict[str, Tensor]:
        read = self.networks.inputs(inputs)
        outputs = [network(*values) for network, values in zip(self.networks, read, strict=True)]
        peers = torch.stack([out["logits"] if isinstance(out, Mapping) else out for out in outputs], 1)
        return {"logits": peers.mean(1), "peers": peers}
