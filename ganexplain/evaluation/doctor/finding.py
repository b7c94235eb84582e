"""One finding: what was seen, what to do, and what a spec would say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

STATUSES = ("ok", "warn", "fail", "not applicable")
CERTAINTIES = ("certain", "likely", "undecided")
Numbers = Mapping[str, float]


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        name: of the check.
        status: "ok", "warn" (explanations may mislead), "fail" (they will) or "not applicable".
        sentence: what was seen.
        advice: what to do about it; empty where nothing is to be done.
        value: the number that decided, or None.
        measure: what ``value`` is.
        details: further numbers by name.
        proposal: what a spec should say, by dotted key, such as {"images.range": (0.0, 1.0)}; empty for nothing.
        certainty: "certain", "likely" or "undecided"; empty without a proposal.
        evidence: the numbers behind the proposal in a few words.
    """

    name: str
    status: str
    sentence: str
    advice: str = ""
    value: float | None = None
    measure: str = ""
    details: Numbers = field(default_factory=dict)
    proposal: Mapping[str, Any] = field(default_factory=dict)
    certainty: str = ""
    evidence: str = ""

    @property
    def accepted(self) -> Mapping[str, Any]:
        """The proposal, where it is certain or likely."""
        return self.proposal if self.certainty in CERTAINTIES[:2] else {}

    def proposing(self, proposal: Mapping[str, Any], certainty: str, evidence: str) -> Finding:
        """The same finding with what a spec should say."""
        return replace(self, proposal=dict(proposal), certainty=certainty if proposal else "", evidence=evidence)


@dataclass(frozen=True)
class Topic:
    """What a check is about; writes its findings.

    Attributes:
        name: of the check.
        measure: what its number is.
    """

    name: str
    measure: str = ""

    def ok(self, value: float | None, sentence: str, details: Numbers | None = None) -> Finding:
        """Nothing is to be done."""
        return Finding(self.name, "ok", sentence, "", value, self.measure, details or {})

    def warn(self, value: float | None, sentence: str, advice: str, details: Numbers | None = None) -> Finding:
        """Explanations may mislead."""
        return Finding(self.name, "warn", sentence, advice, value, self.measure, details or {})

    def fail(self, value: float | None, sentence: str, advice: str, details: Numbers | None = None) -> Finding:
        """Explanations will mislead."""
        return Finding(self.name, "fail", sentence, advice, value, self.measure, details or {})

    def skip(self, why: str) -> Finding:
        """There was nothing to look at."""
        return Finding(self.name, "not applicable", why, "", None, self.measure)
