"""Rows whose features come from different reals."""

from __future__ import annotations

import torch
from torch import Tensor

from ganexplain import checks, tensors
from ganexplain.attribution.baselines._reals import known_reals
from ganexplain.models.critic import Critic
from ganexplain.models.table import Table

__all__ = ["Shuffled"]


class Shuffled:
    """A set of rows whose features each come from another real: every value is usual, their combination is not.

    Args:
        n: how many; a method that takes one baseline at a time does its work once for each.
    """

    name = "shuffled"
    phrase = "rows made of features of different real rows, one after another, whose mean is shown"

    def __init__(self, n: int = 16) -> None:
        self.n = int(checks.positive(n, "n"))

    def __call__(self, critic: Critic, images: Tensor) -> Tensor:
        """(1, K, F), the same ones for all rows; groups and categories stay together."""
        reals, form = known_reals(critic, images).images, critic.form
        labels = form.labels if isinstance(form, Table) else torch.arange(reals.shape[1])
        random = tensors.rng(0, "shuffled")
        source = torch.from_numpy(random.integers(0, len(reals), (self.n, int(labels.max()) + 1)))
        return reals[source[:, labels].to(reals.device), torch.arange(reals.shape[1])][None]
