"""The figure of a patch map shows the numbers that it was given, to scale."""

import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex

from ganexplain.figures import style
from ganexplain.figures.patches import patch_figure
from ganexplain.models.patches import PatchMap, placed

BOXES = torch.tensor([[[0, 0, 6, 8], [0, 6, 6, 14]], [[4, 0, 10, 8], [4, 6, 10, 14]]])
IMAGE = torch.linspace(-1, 1, 12 * 16).view(1, 12, 16)


def of(logits: torch.Tensor, boxes: torch.Tensor = BOXES, **facts) -> PatchMap:
    return PatchMap(logits, placed(logits, boxes, (12, 16)).float(), boxes, facts.pop("whole", False), **facts)


def texts(figure) -> list[str]:
    return [t.get_text() for a in figure.axes for t in (*a.texts, *a.get_xticklabels())] + [
        t.get_text() for t in figure.texts
    ]


def test_colours_are_one_scale_about_the_threshold():
    found = of(torch.tensor([[-3.0, 1.0], [2.0, 0.0]]), threshold=0.5, unit="score", size=(6, 8))
    figure = patch_figure(found, IMAGE)
    shown = figure.axes[1].images[0]
    np.testing.assert_allclose(shown.get_array().filled(9), (found.placed - 0.5).nan_to_num(9), atol=1e-6)
    assert shown.get_clim() == (-3.5, 3.5)
    assert {"−3.00", "0.50", "4.00", "score", "← fake", "real →"} <= set(texts(figure))
    assert "a patch: 6 × 8 pixels" in texts(figure)
    assert style.outside(figure) == []
    assert style.png(patch_figure(found, IMAGE)) == style.png(figure)


def test_frames_are_the_boxes_of_the_most_fake_and_the_most_real_patch():
    figure = patch_figure(of(torch.tensor([[1.0, -3.0], [2.0, 0.0]]), size=(6, 8)), IMAGE)
    for axes in figure.axes[:2]:
        frames = [p for p in axes.patches if not p.get_fill()]
        drawn = {to_hex(p.get_edgecolor()): (p.get_xy(), p.get_width(), p.get_height()) for p in frames}
        assert drawn[style.FAKE] == ((5.5, -0.5), 8, 6)
        assert drawn[style.REAL] == ((-0.5, 3.5), 8, 6)
        assert [t.get_text() for t in axes.texts] == ["−3.00", "2.00"]


def test_a_field_is_drawn_to_scale():
    figure = patch_figure(of(torch.tensor([[1.0, -3.0], [2.0, 0.0]]), size=(6, 8)), IMAGE)
    panel = figure.axes[0].get_position()
    line = next(a for a in figure.artists if a.get_ydata()[0] == a.get_ydata()[1])
    left, right = line.get_xdata()
    assert left == pytest.approx(panel.x0)
    assert right - left == pytest.approx(panel.width / 2)  # 8 of 16 pixels


def test_extreme_maps():
    corner = torch.tensor([[[0, 0, 1, 1], [0, 15, 1, 16]], [[11, 0, 12, 1], [11, 15, 12, 16]]])
    small = torch.tensor([[-1e-5, 2e3], [0.0, -4e4]])
    cases = [
        (torch.zeros(2, 2), BOXES, False, None),
        (small, corner, True, 0.9),
        (torch.full((2, 2), 7.0), torch.zeros_like(BOXES), True, None),
    ]
    for logits, boxes, whole, inside in cases:
        figure = patch_figure(of(logits, boxes, size=(1, 1), whole=whole, inside=inside), IMAGE)
        assert style.outside(figure) == []
        said = next(t for t in texts(figure) if t.startswith("a patch"))
        assert ("all" in said) == whole


def test_one_patch_and_another_image():
    one = of(torch.tensor([[2.0]]), torch.tensor([[[0, 0, 12, 16]]]), size=(12, 16))
    assert patch_figure(one, IMAGE).axes[1].get_title() == "what one patch says"
    with pytest.raises(ValueError, match=r"an image of \(12, 16\) pixels, got \(5, 5\)"):
        patch_figure(one, torch.zeros(1, 5, 5))
