"""What changes over a run: learning rates, Adam's second decay rate, the penalties' weight."""

from __future__ import annotations

import math

from ganexplain.training.config import Config


def learning_rate(config: Config, number: int) -> float:
    """Rate of the generator at step ``number`` (from 1): constant, from ``decay_from`` of the run on along a cosine."""
    optim = config.optim
    late = (number / config.run.steps - optim.decay_from) / max(1 - optim.decay_from, 1e-9)
    return optim.lr * (1 + (optim.decay_to - 1) * _cosine(late))


def beta2(config: Config, number: int) -> float:
    """Adam's second decay rate at a step: to its last value over the burn-in (Huang et al. 2024, R3GAN)."""
    first, last = config.optim.betas[1], config.optim.beta2_to
    return first + (last - first) * _burnt(config, number) if last else first


def gamma(config: Config, number: int) -> float:
    """Weight of R1 and R2 at a step: to its last value over the burn-in."""
    return config.loss.gamma * (1 + (config.loss.gamma_to - 1) * _burnt(config, number))


def _burnt(config: Config, number: int) -> float:
    """How much of the burn-in is over; without one, all of it."""
    length = config.run.burn_in * config.run.steps
    return _cosine(number / length) if length else 1.0


def _cosine(share: float) -> float:
    """From 0 to 1 along half a cosine; constant outside [0, 1]."""
    return 0.5 - 0.5 * math.cos(math.pi * min(max(share, 0.0), 1.0))
