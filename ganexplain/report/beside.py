"""What a report says beside the maps: how far they depend on the baseline, and what patches and labels say."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from ganexplain.evaluation.dependence import Dependence
from ganexplain.explanation import Explanation
from ganexplain.models.labelled import LabelReading
from ganexplain.models.patches import PatchMap
from ganexplain.report import words

Facts = Mapping[str, Any]


def beside_facts(explanation: Explanation) -> dict[str, Any]:
    """The dependence on the baseline, the patches and the labels as JSON, each None where there is none."""
    depends, patches, labels = explanation.dependence, explanation.patches, explanation.labels
    unit = str(explanation.critic["unit"])
    return {
        "dependence": None if depends is None else _dependence(depends, explanation),
        "patches": None if patches is None else _patches(patches, explanation.image),
        "labels": None if labels is None else _labels(labels, unit),
    }


def beside_arrays(explanation: Explanation) -> dict[str, Tensor]:
    """The logits of the patches (h, w), what each sees (h, w, 4), and where they lie (H, W)."""
    found = explanation.patches
    if found is None:
        return {}
    return {"patch_logits": found.logits, "patch_boxes": found.boxes, "patch_placed": found.placed}


def _dependence(found: Dependence, explanation: Explanation) -> dict[str, Any]:
    pairs = list(itertools.combinations(range(len(found.baselines)), 2))
    rows = [
        {"baselines": [found.baselines[i], found.baselines[j]], "correlation": value}
        for (i, j), value in zip(pairs, found.correlations, strict=True)
    ]
    told = [
        {"name": name, "logit": logit, "correlation": None if i == 0 else found.correlations[i - 1]}
        for i, (name, logit) in enumerate(zip(found.baselines, found.logits, strict=True))
    ]
    return {
        "method": found.method,
        "word": found.word,
        "baselines": told,
        "pairs": rows,
        "kept": found.kept,
        "parts": found.parts,
        "chance": None if math.isnan(found.chance) else found.chance,
        "sentence": words.sentence(explanation.form.told(found.sentence)).replace(" -", " −"),
    }


def _patches(found: PatchMap, image: Tensor) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "shape": list(found.logits.shape),
        "field": list(found.size),
        "whole": found.whole,
        "inside": found.inside,
        "pool": found.pool,
        "threshold": found.threshold,
        "below": found.fake_share,
        "most_fake": _cell(found, found.most_fake),
        "most_real": _cell(found, found.most_real),
        "notes": [words.sentence(note) for note in found.notes],
    }
    return entry | {"sentence": _patched(entry, image.shape[-2:], found.unit)}


def _cell(found: PatchMap, place: tuple[int, int]) -> dict[str, Any]:
    return {"cell": list(place), "logit": float(found.logits[place]), "box": [int(n) for n in found.boxes[place]]}


def _patched(entry: Facts, size: Sequence[int], unit: str) -> str:
    (height, width), (tall, wide) = entry["shape"], entry["field"]
    share = f"{words.percent(entry['below'])} of them lie below the threshold"
    made = "by one of them" if entry["pool"].startswith("cell") else f"from them ({entry['pool'].replace('_', ' ')})"
    cells = f"The judge gives {height} × {width} verdicts, one a patch, and its own is made {made}; {share}."
    if entry["whole"] and entry["inside"] is None:
        return f"{cells} Every patch sees the whole image, so that its place means nothing."
    fake, real = entry["most_fake"], entry["most_real"]

    def said(cell: Facts) -> str:
        top, left, bottom, right = cell["box"]
        where = words.place(words.position((top + bottom) / 2 / size[0], (left + right) / 2 / size[1], False))
        return f"in {where} (cell {cell['cell'][0]},{cell['cell'][1]}: {unit} {words.number(cell['logit'])})"

    text = (
        f"{cells} A patch sees {tall} × {wide} pixels. The most fake one lies {said(fake)}, the most real one "
        f"{said(real)}."
    )
    if not entry["whole"]:
        return text
    inside = words.percent(entry["inside"])
    return (
        f"{text} But every patch sees a little of the whole image, such as through a normalisation over it: {inside} "
        "of what moves it lies inside."
    )


def _labels(found: LabelReading, unit: str) -> dict[str, Any]:
    logits = [float(value) for value in found.logits]
    best = max(range(len(logits)), key=lambda k: logits[k])
    entry: dict[str, Any] = {
        "given": found.given,
        "best": best,
        "logits": logits,
        "threshold": found.threshold,
        "placed": found.placed,
        "matched": found.matched,
        "names": list(found.class_names),
        "label_part": found.label_part,
        "image_part": found.image_part,
        "origin": found.origin,
    }
    names = found.name(found.given), found.name(best)
    return entry | {"deaf": found.deaf, "sentence": _labelled(entry, names, unit, found.deaf)}


def _labelled(entry: Facts, names: tuple[str, str], unit: str, deaf: bool) -> str:
    """What the logits say; ``names`` are those of the image's own label and of the best one."""
    logits, limit, (given, best) = entry["logits"], entry["threshold"], names
    own, other = (words.number(logits[entry[label]]) for label in ("given", "best"))
    fake = logits[entry["given"]] < limit
    if deaf:
        judged = f"is judged {'fake' if fake else 'real'} ({unit} {own})" if entry["placed"] else f"scores {own}"
        return (
            f"The image {judged} under its {given}. What the judge says under other labels means nothing, since it "
            "hardly tells them apart: a known real is more real under its own label than under another one "
            f"{100 * entry['matched']:.0f} times in 100, where 50 is chance."
        )
    if not entry["placed"]:
        most = "the highest of all" if best == given else f"and {other} at most, under {best}"
        return f"Under its {given} the image scores {own}, {most}; nothing says which score is fake."
    if fake and logits[entry["best"]] >= limit:
        return (
            f"Under its {given} the image is judged fake ({unit} {own}), under {best} real ({other}): it "
            "is fake as what it is said to be, and may be a real one of another class."
        )
    if fake:
        most = ", the one that suits it best" if best == given else f"; at best {other}, under {best}"
        return (
            f"The image is judged fake under every label (under its own, {given}: {unit} {own}{most}): the label is "
            "not what makes it fake."
        )
    if best == given:
        return f"The image is judged real under its {given} ({unit} {own}), the one that suits it best."
    return f"The image is judged real under its {given} ({unit} {own}), though {best} suits it better ({other})."
