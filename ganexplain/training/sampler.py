"""Which images a step sees: a function of seed and step alone, so that a run needs no saved state."""

from __future__ import annotations

import torch
from torch import Tensor

from ganexplain import tensors


class Sampler:
    """Shuffled passes over ``n`` images, read in pieces of ``batch``; a piece may span two passes.

    Args:
        n: number of images.
        batch: images a draw.
        seed: each pass has an order of its own, keyed by (seed, pass).
    """

    def __init__(self, n: int, batch: int, seed: int) -> None:
        if n < 1 or batch < 1:
            raise ValueError(f"a sampler needs at least one image and a batch of one, got {n} and {batch}")
        self.n, self.batch, self.seed = n, batch, seed
        self._epoch, self._order = -1, torch.empty(0, dtype=torch.int64)

    def draw(self, number: int) -> Tensor:
        """(batch,) int64 indices of draw ``number``; draws may be asked for in any order."""
        position, pieces, wanted = number * self.batch, [], self.batch
        while wanted:
            epoch, offset = divmod(position, self.n)
            piece = self._pass(epoch)[offset : offset + wanted]
            pieces.append(piece)
            position, wanted = position + len(piece), wanted - len(piece)
        return torch.cat(pieces)

    def _pass(self, epoch: int) -> Tensor:
        if epoch != self._epoch:
            order = tensors.rng(self.seed, "order", epoch).permutation(self.n)
            self._epoch, self._order = epoch, torch.from_numpy(order)
        return self._order
