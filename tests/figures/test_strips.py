"""Strips and the figures beside them: as many panels as images, no text cut, the same bytes again."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ganexplain import tensors
from ganexplain.figures import style
from ganexplain.figures.spectrum import spectrum
from ganexplain.figures.strips import label, strips

LONG = (
    "a direction whose name is far longer than anybody would want it to be, again and again\nlogit +0.42 ± 0.03 per sd"
)


def panels(rows: int, columns: int, channels: int, side: int) -> torch.Tensor:
    return tensors.normal(0, "panels", shape=(rows, columns, channels, side, side)).tanh()


@pytest.mark.parametrize(("channels", "side"), [(1, 4), (1, 28), (3, 64), (3, 300)])
@pytest.mark.parametrize("captioned", [False, True])
@pytest.mark.parametrize("name", ["code 0", "$x^2$ & <b>", LONG])
def test_a_panel_an_image_and_no_text_beyond_the_edge(channels: int, side: int, captioned: bool, name: str) -> None:
    captions = [["+1.25"] * 3] * 2 if captioned else None
    figure = strips(
        panels(2, 3, channels, side), (-1.5, 0, 1.5), [name, "b"], title=name[:60], note="n " * 90, captions=captions
    )
    assert len(figure.axes[0].images) == 6
    assert style.outside(figure) == []
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert {"−1.5", "unedited", "+1.5"} <= set(texts)
    assert texts.count("+1.25") == (6 if captioned else 0)


def test_texts_do_not_cover_images_or_each_other() -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    captions = [["−12.345"] * 3] * 2
    figure = strips(panels(2, 3, 1, 28), (-1.5, 0, 1.5), [LONG, LONG], title="t", note="n " * 90, captions=captions)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    axes = figure.axes[0]
    boxes = [text.get_window_extent(canvas.get_renderer()) for text in axes.texts]
    pictures = [image.get_window_extent(canvas.get_renderer()) for image in axes.images]
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in pictures), axes.texts[i].get_text()
        assert not any(_area(box, other) > 4 for other in boxes[:i]), axes.texts[i].get_text()


def _area(a, b) -> float:  # type: ignore[no-untyped-def]
    width = min(a.x1, b.x1) - max(a.x0, b.x0)
    height = min(a.y1, b.y1) - max(a.y0, b.y0)
    return max(width, 0) * max(height, 0)


def test_pixels_are_enlarged_as_whole_squares() -> None:
    image = panels(1, 1, 1, 28)
    drawn = _decoded(style.png(strips(image, (1.0,), ["a"])))
    expected = style.pixels(image[0, 0]).repeat(5, 0).repeat(5, 1)  # 140 dots for 28 pixels
    height, width = drawn.shape[:2]
    inner = expected[5:-5, 5:-5]  # the frame covers the edge
    found = any(
        np.array_equal(drawn[y : y + 130, x : x + 130], inner) for y in range(height - 130) for x in range(width - 130)
    )
    assert found


def _decoded(data: bytes) -> np.ndarray:
    import io

    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def test_the_unedited_column_alone_is_framed() -> None:
    def frames(amounts: tuple[float, ...]) -> int:
        figure = strips(panels(2, len(amounts), 1, 8), amounts, ["a", "b"])
        return sum(patch.get_edgecolor()[:3] == _rgb(style.ACCENT) for patch in figure.axes[0].patches)

    assert frames((-1, 0, 1)) == 1
    assert frames((1, 2)) == 0


def _rgb(colour: str) -> tuple[float, ...]:
    return tuple(int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))


def test_same_input_same_bytes_whatever_the_users_settings_are() -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    plain = style.png(strips(panels(1, 3, 1, 8), (-1, 0, 1), ["a"], title="t"))
    assert dict(matplotlib.rcParams) == before
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red", "image.origin": "lower", "savefig.dpi": 20}):
        assert style.png(strips(panels(1, 3, 1, 8), (-1, 0, 1), ["a"], title="t")) == plain
    assert b"Software" not in plain


def test_the_check_for_cut_text_finds_cut_text() -> None:
    with style.look():
        figure = style.figure(2, 1)
        figure.text(0.1, 0.5, "inside")
        figure.text(0.9, 0.5, "beyond the edge")
    assert style.outside(figure) == ["beyond the edge"]


@pytest.mark.parametrize(
    "values", [[900.0, 100.0, 20.0, 5.0], [3.0], [50.0, 0.0, 0.0], [1e-9, 1e-12], list(range(512, 0, -1))]
)
def test_an_eigenvalue_profile_cuts_no_text(values: list[float]) -> None:
    figure = spectrum(values, 30.0, min(2, len(values)), title="2 of 512 directions stand out")
    assert style.outside(figure) == []
    axes = figure.axes[0]
    assert not any("$" in tick.get_text() for tick in (*axes.get_yticklabels(), *axes.get_yticklabels(minor=True)))
    low, high = axes.get_ylim()
    assert low < 30.0 < high
    assert style.png(figure)


def test_amounts_read_well() -> None:
    assert [label(a) for a in (-3.0, -0.5, 0.0, 1.0, 2.25)] == ["−3", "−0.5", "0", "+1", "+2.25"]


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(R, A, C, H, W\)"):
        strips(torch.zeros(2, 1, 8, 8), (0,), ["a", "b"])
    with pytest.raises(ValueError, match="got 1 row labels and 2 amounts"):
        strips(panels(2, 2, 1, 8), (0, 1), ["a"])
    with pytest.raises(ValueError, match="captions must be 1 rows of 2"):
        strips(panels(1, 2, 1, 8), (0, 1), ["a"], captions=[["x"]])
    with pytest.raises(ValueError, match="1, 3 or 4 channels"):
        strips(panels(1, 1, 2, 8), (0,), ["a"])


def test_small_print_wraps_and_does_not_widen_the_figure() -> None:
    plain, noted = (strips(panels(1, 5, 1, 28), range(-2, 3), ["a"], note=note) for note in ("", "some words " * 40))
    assert noted.get_size_inches()[0] == pytest.approx(plain.get_size_inches()[0], rel=0.03)
    assert noted.get_size_inches()[1] > plain.get_size_inches()[1]
