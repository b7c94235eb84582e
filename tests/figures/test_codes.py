"""Bars of latent directions: order, marks, values in place, nothing clipped."""

from __future__ import annotations

import pytest
import torch

from ganexplain.figures import style
from ganexplain.figures.codes import Bar, codes_figure
from ganexplain.tensors import normal


def made(n: int = 4, side: int = 8, **given: object) -> list[Bar]:
    image = normal(1, "bars", shape=(n, 1, side, side)).clamp(-1, 1)
    values = [0.4, -1.2, 0.1, -0.3]
    names = ["sefa 0", "how long the sleeves are and how wide the collar stands", "sefa 2", "the rest"]
    return [Bar(names[i], values[i], image[i], 0.1 * i, error=0.05, rest=names[i] == "the rest") for i in range(n)]


def test_the_largest_is_on_top_and_the_rest_below_all_others() -> None:
    figure = codes_figure(torch.zeros(1, 8, 8), made(), unit="logit", logit=-1.5, note="from 32 random codes")
    axes = figure.axes[0]
    labels = [tick.get_text() for tick in axes.get_yticklabels()]
    assert labels == ["how long the sleeves are\nand how wide the collar …", "sefa 0", "sefa 2", "the rest"]
    widths = [patch.get_width() for patch in axes.patches]
    assert widths == [-1.2, 0.4, 0.1, -0.3]
    assert [bool(patch.get_hatch()) for patch in axes.patches] == [False, False, False, True]
    texts = [text.get_text() for text in figure.texts]
    assert "logit −1.50 → +0.10" in texts
    assert len(figure.axes) == 1 + 2 * 4
    assert style.outside(figure) == []
    assert style.png(figure) == style.png(
        codes_figure(torch.zeros(1, 8, 8), made(), unit="logit", logit=-1.5, note="from 32 random codes")
    )


def test_the_images_are_those_of_their_rows() -> None:
    bars = made()
    figure = codes_figure(torch.zeros(1, 8, 8), bars, unit="score", logit=0.0)
    shown = [axes.images[0].get_array() for axes in figure.axes[1:]]
    assert (shown[1] == style.pixels(bars[1].without)).all()
    assert (shown[2] == style.pixels(torch.zeros(1, 8, 8))).all()
    assert (shown[7] == style.pixels(bars[3].without)).all()


def test_bad_input_gets_one_sentence() -> None:
    with pytest.raises(ValueError, match="at least one direction and at most one rest, got 0"):
        codes_figure(torch.zeros(1, 8, 8), [], unit="logit", logit=0.0)
    with pytest.raises(ValueError, match=r"without 'sefa 0' must have the shape \(1, 9, 9\), got \(1, 8, 8\)"):
        codes_figure(torch.zeros(1, 9, 9), made(), unit="logit", logit=0.0)
