"""Can an explanation be trusted? Checks with a number each, and one word for the title."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ganexplain.attribution.attribution import Attribution
from ganexplain.evaluation.agreement import chance_level, spearman
from ganexplain.evaluation.faithfulness import FEWEST, Orders, shared

PASS, FAIL, NONE = "pass", "fail", "not applicable"
VITAL = ("deletion", "randomisation", "specificity")  # a failure of one of these makes an explanation NOT RELIABLE

DELETION = 0.95  # share of random orders to beat
RANDOMISED = 0.3  # mean rank correlation with maps of randomised critics to stay below
COVERED = 0.5  # share of the verdict that must lie between baseline and image
ROUNDING = 1e-4  # of the largest value, below which a value has no order
SAME_ORDER = 0.999  # rank correlation of two maps in the same order
SPECIFIC = 0.9  # share of other images' maps to beat

FEW = f"fewer than {FEWEST} {{}}: any order of so few could be chance"


@dataclass(frozen=True)
class Check:
    """One check of one explanation.

    Attributes:
        name: "contrast", "completeness", "convergence", "deletion", "agreement", "randomisation" or "specificity".
        status: "pass", "fail" or "not applicable".
        value: what was measured, or None.
        threshold: what it is compared with, or None.
        sentence: what that means, in plain words with the numbers.
    """

    name: str
    status: str
    value: float | None
    threshold: float | None
    sentence: str


@dataclass(frozen=True)
class Trust:
    """All checks of one attribution.

    Attributes:
        checks: in the order of a report.
    """

    checks: tuple[Check, ...]

    @property
    def word(self) -> str:
        """The title's word: "RELIABLE", "CHECK" or "NOT RELIABLE".

        NOT RELIABLE where deletion, randomisation or specificity fails; CHECK where a lesser check fails, or where
        none of those three could be run.
        """
        failed = {c.name for c in self.checks if c.status == FAIL}
        if failed & set(VITAL):
            return "NOT RELIABLE"
        tested = any(c.status == PASS for c in self.checks if c.name in VITAL)
        return "RELIABLE" if tested and not failed else "CHECK"

    @property
    def summary(self) -> str:
        """How many checks passed, of those that could be run."""
        run = [c for c in self.checks if c.status != NONE]
        passed = sum(c.status == PASS for c in run)
        left = len(self.checks) - len(run)
        return f"{passed} of {len(run)} checks passed" + (f", {left} not applicable" if left else "")

    def __getitem__(self, name: str) -> Check:
        """The check of that name."""
        return next(c for c in self.checks if c.name == name)


def _status(good: bool) -> str:
    return PASS if good else FAIL


def contrast(attribution: Attribution) -> Check:
    """How much of the verdict lies between baseline and image: of what they share, the map can say nothing."""
    verdict, origin = attribution.verdict, float(attribution.origin_logit[0])
    logit = float(verdict.logit[0])
    distance = logit - verdict.threshold
    if not attribution.compares:
        said = f"{attribution.method} reads the image alone and compares it with no baseline"
        return Check("contrast", NONE, None, COVERED, said)
    if attribution.unit.startswith("score"):
        return Check("contrast", NONE, None, COVERED, "the score has no threshold that tells real from fake")
    if abs(distance) < 1e-6:
        return Check(
            "contrast", NONE, None, COVERED, "the image lies on the threshold, so there is no verdict to explain"
        )
    share = (logit - origin) / distance
    sentence = (
        f"from the baseline ({origin:+.2f}) to the image ({logit:+.2f}) the logit moves by {share:.0%} of the image's "
        "distance from the threshold"
    )
    if share < COVERED:
        judged = "real" if distance > 0 else "fake"
        sentence += (
            f": the map shows what sets the two apart, not why the image is judged {judged}; try another baseline"
        )
    return Check("contrast", _status(share >= COVERED), share, COVERED, sentence)


def completeness(attribution: Attribution, scale: float, tol: float) -> Check:
    """The gap between the sum of the values and the change that they should add up to."""
    if attribution.gap is None:
        return Check(
            "completeness", NONE, None, None, f"{attribution.method} does not promise that its values sum to the change"
        )
    gap, change = float(attribution.gap[0]), float(attribution.change[0])
    allowed = tol * max(abs(change), scale)
    share = f" ({abs(gap / change):.1%} of it)" if abs(change) > 1e-6 else ""
    sentence = (
        f"the values sum to {change + gap:+.3f}, the {attribution.unit} changes by {change:+.3f} from the baseline: "
        f"gap {gap:+.3f}{share}"
    )
    return Check("completeness", _status(abs(gap) <= allowed), abs(gap), allowed, sentence)


def convergence(attribution: Attribution, partner_error: float = 0.25) -> Check:
    """Whether more evaluations would still move the map."""
    used = int(attribution.evaluations[0])
    if attribution.converged is not None:
        good = bool(attribution.converged[0])
        word = "converged" if good else "did not converge"
        return Check(
            "convergence", _status(good), float(used), None, f"{attribution.method} {word} within {used:,} evaluations"
        )
    if attribution.error is None:
        return Check("convergence", NONE, None, None, f"{attribution.method} has nothing to converge")
    total = attribution.totals()[0].double()
    noise = float(attribution.error[0].norm() / total.norm().clamp(min=1e-12))
    kind = "every coalition was evaluated" if noise == 0 else f"sampling error is {noise:.1%} of the map's size"
    return Check("convergence", _status(noise <= partner_error), noise, partner_error, f"{kind} ({used:,} evaluations)")


def deletion(total: Tensor, orders: Orders | None, parts: str = "regions", *, common: bool = False) -> Check:
    """Insertion minus deletion of the map's order against random orders.

    Args:
        total: (P,) the map.
        orders: None where there are too few parts.
        parts: what the map is of.
        common: the parts are few and mean the same in every image, such as bands of frequencies, of which one alone may
            matter. Random orders that put it first too say the same as the map, and count for it.
    """
    if orders is None:
        return Check("deletion", NONE, None, DELETION, FEW.format(parts))
    share = orders.percentile(total, ties=1.0 if common else 0.5)
    more = "at least as much as" if common else "more than"
    sentence = (
        f"removing the {parts} in the map's order, and adding them back, moves the verdict {more} {share:.1%} "
        f"of {len(orders.random)} random orders do"
    )
    return Check("deletion", _status(share > DELETION), share, DELETION, sentence)


def agreement(total: Tensor, other: Tensor | None, name: str, seed: int, parts: str = "regions") -> Check:
    """Rank correlation with a method of another kind, above its own chance level."""
    if other is None:
        return Check(
            "agreement", NONE, None, None, f"no gradient method and perturbation method were run on the same {parts}"
        )
    if len(total) < FEWEST:
        return Check("agreement", NONE, None, None, FEW.format(parts))
    one, two = _without_rounding(total), _without_rounding(other)
    value, level = spearman(one, two), chance_level(one, two, seed=seed)
    sentence = f"rank correlation with {name} is {value:+.2f}; by chance it stays below {level:.2f} in 95 of 100 cases"
    # where one part alone has a value, chance finds the same order once in as many times as there are parts
    return Check("agreement", _status(value > level or value > SAME_ORDER), value, level, sentence)


def _without_rounding(total: Tensor) -> Tensor:
    """(P,) values of which those that are rounding beside the largest are all alike."""
    return total.where(total.abs() > ROUNDING * total.abs().max(), 0.0)


def randomisation(total: Tensor, randomised: list[Tensor] | None, parts: str = "regions") -> Check:
    """Mean rank correlation with the maps of critics with random weights."""
    if len(total) < FEWEST:
        return Check("randomisation", NONE, None, RANDOMISED, FEW.format(parts))
    if not randomised:
        return Check("randomisation", NONE, None, RANDOMISED, "the model has no weights that could be reset")
    value = sum(spearman(total, other) for other in randomised) / len(randomised)
    sentence = (
        f"the mean rank correlation with the maps of {len(randomised)} critics with random weights is {value:+.2f}"
    )
    return Check("randomisation", _status(value < RANDOMISED), value, RANDOMISED, sentence)


def specificity(
    total: Tensor, others: list[Tensor] | None, orders: Orders | None, *, parts: str = "regions", common: bool = False
) -> Check:
    """Whether this image's map explains this image better than the maps of other images do.

    Args:
        total: (P,) the map.
        others: (P,) each, those of other images.
        orders: of this image; None where there are too few parts.
        parts: what the map is of.
        common: a part means the same in every image, such as a band of frequencies. Images may then be judged as they
            are for the same reason, so that another's map may be as good, and only a better one speaks against this.
    """
    if not others:
        return Check("specificity", NONE, None, SPECIFIC, "no other images are known; give some with --reals DIR")
    if orders is None:
        return Check("specificity", NONE, None, SPECIFIC, FEW.format(parts))
    own = orders.score(total)
    scores = torch.tensor([orders.score(other) for other in others], dtype=torch.float64)
    ties = 1.0 if common else 0.5
    share = shared(scores, own, ties)
    better = "at least as well as" if common else "better than"
    sentence = f"the map explains this image {better} {share:.0%} of the maps of {len(others)} other images do"
    return Check("specificity", _status(share >= SPECIFIC), share, SPECIFIC, sentence)
