"""Orthonormal transforms between images and coefficients, and the spectra that are drawn of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import pi
from typing import Any, Protocol

import torch
from torch import Tensor

KINDS = ("dct", "block_dct", "fft")
FLOOR = 1e-10  # power a bin; the rounding of an image to bytes alone has (2 / 255)^2 / 12 = 5e-6

Size = tuple[int, int]


@dataclass(frozen=True)
class Transform:
    """A real orthonormal transform of images (..., C, H, W).

    ``dct`` and ``block_dct`` are the type-II cosine transform of the whole image and of blocks, (..., C, H, W), as
    ``scipy.fft.dctn(norm="ortho")``; where ``block`` does not divide a side, the last blocks are smaller. ``fft`` is
    the discrete Fourier transform with the factor 1 / sqrt(H W), (..., C, 2, H, W) real and imaginary part in the order
    of ``numpy.fft.fftfreq``. It has two numbers for each pixel, half of them conjugates of the others; its inverse is
    the real part, Re ifft2, so that the gradient by the coefficients is the transform of the gradient by the pixels.

    Sums are formed in float64 where the device has it, so that the way there and back costs no more than the rounding
    of the coefficients.

    Attributes:
        kind: one of `KINDS`.
        block: side of a block in pixels, of ``block_dct``.
    """

    kind: str
    block: int = 8

    def forward(self, images: Tensor) -> Tensor:
        """(..., C, H, W) to coefficients."""
        wide = _wide(images)
        if self.kind == "fft":
            made = torch.view_as_real(torch.fft.fft2(wide, norm="ortho")).movedim(-1, -3)
        else:
            down, across = self._matrices(wide)
            made = down @ wide @ across.T
        return made.to(images.dtype).contiguous()

    def inverse(self, coefficients: Tensor) -> Tensor:
        """Coefficients to (..., C, H, W); differentiable."""
        wide = _wide(coefficients)
        if self.kind == "fft":
            paired = torch.view_as_complex(wide.movedim(-3, -1).contiguous())
            made: Tensor = torch.fft.ifft2(paired, norm="ortho").real
        else:
            down, across = self._matrices(wide)
            made = down.T @ wide @ across
        return made.to(coefficients.dtype)

    def frequencies(self, n: int) -> Tensor:
        """(n,) float64 cycles per pixel along an axis of ``n`` pixels; signed for the ``fft``.

        >>> Transform("dct").frequencies(4).tolist(), Transform("fft").frequencies(4).tolist()
        ([0.0, 0.125, 0.25, 0.375], [0.0, 0.25, -0.5, -0.25])
        """
        if self.kind == "fft":
            signed: Tensor = torch.fft.fftfreq(n, dtype=torch.float64)
            return signed
        pieces = [torch.arange(m, dtype=torch.float64) / (2 * m) for m in self.blocks(n)]
        return torch.cat(pieces)

    def blocks(self, n: int) -> list[int]:
        """Lengths of the pieces into which an axis of ``n`` pixels is cut."""
        if self.kind != "block_dct":
            return [n]
        return [self.block] * (n // self.block) + ([n % self.block] if n % self.block else [])

    def _matrices(self, like: Tensor) -> tuple[Tensor, Tensor]:
        height, width = like.shape[-2:]
        return tuple(_cosines(tuple(self.blocks(n))).to(like) for n in (height, width))  # type: ignore[return-value]


def _wide(tensor: Tensor) -> Tensor:
    return tensor if tensor.device.type == "mps" else tensor.double()


@lru_cache(maxsize=32)
def _cosines(lengths: tuple[int, ...]) -> Tensor:
    """Block-diagonal orthonormal matrix; its rows are the cosines of each piece."""
    pieces = {n: _cosine(n) for n in set(lengths)}
    matrix: Tensor = torch.block_diag(*(pieces[n] for n in lengths))  # type: ignore[no-untyped-call]
    return matrix


def _cosine(n: int) -> Tensor:
    index = torch.arange(n, dtype=torch.float64)
    matrix: Tensor = torch.cos(pi / n * (index + 0.5) * index[:, None]) * (2 / n) ** 0.5
    matrix[0] = n**-0.5
    return matrix


@dataclass(frozen=True)
class Spectrum:
    """Values on a plane of frequencies, summed over channels.

    Attributes:
        values: (N, h, w), whose sum is that of the values that it was made of.
        down: (h,) cycles per pixel from row to row, ascending; negative ones for the ``fft``, with 0 in the middle.
        across: (w,) cycles per pixel from column to column.
        size: (H, W) of the image in pixels.
    """

    values: Tensor
    down: Tensor
    across: Tensor
    size: Size


class Spectral(Protocol):
    """What `spectrum_of` reads of an attribution; see `ganexplain.attribution.attribution.Attribution`."""

    @property
    def values(self) -> Tensor:
        """(N, *coordinates)."""
        ...

    @property
    def images(self) -> Tensor:
        """(N, C, H, W)."""
        ...

    @property
    def domain(self) -> str:
        """The domain's name."""
        ...

    @property
    def params(self) -> Mapping[str, Any]:
        """With those of the domain."""
        ...


def spectrum_of(attribution: Spectral) -> Spectrum:
    """An attribution in the domain of frequencies as a plane: both parts and all channels added.

    Of blocks, coefficients of one frequency are added over all blocks; those of smaller blocks at the edge go to the
    nearest frequency of a whole one.

    Raises:
        ValueError: it is one of another domain.
    """
    if attribution.domain != "frequency":
        raise ValueError(f"a spectrum belongs to the domain 'frequency', got an attribution in {attribution.domain!r}")
    transform = Transform(attribution.params["transform"], attribution.params.get("block") or 8)
    values, size = attribution.values, (attribution.images.shape[-2], attribution.images.shape[-1])
    if transform.kind == "fft":
        whole = torch.fft.fftshift(values.sum((1, 2)), dim=(-2, -1))
        down, across = (torch.fft.fftshift(transform.frequencies(n)) for n in size)
        return Spectrum(whole, down, across, size)
    plane, axes = values.sum(1), []
    for dim, n in ((1, size[0]), (2, size[1])):
        longest = max(transform.blocks(n))
        cells = (transform.frequencies(n) * 2 * longest).round().long().to(plane.device)
        shape = (len(plane), longest, plane.shape[2]) if dim == 1 else (*plane.shape[:2], longest)
        plane = plane.new_zeros(shape).index_add(dim, cells, plane)
        axes.append(torch.arange(longest, dtype=torch.float64) / (2 * longest))
    return Spectrum(plane, axes[0], axes[1], size)


@dataclass(frozen=True)
class RadialProfile:
    """Power of images by frequency, whatever its direction.

    Attributes:
        power: (N, R) mean of |F|^2 over the bins of a ring, added over channels, with F the Fourier transform with the
            factor 1 / sqrt(H W); so ``(power * bins).sum(1)`` is the sum of squares of each image (Parseval).
        bins: (R,) number of bins of each ring.
        cycles: (R,) cycles per longer side of the image: 0 is the mean, 1, 2, ... rings one cycle wide.
        side: the longer side in pixels; ``side / cycles`` is the period in pixels.
    """

    power: Tensor
    bins: Tensor
    cycles: Tensor
    side: int

    @property
    def log_power(self) -> Tensor:
        """(N, R) base-10 logarithm of the power, which is taken to be at least `FLOOR`."""
        return self.power.clamp(min=FLOOR).log10()


def radial_profile(images: Tensor) -> RadialProfile:
    """Azimuthal average of the power spectrum (Durall et al. 2020) of images (N, C, H, W), without a window.

    A ring holds the bins whose frequency rounds to its own; the last ones, beyond half the side, hold corners alone:
    frequencies that only slanted patterns reach.

    Raises:
        ValueError: another shape.
    """
    if images.ndim != 4 or 0 in images.shape:
        raise ValueError(f"images must have the shape (N, C, H, W), got {tuple(images.shape)}")
    height, width = images.shape[-2:]
    side = max(height, width)
    power = torch.fft.fft2(_wide(images.detach()), norm="ortho").abs().square().sum(1).flatten(1)
    down, across = (Transform("fft").frequencies(n) for n in (height, width))
    ring = (side * torch.hypot(down[:, None], across[None])).add(0.5).floor().long().flatten().to(power.device)
    bins = torch.bincount(ring)
    held = bins > 0
    total = power.new_zeros(len(power), len(bins)).index_add(1, ring, power)
    cycles = torch.arange(len(bins), device=bins.device)
    return RadialProfile(total[:, held] / bins[held], bins[held], cycles[held], side)


def standing_out(log_power: Tensor, reals: Tensor) -> Tensor:
    """(N, R) bool: where a profile leaves the band that 95 % of the reals keep to over all their length.

    Pointwise limits would mark one ring in twenty by chance. Here the limits are m +- q s with mean m and standard
    deviation s of each ring, and q such that 95 % of the reals, each judged by the others, have no ring outside.

    Args:
        log_power: (N, R).
        reals: (M, R), at least 20.

    Raises:
        ValueError: fewer reals, or another number of rings.
    """
    count = len(reals)
    if count < 20:
        raise ValueError(f"the band of the reals needs at least 20 of them, got {count}")
    if log_power.shape[1:] != reals.shape[1:]:
        raise ValueError(
            f"profiles must have as many rings as those of the reals, got {tuple(log_power.shape)} and "
            f"{tuple(reals.shape)}; compare images of one size"
        )
    reals = reals.double()
    mean, centred = reals.mean(0), reals - reals.mean(0)
    squares = centred.square().sum(0)
    # leaving one out moves the mean by c / (M - 1) and the squares by c^2 M / (M - 1)
    others = ((squares - centred.square() * count / (count - 1)) / (count - 2)).clamp(min=_LEAST**2).sqrt()
    far = (centred.abs() * count / (count - 1) / others).amax(1)
    limit = far.quantile(0.95, interpolation="higher")
    spread = (squares / (count - 1)).clamp(min=_LEAST**2).sqrt()
    outside: Tensor = (log_power.to(mean) - mean).abs() > limit * spread
    return outside


_LEAST = 1e-6  # of a standard deviation of a logarithm, where reals do not differ at all
