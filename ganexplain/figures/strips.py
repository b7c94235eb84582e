"""Strips of a traversal: one row of images a code or direction, one column an amount."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor
from torch.nn.functional import interpolate

from ganexplain.figures import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CELL = 132  # dots a panel aims at; an image is enlarged by a whole number, so that its pixels stay squares
LARGEST = 256  # dots; larger images are shrunk
GAP, PAD = 6, 16  # dots between panels and at the figure's edge
LINE_HEIGHT = 1.35  # of the font size
WRAP = 32  # characters of a row label
AXIS = "edit along the direction, in standard deviations of the codes"


def strips(
    panels: Tensor,
    amounts: Sequence[float],
    rows: Sequence[str],
    *,
    title: str = "",
    note: str = "",
    captions: Sequence[Sequence[str]] | None = None,
) -> Figure:
    """Draw edited images; the unedited column is framed, and every margin is as wide as its labels.

    Args:
        panels: (R, A, C, H, W) in [-1, 1].
        amounts: A amounts of the edit; 0 marks the unedited column.
        rows: R labels; the first line is set bold, the others below it.
        title: one line above.
        note: small print below, wrapped to the width of the images.
        captions: R by A short texts below the images, or None.

    Raises:
        ValueError: panels of another shape, or not as many labels as rows or amounts as columns.
    """
    if panels.ndim != 5 or 0 in panels.shape:
        raise ValueError(f"panels must have the shape (R, A, C, H, W), got {tuple(panels.shape)}")
    if (len(rows), len(amounts)) != tuple(panels.shape[:2]):
        raise ValueError(f"panels are {tuple(panels.shape[:2])}, got {len(rows)} row labels and {len(amounts)} amounts")
    if captions is not None and [len(row) for row in captions] != [len(amounts)] * len(rows):
        raise ValueError(f"captions must be {len(rows)} rows of {len(amounts)}, got {[len(row) for row in captions]}")
    panels = shrunk(panels)
    with style.look():
        layout = _Layout.of(panels, rows, title, [AXIS, *note.splitlines()], captions or [])
        figure = style.figure(layout.width / style.DPI, layout.height / style.DPI)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        _images(axes, panels, layout)
        _labels(axes, amounts, layout)
        axes.set(xlim=(0, layout.width), ylim=(layout.height, 0), aspect="auto")
    return figure


def label(amount: float) -> str:
    """An amount with its sign; a true minus, since a hyphen is too short beside a plus.

    >>> label(-1.5), label(2), label(0.0)
    ('−1.5', '+2', '0')
    """
    return "0" if amount == 0 else f"{amount:+.3g}".replace("-", "−")


@dataclass(frozen=True)
class _Layout:
    """Where everything goes, in dots from the top left corner."""

    cell: tuple[int, int]  # width, height
    pitch: int  # from row to row
    left: int
    top: int
    width: int
    height: int
    title: str
    rows: list[list[str]]
    footer: list[str]
    captions: Sequence[Sequence[str]]

    @classmethod
    def of(
        cls, panels: Tensor, rows: Sequence[str], title: str, footer: list[str], captions: Sequence[Sequence[str]]
    ) -> _Layout:
        count, columns, _, h, w = panels.shape
        factor = max(1, round(CELL / max(h, w)))
        cell = (w * factor, h * factor)
        lines = [_wrapped(row, cell[1]) for row in rows]
        labels = max(
            (wide(part, "bold" if i == 0 else "normal") for row in lines for i, part in enumerate(row)), default=0
        )
        left = PAD + labels + (GAP * 2 if labels else 0)
        grid = columns * cell[0] + (columns - 1) * GAP
        footer = [part for text in footer for part in fitted(text, grid)]
        top = PAD + (line(style.TITLE) + GAP if title else 0) + line(style.NORMAL) + GAP
        below = sum(line(style.SMALL) for _ in footer) + GAP
        right = max(
            [left + grid, PAD + wide(title, "bold", style.TITLE), *(left + wide(f, size=style.SMALL) for f in footer)]
        )
        pitch = cell[1] + GAP + (line(style.SMALL) if captions else 0)
        height = top + count * pitch + below + PAD
        return cls(cell, pitch, left, top, right + PAD, height, title, lines, footer, captions)

    def corner(self, row: int, column: int) -> tuple[int, int]:
        return self.left + column * (self.cell[0] + GAP), self.top + row * self.pitch


def _images(axes: Axes, panels: Tensor, layout: _Layout) -> None:
    from matplotlib.patches import Rectangle

    width, height = layout.cell
    for i, row in enumerate(panels):
        for j, image in enumerate(row):
            x, y = layout.corner(i, j)
            box = (x, x + width, y + height, y)
            axes.imshow(style.pixels(image), extent=box, interpolation="nearest")
            axes.add_patch(Rectangle((x, y), width, height, fill=False, edgecolor=style.LINE, linewidth=0.4))


def _labels(axes: Axes, amounts: Sequence[float], layout: _Layout) -> None:
    from matplotlib.patches import Rectangle

    width, height = layout.cell
    bottom = layout.corner(len(layout.rows), 0)[1] - GAP
    if layout.title:
        axes.text(PAD, PAD, layout.title, size=style.TITLE, weight="bold", va="top")
    for j, amount in enumerate(amounts):
        x, y = layout.corner(0, j)
        still = amount == 0
        look: dict[str, Any] = {"color": style.ACCENT, "weight": "bold"} if still else {"color": style.INK}
        axes.text(x + width / 2, y - GAP, "unedited" if still else label(amount), ha="center", va="bottom", **look)
        if still:
            frame = (x - GAP / 2, y - GAP / 2), width + GAP, bottom - y + GAP
            axes.add_patch(Rectangle(*frame, fill=False, edgecolor=style.ACCENT, linewidth=1.4, zorder=3))
    for i, lines in enumerate(layout.rows):
        middle = layout.corner(i, 0)[1] + height / 2 - line(style.NORMAL) * (len(lines) - 1) / 2
        for k, part in enumerate(lines):
            look = {"weight": "bold"} if k == 0 else {"color": style.MUTED}
            axes.text(layout.left - 2 * GAP, middle + k * line(style.NORMAL), part, ha="right", va="center", **look)
    for i, captions in enumerate(layout.captions):
        for j, caption in enumerate(captions):
            x, y = layout.corner(i, j)
            axes.text(x + width / 2, y + height + GAP / 2, caption, size=style.SMALL, ha="center", va="top")
    for k, part in enumerate(layout.footer):
        y = bottom + 2 * GAP + k * line(style.SMALL)
        axes.text(layout.left, y, part, size=style.SMALL, color=style.MUTED, va="top")


def _wrapped(text: str, height: int) -> list[str]:
    """Lines of at most `WRAP` characters, as many as fit beside ``height`` dots; an ellipsis marks a cut."""
    lines = [row for part in text.splitlines() for row in textwrap.wrap(part, WRAP)]
    room = max(1, height // line(style.NORMAL))
    return lines if len(lines) <= room else [*lines[: room - 1], lines[room - 1][: WRAP - 1] + "…"]


def fitted(text: str, width: int) -> list[str]:
    """Lines of small print that are about ``width`` dots wide; a single long word may be wider."""
    letters = max(20, int(len(text) * width / max(1, wide(text, size=style.SMALL))))
    return textwrap.wrap(text, letters)


def line(points: float) -> int:
    """Dots from one line of text to the next."""
    return round(points * LINE_HEIGHT * style.DPI / 72)


def wide(text: str, weight: str = "normal", size: float = style.NORMAL) -> int:
    """Width of a text in dots."""
    return round(style.extent(text, size, weight)[0] * style.DPI) + 1 if text else 0


def shrunk(panels: Tensor, largest: int = LARGEST) -> Tensor:
    """Panels (R, A, C, H, W) whose longer side is at most ``largest`` pixels."""
    rows, columns, channels, h, w = panels.shape
    if max(h, w) <= largest:
        return panels
    size = (max(1, round(h * largest / max(h, w))), max(1, round(w * largest / max(h, w))))
    small = interpolate(panels.detach().flatten(0, 1), size, mode="bilinear", antialias=True)
    return small.reshape(rows, columns, channels, *size)
