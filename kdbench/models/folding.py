"""Batch norms at rest folded into the convolutions and linear layers before them, wherever nobody can tell."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval
from torch.overrides import TorchFunctionMode

_FUSERS: dict[type[nn.Module], Callable[..., nn.Module]] = {
    nn.Conv1d: fuse_conv_bn_eval,
    nn.Conv2d: fuse_conv_bn_eval,
    nn.Conv3d: fuse_conv_bn_eval,
    nn.Linear: fuse_linear_bn_eval,
}
_TOLERANCE = (
    1e-4  # of the largest output: single precision rounds otherwise when a factor moves into the weights
)


class _Watch(TorchFunctionMode):
    """Notes in one forward which layer each batch norm reads, and which layers anything else reads too.

    It works on what happens and not on a graph of the code, which networks with Python in their forward do not have,
    and leaves the names of modules, that taps are read by, as they are.
    """

    def __init__(self, network: nn.Module):
        super().__init__()
        self.pairs: list[tuple[str, str]] = []  # (layer, batch norm)
        self.shapes: dict[str, torch.Size] = {}  # what a layer was given
        self.unfit: set[str] = set()
        self._givers: dict[int, tuple[str, Tensor]] = {}  # the tensor too: its id is its own while it lives
        self._inside = False
        self.hooks = []
        for name, module in network.named_modules():
            if _fuser(module) is not None:
                self.hooks.append(module.register_forward_hook(self._noting(name)))
            elif isinstance(module, _BatchNorm) and module.running_mean is not None:
                self.hooks.append(module.register_forward_pre_hook(self._entering(name)))
                self.hooks.append(module.register_forward_hook(self._leaving))

    def _noting(self, name: str) -> Callable[..., None]:
        def note(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
            if name in self.shapes or len(inputs) != 1:  # runs twice, or reads more than one tensor
                self.unfit.add(name)
                return
            self.shapes[name] = inputs[0].shape
            self._givers[id(output)] = (name, output)

        return note

    def _entering(self, name: str) -> Callable[..., None]:
        def enter(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            layer = self.giver(inputs[0])
            self.unfit |= {first for first, norm in self.pairs if norm == name}  # the norm runs twice
            if layer is not None:
                self.unfit |= {layer} & {first for first, _ in self.pairs}
                self.pairs.append((layer, name))
            self._inside = True

        return enter

    def _leaving(self, *_: Any) -> None:
        self._inside = False

    def giver(self, value: Any) -> str | None:
        """The layer that gave this very tensor."""
        return self._givers.get(id(value), (None, None))[0]

    def others(self, values: Iterable[Any]) -> None:
        """Note that these are read by something that is no batch norm."""
        self.unfit |= {layer for value in values if (layer := self.giver(value)) is not None}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if not self._inside:
            self.others(_flat([args, list((kwargs or {}).values())]))
        return func(*args, **(kwargs or {}))


def fold(network: nn.Module, speak: Callable[[], Iterable[Any]]) -> int:
    """Fold in place what can be folded; the number of batch norms that are gone.

    ``network`` is in eval mode. ``speak`` runs it once and gives all that is read of it, outputs and taps: a layer
    whose output is among that, or is read by more than its batch norm, stays. So does a pair that says something else
    once it is folded, such as a layer with a forward of its own that knows no bias. A batch norm that is gone is an
    ``nn.Identity``.
    """
    watch = _Watch(network)
    try:
        with torch.no_grad(), watch:
            said = list(speak())
    finally:
        for hook in watch.hooks:
            hook.remove()
    watch.others(_flat(said))
    pairs = [(layer, norm) for layer, norm in watch.pairs if layer not in watch.unfit]
    return sum(_folded(network, layer, norm, watch.shapes[layer]) for layer, norm in pairs)


def _folded(network: nn.Module, layer: str, norm: str, shape: Sequence[int]) -> bool:
    """Put the folded pair in its place, if it says the same of random numbers."""
    first, second = network.get_submodule(layer), network.get_submodule(norm)
    fuse = _fuser(first)
    if fuse is None:
        return False
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        numbers = torch.randn(shape).to(next(first.parameters()))
        try:
            wanted, fused = second(first(numbers)), fuse(first, second).requires_grad_(False)
            found = fused(numbers)
        except (RuntimeError, TypeError, ValueError):
            return False
        if wanted.shape != found.shape or not (wanted - found).abs().max() <= _TOLERANCE * wanted.abs().max():
            return False
    _put(network, layer, fused)
    _put(network, norm, nn.Identity())
    return True


def _put(network: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, last = name.rpartition(".")
    setattr(network.get_submodule(parent), last, module)


def _fuser(module: nn.Module) -> Callable[..., nn.Module] | None:
    return next((fuse for kind, fuse in _FUSERS.items() if isinstance(module, kind)), None)


def _flat(node: Any) -> Iterable[Any]:
    """The leaves of lists, tuples and dicts."""
    if isinstance(node, dict):
        node = list(node.values())
    if isinstance(node, list | tuple):
        for child in node:
            yield from _flat(child)
    else:
        yield node
