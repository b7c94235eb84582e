"""Strips side by side: every image drawn once, no text cut or covered, refusals."""

from __future__ import annotations

import pytest
import torch

from ganexplain import tensors
from ganexplain.figures import style
from ganexplain.figures.blocks import Block, blocks

LONG = "a direction with a very long name indeed\t1,243 · = another finder 12 · logit −0.123"


def panels(rows: int, columns: int, channels: int = 1, side: int = 8) -> torch.Tensor:
    return tensors.normal(rows, "panels", shape=(rows, columns, channels, side, side)).tanh()


@pytest.mark.parametrize(("channels", "side"), [(1, 8), (1, 28), (3, 64), (3, 200)])
def test_an_image_a_panel_and_no_text_cut_or_covered(channels: int, side: int) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    given = [
        Block("sefa", "eigenvalue; 2 of 2 stand out", panels(2, 3, channels, side), ["direction 0\t4.2", LONG]),
        Block("a set with a name as long as that", "x" * 90, panels(1, 3, channels, side), ["$x^2$ & <b>"]),
    ]
    figure = blocks(given, (-2, 0, 2), title="one image", note="small print " * 30)
    axes = figure.axes[0]
    assert len(axes.images) == 6 + 3
    assert style.outside(figure) == []
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    boxes = [(t.get_text(), t.get_window_extent(canvas.get_renderer())) for t in axes.texts if t.get_text()]
    pictures = [image.get_window_extent(canvas.get_renderer()) for image in axes.images]
    for i, (text, box) in enumerate(boxes):
        assert not any(_overlap(box, other) > 6 for other in pictures), text
        assert not any(_overlap(box, other) > 6 for _, other in boxes[:i]), text
    said = " ".join(text for text, _ in boxes)
    assert "…" in said  # what is too long is cut, visibly
    assert "direction 0" in said
    assert "4.2" in said
    assert said.count("−2") == said.count("+2") == 2


def _overlap(a, b) -> float:  # type: ignore[no-untyped-def]
    width = min(a.x1, b.x1) - max(a.x0, b.x0)
    height = min(a.y1, b.y1) - max(a.y0, b.y0)
    return max(width, 0) * max(height, 0)


def test_the_unedited_panels_alone_are_framed() -> None:
    def frames(amounts: tuple[float, ...]) -> int:
        figure = blocks([Block("a", "", panels(3, len(amounts)), ["x", "y", "z"])], amounts)
        return len(figure.axes[0].patches)

    assert frames((-1, 0, 1)) == 3
    assert frames((1, 2)) == 0


def test_same_input_same_bytes() -> None:
    given = [Block("a", "b", panels(2, 2), ["x\t1", "y\t2"])]
    assert style.png(blocks(given, (0, 1))) == style.png(blocks(given, (0, 1)))


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing to compare"):
        blocks([], (0,))
    with pytest.raises(ValueError, match=r"\(R, A, C, H, W\)"):
        blocks([Block("a", "", torch.zeros(2, 1, 8, 8), ["x", "y"])], (0,))
    with pytest.raises(ValueError, match=r"'a' are \(2, 2\), got 1 labels and 2 amounts"):
        blocks([Block("a", "", panels(2, 2), ["x"])], (0, 1))
    with pytest.raises(ValueError, match="differ in size"):
        blocks([Block("a", "", panels(1, 1), ["x"]), Block("b", "", panels(1, 1, side=9), ["x"])], (0,))
