"""Curves of a training: what is drawn lies where the numbers say, bands where thresholds are, and no text is cut."""

from __future__ import annotations

import numpy as np
import pytest

from ganexplain.figures import curves, style
from ganexplain.figures.curves import Band, Chart, Line, Mark, Rule, Span
from ganexplain.figures.shares import shares_figure

STEPS = np.arange(0.0, 101.0, 10.0)
SPAN = Span(0.0, 100.0, (Mark(30, "resume"), Mark(50, "skipped"), Mark(70, "diverged")))


def line(values, **more) -> Line:
    return Line("samples", "first", STEPS, np.asarray(values, dtype=float) * np.ones(11), **more)


def drawn(chart: Chart):
    return curves.curves_figure(chart, SPAN).axes[0]


def test_values_marks_and_names_are_where_they_belong() -> None:
    axes = drawn(Chart("ratio", [line(STEPS)], rules=[Rule(40.0, "alike")]))
    by_name = {artist.get_label(): artist for artist in axes.lines}
    assert by_name["samples"].get_ydata().tolist() == STEPS.tolist()
    assert by_name["resume"].get_xdata() == [30, 30]
    assert by_name["diverged"].get_xdata() == [70, 70]
    assert list(by_name["skipped"].get_xdata()) == [50]
    assert [t.get_text() for t in axes.get_legend().get_texts()] == ["samples", "resume", "diverged", "skipped"]
    assert "alike" in [t.get_text() for t in axes.texts]
    assert axes.get_xlim() == (0, 100)


@pytest.mark.parametrize(("above", "ends"), [(True, (60, 110)), (False, (-10, 60))])
def test_a_band_reaches_from_its_threshold_to_the_end(above: bool, ends: tuple[float, float]) -> None:
    axes = drawn(Chart("ratio", [line(STEPS)], [Band(60, "warn", above)], bounds=(-10, 110)))
    (band,) = axes.patches
    assert (band.get_y(), band.get_y() + band.get_height()) == pytest.approx(ends)
    assert f"warn {'above' if above else 'below'} 60" in [t.get_text() for t in axes.texts]


def test_what_warns_is_in_sight_and_what_fails_far_away_is_not() -> None:
    chart = Chart("ratio", [line(0.01)], [Band(0.3, "warn"), Band(40, "fail")], zero=True)
    low, high = curves.extremes(chart)
    assert (low, high) == (0.0, 0.3)
    assert [t.get_text() for t in drawn(chart).texts] == ["warn above 0.3"]


def test_an_axis_is_logarithmic_where_values_range_over_a_decade() -> None:
    assert drawn(Chart("FD", [line(np.geomspace(1, 1000, 11))], log=True)).get_yscale() == "log"
    assert drawn(Chart("FD", [line(np.linspace(1, 2, 11))], log=True)).get_yscale() == "linear"


def test_gaps_and_single_values_are_drawn() -> None:
    values = np.full(11, np.nan)
    values[4] = 2.0
    axes = drawn(Chart("loss", [line(values, dots=True)]))
    low, high = axes.get_ylim()
    assert low < 2 < high
    with pytest.raises(ValueError, match="finite value"):
        drawn(Chart("loss", [line(np.nan)]))


def test_no_text_is_cut_and_the_bytes_are_the_same() -> None:
    names = ("precision", "recall", "density", "coverage")
    lines = [
        Line(name, look, STEPS, STEPS / 100)
        for name, look in zip(names, ("first", "second", "third", "fourth"), strict=True)
    ]
    bands = [Band(0.95, "warn"), Band(0.995, "fail"), Band(0.3, "warn", above=False)]
    chart = Chart("share (density: ratio)", lines, bands, [Rule(0.99, "ceiling: noise"), Rule(0.01, "floor: reals")])
    assert style.outside(curves.curves_figure(chart, SPAN)) == []
    wide = Chart("squared slope", [line(np.geomspace(1e-7, 1e6, 11))], log=True)
    assert style.outside(curves.curves_figure(wide, Span(0, 12_345_678))) == []
    assert style.png(curves.curves_figure(chart, SPAN)) == style.png(curves.curves_figure(chart, SPAN))


@pytest.mark.parametrize("n", [2, 40])
def test_a_strip_of_classes(n: int) -> None:
    names = [f"class number {i}" for i in range(n)]
    shares = np.full((3, n), 1 / n)
    shares[1], shares[1, 1] = 0.0, 1.0
    figure = shares_figure(names, np.array([10.0, 50.0, 100.0]), shares, SPAN, 50)
    assert style.outside(figure) == []
    (mesh,) = figure.axes[0].collections
    assert mesh.get_array().shape == (n, 3)
    assert np.argmax(mesh.get_array()[:, 1]) == 1
    with pytest.raises(ValueError, match=r"\(3, 2\)"):
        shares_figure(["a", "b"], np.arange(3.0), shares[:, :1], SPAN)
