"""Spectra, bands and profiles: what is drawn is what was given, at the right place, and no text is cut."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from matplotlib.collections import PolyCollection
from torch import Tensor

from ganexplain import Frequency, tensors
from ganexplain.attribution.domains._spectra import Transform
from ganexplain.figures import style
from ganexplain.figures.bands import BandRows, bands_figure
from ganexplain.figures.frequencies import radial_figure, spectrum_figure


def plane(kind: str, size: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor]:
    """Values and frequencies of a plane, ascending."""
    axes = [Transform(kind).frequencies(n).sort().values for n in size]
    return tensors.normal(0, kind, shape=size), axes[0], axes[1]


def rows(count: int, shape: tuple[int, ...], *, errors: bool = True) -> BandRows:
    facts = Frequency("fft", bands=max(2, count - 1), orientations=1).bands(64, 64).facts
    names = [fact["name"] + ", stripes 60 degrees steep /" * (i == 1) for i, fact in enumerate(facts)][:count]
    real = tensors.normal(1, "real", shape=(count,)).tolist()
    without = tensors.normal(2, "without", shape=(count, *shape)).tanh()
    return BandRows(names, real, without, [-12.345] * count, [0.1] * count if errors else None)


@pytest.mark.parametrize(
    ("kind", "size", "unit"),
    [
        ("dct", (8, 8), "logit"),
        ("fft", (28, 28), "(logit per unit)^2"),
        ("fft", (64, 64), "score"),
        ("dct", (16, 60), "logit per unit"),
        ("fft", (90, 30), "logit"),
        ("dct", (1, 7), "a.u."),
    ],
)
def test_a_spectrum_draws_its_values_where_they_are(kind: str, size: tuple[int, int], unit: str) -> None:
    values, down, across = plane(kind, size)
    figure = spectrum_figure(values, down, across, size=size, unit=unit, smooth=0)
    assert style.outside(figure) == []
    (drawn,) = figure.axes[0].images
    assert np.allclose(drawn.get_array(), values.numpy())
    left, right, bottom, top = drawn.get_extent()
    cell = (right - left) / size[1]
    for column in (0, size[1] - 1):  # a cell is centred on its cycles per image
        assert left + (column + 0.5) * cell == pytest.approx(float(across[column]) * size[1])
    assert bottom - (bottom - top) / size[0] / 2 == pytest.approx(float(down[-1]) * size[0])


def test_a_period_stands_where_its_cycles_do() -> None:
    values, down, across = plane("fft", (64, 64))
    figure = spectrum_figure(values, down, across, size=(64, 64), unit="logit")
    above = next(a for a in figure.axes if a.get_xlabel() == "period, px")
    ticks = dict(zip((t.get_text() for t in above.get_xticklabels()), above.get_xticks(), strict=True))
    assert {int(period): abs(place) for period, place in ticks.items()} == {2: 32, 4: 16, 8: 8}
    assert above.get_xlim() == figure.axes[0].get_xlim()


def test_red_is_fake_and_zero_is_white_in_a_spectrum() -> None:
    values, down, across = plane("fft", (16, 16))
    values = torch.zeros_like(values)
    values[:, :5], values[:, 11:] = -1, 1
    (drawn,) = spectrum_figure(values, down, across, size=(16, 16), unit="logit", smooth=0).axes[0].images
    red, white, blue = (drawn.to_rgba(drawn.get_array())[8, i] for i in (0, 8, 15))
    assert red[0] > red[2] + 0.2
    assert white[:3].tolist() == [1, 1, 1]
    assert blue[2] > blue[0] + 0.2


@pytest.mark.parametrize(
    ("shape", "count"), [((1, 28, 28), 9), ((3, 64, 64), 3), ((3, 256, 128), 1), ((1, 7, 90), 2), ((1, 8, 8), 1)]
)
def test_a_bar_and_a_picture_a_band(shape: tuple[int, ...], count: int) -> None:
    bands = rows(count, shape)
    image = tensors.normal(3, "image", shape=shape).tanh()
    figure = bands_figure(bands, image, -3.21, unit="logit")
    assert style.outside(figure) == []
    axes = next(a for a in figure.axes if a.patches)
    assert [bar.get_width() for bar in axes.patches] == pytest.approx(bands.real)
    for bar, value in zip(axes.patches, bands.real, strict=True):
        assert (bar.get_facecolor()[2] > bar.get_facecolor()[0]) == (value > 0)
    pictures = [a.images[0].get_array() for a in figure.axes if a.images]
    assert len(pictures) == 2 * count + 1
    if shape[-1] <= 64:
        assert np.array_equal(pictures[0], style.pixels(image))
        assert np.array_equal(pictures[1], style.pixels(bands.without[0]))
        gone = (image - bands.without[0]).abs().double()
        factor = float(f"{1 / float(gone.flatten().quantile(0.995)):.2g}")
        assert np.array_equal(pictures[2], style.pixels((image - bands.without[0]) * factor))
    texts = [t.get_text() for t in figure.axes[0].texts]
    assert texts.count("−12.35") + texts.count("−12.34") == count
    assert "−3.21" in texts


def test_a_bar_stands_beside_its_picture() -> None:
    figure = bands_figure(rows(4, (1, 28, 28)), torch.zeros(1, 28, 28), 0.0, unit="score")
    axes = next(a for a in figure.axes if a.patches)
    pictures = [a for a in figure.axes if a.images][1::2]
    for i, picture in enumerate(pictures):
        low, high = picture.get_position().y0, picture.get_position().y1
        bar = axes.transData.transform((0, i))[1] / (figure.get_figheight() * style.DPI)
        assert abs(bar - (low + high) / 2) < 1e-3


def test_a_band_that_holds_nothing_says_so() -> None:
    image = torch.zeros(1, 8, 8)
    figure = bands_figure(BandRows(["DC (mean)"], [0.0], image[None], [0.0]), image, 0.0, unit="logit")
    assert "nothing" in [t.get_text() for t in figure.axes[0].texts]
    assert style.outside(figure) == []


@pytest.mark.parametrize(("side", "known"), [(8, True), (28, False), (28, True), (256, True)])
def test_a_profile_is_drawn_over_the_band_of_the_reals(side: int, known: bool) -> None:
    cycles = torch.arange(int(side * 0.7))
    image = -torch.arange(len(cycles)).float()
    reals = image + 0.5 * tensors.normal(0, "reals", shape=(30, len(cycles)))
    outside = cycles == 3
    figure = radial_figure(image, reals if known else None, cycles, side=side, outside=outside if known else None)
    assert style.outside(figure) == []
    axes = figure.axes[0]
    line = axes.lines[1 if known else 0]
    assert np.allclose(line.get_xydata(), np.stack([cycles[1:].numpy(), image[1:].numpy()], 1))
    if known:
        (band,) = (c for c in axes.collections if isinstance(c, PolyCollection))
        edge = band.get_paths()[0].vertices
        high = (reals.mean(0) + 2 * reals.std(0))[4]
        assert edge[edge[:, 0] == 4][:, 1].max() == pytest.approx(float(high), abs=1e-5)
        assert [(p.get_x(), p.get_width()) for p in axes.patches] == [(2.5, 1.0)]
        assert any("(1 of " in t.get_text() for t in figure.texts)


def test_the_same_figures_give_the_same_bytes() -> None:
    def drawn() -> list[bytes]:
        values, down, across = plane("fft", (16, 16))
        cycles = torch.arange(11)
        return [
            style.png(spectrum_figure(values, down, across, size=(16, 16), unit="logit")),
            style.png(bands_figure(rows(1, (1, 8, 8)), torch.zeros(1, 8, 8), 0.5, unit="logit")),
            style.png(radial_figure(-cycles.float(), None, cycles, side=16)),
        ]

    assert drawn() == drawn()


def test_what_does_not_fit_is_refused() -> None:
    values, down, across = plane("dct", (8, 8))
    with pytest.raises(ValueError, match=r"the map must have the shape \(8, 8\), got \(4, 8\)"):
        spectrum_figure(values[:4], down, across, size=(8, 8), unit="logit")
    with pytest.raises(ValueError, match="as many values, pictures and logits"):
        bands_figure(BandRows(["a"], [1.0, 2.0], torch.zeros(1, 1, 4, 4), [0.0]), torch.zeros(1, 4, 4), 0, unit="a.u.")
    with pytest.raises(ValueError, match="each of 5 frequencies"):
        radial_figure(torch.zeros(4), None, torch.arange(5), side=8)
