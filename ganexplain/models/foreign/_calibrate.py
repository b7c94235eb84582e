"""What a generator's file says without saying it: BatchNorm remembers the statistics of what the network computed.

Each BatchNorm keeps mean and variance of what reached it in training. So a guess at what came before (distribution of
the codes, activation, stride, eps) can be tested without any data: the codes are drawn, and what reaches the norm must
have the mean and variance that it remembers.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ganexplain.models import priors
from ganexplain.models.foreign import _geometry, _modules
from ganexplain.models.foreign._stack import Stack

TELLS = "BatchNorm statistics tell"
SEED = 0
CODES = (32, 64)  # fewest and most codes that are drawn
VECTORS = 2048  # most where there are no maps, over whose places the statistics are taken too
WORK = 5e8  # multiplications for one guess
NEAR = 0.06  # mismatch from which on no other guess is tried
WRONG = 0.35  # mismatch at which nothing is told
SURE = 0.25  # mismatch at the first norm below which it tells how the codes are spread
CLEARLY = 3.0  # times the best mismatch, which the second must have for no other to be tried
CLEAR = 0.02  # by how much a less usual guess must fit better
WAYS = 5  # other strides and paddings that are tried
GUESSES = {  # activation and slope, with a handicap for the unusual: some differ little after BatchNorm
    ("relu", 0.0): 0.0,
    ("leaky_relu", 0.2): 0.0,
    ("none", 0.0): 0.0,
    ("leaky_relu", 0.1): 0.01,
    ("leaky_relu", 0.01): 0.015,
    ("elu", 0.0): 0.03,
    ("gelu", 0.0): 0.04,
    ("selu", 0.0): 0.04,
    ("tanh", 0.0): 0.04,
}
MIXED = 0.03  # handicap of a second kind of activation
FIRST = 3  # of the guesses, which are tried before the others
PRIORS = ("normal", "uniform")
DEFAULT = 1e-5  # torch's eps
COPIED = 0.8  # what a widely copied collection passes as eps to all norms but, in some networks, the first

Act = tuple[str, float]


@dataclass(frozen=True)
class Told:
    """What BatchNorm statistics told of a generator.

    Attributes:
        stack: with the path, activations and eps that fit.
        prior: of the codes, or None where the first norm does not tell.
        mismatch: what remains between computed and remembered statistics, in standard deviations (median over
            channels, mean over norms).
        usual: the same for what would have been assumed.
        activations: whether activations were told.
    """

    stack: Stack
    prior: str | None
    mismatch: float
    usual: float
    activations: bool

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of the spec that need no assumption any more."""
        acts = ("architecture.activation", "architecture.slope") if self.activations else ()
        return (*acts, "architecture.size", "architecture.stride") if self.mismatch < SURE else acts

    @property
    def line(self) -> str:
        """For the reader."""
        what = [f"{self.prior} codes"] if self.prior else []
        if self.activations:
            acts = [a for a in self.stack.activations[:-1] if a[0] != "none"]
            what += sorted({_modules.activation(*act)[1] for act in acts})
        return f"{TELLS}: {', '.join(what)} (off by {self.mismatch:.0%}; as assumed {self.usual:.0%})"


def told(stack: Stack) -> Told | None:
    """What the statistics of a generator's norms tell, or None where it has none or they fit nothing."""
    norms = [i for i, block in enumerate(stack.blocks) for part in block.parts if part.statistics]
    if stack.role != "generator" or not norms:
        return None
    usual = _Run(stack, "normal", norms, fixed=True).through(math.inf)
    best: _Run | None = None
    for guess, prior in _guesses(stack):
        if best is not None and best.sure and prior != best.prior:
            continue
        run = _Run(guess, prior, norms)
        run.left = run.through(WRONG if best is None else best.left)
        if run.left < (WRONG if best is None else best.left - CLEAR):
            best = run
        if best is not None and best.left < NEAR:
            break
    if best is None:
        return None
    free, acts = stack.settings["activation"] is None and not stack.facts, best.chosen()
    whole = replace(best.stack, activations=acts if free else stack.activations)
    return Told(
        whole, best.prior if best.sure or best.left < NEAR else None, best.left, usual, free and bool(best.acts)
    )


def _guesses(stack: Stack) -> Iterator[tuple[Stack, str]]:
    """Ways through the chain and distributions of codes, the usual ones first."""
    norms = sum(part.kind == "norm" for block in stack.blocks for part in block.parts)
    usual = [DEFAULT, COPIED, [DEFAULT, *[COPIED] * (norms - 1)]]
    epsilons = usual if stack.settings["eps"] is None and not stack.facts else [stack.settings["eps"]]
    for eps, path in itertools.product(epsilons, (stack.path, *stack.others[:WAYS])):
        for prior in PRIORS:
            yield replace(stack, path=path, settings={**stack.settings, "eps": eps}), prior


class _Run:
    """One way through the chain, its activations chosen norm by norm."""

    def __init__(self, stack: Stack, prior: str, norms: Sequence[int], *, fixed: bool = False) -> None:
        self.stack, self.prior, self.norms = stack, prior, norms
        self.open = stack.settings["activation"] is None and not stack.facts and not fixed
        self.sure = False
        self.left = math.inf
        self.misses: list[float] = []
        self.acts: dict[int, Act] = {}

    def through(self, most: float) -> float:
        """The mean mismatch over all norms; infinite as soon as it must be above ``most``."""
        x = priors.drawn(self.prior, self._count(), self.stack.into, seed=SEED)
        if self.stack.blocks[0].layer.kind != "linear":
            x = x[:, :, None, None]
        pending: list[_modules.Step] = []
        with torch.no_grad():
            for step in self.stack.steps():
                if step.block > self.norms[-1] or sum(self.misses) > most * len(self.norms):
                    break
                pending.append(step)
                if getattr(step.module, "running_mean", None) is not None:
                    x = self._normed(x, pending)
                    pending = []
        whole = len(self.misses) == len(self.norms)
        return sum(self.misses) / len(self.misses) if whole else math.inf

    def chosen(self) -> tuple[Act, ...]:
        """The activation of each block: the one that was told, else the most frequent of those told."""
        last = len(self.stack.blocks) - 1
        known = {i: act for i, act in self.acts.items() if i < last}
        named = [act for act in known.values() if act[0] != "none"]
        rest = max(named, key=named.count) if named else None
        old = enumerate(self.stack.activations)
        return tuple(known.get(i, rest if rest and act[0] != "none" else act) for i, act in old)

    def _count(self) -> int:
        sizes = {} if self.stack.path is None else _geometry.sizes(self.stack.blocks, "generator", self.stack.path)
        work = 0.0
        for i, block in enumerate(self.stack.blocks[: self.norms[-1] + 1]):
            before, after = sizes.get(i, ((1, 1), (1, 1)))
            height, width = {"tconv": before, "conv": after, "linear": (1, 1)}[block.layer.kind]
            work += math.prod(block.layer.shape) * height * width
        return int(min(max(WORK / work, CODES[0]), CODES[1] if sizes else VECTORS))

    def _normed(self, x: Tensor, pending: Sequence[_modules.Step]) -> Tensor:
        """What leaves the norm at the end of ``pending``, with the activations before it that fit best."""
        *before, last = pending
        norm, places = last.module, [step.block for step in before if step.activation]
        tried: dict[Act | None, tuple[float, Tensor]] = {}
        for guess in GUESSES if places and self.open else (None,):
            y = x
            for step in before:
                y = _modules.activation(*guess)[0](y) if step.activation and guess else step.module(y)
            tried[guess] = (mismatch(y, norm), y)
            low, *others = sorted(t[0] for t in tried.values())
            if len(tried) >= FIRST and low < NEAR and low * CLEARLY < others[0]:
                break
        before_it = {act for act in self.acts.values() if act[0] != "none"}
        best = min(tried, key=lambda g: tried[g][0] + (GUESSES[g] + MIXED * bool(before_it - {g}) if g else 0.0))
        if not self.misses:
            self.sure = not places and tried[best][0] < SURE
        self.misses.append(tried[best][0])
        if best is not None:
            self.acts.update(dict.fromkeys(places, best))
        return _normalised(tried[best][1], norm)


def mismatch(values: Tensor, norm: nn.Module) -> float:
    """How far the moments of ``values`` are from those that a BatchNorm remembers, in its standard deviations."""
    mean, variance = _moments(values)
    kept, spread = _remembered(norm)
    scale = (variance.clamp_min(1e-12) / spread.clamp_min(1e-12)).log().abs().median() / 2
    return float(scale + ((mean - kept).abs() / spread.clamp_min(1e-12).sqrt()).median())


def _remembered(norm: nn.Module) -> tuple[Tensor, Tensor]:
    kept: Mapping[str, Tensor] = dict(norm.named_buffers())
    return kept["running_mean"], kept["running_var"]


def _moments(values: Tensor) -> tuple[Tensor, Tensor]:
    axes = [0, *range(2, values.dim())]
    return values.mean(axes), values.var(axes)


def _normalised(values: Tensor, norm: nn.Module) -> Tensor:
    """As in training: by the moments of the batch."""
    kept: Mapping[str, Tensor] = dict(norm.named_parameters())
    moments, eps = _moments(values), float(getattr(norm, "eps", DEFAULT))
    return nn.functional.batch_norm(values, *moments, kept.get("weight"), kept.get("bias"), training=False, eps=eps)
