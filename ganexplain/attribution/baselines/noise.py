"""Noise with what images have in common, and without anything that they show."""

from __future__ import annotations

import torch
from torch import Tensor

from ganexplain import checks, tensors
from ganexplain.models.critic import Critic
from ganexplain.models.forms import Images

__all__ = ["Noise"]

KINDS = ("phase", "gaussian", "uniform")
ROUNDS = 8  # after which the spectrum of a photograph is off by a few per cent and gets no better soon


class Noise:
    """A set of noise images with the image's own spectrum and colours, at random places: all is there but its layout.

    ``phase`` gives the phases of white noise to the image's spectrum and then its own values back, in turns (the
    iterated amplitude-adjusted surrogates of Schreiber and Schmitz 1996; one phase for all channels, after Prichard and
    Theiler 1994, so that colours stay together): brightness, contrast, every value's share and, nearly, the power at
    every frequency are the image's. The other kinds are farther from any image, and there critics have blind spots:
    some score white noise above every real, and a map from there explains the noise.

    Args:
        n: how many; a method that takes one baseline at a time does its work once for each.
        kind: "phase"; "gaussian", white noise of the mean and standard deviation of each channel; "uniform", white
            noise in [-1, 1], or between a signal's lowest and highest value.
        seed: of the draws, which are the same whatever images come along.

    Raises:
        ValueError: an unknown kind, or no noise at all.
    """

    name = "noise"
    phrase = "noise with its values and spectrum at random places, several times, whose mean is shown"

    def __init__(self, n: int = 16, *, kind: str = "phase", seed: int = 0) -> None:
        self.n = int(checks.positive(n, "n"))
        self.kind = checks.one_of("kind of noise", kind, KINDS)
        self.seed = int(seed)

    def __call__(self, critic: Critic, images: Tensor) -> Tensor:
        """(N or 1, K, C, H, W), or of signals (N, K, C, L)."""
        shape = tuple(images.shape[1:])
        if self.kind == "uniform":
            return self._uniform(images, isinstance(critic.form, Images))
        drawn = torch.stack([tensors.normal(self.seed, "noise", k, shape=shape) for k in range(self.n)])
        white = drawn.to(images.device).double()
        own = images.detach().double()
        made = self._gaussian(own, white) if self.kind == "gaussian" else surrogates(own, white)
        return (made.clamp(-1, 1) if isinstance(critic.form, Images) else made).to(images)

    def _uniform(self, images: Tensor, bounded: bool) -> Tensor:
        shape = tuple(images.shape[1:])
        drawn = [tensors.rng(self.seed, "uniform noise", k).random(shape) for k in range(self.n)]
        share = torch.stack([torch.from_numpy(d) for d in drawn]).to(images)[None]
        if bounded:
            return 2 * share - 1
        axes = tuple(range(2, images.ndim))
        low, high = images.amin(axes, keepdim=True)[:, None], images.amax(axes, keepdim=True)[:, None]
        return low + share * (high - low)

    def _gaussian(self, own: Tensor, white: Tensor) -> Tensor:
        axes = tuple(range(2, own.ndim))
        spread, mean = own.std(axes, correction=0, keepdim=True), own.mean(axes, keepdim=True)
        return mean[:, None] + spread[:, None] * white[None]


def surrogates(own: Tensor, white: Tensor) -> Tensor:
    """(N, K, C, *) float64: the values of ``own`` (N, C, *) in an order whose spectrum is nearly its own.

    Args:
        own: images or signals.
        white: (K, C, *) white noise, of which the first channel gives the phases.
    """
    axes = tuple(range(3, own.ndim + 1))
    spectrum = torch.fft.rfftn(own, dim=tuple(a - 1 for a in axes))[:, None]
    values = own.flatten(2).sort(-1).values[:, None]
    turn = torch.fft.rfftn(white[:, :1], dim=tuple(a - 1 for a in axes))[None]
    turn = turn / turn.abs().clamp(min=1e-12)
    goal, found = spectrum * turn, own[:, None]
    for _ in range(ROUNDS):
        found = torch.fft.irfftn(goal, s=own.shape[2:], dim=axes)
        order = found.flatten(3).argsort(-1).argsort(-1)
        found = values.expand(*order.shape).gather(-1, order).view(found.shape)
        phase = torch.fft.rfftn(found, dim=axes)
        goal = spectrum.abs() * (phase / phase.abs().clamp(min=1e-12))
    return found
