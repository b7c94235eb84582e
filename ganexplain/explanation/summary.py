"""An explanation in a notebook: verdict, words, regions and bars; the whole page is `ganexplain.Report`."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING

from torch import Tensor

from ganexplain import checks, pages
from ganexplain.figures import style
from ganexplain.models import health
from ganexplain.models.forms import Images

if TYPE_CHECKING:  # an explanation shows itself by this
    from ganexplain.explanation.explanation import Explanation, Facet

COLOURS = {"RELIABLE": "#1a7f37", "CHECK": "#9a6700", "NOT RELIABLE": "#cf222e"}
MOST = 12  # bars of a facet
HEADS = {"frequency": "In what way: frequencies", "latent": "Which latent direction"}


def html(explanation: Explanation) -> str:
    """A self-contained piece of HTML with inlined PNGs."""
    one = explanation.primary
    verdict, unit = explanation.verdict, explanation.critic["unit"]
    judged = "fake" if bool(verdict.is_fake[0]) else "real"
    told = f"{unit} {float(verdict.logit[0]):+.2f}, threshold {verdict.threshold:+.2f}"
    if verdict.probability is not None:
        told += f", probability of being real {float(verdict.probability[0]):.0%}"
    words = [("Where" if explanation.form.name == "images" else "Which part", explanation.word)]
    words += [(HEADS.get(name, name), facet.word) for name, facet in explanation.facets.items()]
    rows = "".join(
        f"<tr><td>{escape(what)}</td><td style='color:{COLOURS[word]}'><b>{word}</b></td></tr>" for what, word in words
    )
    pictures = pages.inlined(_pictures(explanation))
    shown = "".join(
        f"<figure style='margin:0 1em 0 0'><img src='{uri}' style='max-height:16em' alt='{escape(name)}'>"
        f"<figcaption>{escape(name)}</figcaption></figure>"
        for name, uri in pictures.items()
    )
    ended = explanation.critic.get("health")
    said = (*explanation.notes, *(() if ended is None else (health.told(ended),)))
    notes = "".join(f"<li>{escape(note)}</li>" for note in said)
    more = f"<ul>{notes}</ul>" if notes else ""
    method, base = (text.replace("_", " ") for text in (one.method, one.baseline))
    return (
        f"<div><p><b>{escape(explanation.name)}</b> is judged <b>{judged}</b> ({escape(told)}). Explained for "
        f"{explanation.side} by {escape(method)}, from {escape(base)}.</p>"
        f"<table>{rows}</table><div style='display:flex;flex-wrap:wrap;align-items:flex-end'>{shown}</div>{more}</div>"
    )


def _pictures(explanation: Explanation) -> Mapping[str, bytes]:
    found: dict[str, bytes] = {}
    first, totals = explanation.primary, explanation.totals()
    sign = 1 if style.signless(first.unit) else checks.side(explanation.side)
    if isinstance(explanation.form, Images):
        from ganexplain.figures.regions import outline_figure, region_figure

        image = explanation.image[0]
        found["image"] = style.png(outline_figure(explanation.regions, image))
        found["regions"] = style.png(region_figure(sign * totals, explanation.regions, image, unit=first.unit))
    for name, facet in explanation.facets.items():
        found[HEADS.get(name, name)] = _bars(facet, sign)
    return found


def _bars(facet: Facet, sign: int) -> bytes:
    from ganexplain.figures.bars import bars_figure

    totals: Tensor = facet.totals().double().cpu()
    order = sorted(totals.abs().argsort(descending=True, stable=True)[:MOST].tolist())
    error = None if facet.primary.error is None else facet.primary.error[0].double().cpu()
    values = [sign * float(totals[i]) for i in order]
    spread = None if error is None else [float(error[i]) for i in order]
    return style.png(bars_figure([facet.names[i] for i in order], values, spread, unit=facet.primary.unit))
