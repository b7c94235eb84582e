"""Figures of the doctor: everything drawn once, no text cut, refusals."""

from __future__ import annotations

import pytest
import torch

from ganexplain import tensors
from ganexplain.figures import doctor, style

AREAS = {"declared": 0.41, "[0, 1]": 0.98, "LeakyReLU 0.2, a name of unusual length": 0.7}
FITS = {"declared": (1.5, 2.0, 2.8), "[0, 1]": (0.03, 0.05, 0.06), "[0, 255]": (3.0, 3.0, 3.0)}


def test_histograms_share_an_axis_and_count_every_image() -> None:
    logits = {name: tuple(tensors.normal(i, name, shape=(50,)).tolist()) for i, name in enumerate(doctor.COLOURS)}
    logits["noise"] = tuple(v * 1000 for v in logits["noise"])  # what lies beyond is counted at the edge
    figure = doctor.logits_figure(logits, 0.3, "score")
    assert len(figure.axes) == 3
    assert len({axes.get_xlim() for axes in figure.axes}) == 1
    for axes in figure.axes:
        assert sum(patch.get_height() for patch in axes.patches) == 50
        assert list(axes.lines[0].get_xdata()) == [0.3, 0.3]
    assert style.outside(figure) == []


@pytest.mark.parametrize("threshold", [-1e4, 0.0, 1e4])
def test_a_threshold_far_away_and_equal_logits_fit_the_page(threshold: float) -> None:
    assert style.outside(doctor.logits_figure({"reals": (2.0,) * 9}, threshold, "logit")) == []


@pytest.mark.parametrize(("areas", "fits", "panels"), [(AREAS, FITS, 2), (AREAS, {}, 1), ({}, FITS, 1)])
def test_a_bar_a_reading_and_the_best_is_marked(areas, fits, panels) -> None:  # type: ignore[no-untyped-def]
    figure = doctor.readings_figure(areas, fits)
    assert len(figure.axes) == panels
    for axes, values in zip(figure.axes, [part for part in (areas, fits) if part], strict=True):
        assert len(axes.patches) == len(values)
        marked = [patch for patch in axes.patches if patch.get_facecolor()[:3] != axes.patches[0].get_facecolor()[:3]]
        assert len(marked) == 1
    assert style.outside(figure) == []


def test_layers_of_the_declared_and_the_best_readings() -> None:
    many = FITS | {f"other {i}": (0.5, 0.5, 0.6 + i) for i in range(9)}
    figure = doctor.layers_figure(many, ("main.3", "main.6", "a.layer.with.a.long.name"))
    lines = figure.axes[0].lines
    assert len(lines) == doctor.MOST
    labels = [line.get_label() for line in lines]
    assert labels[0] == "[0, 1]"
    assert "declared" in labels
    assert list(lines[0].get_ydata()) == list(FITS["[0, 1]"])
    assert style.outside(figure) == []
    wide = {"declared": tuple(0.1 for _ in range(53))}
    assert style.outside(doctor.layers_figure(wide, tuple(f"layer{i}" for i in range(53)))) == []


@pytest.mark.parametrize(("channels", "given"), [(1, (8, 8)), (3, (8, 0)), (4, (0, 3)), (6, (2, 5))])
def test_every_image_is_shown(channels: int, given: tuple[int, int]) -> None:
    images = torch.linspace(-1, 1, 64).view(1, 1, 8, 8).expand(sum(given), channels, 8, 8)
    figure = doctor.seen_figure(images, (0.0, 255.0), given)
    assert sum(len(axes.images) for axes in figure.axes) == sum(given)
    assert "0 (black) to 255 (white)" in " ".join(text.get_text() for text in figure.texts)
    assert style.outside(figure) == []


def test_same_numbers_same_bytes() -> None:
    first, second = (style.png(doctor.readings_figure(AREAS, FITS)) for _ in range(2))
    assert first == second


def test_nothing_to_draw_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one kind"):
        doctor.logits_figure({}, 0.0, "logit")
    with pytest.raises(ValueError, match="need an AUC or a BatchNorm distance"):
        doctor.readings_figure({}, {})
    with pytest.raises(ValueError, match="one distance for each of the 2 layers"):
        doctor.layers_figure(FITS, ("a", "b"))
