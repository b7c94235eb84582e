"""Do two maps rank the same players alike, beyond what chance does with so few players?"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ganexplain import tensors


def ranks(values: Tensor) -> Tensor:
    """(P,) average ranks, ties shared."""
    # by hand, since importing scipy.stats takes longer than most explanations
    _, place, count = torch.unique(values.detach().double().cpu(), return_inverse=True, return_counts=True)
    middle = count.cumsum(0) - (count - 1) / 2
    ranked: Tensor = middle.double()[place]
    return ranked


def spearman(a: Tensor, b: Tensor) -> float:
    """Rank correlation of two maps (P,); 0 where one of them is constant."""
    x, y = ranks(a), ranks(b)
    x, y = x - x.mean(), y - y.mean()
    norm = float((x.square().sum() * y.square().sum()).sqrt())
    return float((x * y).sum()) / norm if norm > 0 else 0.0


def chance_level(a: Tensor, b: Tensor, *, level: float = 0.95, n: int = 2000, seed: int = 0) -> float:
    """The rank correlation that random relabellings of one map stay below with probability ``level``.

    Few players make any fixed threshold noise: it is .64 at 8 players, .44 at 16 and .05 at 1,024.
    """
    x, y = ranks(a).numpy(), ranks(b).numpy()
    x, y = x - x.mean(), y - y.mean()
    norm = float(np.sqrt((x**2).sum() * (y**2).sum()))
    if norm == 0:
        return 1.0
    shuffled = tensors.rng(seed, "permute", len(y)).permuted(np.tile(y, (n, 1)), axis=1)
    return float(np.quantile(shuffled @ x / norm, level))
