"""Bands of frequencies: what each contributes, and the image that is left without it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor
from torch.nn.functional import interpolate

from ganexplain.figures import style
from ganexplain.figures.bars import NEITHER
from ganexplain.figures.maps import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PICTURE, LARGEST = 0.645, 0.86  # inches: a picture's longer side is as near to the first as whole pixels allow
SPACE, ACROSS, EDGE, HEADED = 0.12, 2.1, 0.12, 0.6
HEAD, FOOT, FACTOR = 0.42, 0.46, 0.56
WHOLE = "the image itself"


@dataclass(frozen=True)
class BandRows:
    """Bands as they are drawn, the first on top.

    Attributes:
        names: P labels; what stands in brackets goes to a second line.
        real: P signed values, positive for real.
        without: (P, C, H, W) the image with each band removed.
        logits: P of those images.
        errors: P standard errors, or None.
        part: what one is called.
    """

    names: Sequence[str]
    real: Sequence[float]
    without: Tensor
    logits: Sequence[float]
    errors: Sequence[float] | None = None
    part: str = "band"


def bands_figure(bands: BandRows, image: Tensor, logit: float, *, unit: str) -> Figure:
    """One bar a band, beside the image without it, what that takes from the image, and the logit that is left.

    Args:
        bands: the bands.
        image: (C, H, W) that is explained.
        logit: of the image.
        unit: of the values.

    Raises:
        ValueError: no bands, or not as many pictures, values or logits as names.
    """
    count = len(bands.names)
    if not count or {len(bands.real), len(bands.without), len(bands.logits)} != {count}:
        raise ValueError(
            f"bands need as many values, pictures and logits as names and at least one, got {count}, "
            f"{len(bands.real)}, {len(bands.without)} and {len(bands.logits)}"
        )
    word = "score" if unit.startswith("score") else "logit"
    with style.look():
        sheet = _Sheet(bands.names, image)
        sheet.heads(word, bands.part)
        sheet.row(0, image, number(logit), bold=True)
        for i, (name, left, after) in enumerate(zip(bands.names, bands.without, bands.logits, strict=True), 1):
            sheet.row(i, left, number(float(after)), name)
            sheet.difference(i, image - left)
        _bars(sheet.bars(), bands, unit)
    return sheet.figure


class _Sheet:
    """Where the parts of a figure of bands stand, in inches from the upper left corner.

    Args:
        names: of the bands.
        image: (C, H, W).
    """

    def __init__(self, names: Sequence[str], image: Tensor) -> None:
        longest = max(image.shape[-2:])
        whole = max(1, round(PICTURE * style.DPI / longest))  # or a fine grid would be drawn uneven
        scale = min(float(whole), LARGEST * style.DPI / longest)
        self.tall, self.wide = (n * scale / style.DPI for n in image.shape[-2:])
        told = [_lines(name) for name in names]
        widths = [max(style.extent(a)[0], style.extent(b, style.SMALL)[0]) for a, b in told]
        self.left = EDGE + SPACE + max(*widths, style.extent(WHOLE, weight="bold")[0])
        self.each, self.count = max(self.tall + 0.06, 0.36), len(names)
        self.columns = [self.left + ACROSS + 0.2 + i * max(self.wide + SPACE, HEADED) for i in range(3)]
        self.columns.append(self.columns[2] + FACTOR)
        self.size = self.columns[3] + 0.68, HEAD + self.each * (self.count + 1) + FOOT
        self.figure = style.figure(*self.size)
        self.axes = self.figure.add_axes((0, 0, 1, 1), xlim=(0, self.size[0]), ylim=(self.size[1], 0))
        self.axes.set_axis_off()

    def heads(self, word: str, part: str) -> None:
        """What the columns show."""
        look: dict[str, Any] = {"size": style.SMALL, "color": style.MUTED, "va": "bottom", "ma": "center"}
        for column, head in zip(self.columns, (f"without\nthe {part}", "what is\ntaken out"), strict=False):
            self.axes.text(column + self.wide / 2, HEAD - 0.05, head, ha="center", **look)
        look["ma"] = "left"
        self.axes.text(self.columns[2] - 0.04, HEAD - 0.05, "contrast\nraised", **look)
        self.axes.text(self.columns[3], HEAD - 0.05, f"{word}\nthat is left", **look)

    def row(self, i: int, image: Tensor, value: str, name: str = "", *, bold: bool = False) -> None:
        """A row: its name in one or two lines, a picture, and its logit."""
        first, second = _lines(name or WHOLE)
        right, middle = self.left - SPACE, self.middle(i)
        weight = "bold" if bold else "normal"
        self.axes.text(right, middle, first, ha="right", va="bottom" if second else "center", weight=weight)
        self.axes.text(right, middle + 0.02, second, ha="right", va="top", size=style.SMALL, color=style.MUTED)
        self.axes.text(self.columns[3], middle, value, va="center", weight=weight)
        self._picture(i, 0, image)

    def difference(self, i: int, change: Tensor) -> None:
        """What a band holds beyond the baseline, enlarged around grey, with the factor."""
        size = float(change.abs().double().flatten().quantile(0.995)) or float(change.abs().max())
        factor = float(f"{1 / size:.2g}") if size > 1e-6 else 0.0
        self._picture(i, 1, change * factor)
        look: dict[str, Any] = {"size": style.SMALL, "color": style.MUTED, "va": "center"}
        self.axes.text(self.columns[2] - 0.04, self.middle(i), f"× {factor:g}" if factor else "nothing", **look)

    def bars(self) -> Axes:
        """The axes of the bars, beside all rows but the first."""
        width, height = self.size
        high = self.each * self.count
        return self.figure.add_axes((self.left / width, FOOT / height, ACROSS / width, high / height))

    def middle(self, i: int) -> float:
        """The height of a row's middle."""
        return HEAD + self.each * (i + 0.5)

    def _picture(self, i: int, column: int, image: Tensor) -> None:
        width, height = self.size
        bottom = height - self.middle(i) - self.tall / 2
        box = (self.columns[column] / width, bottom / height, self.wide / width, self.tall / height)
        axes = self.figure.add_axes(box)
        dots = round(self.tall * style.DPI), round(self.wide * style.DPI)
        if dots[0] < image.shape[-2]:
            image = interpolate(image[None].float(), size=dots, mode="bilinear", antialias=True)[0]
        style.show(axes, image)


def _lines(name: str) -> tuple[str, str]:
    """A name in two lines, cut at its bracket.

    >>> _lines("2 to 4 cycles per image (period 8 to 16 px), vertical stripes |")
    ('2 to 4 cycles per image', 'period 8 to 16 px, vertical stripes |')
    """
    first, _, second = name.partition(" (")
    return first, second.replace(")", "", 1)


def _bars(axes: Axes, bands: BandRows, unit: str) -> None:
    """Bars from zero, red to the left for fake and blue to the right for real."""
    from matplotlib.ticker import MaxNLocator

    signless, real, count = style.signless(unit), bands.real, len(bands.names)
    errors = bands.errors if bands.errors and any(bands.errors) else None
    tints = [NEITHER if signless else style.REAL if value > 0 else style.FAKE for value in real]
    whiskers = {"ecolor": style.INK, "elinewidth": 1.0, "capsize": 2.5}
    axes.barh(range(count), real, xerr=errors, height=0.5, color=tints, error_kw=whiskers)
    axes.axvline(0, color=style.INK, linewidth=0.8)
    far = max(abs(v) + e for v, e in zip(real, errors or [0.0] * count, strict=True)) or 1.0
    axes.set(xlim=(0 if signless else -1.08 * far, 1.08 * far), ylim=(count - 0.5, -0.5))
    axes.set_yticks([])
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, symmetric=not signless))
    axes.xaxis.set_major_formatter(lambda value, _: f"{abs(value):.3g}")
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(unit.replace("^2", "²") + (", with standard errors" if errors else ""))
    if signless:
        return
    place: dict[str, Any] = {"transform": axes.transAxes, "size": style.SMALL, "weight": "bold", "va": "bottom"}
    axes.text(0, 1.01, "← speaks for fake", color=style.FAKE, ha="left", **place)
    axes.text(1, 1.01, "speaks for real →", color=style.REAL, ha="right", **place)
