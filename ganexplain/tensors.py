"""Small tensor tools that every layer shares: ranges, seeded noise, bounded batches, isolated randomness."""

from __future__ import annotations

import contextlib
import hashlib
import random
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor


def from_uint8(pixels: Tensor) -> Tensor:
    """Map bytes 0..255 to float32 in [-1, 1].

    >>> from_uint8(torch.tensor([0, 255], dtype=torch.uint8))
    tensor([-1.,  1.])
    """
    if pixels.dtype != torch.uint8:
        raise TypeError(f"pixels must be uint8, got {pixels.dtype}")
    return pixels.float().div(127.5).sub(1.0)


def to_uint8(images: Tensor) -> Tensor:
    """Map images in [-1, 1] to bytes 0..255, rounded and clipped."""
    return images.detach().add(1.0).mul(127.5).round().clamp(0, 255).to(torch.uint8)


def rng(seed: int, *keys: int | str) -> np.random.Generator:
    """A stream of its own for every (seed, keys), whatever was drawn elsewhere and whatever the global state.

    >>> bool(rng(0, "noise").integers(9) == rng(0, "noise").integers(9))
    True
    """
    digest = hashlib.sha256(repr((int(seed), *keys)).encode()).digest()
    return np.random.Generator(np.random.Philox(int.from_bytes(digest[:16], "little")))


def normal(seed: int, *keys: int | str, shape: tuple[int, ...]) -> Tensor:
    """Standard normal float32 noise from the stream (seed, keys); more rows continue, never change, the first ones."""
    return torch.from_numpy(rng(seed, *keys).standard_normal(shape, dtype=np.float32))


def batched(function: Callable[..., Tensor], batch_size: int, *tensors: Tensor) -> Tensor:
    """``function(*tensors)`` in pieces of at most ``batch_size`` rows, concatenated."""
    n = len(tensors[0])
    pieces = [function(*(t[i : i + batch_size] for t in tensors)) for i in range(0, n, batch_size)]
    return torch.cat(pieces)


@contextlib.contextmanager
def isolated(seed: int = 0, *keys: int | str) -> Iterator[None]:
    """Seed the global generators of Python, numpy and torch inside the block and put them back afterwards.

    A model that draws noise in its forward is then repeatable, and the caller's random streams are untouched. With
    ``keys`` the block has a stream of its own for every (seed, keys), as in `rng`.
    """
    python, numpy_state = random.getstate(), np.random.get_state()
    devices = range(torch.cuda.device_count()) if torch.cuda.is_available() else ()
    seed = int(rng(seed, *keys).integers(2**31)) if keys else seed
    # without an accelerator torch.manual_seed keeps a traceback of every call for one that may come: slow and growing
    cpu_alone = not devices and not torch.backends.mps.is_available()
    seed_torch = torch.default_generator.manual_seed if cpu_alone else torch.manual_seed
    with torch.random.fork_rng(devices=devices):
        try:
            random.seed(seed)
            np.random.seed(seed % 2**32)
            seed_torch(seed)
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy_state)
