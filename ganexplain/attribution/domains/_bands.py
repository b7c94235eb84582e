"""Bands: which coefficients of an image's spectrum are removed together, and what they are called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from ganexplain.attribution import players as groups
from ganexplain.attribution.domains._spectra import Size, Transform

NYQUIST = 0.5  # cycles per pixel along an axis; only slanted patterns go beyond
EDGE = 1e-9  # of a band's width or of an angle: what lies on an edge belongs below it
SPACINGS = ("linear", "octave")


@dataclass(frozen=True)
class Cut:
    """How a spectrum is cut.

    Attributes:
        bands: number of rings from 0 to half a cycle per pixel, each without its lower and with its upper edge.
        orientations: number of directions that each ring is cut into.
        peaks: periods in pixels whose exact bins are taken out of the rings.
        spacing: "linear", or "octave", where each ring is twice as wide as the one below.
    """

    bands: int
    orientations: int
    peaks: tuple[int, ...]
    spacing: str

    def edges(self, ring: int) -> tuple[float, float]:
        """Cycles per pixel between which a ring lies."""
        if self.spacing == "linear":
            return NYQUIST * ring / self.bands, NYQUIST * (ring + 1) / self.bands
        low = NYQUIST * 2.0 ** (ring - self.bands) if ring else 0.0
        return low, NYQUIST * 2.0 ** (ring + 1 - self.bands)

    def rings(self, radius: Tensor) -> Tensor:
        """The ring of each radius in cycles per pixel; corners beyond the last edge belong to the last ring."""
        if self.spacing == "linear":
            index = (radius / NYQUIST * self.bands - EDGE).ceil() - 1
        else:
            index = self.bands - 1 - ((NYQUIST / radius.clamp(min=1e-12)).log2() + EDGE).floor()
        return index.clamp(0, self.bands - 1).long()


@dataclass(frozen=True)
class Bands:
    """The players of images of one size.

    Attributes:
        labels: (H, W) canonical.
        facts: one a label: name, low and high (cycles per longer side, high with its edge), period_low and period_high
            (pixels; None where there is none), orientation (of the stripes; None where all are), peak (period in
            pixels, or None).
        places: (P, 2) where the players lie, so that neighbouring bands can be kept together: ring and direction.
    """

    labels: Tensor
    facts: tuple[dict[str, Any], ...]
    places: Tensor


def in_order(facts: Sequence[Mapping[str, Any]]) -> list[int]:
    """Labels as a reader expects them: DC, rings from coarse to fine, each by direction, and the peaks last.

    Args:
        facts: of `Bands`, or ``params["bands"]`` of an attribution.
    """
    return sorted(
        range(len(facts)),
        key=lambda i: (
            facts[i]["peak"] is not None,
            facts[i]["low"],
            facts[i]["high"],
            facts[i]["orientation"] or "",
        ),
    )


@lru_cache(maxsize=16)
def bands_of(transform: Transform, size: Size, cut: Cut) -> Bands:
    """The players of images of ``size``: DC, rings cut by direction, and peaks; only those that hold a coefficient.

    Raises:
        ValueError: a peak's period does not fit the size, or there is nothing but DC.
    """
    down, across = transform.frequencies(size[0])[:, None], transform.frequencies(size[1])[None]
    radius = torch.hypot(down, across)
    ring = cut.rings(radius)
    codes = 1 + ring * cut.orientations + _sectors(transform, down, across, cut.orientations)
    for i, period in reversed(list(enumerate(cut.peaks))):  # the smallest is written last, and keeps its bins
        codes[_periodic(size, period)] = 1 + cut.bands * cut.orientations + i
    codes[radius == 0] = 0
    labels = groups.canonical(codes[None])[0]
    named = dict(zip(labels.flatten().tolist(), codes.flatten().tolist(), strict=True))
    if len(named) < 2:
        raise ValueError(f"an image of {size[0]} x {size[1]} pixels has no frequency but its mean; use larger images")
    scribe = _Scribe(transform, cut, size, float(radius.max()))
    told = [scribe.told(named[label]) for label in range(len(named))]
    return Bands(labels, tuple(fact for fact, _ in told), torch.tensor([place for _, place in told]))


def _sectors(transform: Transform, down: Tensor, across: Tensor, count: int) -> Tensor:
    """(H, W) the direction of each coefficient's wave vector, as a number from 0 (from left to right) on.

    A bin and its conjugate have opposite wave vectors, so angles count modulo 180 degrees; the cosines of the DCT tell
    no slant from its mirror image, so their angles end at 90. At half a cycle per pixel that is so for the FFT too.
    Directions are centred on 0 degrees, and angles midway between two belong to the steeper one.
    """
    if count == 1:
        return torch.zeros(len(down), across.shape[1], dtype=torch.long)
    folded = torch.rad2deg(torch.atan2(down.abs(), across.abs()))
    width = 90 / (count - 1) if transform.kind != "fft" else 180 / count
    sector = (folded / width + 0.5 + EDGE).floor().long()
    if transform.kind != "fft":
        return sector
    slanted = (down * across < 0) & (down != -NYQUIST) & (across != -NYQUIST)
    return torch.where(slanted, (count - sector) % count, sector % count)


def _periodic(size: Size, period: int) -> Tensor:
    """(H, W) bool: the bins of patterns that repeat after ``period`` pixels both ways."""
    if any(n % period for n in size):
        fit = [str(p) for p in range(2, max(size) + 1) if not any(n % p for n in size)]
        raise ValueError(
            f"peaks of period {period} px need sides that are multiples of {period}, got {size[0]} x {size[1]}; "
            f"the periods that fit are {', '.join(fit[:8]) or 'none'}"
        )
    rows, columns = (torch.arange(n) % (n // period) == 0 for n in size)
    return rows[:, None] & columns[None]


@dataclass(frozen=True)
class _Scribe:
    """Names bands."""

    transform: Transform
    cut: Cut
    size: Size
    top: float

    def told(self, code: int) -> tuple[dict[str, Any], tuple[float, float]]:
        """Facts and place of a player by its code."""
        count, rings = self.cut.orientations, self.cut.bands
        if code == 0:
            whole = "each block" if self.transform.kind == "block_dct" else "the image"
            return self._facts(f"DC (mean of {whole})", (0.0, 0.0)), (-1.0, 0.0)
        if code > rings * count:
            i = code - 1 - rings * count
            period = self.cut.peaks[i]
            name = f"grid peaks of period {period} px"
            return self._facts(name, (1 / period, self.top), peak=period), (float(rings + 1 + i), 0.0)
        ring, sector = divmod(code - 1, count)
        stripes = None if count == 1 else self._stripes(sector)
        name = self._range(ring) + (f", {stripes}" if stripes else "")
        low, high = self.cut.edges(ring)
        high = self.top if ring == rings - 1 else high
        return self._facts(name, (low, high), orientation=stripes), (float(ring), float(sector))

    def _facts(self, name: str, edges: tuple[float, float], **rest: Any) -> dict[str, Any]:
        side = max(self.size)
        low, high = edges
        return {
            "name": name,
            "low": low * side,
            "high": high * side,
            "period_low": 1 / high if high else None,
            "period_high": 1 / low if low else None,
            "orientation": None,
            "peak": None,
            **rest,
        }

    def _range(self, ring: int) -> str:
        low, high = self.cut.edges(ring)
        side = max(self.size)
        per = "cycles per image" if self.size[0] == self.size[1] else f"cycles per {side} px"
        if self.cut.bands == 1:
            return "all but DC"
        if ring == self.cut.bands - 1:
            return f"over {low * side:.4g} {per} (period under {1 / low:.3g} px)"
        if ring == 0:
            return f"up to {high * side:.4g} {per} (period {1 / high:.3g} px and longer)"
        return f"{low * side:.4g} to {high * side:.4g} {per} (period {1 / high:.3g} to {1 / low:.3g} px)"

    def _stripes(self, sector: int) -> str:
        """How the stripes of a sector run: at right angles to the wave vector, and rows are counted downwards."""
        count, fft = self.cut.orientations, self.transform.kind == "fft"
        angle = (90 - sector * (180 / count if fft else 90 / (count - 1))) % 180  # counter-clockwise from level
        if angle % 90 == 0:
            return "vertical stripes |" if angle else "horizontal stripes -"
        steep = angle if angle < 90 else 180 - angle
        slash, other = ("/", "\\") if angle < 90 else ("\\", "/")
        run = "diagonal stripes" if steep == 45 else f"stripes {steep:.3g} degrees steep"
        return f"{run} {slash}" if fft else f"{run} {slash} or {other}"
