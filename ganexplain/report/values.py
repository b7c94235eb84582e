"""What a report says of any attribution and of its checks, in places as in other coordinates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from ganexplain.attribution.attribution import SCALED, SHARES_FROM, Attribution
from ganexplain.evaluation.trust import FAIL, VITAL, Trust
from ganexplain.report import words


def attribution_facts(attribution: Attribution, total: Tensor) -> dict[str, Any]:
    """The sums, units and parameters of one attribution.

    Args:
        attribution: of one input.
        total: (P,) its value per part.
    """

    def one(tensor: Tensor | None) -> Any:
        return None if tensor is None else tensor[0].item()

    return {
        "domain": attribution.domain,
        "unit": attribution.unit,
        "evaluations": int(attribution.evaluations[0]),
        "change": float(attribution.change[0]),
        "net": float(total.sum()),
        "gross": float(total.abs().sum()),
        "gap": one(attribution.gap),
        "converged": one(attribution.converged),
        "quality": one(attribution.quality),
        "params": dict(attribution.params),
    }


def baseline_facts(attribution: Attribution) -> dict[str, Any]:
    """What the values are measured from."""
    name, logit = attribution.baseline, float(attribution.origin_logit[0])
    return {"name": name, "logit": logit, "compared": attribution.compares}


def trust_facts(trust: Trust, told: Callable[[str], str]) -> dict[str, Any]:
    """The checks of one attribution.

    Args:
        trust: all of them.
        told: turns a sentence on regions of an image into one on the parts of what was explained.
    """
    failed = sorted((c.name for c in trust.checks if c.status == FAIL), key=lambda name: name not in VITAL)
    rows = []
    for check in trust.checks:
        row = {"name": check.name, "status": check.status, "value": check.value, "threshold": check.threshold}
        said = words.sentence(told(check.sentence).replace("_", " "))  # names of methods as they are read
        rows.append(row | {"measured": told(words.measured(row)), "sentence": said})
    return {"word": trust.word, "failed": failed, "summary": trust.summary, "checks": rows}


def ranked(total: Tensor, error: Tensor | None, others: dict[str, Tensor], unit: str) -> list[dict[str, Any]]:
    """One row a part, strongest first.

    Args:
        total: (P,) values by the quoted method.
        error: (P,) their standard errors, or None.
        others: by method, the same of every method.
        unit: of the quoted values; only of a logit or score a share means anything.
    """
    net, gross = float(total.sum()), float(total.abs().sum())
    shares = unit in SCALED and gross > 0 and abs(net) / gross >= SHARES_FROM
    return [
        {
            "number": number,
            "label": label,
            "value": float(total[label]),
            "error": None if error is None else float(error[label]),
            "share": float(total[label]) / net if shares else None,
            "values": {name: float(t[label]) for name, t in others.items()},
        }
        for number, label in enumerate(total.abs().argsort(descending=True, stable=True).tolist(), 1)
    ]
