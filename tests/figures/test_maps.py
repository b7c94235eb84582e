"""Maps, regions and bars: white at zero, one meaning of the colours, sums kept, and nothing clipped."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from matplotlib.text import Text
from PIL import Image

from ganexplain import tensors
from ganexplain.attribution.attribution import Attribution
from ganexplain.figures import maps, regions, style
from ganexplain.figures.bars import bars_figure
from ganexplain.models.verdict import Verdict

FLAT = torch.zeros(1, 12, 16)  # an image without edges


def drawn(figure: object) -> np.ndarray:
    with Image.open(io.BytesIO(style.png(figure))) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def attribution(side: str = "fake", *, grouped: bool = False) -> Attribution:
    """Values whose evidence for real does not depend on the side."""
    image = tensors.normal(0, "x", shape=(1, 1, 12, 16)).clamp(-1, 1)
    real = tensors.normal(0, "v", shape=(1, 1, 12, 16))
    labels = (torch.arange(16) // 4).expand(1, 1, 12, 16)
    verdict = Verdict(torch.tensor([-3.4]), 0.0, None, None)
    return Attribution(
        (1 if side == "real" else -1) * real,
        labels if grouped else torch.arange(192).view(1, 1, 12, 16), image, -image, verdict,
        torch.tensor([1.5]), side, "kernel_shap", "pixel", "nearest_real", {}, "logit", torch.tensor([9]),
    )  # fmt: skip


def test_the_middle_of_the_scale_is_pure_white() -> None:
    colours = maps.diverging()
    assert colours(0.5)[:3] == (1.0, 1.0, 1.0)
    low, high = np.array(colours(0.1)), np.array(colours(0.9))
    assert low[0] > low[2] + 0.3
    assert high[2] > high[0] + 0.3


def test_zero_is_white_fake_red_and_real_blue() -> None:
    real = torch.zeros(12, 16)
    real[:, :5], real[:, 11:] = -1, 1
    figure = maps.map_figure(real, FLAT, unit="logit", smooth=0)
    shown = drawn(figure)
    box = figure.axes[0].get_position()
    height, width = shown.shape[:2]
    row = shown[int((1 - (box.y0 + box.y1) / 2) * height)]
    left, middle, right = (row[int((box.x0 + f * box.width) * width)] for f in (0.1, 0.5, 0.9))
    assert middle.tolist() == [255, 255, 255]
    assert left[0] > left[2] + 60
    assert right[2] > right[0] + 60


@pytest.mark.parametrize("grouped", [False, True])
def test_a_picture_means_the_same_for_both_sides(grouped: bool) -> None:
    fake, real = (maps.attribution_figure(attribution(side, grouped=grouped)) for side in ("fake", "real"))
    assert style.png(fake) == style.png(real)


@pytest.mark.parametrize("grouped", [False, True])
def test_the_three_panels_say_what_they_are(grouped: bool) -> None:
    figure = maps.attribution_figure(attribution(grouped=grouped))
    texts = {t.get_text() for t in figure.findobj(Text)}
    assert {"image: logit −3.40", "nearest real: logit 1.50", "kernel shap", "← fake", "real →"} <= texts
    assert ("logit per region" if grouped else "logit per pixel") in texts
    assert style.outside(figure) == []
    with pytest.raises(ValueError, match="one input"):
        maps.attribution_figure(type("Two", (), {"images": torch.zeros(2, 1, 4, 4)})())


@pytest.mark.parametrize("shape", [(28, 28), (64, 256), (200, 40)])
@pytest.mark.parametrize("scale", [1e-7, 1.0, 54321.0, 0.0])
def test_no_text_is_clipped(shape: tuple[int, int], scale: float) -> None:
    image = tensors.normal(0, "i", shape=(3, *shape)).clamp(-1, 1)
    values = scale * tensors.normal(1, "v", shape=shape)
    labels = (torch.arange(shape[0] * shape[1]) * 10 // (shape[0] * shape[1])).view(shape)
    totals = scale * tensors.normal(2, "t", shape=(10,))
    numbered = list(range(6))
    for figure in (
        maps.map_figure(values, image, unit="logit per unit"),
        regions.region_figure(totals, labels, image, unit="logit", numbered=numbered),
        regions.outline_figure(labels, image, numbered=numbered),
    ):
        assert style.outside(figure) == []
    names = [f"{i}  lower centre" for i in numbered]
    assert style.outside(bars_figure(names, totals[:6].tolist(), totals[:6].abs().tolist(), unit="score")) == []


@pytest.mark.parametrize("size", [12, 28, 100])
def test_smoothing_keeps_the_sum_and_is_an_average(size: int) -> None:
    values = tensors.normal(3, "s", shape=(size, size))
    smooth = maps.smoothed(values, 0.125)
    assert smooth.sum() == pytest.approx(float(values.double().sum()), abs=1e-9 * size * size)
    assert maps.smoothed(torch.ones(size, size), 0.125) == pytest.approx(np.ones((size, size)))
    assert np.array_equal(maps.smoothed(values, 0), values.double().numpy())


def test_smoothing_is_as_wide_as_it_says() -> None:
    point = torch.zeros(81, 81)
    point[40, 40] = 1
    width = int((maps.smoothed(point, 0.125).sum(0) > 1e-12).sum())
    assert abs(width - 81 / 8) <= 2


def test_the_colours_end_at_a_percentile_and_outliers_do_not_bleach() -> None:
    values = np.ones(1000)
    values[0] = 1e6
    assert maps.limit(values, maps.RAW_PERCENTILE) == 1
    sparse = np.zeros(1000)
    sparse[0] = -2.0
    assert maps.limit(sparse, maps.RAW_PERCENTILE) == 2
    assert maps.limit(np.zeros(5), 99) == 0


def test_a_zero_map_says_no_evidence() -> None:
    figure = maps.map_figure(torch.zeros(12, 16), FLAT, unit="logit")
    assert "no evidence" in {t.get_text() for t in figure.findobj(Text)}
    assert (drawn(figure)[30:60, 100:200] == 255).all()


def test_edges_follow_the_image() -> None:
    image = -torch.ones(1, 20, 20)
    image[:, :, 10:] = 1
    strength = maps.edges(image)
    assert strength[:, 9:11].min() == 1
    assert strength[:, :7].max() == 0
    assert maps.edges(FLAT).max() == 0


def test_the_same_figure_gives_the_same_bytes() -> None:
    first, second = (style.png(maps.attribution_figure(attribution())) for _ in range(2))
    assert first == second


def test_a_number_sits_deep_inside_its_region() -> None:
    labels = torch.zeros(9, 9, dtype=torch.long)
    labels[2:7, 2:7] = 1
    assert regions.deepest(labels, 1) == (4, 4)
    row, column = regions.deepest(labels, 0)
    assert labels[row, column] == 0


def test_outlines_lie_between_regions() -> None:
    labels = torch.zeros(4, 6, dtype=torch.long)
    labels[:, 3:] = 1
    with style.look():
        axes = style.figure(1, 1).add_axes((0, 0, 1, 1))
        regions.draw_outlines(axes, labels, "k", 1)
    points = np.concatenate(axes.collections[0].get_segments())
    assert set(points[:, 0]) == {2.5}
    assert (points[:, 1].min(), points[:, 1].max()) == (-0.5, 3.5)


def test_bars_point_to_their_side() -> None:
    figure = bars_figure(["a", "b"], [-1.0, 0.5], [0.1, 0.1], unit="logit")
    axes = figure.axes[0]
    fake, real = axes.patches[:2]
    assert (fake.get_width(), real.get_width()) == (-1.0, 0.5)
    assert fake.get_facecolor()[0] > fake.get_facecolor()[2]
    assert real.get_facecolor()[2] > real.get_facecolor()[0]
    assert axes.get_xlabel() == "logit, with standard errors"
    assert bars_figure(["a"], [1.0], [0.0], unit="logit").axes[0].get_xlabel() == "logit"


@pytest.mark.parametrize(("names", "values"), [([], []), (["a"], [1.0, 2.0])])
def test_bars_need_a_name_each(names: list[str], values: list[float]) -> None:
    with pytest.raises(ValueError, match="as many names as values"):
        bars_figure(names, values, unit="logit")
