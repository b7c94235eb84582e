"""Sentences from numbers, for the person whose image was judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ganexplain.attribution import BASELINES
from ganexplain.attribution.attribution import SCALED, SHARES_FROM
from ganexplain.figures import style
from ganexplain.models.class_names import called
from ganexplain.models.verdict import LOW, POOR_AUC

Facts = Mapping[str, Any]

QUESTIONS = {
    "contrast": "Does the baseline leave the verdict to be explained?",
    "completeness": "Do the values add up to the change?",
    "convergence": "Was it computed long enough?",
    "deletion": "Does the judge care about the regions in the order of the map?",
    "agreement": "Does a method of another kind rank the regions alike?",
    "randomisation": "Does the map depend on what the model has learned?",
    "specificity": "Is the map about this image, and not about any image?",
}
POSITIONS = frozenset(
    [
        "surroundings",
        "centre",
        "left",
        "right",
        *(f"{d} {a}" for d in ("upper", "lower") for a in ("left", "centre", "right")),
    ]
)
NOISE = 2.0  # standard errors below which a region is not named
NAMED = 3  # regions named in a sentence


def number(value: float, *, signed: bool = False) -> str:
    """A number as text: two decimals or three digits, a true minus.

    >>> number(-3.4159), number(0.0004), number(12.345, signed=True), number(-0.0)
    ('−3.42', '0.0004', '+12.3', '0.00')
    """
    size = abs(value)
    decimals = 0 if size >= 100 else 1 if size >= 10 else 2
    text = f"{size:.1g}" if 0 < size < 0.005 else f"{size:.{decimals}f}"
    sign = "−" if value < 0 and float(text) else "+" if signed and float(text) else ""
    return sign + text


def percent(share: float) -> str:
    """A share as per cent, never rounded to none or to all.

    >>> percent(0.034), percent(0.0004), percent(0.9999), percent(1.0)
    ('3 %', 'less than 1 %', 'more than 99 %', '100 %')
    """
    if 0 < share < 0.01:
        return "less than 1 %"
    if 0.99 < share < 1:
        return "more than 99 %"
    return f"{100 * share:.0f} %".replace("-", "−")


def amount(value: float, unit: str) -> str:
    """A signed contribution with its unit in the plural.

    >>> amount(1.5, "logit"), amount(-0.5, "score per unit"), amount(2.0, "a.u.")
    ('+1.50 logits', '−0.50 points per unit', '+2.00 a.u.')
    """
    shown = unit.replace("logit", "logits").replace("score", "points").replace("^2", "²")
    return f"{number(value, signed=not style.signless(unit))} {shown}"


def judged(verdict: Facts) -> str:
    """The verdict in capitals: FAKE, REAL, UNSURE (leans fake) or UNSURE (leans real)."""
    side = "fake" if verdict["fake"] else "real"
    return f"UNSURE (leans {side})" if verdict["unsure"] else side.upper()


def verdict(found: Facts, critic: Facts) -> str:
    """What was judged, how surely, and how good the judge is."""
    given = "" if critic.get("label") is None else f" as {called(critic['label'], critic.get('class'))}"
    head = f"Judged {judged(found)}{given}."
    return " ".join(filter(None, [head, _chance(found, critic), _among_reals(found, critic), _quality(found, critic)]))


def _chance(found: Facts, critic: Facts) -> str:
    unit, logit, threshold = critic["unit"], number(found["logit"]), number(found["threshold"])
    if unit == "score":
        below, lacking = f"; below {threshold}, as one in {round(1 / LOW)} of the known real images is, means fake", ""
        if not critic["reals"]:
            below, lacking = "", " No real images are known (--reals), so nothing says which score means fake."
        return (
            f"The judge gives the score {logit}{below}. The score has no fixed scale and is no chance: only a "
            f"comparison with other images says how much it means.{lacking}"
        )
    measured = f"logit {logit}; below {threshold} means fake"
    if found["probability"] is None:
        return f"The judge gives the {measured}."
    chance = percent(found["probability"])
    if critic["slope"] is None:
        return (
            f"The judge puts the chance that this image is real at {chance} ({measured}); nobody has compared that "
            "chance with known images."
        )
    return f"The judge puts the chance that this image is real at {chance} ({measured})."


def _among_reals(found: Facts, critic: Facts) -> str:
    share, count = found["reals_below"], critic["reals"]
    if share is None or count < 20:
        return ""
    unit = critic["unit"]
    if share == 0:
        return f"None of the {count:,} known real images has so low a {unit}."
    if share == 1:
        return f"All {count:,} known real images have a lower {unit}."
    return f"Of {count:,} known real images, {percent(share)} have a lower {unit}."


def _quality(found: Facts, critic: Facts) -> str:
    auc = found["auc"]
    if auc is None:
        return "How well the judge tells real from fake has not been measured."
    often = "more than 99 times in 100" if auc >= 0.995 else f"{100 * auc:.0f} times in 100"
    told = f"On held-out images it orders a real above a fake {often}"
    if found["unsure"] and auc < POOR_AUC:
        return f"{told}, where guessing would give 50: it can hardly tell them apart, so do not rely on its verdict."
    if found["unsure"]:
        return f"{told}; here the chance is too near one half for a verdict."
    return f"{told}."


def position(row: float, column: float, surrounds: bool) -> str:
    """Where a region's centre (0 to 1, from the top and from the left) lies.

    >>> position(0.9, 0.1, False), position(0.5, 0.5, False), position(0.5, 0.9, False), position(0.5, 0.5, True)
    ('lower left', 'centre', 'right', 'surroundings')
    """
    if surrounds:
        return "surroundings"
    down = ("upper", "", "lower")[min(2, int(3 * row))]
    across = ("left", "centre", "right")[min(2, int(3 * column))]
    return f"{down} {across}".strip()


def place(where_: str) -> str:
    """A position as part of a sentence.

    >>> place("left"), place("upper left"), place("centre")
    ('the left side', 'the upper left', 'the centre')
    """
    return f"the {where_} side" if where_ in ("left", "right") else f"the {where_}"


def phrase(region: Facts, lead: bool = False) -> str:
    """A region, feature or span as part of a sentence; ``lead`` puts "in" or "at" before where something lies."""
    if region.get("shown") is not None:
        return str(region["position"])
    inside = region["position"] in POSITIONS
    text = place(region["position"]) if inside else str(region["position"])
    return f"{'in' if inside else 'at'} {text}" if lead else text


def where(regions: Sequence[Facts], side: str, unit: str, whole: str, part: str = "region") -> str:
    """Which parts the verdict rests on, strongest first.

    Args:
        regions: their facts.
        side: what positive values speak for.
        unit: of the values.
        whole: what the shares are of.
        part: what a part is called.
    """
    told = [r for r in regions if r["value"] and abs(r["value"]) > NOISE * (r["error"] or 0.0)]
    towards = [r for r in told if r["value"] > 0][:NAMED]
    if not any(r["value"] for r in regions):
        return f"No {part} changes what the judge says: there is no evidence to show."
    if not told:
        return (
            f"No {part} stands out from the error of sampling: only more evaluations could say where the evidence lies."
        )
    if not towards:
        return f"No {part} speaks for {side}."
    lead = "The map has no sign, and speaks for no side; it is strongest" if style.signless(unit) else ""
    if towards[0].get("shown") is not None:
        lead = f"{lead} for" if lead else f"What speaks for {side} is most of all"
    if part != "region":
        lead = lead.replace("map", "explanation")
    details = [_detail(r, unit, "" if i else f" of {whole}", part) for i, r in enumerate(towards)]
    (first, detail), *rest = ((phrase(r, lead=True), d) for r, d in zip(towards, details, strict=True))
    text = f"{lead or f'What speaks for {side} lies most'} {first} ({detail})"
    others = [
        f"{name if i == 0 else name.removeprefix('in ').removeprefix('at ')} ({d})" for i, (name, d) in enumerate(rest)
    ]
    return f"{text}, then {listed(others)}." if rest else f"{text}."


def against(regions: Sequence[Facts], side: str, unit: str, part: str = "region") -> str:
    """What speaks for the other side."""
    other = "real" if side == "fake" else "fake"
    if style.signless(unit):
        return ""
    told = [r for r in regions if r["value"] < 0 and abs(r["value"]) > NOISE * (r["error"] or 0.0)][:NAMED]
    if not told:
        return f"No {part} clearly speaks for {other}."
    parts = listed([f"{phrase(r)} ({_detail(r, unit, None, part)})" for r in told])
    return f"For {other} {'speaks' if len(told) == 1 else 'speak'} {parts}."


def listed(parts: Sequence[str]) -> str:
    """Parts as a phrase.

    >>> listed(["a"]), listed(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    *most, last = parts
    return f"{', '.join(most)} and {last}" if most else last


def _detail(region: Facts, unit: str, whole: str | None = None, part: str = "region") -> str:
    text = f"{part} {region['number']}: {amount(region['value'], unit)}"
    if region.get("shown") is not None:
        instead = f" instead of {region['before']}" if region["before"] not in (None, region["shown"]) else ""
        text = f"{region['shown']}{instead}: {amount(region['value'], unit)}"
    share = region["share"]
    return text if whole is None or share is None or not 0 < share <= 1 else f"{text}, {percent(share)}{whole}"


def balance(towards: float, away: float, side: str, unit: str) -> str:
    """How much speaks for and against, and whether a share of the whole means anything."""
    other = "real" if side == "fake" else "fake"
    gross, net = towards - away, towards + away
    if gross == 0:
        return ""
    if style.signless(unit):
        return ""
    if unit not in SCALED:
        return f"Values in {unit} say which way regions speak, and in which order, but not what share of the verdict."
    text = f"All regions together: {amount(towards, unit)} for {side} and {number(-away, signed=True)} for {other}"
    if abs(net) / gross < SHARES_FROM:
        return f"{text}. The two nearly cancel, so a share of the difference would mean nothing and is not given."
    return f"{text}, so the balance is {number(abs(net), signed=True)} for {side if net > 0 else other}."


def baseline(name: str, logit: float, threshold: float, fake: bool, unit: str) -> str:
    """What the values are measured against."""
    what = _origin(name)
    side = "fake" if logit < threshold else "real"
    text = (
        f"Every value compares this image with a baseline: {what}, itself judged {side} ({unit} {number(logit)}). "
        "A region's value says how the verdict moves when it shows this image instead of the baseline."
    )
    if (side == "fake") == fake:
        text += f" Both are judged {side}: the map shows what sets them apart, not all that makes this image {side}."
    return text


def _origin(name: str) -> str:
    known = BASELINES.get(name) if name in BASELINES.names() else None
    return getattr(known, "phrase", "an image that was given for it")


def alone(method: str, name: str) -> str:
    """That the values are measured against nothing, and what the baseline is there for."""
    what = _origin(name)
    return (
        f"The values by {method.replace('_', ' ')} are read off this image alone and compare it with nothing. The "
        f"baseline, {what}, is what regions are replaced with when the explanation is checked."
    )


def measured(check: Facts) -> str:
    """The number of a check, with what it is compared with."""
    value, limit, name = check["value"], check["threshold"], check["name"]
    if value is None:
        return ""
    if name == "contrast":
        part = "all" if value >= 1 else _share(max(value, 0.0))  # beyond 1, the baseline is judged otherwise
        return f"{part} of the verdict lies between them (at least {_share(limit)})"
    if name == "completeness":
        gap = number(value) if value >= 0.005 else "below 0.01"
        return f"gap {gap} (at most {number(limit)})"
    if name == "convergence":
        return f"{value:,.0f} evaluations" if limit is None else f"error {_share(value)} (at most {_share(limit)})"
    if name == "deletion":
        return f"beats {_share(value)} of random orders (above {_share(limit)})"
    if name == "specificity":
        return f"beats {_share(value)} of other images' maps (at least {_share(limit)})"
    word = "above" if name == "agreement" else "below"
    return f"rank correlation {number(value, signed=True)} ({word} {number(limit, signed=True)})"


def _share(value: float) -> str:
    return f"{100 * value:.1f}".removesuffix(".0") + " %"


def sentence(text: str) -> str:
    """A capital letter and a full stop."""
    return text[:1].upper() + text[1:].rstrip(".") + "." if text else ""
