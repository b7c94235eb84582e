"""The pictures of the smallest changes that would turn a verdict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ganexplain.explanation import Explanation
from ganexplain.figures import style
from ganexplain.figures.counterfactuals import change_figure, path_figure, repair_figure
from ganexplain.figures.lines import Lines, plain_figure
from ganexplain.report.pictures import Picture

Facts = Mapping[str, Any]

MOST = 16  # steps of a repair that are drawn one by one


def change_pictures(explanation: Explanation, entry: Facts) -> dict[str, Picture]:
    """Of each change the image before and after with the difference, and the way of the logit.

    Args:
        explanation: what is drawn.
        entry: its part of `ganexplain.report.content.document`.
    """
    found: dict[str, Picture] = {}
    unit = entry["critic"]["unit"]
    pairs = zip(explanation.counterfactuals, entry["counterfactuals"], strict=True)
    for number, (change, told) in enumerate(pairs, 1):
        found |= {f"way_{number}": _way(told, unit)} if len(told["path"]) > 1 else {}
        before, after = explanation.image[0], change.changed[0]
        title = told["title"].lower()
        if explanation.form.name == "images":
            ends: dict[str, Any] = {"logits": change.logit, "threshold": change.threshold, "unit": unit}
            drawn = change_figure(change.image[0], after, **ends)
            alt = f"The image before and after, and the difference: {title}"
            found[f"change_{number}"] = Picture(style.png(drawn), alt)
        elif explanation.form.name == "signal":
            lines = Lines.of(explanation.form, after, before, "before")
            found[f"change_{number}"] = Picture(style.png(plain_figure(lines)), f"The signal after its change: {title}")
    return found


def _way(told: Facts, unit: str) -> Picture:
    steps, (start, _), threshold = told["steps"], told["logit"], told["threshold"]
    if 0 < len(steps) <= MOST:
        drawn = repair_figure(start, [(s["part"], s["logit"]) for s in steps], threshold=threshold, unit=unit)
        return Picture(style.png(drawn), f"The {unit} after each part that is replaced")
    path = [(float(share), float(logit)) for share, logit in told["path"]]
    return Picture(
        style.png(path_figure(path, threshold=threshold, unit=unit)), f"The {unit} on the way to the changed image"
    )
