"""Networks of other packages, built from their name and options; nothing is fetched from anywhere."""

import inspect
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from mmengine.registry import DefaultScope
from torch import nn

from ...compat import NumbersOfRates, load_scope
from ...registry import near

# Options by which a package would read files or the net on its own; ``weights`` of the network is the way.
FETCHING = ("pretrained", "pretrained2d", "pretrained_cfg", "checkpoint_path", "weights", "init_cfg")


def build_foreign(name: str, options: Mapping[str, Any]) -> nn.Module:
    """The network ``name`` (``"mmaction.MViT"``) without its classifier, with fresh weights.

    An unknown scope or name is a ``ValueError`` with near matches, a missing package a ``MissingPackageError``.
    """
    scope, _, own = name.partition(".")
    if scope not in BUILDERS:
        raise ValueError(f"no package is behind the scope of '{name}'; {near(scope, BUILDERS)}")
    fetching = [option for option in options if option in FETCHING]
    if fetching:
        raise ValueError(
            f"the option '{fetching[0]}' of '{name}' would read weights unseen; give the network's own weights='FILE'"
        )
    package = load_scope(scope)
    with NumbersOfRates():
        return BUILDERS[scope](package, own, dict(options))


def _from_mmaction(package: Any, name: str, options: dict[str, Any]) -> nn.Module:
    import mmaction.engine  # noqa: F401  (registers how its graph networks are initialised)
    from mmaction.registry import MODELS

    kind = MODELS.module_dict.get(name)
    if kind is None:
        raise ValueError(f"mmaction has no network '{name}'; {near(name, MODELS.module_dict)}")
    taken = {p for owner in kind.__mro__ for p in inspect.signature(owner.__init__).parameters}
    # Left alone, several look for a file of ImageNet weights, and their initialisation fails where there is none.
    quiet = {"pretrained": None, "pretrained2d": False}
    options = {**{key: value for key, value in quiet.items() if key in taken}, **options}
    network = MODELS.build({**options, "type": name, "_scope_": "mmaction"})
    if not any(parameter.is_meta for parameter in network.parameters()):  # of shapes alone it takes means
        with _silence(), DefaultScope.overwrite_default_scope("mmaction"):
            network.init_weights()
    return network


def _from_timm(package: Any, name: str, options: dict[str, Any]) -> nn.Module:
    if not package.is_model(name):  # also "hf_hub:..." and the like, which would be fetched
        raise ValueError(f"timm has no network '{name}'; {near(name, package.list_models())}")
    return package.create_model(name, pretrained=False, **{"num_classes": 0, **options})


def _from_torchvision(package: Any, name: str, options: dict[str, Any]) -> nn.Module:
    known = package.models.list_models()
    if name not in known:
        raise ValueError(f"torchvision has no network '{name}'; {near(name, known)}")
    network = package.models.get_model(name, weights=None, **options)
    head = next((head for head in ("fc", "head", "classifier") if hasattr(network, head)), None)
    if head is not None:
        setattr(network, head, nn.Identity())
    return network


def _from_transformers(package: Any, name: str, options: dict[str, Any]) -> nn.Module:
    config, model = (getattr(package, f"{name}{end}", None) for end in ("Config", "Model"))
    if not (inspect.isclass(config) and inspect.isclass(model) and issubclass(model, nn.Module)):
        raise ValueError(
            f"transformers has no {name}Config and {name}Model; there is: VideoMAE, AST and others"
        )
    return model(config(**options))


BUILDERS: dict[str, Callable[[Any, str, dict[str, Any]], nn.Module]] = {
    "mmaction": _from_mmaction,
    "timm": _from_timm,
    "torchvision": _from_torchvision,
    "transformers": _from_transformers,
}


@contextmanager
def _silence() -> Iterator[None]:
    """No log lines: mmengine writes one for each parameter that it initialises."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def grid_of_tokens(value: Any) -> tuple[Any, tuple[int, ...] | None]:
    """A block's tokens, and how they lie if it says so: mmaction's MViT gives ``(tokens, (T, H, W))``.

    >>> grid_of_tokens(("tokens", [1, 2, 2]))
    ('tokens', (1, 2, 2))
    """
    if isinstance(value, tuple | list) and len(value) == 2 and isinstance(value[1], tuple | list):
        return value[0], tuple(int(size) for size in value[1])
    return (value[0] if isinstance(value, tuple | list) else value), None
