"""Figures of counterfactuals: nothing clipped, the factor stated, sides told by colour."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from matplotlib.text import Text

from ganexplain import tensors
from ganexplain.figures import style
from ganexplain.figures.counterfactuals import amplification, change_figure, path_figure, repair_figure

NOTE = "Changing 82 % of the numbers turns the verdict to real: the logit goes from −3.49 to −0.04. " * 3


def texts(figure: object) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text)]  # type: ignore[attr-defined]


@pytest.mark.parametrize("shape", [(1, 12, 12), (3, 12, 30), (3, 40, 12)])
def test_the_change_is_amplified_and_its_factor_stated(shape: tuple[int, ...]) -> None:
    before = 0.5 * tensors.normal(0, "x", shape=shape).clamp(-1, 1)
    after = before + 0.01 * tensors.normal(1, "d", shape=shape).sign()
    figure = change_figure(before, after, logits=(-3.49, -0.04), threshold=-0.05, note=NOTE)
    assert style.outside(figure) == []
    assert {"change × 100", "before: logit −3.49", "judged fake", "judged real"} <= set(texts(figure))
    shown = np.asarray(figure.axes[2].images[0].get_array()).astype(int)
    assert set(np.unique(shown)) <= {0, 1, 254, 255}  # full scale, rounding aside
    assert style.png(figure) == style.png(figure)


def test_a_sparse_strong_change_is_not_amplified_and_none_is_said() -> None:
    before = torch.zeros(1, 8, 8)
    after = before.clone()
    after[0, 2, 3] = 0.9
    assert amplification(before, after) == 1.0
    assert amplification(before, before + 0.03) == 20.0
    assert "change" in texts(change_figure(before, after, logits=(-1.0, 1.0), threshold=0.0))
    assert "no change" in texts(change_figure(before, before, logits=(-1.0, -1.0), threshold=0.0))
    with pytest.raises(ValueError, match="of one shape"):
        change_figure(before, torch.zeros(1, 8, 9), logits=(0.0, 0.0), threshold=0.0)


def test_the_way_and_the_steps_are_drawn_within_their_figures() -> None:
    path = path_figure([(t / 20, -4 + t / 4) for t in range(21)], threshold=0.5, unit="score")
    assert style.outside(path) == []
    assert "below 0.50: fake" in texts(path)
    steps = [("up to 1.75 cycles per image (period 16 px and longer)", -2.5), ("region 7 (centre)", 0.2)]
    repair = repair_figure(-3.5, steps, threshold=0.0, shares=[0.3, 0.45])
    assert style.outside(repair) == []
    assert {"as it is", "1. up to 1.75 cycles per image (period 16 px and longer)", "45 %"} <= set(texts(repair))
    colours = repair.axes[0].collections[-1].get_facecolor()
    assert colours[0][0] > colours[0][2]  # fake is red
    assert colours[-1][2] > colours[-1][0]  # real is blue
    assert style.outside(repair_figure(1.0, [], threshold=0.0)) == []
    with pytest.raises(ValueError, match="shares must be 2"):
        repair_figure(-3.5, steps, threshold=0.0, shares=[0.3])
    with pytest.raises(ValueError, match="at least two points"):
        path_figure([(0.0, 1.0)], threshold=0.0)
