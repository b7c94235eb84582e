"""A counterfactual as a sentence."""

from __future__ import annotations

from ganexplain.attribution.counterfactuals import Counterfactual

LITTLE = 1.1  # times a change are still that change
FEW = 20  # numbers that are counted
LISTED = 4  # parts named one by one
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def told(found: Counterfactual) -> str:
    """What was changed, how much, and what the verdict became."""
    before, after = found.logit
    if not found.distance["max"]:
        to, moved = found.facts["to"], "nothing was changed"
        return f"Judged {to} as it is (logit {_n(before)}): {moved}." if found.flipped else _nothing(found)
    turned = f"turns the verdict to {found.facts['to']}"
    verb = turned if found.flipped else f"moves the verdict towards {found.facts['to']} and does not turn it"
    threshold = f"threshold {_n(found.threshold)}"
    text = f"{_what(found)} {verb}: the logit goes from {_n(before)} to {_n(after)} ({threshold})."
    return " ".join(part for part in (text, _order(found), _size(found), _seen(found), _real(found)) if part)


def _nothing(found: Counterfactual) -> str:
    return f"Nothing that was tried moves the verdict towards {found.facts['to']} (logit {_n(found.logit[0])})."


def _what(found: Counterfactual) -> str:
    if found.steps and "baseline" in found.facts:
        domain, made = found.facts["domain"], found.facts["baseline"].replace("_", " ")
        part = {"frequency": "band", "region": "region", "feature": "feature", "window": "span"}.get(domain, "part")
        total = round(len(found.steps) / found.distance["share"])
        count = len(found.steps)
        word = NUMBERS[count] if count < len(NUMBERS) else str(count)
        return f"Replacing {word} {part if count == 1 else f'{part}s'} of {total} by the baseline's, {made},"
    if "code" in found.distance:
        along = f" along {found.facts['direction']}" if "direction" in found.facts else ""
        return f"A step of {found.distance['code']:.3g} standard deviations in the latent code{along}"
    share = found.distance["share"]
    total = found.image.numel()
    count = round(share * total)
    few = f"{count} of {total} numbers" if count <= FEW else f"{_percent(share)} of the numbers"
    return f"Changing {'all numbers' if count == total > FEW else few}"


def _order(found: Counterfactual) -> str:
    names, more = [name for name, _ in found.steps], len(found.steps) - LISTED
    listed = "; ".join(names[:LISTED]) + (f"; and {more} more" if more > 0 else "")
    return "" if not names else f"{'It is' if len(names) == 1 else 'In this order:'} {listed}."


def _size(found: Counterfactual) -> str:
    rms, most, unit = found.distance["rms"], found.distance["max"], found.facts.get("unit")
    if unit is None:
        return f"The change is {_percent(rms / 2)} of the range (root mean square), at most {_percent(most / 2)}."
    return f"The change is {_n(rms)} {unit}s (root mean square), at most {_n(most)}."


def _seen(found: Counterfactual) -> str:
    if found.facts.get("unit") is not None:
        return ""
    eye = {"none": "No eye sees it", "faint": "An eye hardly sees it", "plain": "It is plain to see"}[found.visible]
    factor = found.facts.get("factor_8bit", 1.0)
    lost = "; rounded to 8 bits it is lost" if factor is None or factor > LITTLE else ""
    return f"{eye}{lost}."


def _real(found: Counterfactual) -> str:
    if found.realism is None:
        return ""
    if abs(found.realism - 1) < 0.005:
        return "It lies as far from the nearest known real as before."
    return f"It lies {found.realism:.2f} times as far from the nearest known real as before."


def _n(value: float) -> str:
    """Two digits behind the point, more for small numbers, and a true minus."""
    return (f"{value:.2f}" if abs(value) >= 0.095 else f"{value:.2g}").replace("-", "−")


def _percent(share: float) -> str:
    """A share in percent with two digits."""
    value = 100 * share
    return f"{value:.0f} %" if value >= 9.5 else f"{value:.1f} %" if value >= 0.95 else f"{value:.2g} %"
