"""Strips of several sets of directions side by side: a block a set, a row a direction, a column an amount."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor

from ganexplain.figures import style
from ganexplain.figures.strips import GAP, PAD, fitted, label, line, shrunk, wide

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CELL = 76  # dots a panel aims at
LARGEST = 112  # dots; larger images are shrunk
TIGHT = 2  # dots between the panels of a row
BETWEEN = 30  # dots between blocks
AXIS = "edit along the direction, in standard deviations; every block starts from the same image"


@dataclass(frozen=True)
class Block:
    """One set of directions.

    Attributes:
        title: what the set is called.
        subtitle: one line about the whole set.
        panels: (R, A, C, H, W) in [-1, 1].
        rows: R labels; what is before a tab is bold, what is behind it is not, and stands at the right or, where a row
            is too narrow for both, on a second line.
    """

    title: str
    subtitle: str
    panels: Tensor
    rows: Sequence[str]


def blocks(given: Sequence[Block], amounts: Sequence[float], *, title: str = "", note: str = "") -> Figure:
    """Draw the blocks from left to right; a text that is wider than its block ends in an ellipsis.

    Args:
        given: the blocks; they may have different numbers of rows, but images of one size.
        amounts: A amounts of the edit; 0 marks the unedited column.
        title: one line above.
        note: small print below, wrapped to the width of the images.

    Raises:
        ValueError: no block, or panels that do not fit their labels, the amounts or one another.
    """
    if not given:
        raise ValueError("there is nothing to compare; give at least one set of directions")
    for block in given:
        if block.panels.ndim != 5 or 0 in block.panels.shape:
            raise ValueError(f"panels must have the shape (R, A, C, H, W), got {tuple(block.panels.shape)}")
        if tuple(block.panels.shape[:2]) != (len(block.rows), len(amounts)):
            raise ValueError(
                f"the panels of {block.title!r} are {tuple(block.panels.shape[:2])}, got {len(block.rows)} labels and "
                f"{len(amounts)} amounts"
            )
        if block.panels.shape[2:] != given[0].panels.shape[2:]:
            raise ValueError(f"the images of {block.title!r} differ in size from those of {given[0].title!r}")
    panels = [shrunk(block.panels, LARGEST) for block in given]
    with style.look():
        layout = _Layout.of(panels, given, title, [AXIS, *note.splitlines()])
        figure = style.figure(layout.width / style.DPI, layout.height / style.DPI)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        if title:
            axes.text(PAD, PAD, title, size=style.TITLE, weight="bold", va="top")
        for k, block in enumerate(given):
            _heading(axes, block, k, amounts, layout)
            for i, row in enumerate(block.rows):
                _row(axes, panels[k][i], row, (k, i), layout)
        for k, text in enumerate(layout.footer):
            y = layout.foot + k * line(style.SMALL)
            axes.text(PAD, y, text, size=style.SMALL, color=style.MUTED, va="top")
        axes.set(xlim=(0, layout.width), ylim=(layout.height, 0), aspect="auto")
    return figure


@dataclass(frozen=True)
class _Layout:
    """Where everything goes, in dots from the top left corner."""

    cell: tuple[int, int]  # width, height
    block: int  # width
    label: int  # height of a row's label
    top: int  # of the blocks
    first: int  # of the first row's label
    pitch: int  # from row to row
    foot: int
    width: int
    height: int
    footer: list[str]

    @classmethod
    def of(cls, panels: Sequence[Tensor], given: Sequence[Block], title: str, footer: list[str]) -> _Layout:
        h, w = panels[0].shape[3:]
        factor = max(1, round(CELL / max(h, w)))
        cell = (w * factor, h * factor)
        columns = panels[0].shape[1]
        block = columns * cell[0] + (columns - 1) * TIGHT
        grid = len(given) * block + (len(given) - 1) * BETWEEN
        top = PAD + (line(style.TITLE) + GAP if title else 0)
        first = top + line(style.TITLE) + line(style.SMALL) + line(style.SMALL) + GAP
        halves = [row.partition("\t") for b in given for row in b.rows]
        two = any(wide(name, "bold") + GAP + wide(rest, size=style.SMALL) > block for name, _, rest in halves if rest)
        above = line(style.NORMAL) + (line(style.SMALL) if two else 0)
        pitch = above + cell[1] + GAP
        foot = first + max(len(b.rows) for b in given) * pitch + GAP
        lines = [part for text in footer for part in fitted(text, grid)]
        texts = [wide(title, "bold", style.TITLE), *(wide(text, size=style.SMALL) for text in lines)]
        width = PAD + max([grid, *texts]) + PAD
        height = foot + len(lines) * line(style.SMALL) + PAD
        return cls(cell, block, above, top, first, pitch, foot, width, height, lines)

    def corner(self, block: int, row: int, column: int) -> tuple[int, int]:
        """Of a panel; its row's label stands above it."""
        x = PAD + block * (self.block + BETWEEN) + column * (self.cell[0] + TIGHT)
        return x, self.first + row * self.pitch + self.label


def _heading(axes: Axes, block: Block, k: int, amounts: Sequence[float], layout: _Layout) -> None:
    from matplotlib.patches import Rectangle

    left, width = layout.corner(k, 0, 0)[0], layout.cell[0]
    name = _cut(block.title, layout.block, "bold", style.TITLE)
    axes.text(left, layout.top, name, size=style.TITLE, weight="bold", va="top")
    about = _cut(block.subtitle, layout.block, size=style.SMALL)
    axes.text(left, layout.top + line(style.TITLE), about, size=style.SMALL, color=style.MUTED, va="top")
    y = layout.first - GAP
    for j, amount in enumerate(amounts):
        x = layout.corner(k, 0, j)[0]
        look: dict[str, Any] = {"color": style.ACCENT, "weight": "bold"} if amount == 0 else {"color": style.INK}
        axes.text(x + width / 2, y, label(amount), size=style.SMALL, ha="center", va="bottom", **look)
        if amount == 0:
            for i in range(len(block.rows)):
                corner = layout.corner(k, i, j)
                frame = Rectangle(corner, *layout.cell, fill=False, edgecolor=style.ACCENT, linewidth=1.4, zorder=3)
                axes.add_patch(frame)


def _row(axes: Axes, panels: Tensor, text: str, place: tuple[int, int], layout: _Layout) -> None:
    width, height = layout.cell
    x, y = layout.corner(*place, 0)
    name, _, rest = text.partition("\t")
    name, rest = _cut(name, layout.block, "bold"), _cut(rest, layout.block, size=style.SMALL)
    two = layout.label > line(style.NORMAL)
    base = y - line(style.NORMAL) * 0.25
    axes.text(x, base - line(style.SMALL) * two, name, weight="bold", va="baseline")
    end: dict[str, Any] = {"x": x} if two else {"x": x + layout.block, "ha": "right"}
    axes.text(y=base, s=rest, size=style.SMALL, color=style.MUTED, va="baseline", **end)
    for j, image in enumerate(panels):
        x, y = layout.corner(*place, j)
        axes.imshow(style.pixels(image), extent=(x, x + width, y + height, y), interpolation="nearest")


def _cut(text: str, room: int, weight: str = "normal", size: float = style.NORMAL) -> str:
    """As much of a text as fits into ``room`` dots; an ellipsis marks a cut, and nothing is left where none fits."""
    if wide(text, weight, size) <= room:
        return text
    while text and wide(text + "…", weight, size) > room:
        text = text[:-1]
    return f"{text.rstrip()}…" if text else ""
