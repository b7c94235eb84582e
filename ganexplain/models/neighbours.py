"""Networks whose output for an image depends on the others in its batch, such as those with a minibatch deviation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ganexplain import tensors

LOOKS = 4  # forward passes of one image that `matter` takes
SAME = 1e-4  # of the largest output: other batch sizes round otherwise, by about 1e-6

Read = Callable[[Tensor], Any]


def matter(read: Read, x: Tensor) -> bool:
    """Whether the first of ``x`` has another output beside noise than alone.

    A network that draws random numbers is taken to judge each image by itself, since its draws change with the batch.
    """
    noise = tensors.normal(0, "neighbours", shape=tuple(x[:1].shape)).to(x)
    batches = ((x[:1], 0), (x[:1], 1), (torch.cat([x[:1], noise]), 0))
    alone, again, beside = (_values(read, batch, seed) for batch, seed in batches)
    if min(alone.ndim, again.ndim, beside.ndim) == 0:
        return False  # no rows to compare: what reads the output says so
    size = SAME * float(beside.abs().max())
    return bool((alone[0] - again[0]).abs().max() <= size < (alone[0] - beside[0]).abs().max())


def one_by_one(read: Read, x: Tensor) -> Tensor:
    """What ``read`` returns for each image of ``x`` alone."""
    return torch.cat([read(x[i : i + 1]) for i in range(len(x))])


def _values(read: Read, x: Tensor, seed: int) -> Tensor:
    with torch.no_grad(), tensors.isolated(seed):
        found = read(x.clone())
    return found.double() if isinstance(found, Tensor) else torch.zeros(())
