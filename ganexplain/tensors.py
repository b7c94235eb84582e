"""Small tensor tools that every layer shares: ranges, seeded noise, bounded batches, isolated randomness."""

from __future__ import annotations

import contextlib
import hashlib
import random
import re
from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

T = TypeVar("T")
# torch on a CPU, CUDA, cuDNN, cuBLAS, oneDNN and onnxruntime; the class of the error is often RuntimeError alone
NO_MEMORY = re.compile(
    r"out of memory|not enough memory|can't allocate memory|failed to allocate memory|bad_alloc|bad allocation"
    r"|_ALLOC_FAILED",
    re.IGNORECASE,
)


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
    """``function(*tensors)`` in pieces of at most ``batch_size`` rows, concatenated; see `pieces`."""
    return torch.cat(list(pieces(function, batch_size, *tensors)))


def pieces(function: Callable[..., T], batch_size: int, *tensors: Tensor) -> Iterator[T]:
    """``function(*tensors)`` of at most ``batch_size`` rows at a time, one piece after another.

    Where memory runs out, ``batch_size`` is halved for that piece and all after it. From the first piece on, the result
    is bit for bit that of the smaller ``batch_size``; later, it differs from it as batch sizes do. ``function`` must
    change nothing before it has computed all.

    Raises:
        Exception: what ``function`` raises; memory that one row alone exhausts, too.
    """
    n, start, size = len(tensors[0]), 0, batch_size
    while start < n:
        piece = [t[start : start + size] for t in tensors]
        found = _attempt(function, piece)
        if found is None:
            while size >= len(piece[0]):
                size //= 2
            continue
        start += len(piece[0])
        yield found[0]


def _attempt(function: Callable[..., T], piece: list[Tensor]) -> tuple[T] | None:
    """The result, or nothing where fewer rows may fit; what the failure held is freed by then."""
    try:
        return (function(*piece),)
    except Exception as error:  # libraries have classes of their own
        if len(piece[0]) == 1 or not exhausted(error):
            raise
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return None


def exhausted(error: Exception) -> bool:
    """Whether memory ran out, on whichever device and in whichever library."""
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or bool(NO_MEMORY.search(str(error)))


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
