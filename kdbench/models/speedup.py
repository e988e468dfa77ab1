"""A teacher that answers sooner and says the same: a stand-in for it in training, behind a gate of agreement."""

import copy
import itertools
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..registry import near
from ..spec import MULTI_LABEL, Fields, IncompatibleError
from .folding import fold
from .role import Role
from .rows import each

AUTO = "auto"
FOLD, CHANNELS_LAST, BF16, COMPILE = MEANS = ("fold", "channels_last", "bf16", "compile")
Inputs = Mapping[str, Tensor]
Around = Callable[[], AbstractContextManager[Any]]

_TURNS = 5  # timed, after one that is not
_GAIN = 0.97  # of the plain teacher's time: what is not faster than this is not worth another rounding
_COMPILING = 60.0  # seconds that a compiler takes for a network of some hundred layers on a CPU, at most
_COMPILED_GAIN = 0.1  # of the time that is left, which it may well save


class Refused(Exception):
    """A means that this teacher does not allow; the message says why."""


@dataclass(frozen=True)
class Speedup:
    """What a row asks for: ``"auto"``, or the means to be used, some of ``MEANS`` (as a list, or ``"fold+bf16"``).

    A stand-in is let in if on ``clips`` training clips it makes at least the share ``agreement`` of the plain teacher's
    decisions (the class; of multi-label data, each label at 0.5), and differs in no logit and no tap that is read by
    more than ``error`` of the largest value there is.
    """

    means: str | tuple[str, ...]
    agreement: float = 0.99
    error: float = 0.05
    clips: int = 256

    @classmethod
    def of(cls, asked: "Speedup | str | Sequence[str] | Mapping[str, Any]") -> "Speedup":
        """From what a config says: a name, several, or the arguments of this class."""
        if isinstance(asked, Speedup):
            return asked
        made = cls(**asked) if isinstance(asked, Mapping) else cls(asked if asked == AUTO else _tuple(asked))
        if made.means == AUTO:
            return made
        for name in _tuple(made.means):
            if name not in MEANS:
                raise ValueError(
                    f"no means to speed a teacher up is called '{name}'; {near(name, [*MEANS, AUTO])}"
                )
        return replace(made, means=tuple(name for name in MEANS if name in _tuple(made.means)))


class Verdict(NamedTuple):
    """What was taken, and how far it is from the plain teacher: share of equal decisions, largest relative error."""

    means: tuple[str, ...]
    agreement: float = 1.0
    error: float = 0.0


class _Candidate(NamedTuple):
    network: nn.Module
    verdict: Verdict


def _tuple(names: str | Sequence[str]) -> tuple[str, ...]:
    return tuple(names.split("+") if isinstance(names, str) else names)


def stand_in(role: Role, means: Sequence[str], inputs: Inputs) -> nn.Module:
    """A copy of the role's model, which stays as it is, made faster by ``means`` (``Refused``)."""
    network = copy.deepcopy(role.model).requires_grad_(False).eval()
    trial = role.standing_for(network)
    if FOLD in means:
        few = {name: value[:2] for name, value in inputs.items()}
        once = copy.copy(trial)
        once.strong = []  # a second forward, of the same network
        if not fold(network, lambda: once.told(few)):
            raise Refused("no batch norm can be folded")
    if CHANNELS_LAST in means:
        _channels_last(network)
    if BF16 in means:
        network.forward = _in_bfloat16(network.forward, next(iter(inputs.values())).device.type)
    if COMPILE in means:
        if trial.extras:
            raise Refused(
                f"a compiled network cannot be tapped, and {', '.join(sorted(trial.extras))} is read"
            )
        network.compile()
    return network


def _channels_last(network: nn.Module) -> None:
    layouts = {4: torch.channels_last, 5: torch.channels_last_3d}
    spatial = [p for p in network.parameters() if p.ndim in layouts and max(p.shape[2:]) > 1]
    if not spatial:
        raise Refused("no convolution looks at more than one place of two or three dimensions")
    for parameter in network.parameters():
        if parameter.ndim in layouts:
            parameter.data = parameter.data.contiguous(memory_format=layouts[parameter.ndim])


def _in_bfloat16(forward: Callable[..., Any], device: str) -> Callable[..., Any]:
    """``forward`` with its convolutions and products in bfloat16, whatever the student computes in."""

    def run(*inputs: Tensor) -> Any:
        with torch.autocast(device, torch.bfloat16):
            return forward(*inputs)

    return run


def compared(plain: Sequence[Fields], found: Sequence[Fields], task: str) -> tuple[float, float]:
    """The share of equal decisions, and the largest difference relative to the largest value of its kind."""
    logits = [torch.cat([said.logits for said in side]) for side in (plain, found)]
    decided = [side > 0 if task == MULTI_LABEL else side.argmax(-1) for side in logits]
    agreement = (decided[0] == decided[1]).float().mean().item()
    errors = [0.0]
    for name in plain[0]:
        first, second = ([part for said in side for part in each(said[name])] for side in (plain, found))
        if first[0].is_floating_point():
            largest = max(part.abs().max().item() for part in first)
            errors += [
                (a - b).abs().max().item() / (largest or 1.0) for a, b in zip(first, second, strict=True)
            ]
    return agreement, float(torch.tensor(errors).max())  # a torch maximum keeps NaN


class Tryout:
    """The teacher ``role`` against stand-ins, on batches of training ``inputs``.

    ``around`` is what surrounds a training step (autocast), ``steps`` how many there are still to take, and ``say``
    gets a line for each thing that is found.
    """

    def __init__(
        self,
        role: Role,
        speedup: Speedup,
        batches: Sequence[Inputs],
        task: str,
        around: Around,
        steps: int,
        say: Callable[[str], None],
    ):
        self.role, self.speedup, self.batches, self.task = role, speedup, batches, task
        self._around, self._steps, self._say = around, steps, say
        with torch.no_grad():
            self._plain = [role.told_in_full(inputs) for inputs in batches]

    def run(self) -> Verdict:
        """Let the role be asked in the quickest way that is allowed, or in that which the row names."""
        if self.speedup.means == ():
            return self._take(self._itself)
        if self.speedup.means != AUTO:
            try:
                found = self._candidate(_tuple(self.speedup.means))
            except Refused as reason:
                raise IncompatibleError(
                    f"the teacher {type(self.role.model).__name__} cannot be sped up by "
                    f"{' + '.join(self.speedup.means)}: {reason}; take other means, 'auto', or none"
                ) from None
            self._seconds({(): self._itself, found.verdict.means: found})
            return self._take(found)
        return self._quickest(self._allowed())

    @property
    def _itself(self) -> _Candidate:
        return _Candidate(self.role.model, Verdict(()))

    def _quickest(self, found: dict[tuple[str, ...], _Candidate]) -> Verdict:
        seconds = self._seconds(found)
        best = min(found, key=lambda means: seconds[means])
        best = best if seconds[best] < _GAIN * seconds[()] else ()
        return self._compiled(found[best], seconds[best]) or self._take(found[best])

    def _allowed(self) -> dict[tuple[str, ...], _Candidate]:
        """Every combination that passes, and the plain teacher; what contains one that does not is not tried."""
        found, refused = {(): self._itself}, list[set[str]]()
        for size in (1, 2, 3):
            for means in itertools.combinations((FOLD, CHANNELS_LAST, BF16), size):
                if any(less <= set(means) for less in refused):
                    continue
                try:
                    found[means] = self._candidate(means)
                except Refused as reason:
                    refused.append(set(means))
                    self._say(f"teacher: left out {' + '.join(means)}: {reason}")
        return found

    def _candidate(self, means: tuple[str, ...]) -> _Candidate:
        try:
            network = stand_in(self.role, means, self.batches[0])
            twin = self.role.standing_for(network)
            with torch.no_grad():
                found = [twin.told_in_full(inputs) for inputs in self.batches]
        except Refused:
            raise
        except Exception as error:  # what compilers and strange networks raise
            raise Refused(f"{type(error).__name__}: {str(error).splitlines()[:1]}") from error
        agreement, error = compared(self._plain, found, self.task)
        figures = f"agreement {agreement:.4f}, relative error {error:.2g}"
        if not (agreement >= self.speedup.agreement and error <= self.speedup.error):
            limits = f"at least {self.speedup.agreement:g} and at most {self.speedup.error:g}"
            raise Refused(f"{figures}, which must be {limits}")
        return _Candidate(network, Verdict(means, round(agreement, 6), float(f"{error:.3g}")))

    def _compiled(self, best: _Candidate, seconds: float) -> Verdict | None:
        """The best one compiled, if that can pay in the steps that are left, and does."""
        left = seconds * self._steps
        if left * _COMPILED_GAIN < _COMPILING:
            self._say(
                f"teacher: left out compile: {left:.0f} s of teacher are left, too few for a compiler to pay"
            )
            return None
        began, means = time.perf_counter(), (*best.verdict.means, COMPILE)
        try:
            compiled = self._candidate(means)
        except Refused as reason:
            self._say(f"teacher: left out compile: {reason}")
            return None
        spent = time.perf_counter() - began
        saved = (seconds - self._seconds({means: compiled})[means]) * self._steps
        if saved < spent:
            self._say(f"teacher: left out compile: it would save {saved:.0f} s and took {spent:.0f} s")
            return None
        return self._take(compiled)

    def _seconds(self, found: Mapping[tuple[str, ...], _Candidate]) -> dict[tuple[str, ...], float]:
        """Seconds a batch, medians over turns."""
        spent: dict[tuple[str, ...], list[float]] = {means: [] for means in found}
        twins = {means: self.role.standing_for(candidate.network) for means, candidate in found.items()}
        for turn in range(_TURNS + 1):
            for means, twin in twins.items():
                began = time.perf_counter()
                with torch.no_grad(), self._around():
                    twin.told(self.batches[0])
                if torch.cuda.is_available():
                    torch.cuda.synchronize()
                if turn:
                    spent[means].append(time.perf_counter() - began)
        seconds = {means: statistics.median(values) for means, values in spent.items()}
        for means, value in seconds.items():
            self._say(f"teacher: {1e3 * value:.2f} ms a batch {' + '.join(means) or 'plain'}")
        return seconds

    def _take(self, candidate: _Candidate) -> Verdict:
        means, agreement, error = candidate.verdict
        if means:
            self.role.ask(candidate.network, means)
        said = f"agreement {agreement:.4f}, relative error {error:.2g}" if means else "nothing pays"
        self._say(f"teacher: runs {' + '.join(means) or 'plain'} ({said})")
        return candidate.verdict
