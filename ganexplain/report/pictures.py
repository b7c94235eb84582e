"""The pictures of one explanation as PNG bytes, each with what it says in words for those who cannot see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ganexplain import checks
from ganexplain.attribution import METHODS
from ganexplain.explanation import Explanation
from ganexplain.figures import style
from ganexplain.figures.bars import bars_figure
from ganexplain.figures.grid import grid_png
from ganexplain.figures.maps import map_figure
from ganexplain.figures.regions import outline_figure, region_figure
from ganexplain.figures.strips import strips
from ganexplain.models.preprocess import resized
from ganexplain.report.directions import Discovery

NUMBERED = 6  # regions that are numbered in the pictures and listed in the table
SIDE = 360  # dots that a picture of the image aims at
THUMB = 96


@dataclass(frozen=True)
class Picture:
    """A PNG with its alternative text."""

    png: bytes
    alt: str


def pictures(explanation: Explanation, entry: Mapping[str, Any]) -> dict[str, Picture]:
    """The pictures of a page, of the kind that the input needs."""
    from ganexplain.report import coordinates, plots, turning

    kinds = {"images": image_pictures, "table": plots.row_pictures, "signal": plots.signal_pictures}
    own = kinds[explanation.form.name](explanation, entry)
    own |= coordinates.facet_pictures(explanation, entry) | coordinates.patch_pictures(explanation)
    return own | turning.change_pictures(explanation, entry)


def image_pictures(explanation: Explanation, entry: Mapping[str, Any]) -> dict[str, Picture]:
    """Of an image: image, baseline, outlines, regions, bars, smoothed map and raw map where there is one.

    Args:
        explanation: what is drawn.
        entry: its part of `ganexplain.report.content.document`.
    """
    first, name = explanation.primary, entry["name"]
    image, labels, sign = explanation.image[0], explanation.regions, sign_of(explanation.side, first.unit)
    numbered = [r["label"] for r in entry["regions"][:NUMBERED]]
    unit = first.unit
    real = sign * explanation.totals()
    rows = entry["regions"][:NUMBERED]
    where = ", ".join(_said(r["number"], r["position"], sign * r["value"], unit) for r in rows[:3])
    found = {
        "image": Picture(plain_png(image), f"The image {name}"),
        "baseline": Picture(plain_png(first.origins[0]), f"The baseline of {name}: {first.baseline.replace('_', ' ')}"),
        "outlines": Picture(
            style.png(outline_figure(labels, image, numbered=numbered)),
            f"The image {name} with the outlines of its regions and the numbers of the strongest",
        ),
        "regions": Picture(
            style.png(region_figure(real, labels, image, unit=unit, numbered=numbered)),
            f"Regions of {name}, {coloured(unit, 'they')}; strongest: {where}",
        ),
        "bars": Picture(
            style.png(
                bars_figure(
                    [f"{r['number']}  {r['position']}" for r in rows],
                    [sign * r["value"] for r in rows],
                    None if rows[0]["error"] is None else [r["error"] for r in rows],
                    unit=unit,
                )
            ),
            f"Bars of the strongest regions of {name}: {where}",
        ),
    }
    return found | _maps(explanation)


def _maps(explanation: Explanation) -> dict[str, Picture]:
    """The smoothed and the raw map of the first method that has a value a pixel."""
    fine = mapped(explanation)
    if fine is None:
        return {}
    attribution = explanation.attributions[fine]
    real = sign_of(explanation.side, attribution.unit) * attribution.heatmap()[0]
    image = explanation.image[0]
    shown = coloured(attribution.unit, f"pixels of {explanation.name}")
    told = f"by {fine.replace('_', ' ')}, {shown}"
    return {
        "map": Picture(style.png(map_figure(real, image, unit=attribution.unit)), f"Map of pixels {told}, smoothed"),
        "raw": Picture(
            style.png(map_figure(real, image, unit=attribution.unit, smooth=0)), f"Map of pixels {told}, raw"
        ),
    }


def mapped(explanation: Explanation) -> str | None:
    """The first method whose attribution has a value a pixel, or None."""
    fine = explanation.form.differentiated
    if fine == explanation.form.removed:  # the same domain, in which gradients have a value a sample all the same
        return next((name for name in explanation.attributions if METHODS.get(name).needs != "calls"), None)
    return next((name for name, a in explanation.attributions.items() if a.domain == fine), None)


def sign_of(side: str, unit: str) -> int:
    """What makes values evidence for real; values without a sign stay as they are."""
    return 1 if style.signless(unit) else checks.side(side)


def coloured(unit: str, what: str) -> str:
    """What the colours of a picture mean."""
    if style.signless(unit):
        return "the darker, the more"
    return f"red where {what} speak for fake and blue where for real"


def _said(number: int, position: str, real: float, unit: str) -> str:
    if style.signless(unit):
        return f"{number} in the {position}"
    side = "real" if real > 0 else "fake" if real < 0 else "neither"
    return f"{number} in the {position} for {side}"


def plain_png(image: Tensor) -> bytes:
    """One image (C, H, W), enlarged by a whole number so that its pixels stay squares."""
    return grid_png(image[None, :3], columns=1, scale=max(1, round(SIDE / max(image.shape[-2:]))))


def thumbnail(image: Tensor) -> bytes:
    """One image (C, H, W), small."""
    height, width = image.shape[-2:]
    factor = min(1.0, THUMB / max(height, width))
    small = resized(image[None], (max(1, round(height * factor)), max(1, round(width * factor))))
    return grid_png(small.clamp(-1, 1), columns=1, scale=max(1, THUMB // max(height, width)))


def directions_picture(found: Discovery) -> Picture:
    """One image edited along each direction, the judge's logit below each."""
    captions = [[f"{value:.1f}".replace("-", "−") for value in row] for row in found.logits.tolist()]
    names = found.directions.names
    figure = strips(
        found.panels,
        found.amounts,
        names,
        note=f"below each image: the judge's {found.effects.unit}, higher is more real",
        captions=captions,
    )
    return Picture(style.png(figure), f"One image edited along {len(names)} latent directions, one a row")
