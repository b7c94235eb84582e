"""What a report says of the smallest changes that would turn the verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from ganexplain.attribution.counterfactuals import Counterfactual
from ganexplain.explanation import Explanation
from ganexplain.models.table import Table
from ganexplain.report import words
from ganexplain.report.files import safe_names

Facts = Mapping[str, Any]

TITLES = {
    "pixel_l2": "Every pixel a little",
    "pixel_l1": "As few pixels as possible",
    "bands": "Frequency bands replaced one by one",
    "regions": "Regions replaced one by one",
    "latent_change": "Another latent code of the generator",
}
PIECES = {"bands": "bands", "regions": "regions"}
SAID = ("no eye sees this change", "the verdict did not turn")  # notes that the sentences below say already
LEVELS = 127.5  # 8-bit steps of a change by 1 on the scale from -1 to 1
LITTLE = 1.1  # times a change are still that change
CLOSER = 0.05  # of the distance to the nearest real that counts as no change


def change_facts(explanation: Explanation, regions: Sequence[Facts]) -> list[dict[str, Any]]:
    """The counterfactuals of one explanation as JSON, in their order.

    Args:
        explanation: whose they are.
        regions: their facts, which say by which number and place the page names them.
    """
    found = explanation.counterfactuals
    return [_change(c, stem, regions, explanation) for c, stem in zip(found, names(found), strict=True)]


def _named(region: Facts, part: str) -> str:
    """A part by its number in the pictures and its place; a feature by its name."""
    named = region["shown"] is not None
    return str(region["position"]) if named else f"{part} {region['number']}, {region['position']}"


def names(changes: Sequence[Counterfactual]) -> list[str]:
    """What each is called among the arrays: its kind, with a number where there are several of one."""
    return safe_names([change.kind for change in changes])


def change_arrays(explanation: Explanation) -> dict[str, Tensor]:
    """The changed images (C, H, W)."""
    found = explanation.counterfactuals
    return {f"changed_{name}": change.changed[0] for name, change in zip(names(found), found, strict=True)}


def _change(change: Counterfactual, stem: str, regions: Sequence[Facts], explanation: Explanation) -> dict[str, Any]:
    after = "fake" if change.logit[1] < change.threshold else "real"
    side, unit = "fake" if bool(explanation.verdict.is_fake[0]) else "real", str(explanation.critic["unit"])
    parts = {r["label"]: _named(r, explanation.form.part) for r in regions}
    steps = [part for part, _ in change.steps]
    if change.kind == "regions" and change.facts.get("regions") == len(parts):
        steps = [parts[row["label"]] for row in change.facts["order"]]
    entry: dict[str, Any] = {
        "kind": change.kind,
        "title": TITLES.get(change.kind, change.kind.replace("_", " ").capitalize()),
        "array": f"changed_{stem}",
        "flipped": change.flipped,
        "before": side,
        "after": after,
        "logit": list(change.logit),
        "threshold": change.threshold,
        "distance": dict(change.distance),
        "visible": change.visible,
        "realism": change.realism,
        "path": [list(point) for point in change.path],
        "steps": [{"part": part, "logit": logit} for part, (_, logit) in zip(steps, change.steps, strict=True)],
        "values": _values(change, explanation),
        "evaluations": change.evaluations,
        "facts": dict(change.facts),
        "notes": [words.sentence(note) for note in change.notes if not note.startswith(_said(change.facts))],
    }
    said = {"outcome": _outcome(entry, unit), "size": _size(entry), "eye": _eye(entry), "realism": _realism(entry)}
    return entry | {"sentences": said}


def _said(facts: Facts) -> tuple[str, ...]:
    """How the notes begin that need not be said: by the page already, or for next to nothing lost in 8 bits."""
    kept = float(facts.get("factor_8bit") or LITTLE) < LITTLE
    return (*SAID, "saved with 8 bits") if kept else SAID


def _values(change: Counterfactual, explanation: Explanation) -> list[dict[str, str]]:
    """The features of a row that change, with their values before and after; nothing of images and signals."""
    form = explanation.form
    if not isinstance(form, Table):
        return []
    before, after = form.shown(change.image[0]), form.shown(change.changed[0])
    rows = zip(form.players, before, after, strict=True)
    return [{"name": name, "before": old, "after": new} for name, old, new in rows if old != new]


def _outcome(entry: Facts, unit: str) -> str:
    before, after = (words.number(value) for value in entry["logit"])
    moved = f"the {unit} goes from {before} to {after}, and {words.number(entry['threshold'])} is the threshold"
    if entry["flipped"]:
        return f"This change turns the verdict from {entry['before']} to {entry['after']}: {moved}."
    return f"The verdict could not be turned in this way: {moved}."


def _size(entry: Facts) -> str:
    distance, facts, steps = entry["distance"], entry["facts"], entry["steps"]
    said = []
    if steps and "baseline" in facts:
        total = facts.get(PIECES.get(entry["kind"], "parts"))
        count = f"{len(steps)} of {total}" if total else str(len(steps))
        made = str(facts["baseline"]).replace("_", " ")
        verb = "is replaced by that" if len(steps) == 1 else "are replaced by those"
        said.append(f"{count} {PIECES.get(entry['kind'], 'parts')} {verb} of the baseline, {made}")
    elif entry["kind"] == "pixel_l1":
        said.append(f"{words.percent(distance['share'])} of the numbers change")
    if "code" in distance:
        along = f" along {facts['direction']}" if "direction" in facts else ""
        said.append(f"the code moves by {words.number(distance['code'])} standard deviations{along}")
    if "rms" in distance and "max" in distance:
        unit = facts.get("unit")
        root, most = (words.number(distance[name]) if unit else levels(distance[name]) for name in ("rms", "max"))
        what = f"a number changes by {root} {unit}s" if unit else f"a pixel changes by {root} of 255 steps"
        said.append(f"{what} (root mean square), by {most} at most")
    return words.sentence("; ".join(said))


def levels(change: float) -> str:
    """A change on the scale from -1 to 1 in 8-bit steps.

    >>> levels(0.02), levels(0.0)
    ('2.55', '0.00')
    """
    return words.number(LEVELS * change)


def _eye(entry: Facts) -> str:
    if "unit" in entry["facts"]:
        return ""  # the numbers of a row can be read
    if entry["visible"] == "none":
        return (
            "No eye sees this change: it is an adversarial example. It shows that the judge can be fooled by what "
            "nobody notices, and not what makes the image look "
            f"{entry['before']}."
        )
    if entry["visible"] == "faint":
        return (
            "An eye hardly sees this change, so it comes near to an adversarial example: read it as how little the "
            "judge needs, and with care as what the image lacks."
        )
    return "An eye sees this change."


def _realism(entry: Facts) -> str:
    ratio = entry["realism"]
    if ratio is None:
        return ""
    beside = f"({words.number(ratio)} times) from the nearest known real as the image itself"
    if abs(ratio - 1) <= CLOSER:
        return f"It lies about as far {beside}."
    far = "less far" if ratio < 1 else "farther"
    return f"It lies {far} {beside.replace(' as the image itself', ' than the image itself')}."


def lead(entries: Sequence[Facts]) -> str:
    """One sentence for the top of a page: the smallest change that turns the verdict; or nothing."""
    turned = sorted((e for e in entries if e["flipped"] and "rms" in e["distance"]), key=lambda e: e["distance"]["rms"])
    if not turned:
        return "No change that was tried turns the verdict." if entries else ""
    least, seen = turned[0], next((e for e in turned if e["visible"] == "plain"), None)
    text = (
        f"The smallest change found that turns the verdict to {least['after']} moves a pixel by "
        f"{levels(least['distance']['rms'])} of 255 steps"
    )
    if least["visible"] == "plain":
        return f"{text} ({least['title'].lower()})."
    eye = "no eye sees" if least["visible"] == "none" else "an eye hardly sees"
    if seen is None:
        return f"{text}, which {eye}."
    return (
        f"{text}, which {eye}; the smallest one that is plain to see moves it by {levels(seen['distance']['rms'])} "
        f"({seen['title'].lower()})."
    )
