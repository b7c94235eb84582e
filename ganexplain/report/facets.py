"""What a report says of the same verdict in other coordinates: in frequencies, and in latent directions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from ganexplain.explanation import Explanation, Facet
from ganexplain.figures import style
from ganexplain.report import cautions, values, words

Facts = Mapping[str, Any]

REST = "the rest"  # the player that holds what no named direction does
PARTS = {"frequency": ("band", "bands"), "latent": ("direction", "directions")}
HEADINGS = {"frequency": "In what way: frequencies", "latent": "Which latent direction"}
NAMED = 2
SCALES = ((2.7, "the finest grain"), (5.4, "fine texture"), (12.0, "small details"), (float("inf"), "large shapes"))


def part_names(domain: str) -> tuple[str, str]:
    """What a part of a domain is called, and several of them.

    >>> part_names("frequency")
    ('band', 'bands')
    """
    return PARTS.get(domain, ("part", "parts"))


def told(text: str, domain: str) -> str:
    """A sentence about regions and maps as it reads in a domain.

    >>> told("removing the regions in the map's order", "frequency")
    "removing the bands in the explanation's order"
    """
    one, many = part_names(domain)
    said = {"region": one, "regions": many, "map": "explanation", "maps": "explanations"}
    said |= {"a map": "an explanation", "every pixel": f"every {one}"}
    pattern = r"\b(?:" + "|".join(sorted(said, key=len, reverse=True)) + r")\b"
    return re.sub(pattern, lambda found: said[found[0]], text)


def facet_facts(explanation: Explanation) -> list[dict[str, Any]]:
    """The facets of one explanation as JSON, in their order."""
    return [_facet(facet, explanation) for facet in explanation.facets.values()]


def facet_arrays(explanation: Explanation) -> dict[str, Tensor]:
    """Their arrays, each name starting with the domain's."""
    found: dict[str, Tensor] = {}
    for domain, facet in explanation.facets.items():
        for method, attribution in facet.attributions.items():
            found[f"{domain}_values_{method}"] = attribution.values[0]
            found[f"{domain}_totals_{method}"] = facet.totals(method)
            if attribution.error is not None:
                found[f"{domain}_errors_{method}"] = attribution.error[0]
        found |= {f"{domain}_image": facet.primary.images[0], f"{domain}_without": facet.images}
        found |= {f"{domain}_{name}": tensor for name, tensor in facet.arrays.items()}
    return found


def _facet(facet: Facet, explanation: Explanation) -> dict[str, Any]:
    first, domain, side = facet.primary, facet.domain, explanation.side
    totals = {name: facet.totals(name).double().cpu() for name in facet.attributions}
    error = None if first.error is None else first.error[0].double().cpu()
    logits = facet.logits.double().cpu()
    parts = [
        row | {"name": facet.names[row["label"]], "logit": float(logits[row["label"]])}
        for row in values.ranked(totals[first.method], error, totals, first.unit)
    ]
    trust = {name: values.trust_facts(t, lambda text: told(text, domain)) for name, t in facet.trusts.items()}
    known = trust.get(first.method)
    entry: dict[str, Any] = {
        "domain": domain,
        "part": part_names(domain)[0],
        "parts": parts,
        "method": first.method,
        "word": facet.word,
        "failed": [] if known is None else known["failed"],
        "summary": "" if known is None else known["summary"],
        "interrupted": explanation.interrupted and known is None,
        "logit": float(first.verdict.logit[0]),
        "rest": _rest(parts),
        "baseline": values.baseline_facts(first),
        "attributions": {name: values.attribution_facts(a, totals[name]) for name, a in facet.attributions.items()},
        "trust": trust,
        "facts": dict(facet.facts),
        "notes": [words.sentence(told(note, domain)) for note in facet.notes],
    }
    heading = HEADINGS.get(domain, f"In other coordinates: {domain}")
    if entry["word"] == "NOT RELIABLE":
        heading = f"{heading} – NOT RELIABLE (failed: {', '.join(entry['failed'])})"
    return entry | {"heading": heading, "sentences": _sentences(entry, explanation, side)}


def _rest(parts: Sequence[Facts]) -> float | None:
    """Share of the gross sum that the named directions leave to the rest; None where there is no rest."""
    gross = sum(abs(p["value"]) for p in parts)
    rest = [abs(p["value"]) for p in parts if p["name"] == REST]
    return None if not rest else rest[0] / gross if gross else 0.0


def _sentences(entry: Facts, explanation: Explanation, side: str) -> dict[str, str]:
    first, facts = entry["attributions"][entry["method"]], entry["facts"]
    where, against = _where(entry, side), _where(entry, "real" if side == "fake" else "fake", -1)
    if style.signless(first["unit"]):
        against = ""
    base = entry["baseline"]
    return {
        "where": where,
        "against": against,
        "plain": _plain(entry) if entry["domain"] == "frequency" else "",
        "balance": told(_balance(entry, side), entry["domain"]),
        "rest": _left(entry["rest"]),
        "quality": _quality(facts, explanation.critic["unit"]),
        "baseline": _origin(base, entry["domain"], explanation.critic["unit"]),
        "trust": told(cautions.trust(entry), entry["domain"]),
        "profile": _profile(explanation.facets[entry["domain"]].arrays),
    }


def _standing(entry: Facts, sign: int = 1) -> list[Facts]:
    """The named parts that clearly speak for the side, strongest first."""
    clear = [p for p in entry["parts"] if abs(p["value"]) > words.NOISE * (p["error"] or 0.0)]
    return [p for p in clear if sign * p["value"] > 0 and p["name"] != REST]


def _where(entry: Facts, side: str, sign: int = 1) -> str:
    unit, one = entry["attributions"][entry["method"]]["unit"], entry["part"]
    if not any(p["value"] for p in entry["parts"]):
        return f"No {one} changes what the judge says." if sign > 0 else ""
    named = _standing(entry, sign)[:NAMED]
    if not named:
        return f"No {one} clearly speaks for {side}."
    details = [f"{_phrase(p, entry['domain'])}: {words.amount(p['value'], unit)}{_share(p)}" for p in named]
    if style.signless(unit):
        return f"The values have no sign; they are largest for {'; then '.join(details)}."
    lead = f"What speaks for {side} lies most in" if sign > 0 else f"For {side} {_speak(named)}"
    return f"{lead} {'; then '.join(details) if sign > 0 else '; '.join(details)}."


def _speak(named: Sequence[Facts]) -> str:
    return "speaks" if len(named) == 1 else "speak"


def _phrase(part: Facts, domain: str) -> str:
    name = str(part["name"])
    if domain == "latent":
        return name if name.startswith("direction ") else f"the direction “{name}”"
    if name.startswith("DC"):
        return "the mean brightness (DC)"
    if name.startswith(("grid", "all")):
        return f"the {name}" if name.startswith("grid") else name
    return f"the band of {name}" if name[:1].isdigit() else f"the band {name}"


def _share(part: Facts) -> str:
    share = part["share"]
    return f" ({words.percent(share)} of the change from the baseline)" if share and 0 < share <= 1 else ""


def _plain(entry: Facts) -> str:
    """What the strongest band looks like to an eye."""
    bands = {b["name"]: b for b in entry["facts"].get("bands", ())}
    named = _standing(entry)[:1]
    if not named or (band := bands.get(named[0]["name"])) is None:
        return ""
    if band.get("peak"):
        return (
            f"That is a grid that repeats every {words.number(float(band['peak']))} pixels: a trace that upsampling "
            "layers of generators leave."
        )
    if named[0]["name"].startswith("DC"):
        return "The mean brightness is how bright the image is on the whole, not anything in it."
    low, high = band.get("period_low"), band.get("period_high")
    shortest = min(p for p in (low, high) if p is not None) if low is not None or high is not None else None
    if shortest is None:
        return ""
    which = "the first of these" if len(_standing(entry)) > 1 else "that"
    return f"To the eye, {which} is {next(word for most, word in SCALES if shortest < most)}."


def _balance(entry: Facts, side: str) -> str:
    unit = entry["attributions"][entry["method"]]["unit"]
    signed = [p["value"] for p in entry["parts"]]
    return words.balance(sum(v for v in signed if v > 0), sum(v for v in signed if v < 0), side, unit)


def _left(rest: float | None) -> str:
    if rest is None:
        return ""
    text = f"The named directions do not tell everything: {words.percent(rest)} of all that speaks for or against"
    return f"{text} lies in the rest, which has no name" + (
        ", so most of the story is not told by these directions." if rest > 0.5 else "."
    )


def _quality(facts: Facts, unit: str) -> str:
    if not facts.get("inverted"):
        return ""
    found, own = words.number(facts["logit_inverted"]), words.number(facts["logit"])
    text = (
        f"The image has no known code, so the generator was searched for one that makes it: a {facts['quality']} "
        f"inversion (PSNR {words.number(facts['psnr'])} dB, root mean square error {words.number(facts['error'])} on a "
        f"scale from −1 to 1; {unit} {found} instead of {own})."
    )
    if facts["quality"] == "poor":
        return f"{text} What follows is about the image that was found, and may say nothing of this one."
    return f"{text} What follows is about the image that was found."


def _origin(base: Facts, domain: str, unit: str) -> str:
    if not base["compared"]:
        return ""
    what, logit = str(base["name"]).replace("_", " "), words.number(base["logit"])
    if domain == "latent":
        return (
            f"Every value compares this code with {what} ({unit} {logit}): it says how the verdict moves when the code "
            "lies along a direction as it does here."
        )
    return (
        f"Every value compares this image with the baseline ({what}, {unit} {logit}): it says how the verdict moves "
        "when a band shows this image instead of the baseline."
    )


def _profile(arrays: Mapping[str, Tensor]) -> str:
    """Where the image's power leaves the band of the reals, whatever the judge makes of it."""
    if not {"frequency", "radial_outside"} <= set(arrays):
        return ""
    cycles, outside = arrays["frequency"], arrays["radial_outside"].bool()
    drawn = cycles > 0  # the mean brightness is no frequency
    found = cycles[drawn & outside].tolist()
    if not found:
        return "Whatever the judge makes of it, the image has as much power at every frequency as the known reals have."
    at = f"{found[0]:g}" if len(found) == 1 else f"between {found[0]:g} and {found[-1]:g}"
    return (
        f"Whatever the judge makes of it, the image's power leaves the band that 95 % of the known reals keep to at "
        f"{len(found)} of {int(drawn.sum())} frequencies ({at} cycles per image)."
    )


def lead(entries: Sequence[Facts], side: str) -> str:
    """One sentence for the top of a page: in which frequencies, and along which latent direction; or nothing."""
    said: list[str] = []
    for entry in entries:
        named = _standing(entry)[:1]
        unit = entry["attributions"][entry["method"]]["unit"]
        doubtful = entry["word"] == "NOT RELIABLE" or entry["facts"].get("quality") == "poor"
        if not named or doubtful or style.signless(unit):
            continue
        place = "among latent directions" if entry["domain"] == "latent" else "in frequencies"
        check = ", to be checked" if entry["word"] == "CHECK" else ""
        amount = words.amount(named[0]["value"], unit)
        what = f"{place}, it is" if said else f"{place}, what speaks most for {side} is"
        said.append(f"{what} {_phrase(named[0], entry['domain'])} ({amount}{check})".replace("px) (", "px; "))
    return words.sentence("; ".join(said))
