"""Frequencies: signed spectra, and radial profiles of an image beside reals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor

from ganexplain.figures import style
from ganexplain.figures.maps import (
    BAR,
    BELOW,
    PERCENTILE,
    RAW_PERCENTILE,
    Array,
    Frame,
    colours,
    limit,
    smoothed,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SMOOTH = 1 / 16  # of the spectrum's width
PLANE, LEFT, RIGHT, TOP, AXIS = 2.6, 0.62, 0.62, 0.46, 0.42  # inches
PERIODS = (2, 4, 8, 16, 32, 64, 128, 256)


def spectrum_figure(
    real: Tensor, down: Tensor, across: Tensor, *, size: tuple[int, int], unit: str, smooth: float = SMOOTH
) -> Figure:
    """A signed map of a plane of frequencies: cycles per image below and left, periods in pixels above and right.

    Args:
        real: (h, w) values, positive for real.
        down: (h,) cycles per pixel from row to row, ascending; negative ones where 0 is in the middle.
        across: (w,) cycles per pixel from column to column.
        size: (height, width) of the image in pixels.
        unit: of the values.
        smooth: width of the moving average in widths of the plane; 0 shows the raw map.

    Raises:
        ValueError: another shape than the frequencies have.
    """
    if tuple(real.shape) != (len(down), len(across)):
        raise ValueError(f"the map must have the shape {(len(down), len(across))}, got {tuple(real.shape)}")
    values = smoothed(real, smooth)
    high = limit(values, PERCENTILE if smooth else RAW_PERCENTILE)
    ends = [(*_ends(axis * n), n) for axis, n in ((across, size[1]), (down, size[0]))]
    wide, tall = (to - start for start, to, _ in ends)
    width = PLANE * min(1.0, wide / tall)
    height = PLANE * min(1.0, tall / wide)
    with style.look():
        total = LEFT + max(width, 1.9) + RIGHT, TOP + height + AXIS + BAR + BELOW
        figure = style.figure(*total)

        def place(left: float, bottom: float, wide: float, high: float) -> Axes:
            return figure.add_axes((left / total[0], bottom / total[1], wide / total[0], high / total[1]))

        axes = place(LEFT, BELOW + BAR + AXIS, width, height)
        box = (ends[0][0], ends[0][1], ends[1][1], ends[1][0])
        axes.imshow(values, extent=box, aspect="auto", interpolation="nearest", **colours(unit, high))
        _finish(axes, size)
        if min(float(across[0]), float(down[0])) < 0:
            axes.axhline(0, color=style.MUTED, linewidth=0.4)
            axes.axvline(0, color=style.MUTED, linewidth=0.4)
        Frame(figure, [axes], place(LEFT, BELOW, max(width, 1.9), BAR)).colour_bar(high, f"{unit} per frequency")
    return figure


def _ends(places: Tensor) -> tuple[float, float]:
    """The outer edges of cells whose centres are these."""
    step = float(places[1] - places[0]) if len(places) > 1 else 1.0
    return float(places[0]) - step / 2, float(places[-1]) + step / 2


def _finish(axes: Axes, size: tuple[int, int]) -> None:
    """Ticks in cycles per image, and on the far sides in pixels a period."""
    from matplotlib.ticker import MaxNLocator

    style.bare(axes)
    square = size[0] == size[1]
    far = axes.twiny(), axes.twinx()
    words = ("across", "down") if square else ("per width", "per height")
    for name, other, n, word in zip("xy", far, (size[1], size[0]), words, strict=True):
        own, opposite = getattr(axes, f"{name}axis"), getattr(other, f"{name}axis")
        own.set_major_locator(MaxNLocator(nbins=5, integer=True))
        own.set_major_formatter(lambda value, _: f"{abs(value):g}")
        getattr(axes, f"set_{name}label")(f"cycles per image, {word}" if square else f"cycles {word}")
        bounds = getattr(axes, f"get_{name}lim")()
        getattr(other, f"set_{name}lim")(bounds)
        at = _periods(n, min(bounds), max(bounds))
        opposite.set_ticks([place for place, _ in at], [label for _, label in at])
        opposite.set_tick_params(length=2, pad=2)
        getattr(other, f"set_{name}label")("period, px")
        other.set_frame_on(False)


def _periods(n: int, low: float, high: float) -> list[tuple[float, str]]:
    """Where periods lie on an axis of cycles per ``n`` pixels, those that have room for their numbers."""
    found: list[tuple[float, str]] = []
    for period in PERIODS:
        place = n / period
        if any(abs(place - other) < 0.09 * (high - low) for other, _ in found) or place < 0.06 * (high - low):
            continue
        found += [(side, str(period)) for side in (place, -place) if low <= side <= high]
    return found


def radial_figure(
    image: Tensor, reals: Tensor | None, cycles: Tensor, *, side: int, outside: Tensor | None = None
) -> Figure:
    """Log power of an image by frequency over the band of the reals; frequencies where it leaves the band are shaded.

    Args:
        image: (R,) base-10 logarithm of the power.
        reals: (M, R) of real images, at least 2, or None.
        cycles: (R,) cycles per image; 0, the mean brightness, is not drawn.
        side: of the image in pixels.
        outside: (R,) bool, the rings to shade, or None.

    Raises:
        ValueError: not as many values as frequencies.
    """
    if len(image) != len(cycles) or (reals is not None and reals.shape[1:] != image.shape):
        got = tuple(image.shape), None if reals is None else tuple(reals.shape)
        raise ValueError(f"a profile needs a value for each of {len(cycles)} frequencies, got {got[0]} and {got[1]}")
    drawn = cycles > 0
    at, own = _array(cycles[drawn]), _array(image[drawn])
    with style.look():
        figure = style.figure(5.2, 3.0)
        axes = figure.add_axes((0.12, 0.155, 0.835, 0.565))
        if outside is not None:
            for place in at[_array(outside[drawn]) > 0]:
                axes.axvspan(place - 0.5, place + 0.5, color=style.ACCENT, alpha=0.22, linewidth=0)
        if reals is not None and len(reals) > 1:
            mean, spread = _array(reals.mean(0)[drawn]), _array(reals.std(0)[drawn])
            axes.fill_between(at, mean - 2 * spread, mean + 2 * spread, color=style.REAL, alpha=0.18, linewidth=0)
            axes.plot(at, mean, color=style.REAL, linewidth=0.9)
        axes.plot(at, own, color=style.INK, linewidth=1.3)
        _dress(axes, at, side)
        _legend(figure, reals is not None, None if outside is None else int(outside[drawn].sum()), int(drawn.sum()))
    return figure


def _dress(axes: Axes, at: Array, side: int) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_xlim(at[0] - 0.5, at[-1] + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=9, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=7, integer=True))
    axes.set_xlabel("cycles per image, whatever their direction")
    axes.set_ylabel("power, log₁₀")
    axes.axvline(side / 2, color=style.MUTED, linewidth=0.7, linestyle=(0, (3, 3)))
    faint: dict[str, Any] = {"size": style.SMALL - 1, "color": style.MUTED, "va": "top"}
    axes.text(side / 2, 0.99, " corners only", transform=axes.get_xaxis_transform(), **faint)
    top = axes.twiny()
    top.set_xlim(axes.get_xlim())
    places = _periods(side, *axes.get_xlim())
    top.set_xticks([place for place, _ in places], [label for _, label in places])
    top.set_xlabel("period, px")
    top.spines["top"].set(visible=True, color=style.LINE)


def _legend(figure: Figure, reals: bool, outside: int | None, rings: int) -> None:
    parts = [("the image", style.INK, 0.12, 0.955)]
    if reals:
        beside = 0.12 + (style.extent("the image", style.SMALL, "bold")[0] + 0.2) / figure.get_size_inches()[0]
        parts.append(("reals, mean ± 2 standard deviations", style.REAL, beside, 0.955))
    if outside is not None:
        word = f"shaded: outside the band that 95 % of the reals keep to ({outside} of {rings})"
        parts.append((word, style.ACCENT, 0.12, 0.9))
    for text, colour, x, y in parts:
        figure.text(x, y, text, color=colour, size=style.SMALL, weight="bold", va="center")


def _array(tensor: Tensor) -> Array:
    made: Array = tensor.detach().cpu().double().numpy()
    return made
