"""Architectures that the training core can build; one family a file."""

from __future__ import annotations

from typing import Any, Protocol

from torch import nn

from ganexplain.models.generator import Generator
from ganexplain.registry import Registry


class Family(Protocol):
    """A pair of builders that read the same architecture mapping, so that one mapping rebuilds a saved GAN."""

    @staticmethod
    def generator(**architecture: Any) -> Generator:
        """A new generator."""
        ...

    @staticmethod
    def discriminator(**architecture: Any) -> nn.Module:
        """A new discriminator: images (N, C, H, W) in [-1, 1] to scores (N,)."""
        ...


FAMILIES: Registry[type[Family]] = Registry("ganexplain.models.families", "family")
