"""The pictures of a verdict in other coordinates: bands of frequencies, and latent directions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from ganexplain.attribution.domains.frequency import spectrum_of
from ganexplain.explanation import Explanation, Facet
from ganexplain.figures import style
from ganexplain.figures.bands import BandRows, bands_figure
from ganexplain.figures.codes import Bar, codes_figure
from ganexplain.figures.frequencies import radial_figure, spectrum_figure
from ganexplain.report.facets import REST
from ganexplain.report.pictures import Picture, coloured, sign_of

Facts = Mapping[str, Any]

MOST = 12  # parts that are drawn


def facet_pictures(explanation: Explanation, entry: Facts) -> dict[str, Picture]:
    """The pictures of every facet, their names starting with its domain.

    Args:
        explanation: what is drawn.
        entry: its part of `ganexplain.report.content.document`.
    """
    drawers = {"frequency": _frequency, "latent": _latent}
    found: dict[str, Picture] = {}
    for told in entry["facets"]:
        if told["domain"] in drawers:
            facet = explanation.facets[told["domain"]]
            made = drawers[told["domain"]](facet, told, explanation.side)
            found |= {f"{told['domain']}_{name}": picture for name, picture in made.items()}
    return found


def _bars(facet: Facet, told: Facts, side: str) -> Picture:
    """The strongest parts as bars, each beside the image without it."""
    first = facet.primary
    unit, sign, rows = first.unit, sign_of(side, first.unit), shown(told)
    parts = BandRows(
        [r["name"] for r in rows],
        [sign * r["value"] for r in rows],
        facet.images[[r["label"] for r in rows]],
        [r["logit"] for r in rows],
        None if rows[0]["error"] is None else [r["error"] for r in rows],
        told["part"],
    )
    image = first.images[0]
    drawn = bands_figure(parts, image, told["logit"], unit=unit)
    alt = f"Bars of the {told['part']}s with the image without each; {strongest(told, sign, unit)}"
    return Picture(style.png(drawn), alt)


def _latent(facet: Facet, told: Facts, side: str) -> dict[str, Picture]:
    first = facet.primary
    sign = sign_of(side, first.unit)
    bars = [
        Bar(
            p["name"],
            sign * p["value"],
            facet.images[p["label"]],
            p["logit"],
            p["error"],
            p["name"] == REST,
        )
        for p in told["parts"]
        if p["number"] <= MOST or p["name"] == REST
    ]
    drawn = codes_figure(first.images[0], bars, unit=first.unit, logit=told["logit"])
    alt = f"Bars of latent directions with the image as it is and without each; {strongest(told, sign, first.unit)}"
    return {"parts": Picture(style.png(drawn), alt)}


def _frequency(facet: Facet, told: Facts, side: str) -> dict[str, Picture]:
    first = facet.primary
    found = {"parts": _bars(facet, told, side)}
    fine = next((a for a in facet.attributions.values() if a.method != first.method), first)
    plane, own = spectrum_of(fine), sign_of(side, fine.unit)
    spectrum = spectrum_figure(own * plane.values[0], plane.down, plane.across, size=plane.size, unit=fine.unit)
    by = fine.method.replace("_", " ")
    found["spectrum"] = Picture(
        style.png(spectrum), f"Map of the spectrum by {by}, {coloured(fine.unit, 'frequencies')}"
    )
    return found | _profile(facet.arrays, first.images[0])


def _profile(arrays: Mapping[str, Tensor], image: Tensor) -> dict[str, Picture]:
    if not {"frequency", "radial"} <= set(arrays):
        return {}
    reals = arrays.get("radial_reals")
    outside = arrays.get("radial_outside")
    figure = radial_figure(
        arrays["radial"],
        reals if reals is not None and len(reals) > 1 else None,
        arrays["frequency"],
        side=max(image.shape[-2:]),
        outside=None if outside is None else outside.bool(),
    )
    beside = "" if reals is None else ", beside that of the known reals"
    return {"profile": Picture(style.png(figure), f"Power of the image at each frequency{beside}")}


def shown(told: Facts) -> list[Facts]:
    """The strongest parts of a facet, at most `MOST`, in the order of their labels."""
    parts: Sequence[Facts] = told["parts"][:MOST]
    return sorted(parts, key=lambda part: int(part["label"]))


def strongest(told: Facts, sign: int, unit: str) -> str:
    """The three strongest parts with their sides, for an alternative text."""

    def side(value: float) -> str:
        if style.signless(unit) or not value:
            return "for no side"
        return "for real" if sign * value > 0 else "for fake"

    return "strongest: " + ", ".join(f"{p['name']} {side(p['value'])}" for p in told["parts"][:3])


def patch_pictures(explanation: Explanation) -> dict[str, Picture]:
    """What the patches say, placed where they lie; nothing where there are none."""
    found = explanation.patches
    if found is None:
        return {}
    from ganexplain.figures.patches import patch_figure

    drawn = patch_figure(found, explanation.image[0])
    return {"patches": Picture(style.png(drawn), f"Map of the patches, {coloured(found.unit, 'patches')}")}
