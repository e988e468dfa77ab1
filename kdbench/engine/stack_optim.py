"""One optimiser for several runs of equal settings, over their weights side by side."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.optim import OptimWrapper
from torch import Tensor
from torch.nn.utils import clip_grad_value_

from ..spec import IncompatibleError
from .optim import PrecisionOptimWrapper

# What they do to a number depends on that number, its gradient and its state alone.
ELEMENTWISE = tuple(
    getattr(torch.optim, name) for name in ("SGD", "Adam", "AdamW", "NAdam", "RAdam", "RMSprop")
)
COUNTS = ("step", "mu_product")  # of their states: equal for all runs at one place
CLIPPING = ("max_norm", "norm_type", "clip_value")
EPSILON = 1e-6  # that clip_grad_norm_ of torch adds to a norm
REMEDY = "train the seeds one by one"


class StackedOptimizer:
    """Takes the steps of K runs at once.

    ``wrappers`` are those of the runs; ``parameters`` map a name to a stacked tensor ``whole`` ``(K, ...)`` and to its
    views ``own``, a parameter of each run. Settings are read from the runs in every step, so their schedules go on
    working. Their states are taken over and become views of the stacked ones, so each can be saved as it is. Gradients
    are clipped by each run's own norm. What has no such form (an optimiser that mixes numbers, runs with other
    settings, mixed precision, accumulated gradients) is an ``IncompatibleError``.
    """

    def __init__(self, wrappers: Sequence[Any], parameters: Mapping[str, Any]):
        self.wrappers = list(wrappers)
        self._refuse()
        self._all = list(parameters.values())
        groups = [self._of(k) for k in range(len(self.wrappers))]
        if any(group != groups[0] for group in groups):
            raise IncompatibleError(f"the optimisers of these runs do not hold the same weights; {REMEDY}")
        self._trained = [self._all[number] for group in groups[0] for number in group]
        lead = self.wrappers[0].optimizer
        self.optimizer = type(lead)(
            [
                {**group, "params": [self._all[number].whole for number in numbers]}
                for group, numbers in zip(lead.param_groups, groups[0], strict=True)
            ],
            lr=lead.defaults["lr"],
        )
        self._take_states()

    def _refuse(self) -> None:
        lead = self.wrappers[0]
        kind, known = type(lead.optimizer).__name__, ", ".join(kind.__name__ for kind in ELEMENTWISE)
        clipping = sorted(set(lead.clip_grad_kwargs or ()) - set(CLIPPING))
        reasons = {
            f"a {type(lead).__name__}": type(lead) not in (OptimWrapper, PrecisionOptimWrapper),
            f"mixed precision ({getattr(lead, 'dtype', None)})": getattr(lead, "dtype", None) is not None,
            "accumulated gradients": lead._accumulative_counts > 1,
            f"{kind}; there is: {known}": type(lead.optimizer) not in ELEMENTWISE,
            f"clip_grad with {', '.join(clipping)}": bool(clipping),
        }
        for what, is_so in reasons.items():
            if is_so:
                raise IncompatibleError(f"seeds in one pass do not go with {what}; {REMEDY}")

    def _of(self, k: int) -> list[list[int]]:
        """The numbers of the trained parameters in each group of run ``k``."""
        numbers = {id(stacked.own[k]): number for number, stacked in enumerate(self._all)}
        groups = self.wrappers[k].optimizer.param_groups
        return [[numbers[id(p)] for p in group["params"] if id(p) in numbers] for group in groups]

    def _take_states(self) -> None:
        for stacked in self._trained:
            states = [w.optimizer.state.get(p, {}) for w, p in zip(self.wrappers, stacked.own, strict=True)]
            if any(states):
                self.optimizer.state[stacked.whole] = {
                    name: _joined(name, [state[name] for state in states]) for name in states[0]
                }
        self._shown = 0
        self._show_states()

    def _show_states(self) -> None:
        """Give each run its part of the states, where there are new ones: they change in place afterwards."""
        if len(self.optimizer.state) == self._shown:
            return
        self._shown = len(self.optimizer.state)
        for whole, own in self._trained:
            state = self.optimizer.state.get(whole, {})
            for k, (wrapper, parameter) in enumerate(zip(self.wrappers, own, strict=True)):
                part = {n: v[k] if isinstance(v, Tensor) and n not in COUNTS else v for n, v in state.items()}
                wrapper.optimizer.state[parameter] = part

    def step(self) -> None:
        """Clip, update all weights, and drop the gradients."""
        self._take_settings()
        self._clip()
        self.optimizer.step()
        for stacked in self._all:
            stacked.whole.grad = None
        self._show_states()
        for wrapper in self.wrappers:  # what these count themselves when they take a step
            wrapper._inner_count += 1
            if hasattr(wrapper, "_global_step"):
                wrapper._global_step += 1

    def _take_settings(self) -> None:
        settings = [
            [{n: v for n, v in group.items() if n != "params"} for group in wrapper.optimizer.param_groups]
            for wrapper in self.wrappers
        ]
        if any(one != settings[0] for one in settings):
            raise IncompatibleError(f"the schedules of these runs have gone apart: {settings}; {REMEDY}")
        for group, own in zip(self.optimizer.param_groups, settings[0], strict=True):
            group.update(own)

    def _clip(self) -> None:
        settings = dict(self.wrappers[0].clip_grad_kwargs or {})
        grads = [one.whole.grad for one in self._trained if one.whole.grad is not None]
        if "clip_value" in settings:
            clip_grad_value_([one.whole for one in self._trained], **settings)
        elif settings and grads:
            norms = _norms(grads, float(settings.get("norm_type", 2)))
            scale = (settings["max_norm"] / (norms + EPSILON)).clamp(max=1)
            for grad in grads:
                grad.mul_(scale.view(-1, *(1,) * (grad.dim() - 1)))
            for wrapper, norm in zip(self.wrappers, norms, strict=True):
                wrapper.grad_norm = norm


def _norms(grads: Sequence[Tensor], kind: float) -> Tensor:
    """The norm ``(K,)`` of all gradients ``(K, ...)`` of each run."""
    each = [torch.linalg.vector_norm(grad.reshape(len(grad), -1), kind, 1) for grad in grads]
    return torch.linalg.vector_norm(torch.stack(each), kind, 0)


def _joined(name: str, values: Sequence[Any]) -> Any:
    """A state of all runs; a count is one for all."""
    if not isinstance(values[0], Tensor):
        return values[0]
    if name not in COUNTS:
        return torch.stack(list(values))
    if any(not torch.equal(value, values[0]) for value in values):
        raise IncompatibleError(f"these runs have taken other numbers of steps: {values}; {REMEDY}")
    return values[0].clone()
