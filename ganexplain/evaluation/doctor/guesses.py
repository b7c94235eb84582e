"""What a generator without BatchNorm was trained with, guessed by how near its samples come to reals."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ganexplain.evaluation.doctor.fingerprint import FAR, NEARER
from ganexplain.evaluation.doctor.rectifiers import CHOICES, Choice, places, with_activations
from ganexplain.models.generator import Generator

TIED = 1.25  # a commoner guess that comes as near as this is the better guess
SMALL = 3 * 32 * 32  # numbers in an image up to which the network's end is tried as well
Near = tuple[float, ...]  # distances, one a seed


@dataclass(frozen=True)
class Guess:
    """One way to wire a generator.

    Attributes:
        prior: of the codes.
        choice: the activation at every place; None leaves them as they are.
        tail: a name of `TAILS`.
    """

    prior: str
    choice: Choice | None = None
    tail: str = "tanh"


class Halved(nn.Module):
    """A sigmoid whose images in [0, 1] were brought to [-1, 1]."""

    def forward(self, x: Tensor) -> Tensor:
        """2 sigmoid(x) - 1."""
        return torch.tanh(x / 2)


class Stretched(nn.Module):
    """Images in [0, 1] without an activation, brought to [-1, 1]."""

    def forward(self, x: Tensor) -> Tensor:
        """2 x - 1."""
        return 2 * x - 1


TAILS: dict[str, tuple[type[nn.Module], dict[str, Any], str]] = {
    "tanh": (nn.Tanh, {"architecture.tail": "tanh"}, "tanh"),
    "sigmoid": (Halved, {"architecture.tail": "sigmoid", "generator.range": (0.0, 1.0)}, "a sigmoid"),
    "none": (nn.Identity, {"architecture.tail": "none"}, "no activation, images in [-1, 1]"),
    "none, [0, 1]": (
        Stretched,
        {"architecture.tail": "none", "generator.range": (0.0, 1.0)},
        "no activation, images in [0, 1]",
    ),
}


def rewired(generator: Generator, guess: Guess) -> Generator:
    """A copy of a generator as guessed."""
    made: Any = generator._variant(prior=guess.prior)
    if guess.choice is not None:
        made = with_activations(made, dict.fromkeys(places(generator), guess.choice))
    last = tail_of(generator)
    if guess.tail != "tanh" and last:
        made = copy.deepcopy(made)
        parent, _, child = last.rpartition(".")
        setattr(made.get_submodule(parent), child, TAILS[guess.tail][0]())
    twin: Generator = made
    return twin


def tail_of(generator: Generator) -> str:
    """Path of the tanh that is registered last; empty where there is none."""
    return next((name for name, m in reversed(list(generator.named_modules())) if isinstance(m, nn.Tanh)), "")


def searched(
    generator: Generator, priors: tuple[str, ...], apart: Callable[[Generator], Near], numbers: int
) -> dict[Guess, Near]:
    """Distances of guesses, those in place first; empty where none can be measured.

    A wrong activation can make a wrong prior or end look right, so activations and ends are tried together, and each
    prior under the best of them.

    Args:
        generator: as it is.
        priors: to try, its own first.
        apart: measures a generator.
        numbers: in one image.
    """
    found: dict[Guess, Near] = {}

    def tried(*guesses: Guess) -> None:
        found.update({g: apart(rewired(generator, g)) for g in guesses if g not in found})

    tried(Guess(priors[0]))
    if not found[Guess(priors[0])]:
        return {}
    choices = CHOICES if places(generator) else ()
    tails = tuple(TAILS) if tail_of(generator) and numbers <= SMALL else ("tanh",)
    tried(*(Guess(priors[0], choice, tail) for tail in tails for choice in (None, *choices)))
    best = nearest(found)
    inner = (None, *choices) if numbers <= SMALL else (best.choice,)
    tried(*(Guess(prior, choice, best.tail) for prior in priors for choice in inner))
    if (best := nearest(found)).prior != priors[0]:
        tried(*(Guess(best.prior, choice, best.tail) for choice in (None, *choices)))
        tried(*(Guess(best.prior, nearest(found).choice, tail) for tail in tails))
    return found


def nearest(found: dict[Guess, Near]) -> Guess:
    """Of the guesses that come about as near as any, what is in place, else the commonest."""
    least, tails = min(map(sum, found.values())), list(TAILS)
    tied = [guess for guess, near in found.items() if sum(near) <= TIED * least]

    def rank(guess: Guess) -> tuple[int, int]:
        return -1 if guess.choice is None else CHOICES.index(guess.choice), tails.index(guess.tail)

    return min(tied, key=rank)  # of equals the first, and those of the generator's own prior come first


def surely(before: Near, after: Near) -> str:
    """How sure it is that ``after`` is nearer to training; samples beside reals never make it certain."""
    if not before or not after or max(after) >= min(before):
        return ""
    ratio = sum(before) / max(sum(after), 1e-12)
    return "likely" if ratio >= FAR else "undecided" if ratio >= NEARER else ""
