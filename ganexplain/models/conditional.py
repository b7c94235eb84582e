"""A network that judges an image or draws one given its class, at one class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ganexplain.models.class_names import numbered


class Conditioned(nn.Module):
    """A conditional network at one class: takes images or codes alone.

    Args:
        network: a module that takes (x, labels), with labels (N,) int64.
        label: the class of every row, or (N,) int64 one for each row of batches of N.
    """

    def __init__(self, network: nn.Module, label: int | Tensor) -> None:
        super().__init__()
        self.network, self.label = network, label

    def forward(self, x: Tensor) -> Any:
        """What the network returns for ``x`` with the class at every row."""
        return self.network(x, labels_of(x, self.label))


class Bound:
    """The same for a callable that is no module, which is used as it is."""

    def __init__(self, network: Callable[..., Any], label: int | Tensor) -> None:
        self.network, self.label = network, label

    def __call__(self, x: Tensor) -> Any:
        """What the callable returns for ``x`` with the class at every row."""
        return self.network(x, labels_of(x, self.label))


def conditioned(network: nn.Module | Callable[..., Any], label: int | Tensor) -> Conditioned | Bound:
    """``network``, which takes (x, labels), at one class; one that stands at a class already is moved to the other."""
    bare = network.network if isinstance(network, (Conditioned, Bound)) else network
    return Conditioned(bare, label) if isinstance(bare, nn.Module) else Bound(bare, label)


def labels_of(x: Tensor, label: int | Tensor) -> Tensor:
    """(N,) int64 labels of the rows of ``x``."""
    if isinstance(label, Tensor):
        return label.to(x.device)
    return torch.full((len(x),), label, dtype=torch.int64, device=x.device)


def known_labels(labels: Tensor, n: int, num_classes: int) -> Tensor:
    """``labels`` as int64, if they are the classes of ``n`` rows.

    Raises:
        ValueError: there are no classes, or they are not (n,) whole numbers below ``num_classes``.
    """
    if num_classes == 0:
        raise ValueError("labels were given, but this network knows no classes; leave them out")
    whole = labels.shape == (n,) and not labels.is_floating_point()
    if not whole or (n and not 0 <= int(labels.min()) <= int(labels.max()) < num_classes):
        held = f", from {int(labels.min())} to {int(labels.max())}" if whole else ""
        raise ValueError(
            f"labels must be ({n},) whole numbers from 0 to {num_classes - 1}, got {tuple(labels.shape)} "
            f"{labels.dtype}{held}"
        )
    return labels.long()


def known_label(label: int | str | None, num_classes: int, does: str, saying: str = "label=0 to {last}") -> int | None:
    """``label``, if a network that knows so many classes can take it; None for one that knows none.

    Args:
        label: the class, or None where nothing was said.
        num_classes: 0 for an unconditional network.
        does: what the network does given a class, such as "judges an image given its class".
        saying: how a class is said; {last} stands for the largest.

    Raises:
        ValueError: a label where there are no classes, none where there are some, or one out of range.
    """
    if label is not None:
        return numbered(label, num_classes)
    if num_classes:
        raise ValueError(f"this network {does}; say which: {saying.format(last=num_classes - 1)}")
    return None
