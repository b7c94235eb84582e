"""Signed maps: red speaks for fake, blue for real, white for neither, on every picture whichever side is explained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch import Tensor

from ganexplain import checks
from ganexplain.figures import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

PERCENTILE = 99.5  # of |values| at which a map's colours end, so that single outliers do not bleach all else
RAW_PERCENTILE = 99.0
SMOOTH = 0.125  # of the image's width
PANEL = 2.1  # inches
TALLEST = 3.2
EDGE = 0.4  # opacity of the strongest edge of the image under a map
MARGIN, GAP = 0.1, 0.12
BAR, BELOW = 0.11, 0.46  # inches: the colour bar, and the two lines of text below it
TITLE_LINE = 0.17
# ColorBrewer's RdBu (readable with every common colour blindness) with white instead of grey in the middle
_RED_TO_BLUE = "67001f b2182b d6604d f4a582 fddbc7 ffffff d1e5f0 92c5de 4393c3 2166ac 053061"

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

Array = np.ndarray[Any, np.dtype[np.float64]]


class Mapped(Protocol):
    """What `attribution_figure` reads of an attribution; see `ganexplain.attribution.attribution.Attribution`."""

    @property
    def images(self) -> Tensor:
        """(N, C, H, W) what was explained."""
        ...

    @property
    def origins(self) -> Tensor:
        """(N, C, H, W) the baseline."""
        ...

    @property
    def origin_logit(self) -> Tensor:
        """(N,) the baseline's logit."""
        ...

    @property
    def players(self) -> Tensor | None:
        """(1 or N, C, H, W) labels."""
        ...

    @property
    def verdict(self) -> Any:
        """With ``logit`` (N,)."""
        ...

    @property
    def side(self) -> str:
        """What positive values speak for."""
        ...

    @property
    def unit(self) -> str:
        """Of the values."""
        ...

    @property
    def method(self) -> str:
        """Its name."""
        ...

    @property
    def compares(self) -> bool:
        """Whether values are measured from the baseline."""
        ...

    @property
    def baseline(self) -> str:
        """Its name."""
        ...

    def heatmap(self) -> Tensor:
        """(N, H, W) signed values."""
        ...

    def totals(self) -> Tensor:
        """(N, P) signed values of the players."""
        ...


def diverging() -> Colormap:
    """Red to white to blue; the middle one of its 257 colours is pure white."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("fake_real", [f"#{c}" for c in _RED_TO_BLUE.split()], N=257)


def attribution_figure(attribution: Mapped, *, smooth: float = SMOOTH) -> Figure:
    """The image, the baseline if values are measured from it (each with its logit), and the map with its colour bar.

    Args:
        attribution: of one input, in a domain of pixels.
        smooth: width of the moving average of a map of pixels, in image widths; 0 shows the raw map. Regions are
            coloured by their totals and never averaged.

    Raises:
        ValueError: a batch, or coordinates that are no pixels.
    """
    if len(attribution.images) != 1:
        raise ValueError(f"one input is drawn at a time, got {len(attribution.images)}; index the attribution first")
    unit, image = attribution.unit, attribution.images[0]
    sign = 1 if style.signless(unit) else checks.side(attribution.side)
    real = sign * attribution.heatmap()[0]  # evidence for real
    word = "score" if unit.startswith("score") else "logit"
    panels = [(image, f"image: {word} {number(float(attribution.verdict.logit[0]))}")]
    if attribution.compares:
        name = attribution.baseline.replace("_", " ")
        panels.append((attribution.origins[0], f"{name}: {word} {number(float(attribution.origin_logit[0]))}"))
    with style.look():
        frames = frame(image.shape[-2:], panels=len(panels) + 1, title=True)
        for axes, (shown, head) in zip(frames.axes, panels, strict=False):
            style.show(axes, shown)
            axes.set_title(head)
        labels = _labels(attribution.players)
        if labels is None:
            frames.axes[-1].set_title(attribution.method.replace("_", " "))
            draw_map(frames, real, image, unit, smooth)
        else:
            from ganexplain.figures.regions import draw_regions

            totals = sign * attribution.totals()[0]
            frames.axes[-1].set_title(attribution.method.replace("_", " "))
            draw_regions(frames, labels, totals, image, unit)
    return frames.figure


def map_figure(real: Tensor, image: Tensor, *, unit: str, smooth: float = SMOOTH) -> Figure:
    """One map with its colour bar, over the edges of the image.

    Args:
        real: (H, W) signed values, positive for real.
        image: (C, H, W) in [-1, 1].
        unit: of the values.
        smooth: width of the moving average in image widths; 0 for the raw map.
    """
    with style.look():
        frames = frame(image.shape[-2:])
        draw_map(frames, real, image, unit, smooth)
    return frames.figure


def smoothed(values: Tensor, smooth: float) -> Array:
    """(H, W) moving average over a square of about ``smooth`` widths; mirrored at the edges, so that the sum is kept.

    A wide square would show its own edges around every strong pixel: there, two passes of half the width are made.
    """
    from scipy.ndimage import uniform_filter

    averaged: Array = values.detach().cpu().double().numpy()
    width = averaged.shape[1] * smooth
    passes = 2 if width >= 8 else 1
    for _ in range(passes):
        averaged = uniform_filter(averaged, 2 * int(width / passes / 2) + 1, mode="reflect")
    return averaged


def limit(values: Array, percentile: float) -> float:
    """The absolute value at which the colours end; 0 where nothing is to be shown."""
    size = np.abs(values)
    found = float(np.percentile(size, percentile))
    return found if found > 0 else float(size.max(initial=0.0))


def number(value: float) -> str:
    """Three digits with a true minus, and small ones as a power of ten.

    >>> number(-3.4159), number(0.0123), number(0.0000123), number(0.0)
    ('−3.42', '0.0123', '1.2 × 10⁻⁵', '0')
    """
    size = abs(value)
    if 0 < size < 1e-3:
        digits, _, power = f"{value:.1e}".partition("e")
        text = f"{digits} × 10{str(int(power)).translate(_RAISED)}"
    else:
        text = f"{value:.2f}" if 0.1 <= size < 100 else f"{value:.3g}"
    return text.replace("-", "−")


class Frame:
    """Panels side by side, and a colour bar under the last one.

    Attributes:
        figure: the figure.
        axes: one axes a panel.
        bar: the axes of the colour bar.
    """

    def __init__(self, figure: Figure, axes: list[Axes], bar: Axes) -> None:
        self.figure, self.axes, self.bar = figure, axes, bar

    def colour_bar(self, high: float, unit: str) -> None:
        """Draw the bar: amounts without a sign, and in words which end speaks for what."""
        bar = self.bar
        signless = style.signless(unit)
        ends = (0, 1) if signless else (-1, 0, 1)
        amounts = np.linspace(ends[0], 1, 257)[None]
        bar.imshow(amounts, aspect="auto", extent=(ends[0], 1, 0, 1), **colours(unit, 1.0))
        bar.set_yticks([])
        bar.set_xticks(ends, ["0" if end == 0 else number(high) if high else "" for end in ends])
        first, *_, last = bar.get_xticklabels()
        first.set_horizontalalignment("left")
        last.set_horizontalalignment("right")
        for spine in bar.spines.values():
            spine.set(visible=True, color=style.LINE)
        text: dict[str, Any] = {"transform": bar.transAxes, "size": style.NORMAL, "va": "top"}
        bar.tick_params(labelsize=style.NORMAL, labelcolor=style.INK, pad=2)
        low = -(BELOW - 0.23) / BAR
        shown = unit.replace("^2", "²") if high else "no evidence"
        bar.text(0.5, low, shown, color=style.INK, ha="center", **text)
        if signless:
            return
        bar.text(0, low, "← fake", color=style.FAKE, weight="bold", ha="left", **text)
        bar.text(1, low, "real →", color=style.REAL, weight="bold", ha="right", **text)


def frame(shape: tuple[int, ...], *, panels: int = 1, title: bool = False) -> Frame:
    """Axes for images of ``shape`` (height, width), with room for a colour bar below and for titles above."""
    height, width = shape
    across = min(PANEL, TALLEST * width / height)
    down = across * height / width
    cell = max(across, PANEL)
    top = MARGIN + (TITLE_LINE if title else 0)
    total = (2 * MARGIN + panels * cell + (panels - 1) * GAP, top + down + GAP + BAR + BELOW)
    figure = style.figure(*total)

    def place(left: float, bottom: float, wide: float, high: float) -> Axes:
        return figure.add_axes((left / total[0], bottom / total[1], wide / total[0], high / total[1]))

    lefts = [MARGIN + i * (cell + GAP) for i in range(panels)]
    axes = [place(left + (cell - across) / 2, BELOW + BAR + GAP, across, down) for left in lefts]
    return Frame(figure, axes, place(lefts[-1], BELOW, cell, BAR))


def draw_map(frames: Frame, real: Tensor, image: Tensor, unit: str, smooth: float) -> None:
    """Draw a map of pixels into the last panel; ``real`` (H, W) is positive for real."""
    values = smoothed(real, smooth)
    high = limit(values, PERCENTILE if smooth else RAW_PERCENTILE)
    axes = frames.axes[-1]
    axes.imshow(values, interpolation="nearest", **colours(unit, high))
    draw_edges(axes, image)
    style.bare(axes)
    frames.colour_bar(high, f"{unit} per pixel")


def colours(unit: str, high: float) -> dict[str, Any]:
    """How amounts up to ``high`` are coloured: from red by white to blue, or one hue for what has no sign."""
    if style.signless(unit):
        return {"cmap": "Purples", "vmin": 0.0, "vmax": high or 1.0}
    return {"cmap": diverging(), "vmin": -(high or 1.0), "vmax": high or 1.0}


def draw_edges(axes: Axes, image: Tensor) -> None:
    """The outlines of the image (C, H, W) in faint ink, so that a reader can place what is coloured below them."""
    strength = edges(image)
    height, width = strength.shape
    ink = np.zeros((height, width, 4))
    ink[..., :3] = [int(style.INK[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    ink[..., 3] = EDGE * strength
    axes.imshow(ink, interpolation="bilinear", extent=(-0.5, width - 0.5, height - 0.5, -0.5))


def edges(image: Tensor) -> Array:
    """(H, W) Sobel strength of an image (C, H, W) in [0, 1]; a flat image has none."""
    from scipy.ndimage import gaussian_filter, sobel

    grey = image.detach().cpu().double().mean(0).numpy()
    grey = gaussian_filter(grey, grey.shape[1] / 256)  # grain of a photograph is no outline
    strength: Array = np.hypot(sobel(grey, 0), sobel(grey, 1))
    top = float(np.percentile(strength, 99)) or float(strength.max())
    if top < 1e-3:
        return np.zeros_like(strength)
    strength = np.clip(strength / top, 0, 1)
    return np.where(strength < 0.15, 0.0, strength)


def _labels(players: Tensor | None) -> Tensor | None:
    """(H, W) labels of regions, or None where every pixel is a player of its own."""
    if players is None:
        return None
    labels = players[0, 0]
    return None if int(torch.unique(labels).numel()) == labels.numel() else labels
