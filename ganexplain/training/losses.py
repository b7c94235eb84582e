"""Adversarial losses: each a pair of functions of logits (N,) with one signature, (real, fake) -> scalar."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import relu, softplus

from ganexplain import checks

LogitLoss = Callable[[Tensor, Tensor], Tensor]


def relativistic_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """A real must score above the fake that it is paired with (Jolicoeur-Martineau 2019, as in Huang et al. 2024).

    >>> import torch
    >>> relativistic_discriminator(torch.zeros(2), torch.zeros(2))  # ln 2 where the two cannot be told apart
    tensor(0.6931)
    """
    return softplus(fake - real).mean()


def relativistic_generator(real: Tensor, fake: Tensor) -> Tensor:
    """A fake must score above the real that it is paired with."""
    return softplus(real - fake).mean()


def bce_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """Cross-entropy of "real" for reals and "fake" for fakes (Goodfellow et al. 2014), summed over the two."""
    return softplus(-real).mean() + softplus(fake).mean()


def bce_generator(real: Tensor, fake: Tensor) -> Tensor:
    """The non-saturating half, -log sigmoid(fake); the reals play no part."""
    return softplus(-fake).mean()


def least_squares_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """Half the squared distance of reals to 1 and of fakes to 0, summed over the two (Mao et al. 2017, LSGAN).

    The head must be linear: behind a sigmoid the slope of the square and that of the sigmoid vanish together.

    >>> import torch
    >>> least_squares_discriminator(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 2.0]))  # (0 + 1 + 0 + 4) / 4
    tensor(1.2500)
    """
    return 0.5 * ((real - 1).square().mean() + fake.square().mean())


def least_squares_generator(real: Tensor, fake: Tensor) -> Tensor:
    """Half the squared distance of fakes to 1; the reals play no part."""
    return 0.5 * (fake - 1).square().mean()


def hinge_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """Reals are drawn above 1 and fakes below -1; beyond, nothing is gained (Lim and Ye 2017, Miyato et al. 2018).

    >>> import torch
    >>> hinge_discriminator(torch.tensor([3.0, 0.5]), torch.tensor([-2.0, 0.0]))  # (0 + .5 + 0 + 1) / 2
    tensor(0.7500)
    """
    return relu(1 - real).mean() + relu(1 + fake).mean()


def wasserstein_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """Minus the mean difference: with slopes of at most 1, minus the earth mover's distance (Arjovsky et al. 2017)."""
    return fake.mean() - real.mean()


def linear_generator(real: Tensor, fake: Tensor) -> Tensor:
    """Fakes are drawn up without end, which both the hinge and the Wasserstein game ask of the generator."""
    return -fake.mean()


@dataclass(frozen=True)
class Loss:
    """A pair of losses and what a discriminator trained with it returns.

    Attributes:
        discriminator: (real logits, fake logits) to what the discriminator minimises.
        generator: (real logits, fake logits) to what the generator minimises.
        kind: `Critic` output kind: "logit", or "score" where the output is no log-odds: it is defined only up to a
            constant (relativistic, Wasserstein), or it is drawn to two targets (least squares, hinge).
        pairs: the generator's loss reads the reals' logits.
        balance: both losses where every real and fake gets the same score in the middle, so that nothing is told apart.
    """

    discriminator: LogitLoss
    generator: LogitLoss
    kind: str
    pairs: bool
    balance: tuple[float, float]


LN2 = math.log(2)
LOSSES = {
    "relativistic": Loss(relativistic_discriminator, relativistic_generator, "score", True, (LN2, LN2)),
    "bce": Loss(bce_discriminator, bce_generator, "logit", False, (2 * LN2, LN2)),
    "least_squares": Loss(least_squares_discriminator, least_squares_generator, "score", False, (0.25, 0.125)),
    "hinge": Loss(hinge_discriminator, linear_generator, "score", False, (2.0, 0.0)),
    "wasserstein": Loss(wasserstein_discriminator, linear_generator, "score", False, (0.0, 0.0)),
}


def get(name: str) -> Loss:
    """The loss called ``name``; an unknown one raises ValueError with the nearest name."""
    return LOSSES[checks.one_of("loss", name, LOSSES)]
