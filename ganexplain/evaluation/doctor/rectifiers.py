"""Which activation stood between the layers, told by what each BatchNorm remembers of the one before it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from ganexplain.evaluation.doctor.fingerprint import KNOWN, NEARER, Fingerprint

Choice = tuple[str, float]  # name and slope
CHOICES: tuple[Choice, ...] = (  # the commonest first
    ("leaky_relu", 0.2),
    ("relu", 0.0),
    ("leaky_relu", 0.01),
    ("leaky_relu", 0.1),
    ("leaky_relu", 0.3),
    ("none", 0.0),
)
SWEEPS = 2  # over all places, since a change of one moves what all later ones are fed
Fits = Callable[[nn.Module], Fingerprint | None]


@dataclass(frozen=True)
class Calibrated:
    """Activations by place, and how well BatchNorm is fed with them.

    Attributes:
        choices: name and slope, in the order of the modules.
        fits: the fingerprint with them.
    """

    choices: tuple[Choice, ...]
    fits: Fingerprint

    @property
    def words(self) -> str:
        """The activations in a few words."""
        return worded(self.choices)


def worded(choices: tuple[Choice, ...]) -> str:
    """Activations in a few words."""
    plain = {"relu": "ReLU", "none": "none"}
    said = [plain.get(name, f"LeakyReLU {slope:g}") for name, slope in choices]
    return said[0] if len(set(said)) == 1 else ", ".join(said)


def places(network: nn.Module) -> dict[str, Choice]:
    """The rectifiers of a network by module path, in the order of registration."""
    found: dict[str, Choice] = {}
    for name, module in network.named_modules():
        if isinstance(module, nn.LeakyReLU):
            found[name] = ("leaky_relu", float(module.negative_slope))
        elif isinstance(module, nn.ReLU):
            found[name] = ("relu", 0.0)
    return found


def calibrated(network: nn.Module, fits: Fits) -> Calibrated | None:
    """The activations that fit best, place by place; None where those in place fit, or nothing can be told.

    Args:
        network: with rectifiers as modules.
        fits: the fingerprint of a network.
    """
    known, own = places(network), fits(network)
    if not known or own is None or own.distance < KNOWN:
        return None
    best = Calibrated(tuple(known.values()), own)
    silent: set[int] = set()  # places after the last BatchNorm, of which nothing remembers
    for _ in range(SWEEPS):
        before = best
        for i in sorted(set(range(len(known))) - silent):
            others = _others(network, list(known), best, i, fits)
            if all(other.fits.distances == best.fits.distances for other in others):
                silent.add(i)
            best = min([best, *others], key=lambda one: one.fits.distance)
        if best is before:
            break
    return _spoken(best, silent) if own.distance > NEARER * best.fits.distance else None


def _spoken(best: Calibrated, silent: set[int]) -> Calibrated:
    """The commonest of the choices that were heard, also where nothing was."""
    heard = [choice for i, choice in enumerate(best.choices) if i not in silent and choice[0] != "none"]
    if not heard:
        return best
    usual = max(heard, key=heard.count)
    return Calibrated(tuple(usual if i in silent else c for i, c in enumerate(best.choices)), best.fits)


def _others(network: nn.Module, names: list[str], best: Calibrated, i: int, fits: Fits) -> list[Calibrated]:
    found = []
    for choice in CHOICES:
        if choice != best.choices[i]:
            choices = (*best.choices[:i], choice, *best.choices[i + 1 :])
            made = fits(with_activations(network, dict(zip(names, choices, strict=True))))
            found += [] if made is None else [Calibrated(choices, made)]
    return found


def moved(before: Fingerprint, after: Fingerprint) -> tuple[Fingerprint, Fingerprint]:
    """Both fingerprints on the layers that a change reached; those before it can say nothing of it."""
    pairs = list(zip(before.layers, before.distances, after.distances, strict=True))
    kept = [pair for pair in pairs if abs(pair[1] - pair[2]) > 1e-9] or pairs
    names, old, new = (tuple(column) for column in zip(*kept, strict=True))
    return Fingerprint(names, old, before.share), Fingerprint(names, new, after.share)


def with_activations(network: nn.Module, choices: dict[str, Choice]) -> nn.Module:
    """A copy of a network with these activations at these module paths."""
    twin = copy.deepcopy(network)
    for name, (kind, slope) in choices.items():
        parent, _, child = name.rpartition(".")
        made = {"leaky_relu": lambda s=slope: nn.LeakyReLU(s), "relu": nn.ReLU, "none": nn.Identity}[kind]()
        setattr(twin.get_submodule(parent), child, made)
    return twin
