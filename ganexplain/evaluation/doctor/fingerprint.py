"""BatchNorm remembers what its layer saw in training: running statistics beside what the layer is fed now.

A network that is read as it was trained feeds every BatchNorm what its running mean and variance say, up to sampling; a
wrong range, order of channels, size or activation slope does not. That needs neither labels nor fakes. Measured on
other people's critics: distances of .03 to .1 when all is right, .15 and more for LeakyReLU .1 or .3 in place of .2,
above .5 for every wrong range; on images of quite another kind everything moves away, but keeps its order.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

BatchNorm = nn.modules.batchnorm._BatchNorm
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)  # of reals in training batches: a GAN's critic sees two fake batches a real one
FARTHEST = 3.0  # at which the distance of one channel ends: a dead channel's logarithm is no evidence
KNOWN = 0.1  # distance of a network that is read as it was trained
FITS = 0.3  # distance that sampling and somewhat other images may make
OFF = 1.0  # distance at which hardly a channel is fed what it saw
NEARER, MUCH, FAR = 1.5, 2.0, 3.0  # ratios of two distances
MOST = 0.75  # share of the layers that must agree

Pair = tuple[Tensor, Tensor]
Moments = dict[str, Pair]  # by layer: mean and variance, (C,) float64 each


@dataclass(frozen=True)
class Fingerprint:
    """How far the inputs of BatchNorm layers are from what the layers saw in training.

    Attributes:
        layers: their names, in the order of use.
        distances: one a layer, the mean over channels of sqrt(z^2 + r^2): z is the difference of the means in running
            standard deviations, r the logarithm of the ratio of the standard deviations; 0 fits.
        share: of reals in the mix of reals and fakes that fits best.
    """

    layers: tuple[str, ...]
    distances: tuple[float, ...]
    share: float = 1.0

    @property
    def distance(self) -> float:
        """Mean over the layers."""
        return sum(self.distances) / len(self.distances)

    @property
    def first(self) -> Fingerprint:
        """Of the first layer alone, before which there are the fewest guesses."""
        return Fingerprint(self.layers[:1], self.distances[:1], self.share)


def seen(network: object) -> dict[str, nn.Module]:
    """The BatchNorm layers of a network that have seen data, by name."""
    if not isinstance(network, nn.Module):
        return {}
    found = {name: m for name, m in network.named_modules() if isinstance(m, BatchNorm)}
    return {name: m for name, m in found.items() if not fresh(m)}


def fresh(norm: nn.Module) -> bool:
    """Whether a BatchNorm's running statistics are those at its creation."""
    mean, variance = norm.running_mean, norm.running_var
    at_zero = isinstance(mean, Tensor) and bool((mean == 0).all())
    return at_zero and isinstance(variance, Tensor) and bool((variance == 1).all())


@contextlib.contextmanager
def watching(network: object) -> Iterator[Moments]:
    """Inside the block the inputs of BatchNorm layers are summed up; afterwards the mapping holds their moments."""
    sums: dict[str, list[Any]] = {}
    moments: Moments = {}

    def keep(name: str, x: Tensor) -> None:
        axes = [i for i in range(x.ndim) if i != 1]
        variance, mean = torch.var_mean(x.detach().float(), axes, correction=0)
        n, known = x.numel() // x.shape[1], sums.setdefault(name, [0, 0.0, 0.0])
        known[0] += n
        known[1] = known[1] + n * mean.double()
        known[2] = known[2] + n * (variance.double() + mean.double().square())

    def hook(name: str) -> Any:
        return lambda module, inputs: keep(name, inputs[0])

    handles = [m.register_forward_pre_hook(hook(name)) for name, m in seen(network).items()]
    try:
        yield moments
    finally:
        for handle in handles:
            handle.remove()
        for name, (n, first, second) in sums.items():
            moments[name] = (first / n, second / n - (first / n).square())


def fingerprint(network: object, real: Moments, fake: Moments) -> Fingerprint | None:
    """The distances for the mix of both kinds that fits best; None where no BatchNorm was fed.

    Args:
        network: that was watched.
        real: moments under reals; empty without.
        fake: moments under fakes; empty without.
    """
    norms = seen(network)
    names = tuple(real or fake)
    if not names:
        return None
    shares = SHARES if real and fake else (1.0,) if real else (0.0,)
    found = []
    for share in shares:
        for mixed in (False, True) if 0 < share < 1 else (False,):
            fed = {name: _mix(real.get(name), fake.get(name), share, mixed) for name in names}
            found.append(Fingerprint(names, _distances(norms, fed), share))
    return min(found, key=lambda one: one.distance)


def _mix(real: Pair | None, fake: Pair | None, share: float, mixed: bool) -> Pair:
    """Moments of batches of one kind each, whose variances are averaged, or of ``mixed`` ones."""
    if real is None or fake is None:
        return fake or real or (torch.zeros(0), torch.zeros(0))
    mean, variance = (share * one + (1 - share) * other for one, other in zip(real, fake, strict=True))
    between = share * (1 - share) * (real[0] - fake[0]).square()
    return mean, variance + between if mixed else variance


def _distances(norms: dict[str, nn.Module], moments: Moments) -> tuple[float, ...]:
    found = []
    for name, fed in moments.items():
        norm: Any = norms[name]
        variance = norm.running_var.double() + norm.eps
        shift = (fed[0] - norm.running_mean.double()) / variance.sqrt()
        stretch = (((fed[1] + norm.eps) / variance).log() / 2).clamp(-FARTHEST, FARTHEST)
        distance = (shift.square() + stretch.square()).sqrt().nan_to_num(FARTHEST).clamp(max=FARTHEST)
        found.append(float(distance.mean()))
    return tuple(found)


def certainty(before: Fingerprint | None, after: Fingerprint | None) -> str:
    """How sure it is that a network was trained as in ``after`` and not as in ``before``; empty for not at all."""
    if before is None or after is None or before.distance < KNOWN:
        return ""
    ratio = before.distance / max(after.distance, 1e-3)
    pairs = list(zip(before.distances, after.distances, strict=True))
    if ratio < NEARER or sum(old > new for old, new in pairs) < MOST * len(pairs):
        return ""
    if (ratio >= FAR and after.distance < OFF) or (ratio >= MUCH and after.distance < FITS):
        return "certain"
    return "likely" if ratio >= MUCH or after.distance < FITS else "undecided"


def refuted(before: Fingerprint | None, after: Fingerprint | None) -> bool:
    """Whether ``after`` is clearly farther from the training than ``before``."""
    return before is not None and after is not None and after.distance > NEARER * max(before.distance, KNOWN / 2)
