"""DiffAugment (Zhao et al. 2020): reals and fakes are changed alike before the discriminator sees them.

With few images a discriminator learns them by heart; changed anew each time they cannot be. Every change is
differentiable, so that the generator learns through it and does not learn to draw it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

SHIFT = 1 / 8  # of the side, at most, in either direction
HOLE = 1 / 2  # of the side: of the square that is cut out

Draw = dict[str, Tensor]


def drawn(rng: np.random.Generator, n: int) -> Draw:
    """Random numbers for ``n`` images, of every policy, so that one policy's numbers do not depend on another's.

    Returns:
        (n, 3) in [0, 1) for "color", (n, 2) for "translation" and for "cutout".
    """
    return {name: torch.from_numpy(rng.random((n, width), np.float32)) for name, width in NUMBERS.items()}


def augmented(images: Tensor, draw: Draw, policies: tuple[str, ...]) -> Tensor:
    """Images (N, C, H, W) under the policies, in their order; differentiable by the images.

    Args:
        images: (N, C, H, W) in [-1, 1]; the result may lie outside.
        draw: of `drawn`, on the images' device.
        policies: names of `POLICIES`.
    """
    for name in policies:
        images = POLICIES[name](images, draw[name])
    return images


def color(images: Tensor, u: Tensor) -> Tensor:
    """Brightness by up to a half, saturation by a factor from 0 to 2, contrast by one from a half to 1.5."""
    brightness, saturation, contrast = (u[:, i].reshape(-1, 1, 1, 1) for i in range(3))
    images = images + brightness - 0.5
    grey = images.mean(1, keepdim=True)
    images = grey + (images - grey) * 2 * saturation
    level = images.mean((1, 2, 3), keepdim=True)
    return level + (images - level) * (contrast + 0.5)


def translation(images: Tensor, u: Tensor) -> Tensor:
    """A shift by whole pixels, up to an eighth of the side; what comes in is mid-grey."""
    side = images.shape[-1]
    most = round(side * SHIFT)
    shift = (u * (2 * most + 1)).long()  # 0 to 2 * most: where the window into the padded image begins
    rows = torch.arange(side, device=images.device)
    down, right = (shift[:, i, None] + rows for i in range(2))
    padded = pad(images, (most,) * 4)
    number = torch.arange(len(images), device=images.device)[:, None, None]
    return padded.permute(0, 2, 3, 1)[number, down[:, :, None], right[:, None, :]].permute(0, 3, 1, 2)


def cutout(images: Tensor, u: Tensor) -> Tensor:
    """A square of half the side, somewhere, is mid-grey; it may stick out over the border."""
    side = images.shape[-1]
    hole = max(1, round(side * HOLE))
    start = (u * (side + 1 - hole % 2)).long() - hole // 2
    rows = torch.arange(side, device=images.device)
    inside = [(rows >= start[:, i, None]) & (rows < start[:, i, None] + hole) for i in range(2)]
    kept = ~(inside[0][:, :, None] & inside[1][:, None, :])
    return images * kept[:, None].to(images.dtype)


POLICIES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "color": color,
    "translation": translation,
    "cutout": cutout,
}
NUMBERS = {"color": 3, "translation": 2, "cutout": 2}
