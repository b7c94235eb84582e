"""Everything that a report says, as plain JSON: the page is drawn from it and from nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganexplain import __version__, checks
from ganexplain.attribution.attribution import Attribution
from ganexplain.explanation import Explanation
from ganexplain.report import beside, cautions, changes, facets, values, words
from ganexplain.report.directions import Discovery
from ganexplain.report.files import ARRAYS, KIND, safe_names
from ganexplain.report.parts import form_facts, part_facts

VERSION = 1
DIGITS = 7  # of a number; what is beyond is float32 rounding


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of ``report.json``."""
    found: dict[str, Any] = json.loads((Path(__file__).parent / "schema.json").read_text(encoding="utf-8"))
    return found


def document(
    explanations: Sequence[Explanation],
    *,
    model: str = "",
    directions: Discovery | None = None,
    command: str = "",
    planned: int | None = None,
) -> dict[str, Any]:
    """What ``report.json`` holds."""
    names = safe_names([e.name for e in explanations])
    entries = [_entry(e, stem) for e, stem in zip(explanations, names, strict=True)]
    wanted = max(planned or 0, len(entries))
    made: dict[str, Any] = _plain(
        {
            "kind": KIND,
            "schema": VERSION,
            "version": __version__,
            "title": cautions.page_title(entries, wanted, directions is not None),
            "model": model,
            "command": command,
            "planned": wanted,
            "explanations": entries,
            "directions": None if directions is None else directions.to_json(),
        }
    )
    return made


def arrays(explanation: Explanation) -> dict[str, np.ndarray[Any, Any]]:
    """What ``arrays/NAME.npz`` holds: image, baseline, regions, and per method values, totals and standard errors.

    Those of facets begin with the domain's name; ``changed_KIND`` are the changed images, ``patch_*`` what cells say.
    """
    first = explanation.primary
    found = {"image": explanation.image[0], "baseline": first.origins[0], "regions": explanation.regions}
    for name, attribution in explanation.attributions.items():
        found[f"values_{name}"] = attribution.values[0]
        found[f"totals_{name}"] = explanation.totals(name)
        errors = _errors(attribution, explanation)
        if errors is not None:
            found[f"errors_{name}"] = errors
    found |= facets.facet_arrays(explanation) | changes.change_arrays(explanation) | beside.beside_arrays(explanation)
    return {name: tensor.detach().cpu().numpy() for name, tensor in found.items()}


def _entry(explanation: Explanation, stem: str) -> dict[str, Any]:
    first, side = explanation.primary, explanation.side
    critic = dict(explanation.critic)
    verdict = _verdict(explanation)
    regions = _regions(explanation)
    trust = {name: values.trust_facts(t, explanation.form.told) for name, t in explanation.trusts.items()}
    known = trust.get(first.method)
    entry: dict[str, Any] = {
        "name": explanation.name,
        "arrays": f"{ARRAYS}/{stem}.npz",
        "shape": list(explanation.image.shape[1:]),
        "form": form_facts(explanation),
        "side": side,
        "method": first.method,
        "word": explanation.word,
        "failed": [] if known is None else known["failed"],
        "summary": "" if known is None else known["summary"],
        "interrupted": explanation.interrupted,
        "verdict": verdict,
        "critic": critic,
        "plan": explanation.plan.to_json(),
        "baseline": values.baseline_facts(first),
        "regions": regions,
        "attributions": {
            name: values.attribution_facts(a, explanation.totals(name)) for name, a in explanation.attributions.items()
        },
        "trust": trust,
        "notes": [words.sentence(explanation.form.told(note)) for note in explanation.notes],
        "facets": facets.facet_facts(explanation),
        "counterfactuals": changes.change_facts(explanation, regions),
        **beside.beside_facts(explanation),
    }
    return entry | {
        "title": cautions.title(entry),
        "sentences": _sentences(entry, first),
        "caveats": [explanation.form.told(text) for text in cautions.caveats(entry)],
    }


def _sentences(entry: Mapping[str, Any], first: Attribution) -> dict[str, str]:
    side, unit, found = entry["side"], first.unit, entry["verdict"]
    parts = [r["value"] for r in entry["regions"]]
    whole = "the change from the baseline" if first.gap is not None else "the balance"
    base, form = entry["baseline"], first.form
    towards, away = sum(v for v in parts if v > 0), sum(v for v in parts if v < 0)
    if base["compared"]:
        from_ = words.baseline(base["name"], base["logit"], found["threshold"], found["fake"], entry["critic"]["unit"])
    else:
        from_ = words.alone(first.method, base["name"])
    return {
        "verdict": form.told(words.verdict(found, entry["critic"])),
        "trust": form.told(cautions.trust(entry)),
        "training": cautions.training(entry),
        "where": words.where(entry["regions"], side, unit, whole, form.part),
        "against": words.against(entry["regions"], side, unit, form.part),
        "balance": form.told(words.balance(towards, away, side, unit)),
        "baseline": form.told(from_),
        "facets": facets.lead(entry["facets"], side),
        "change": changes.lead(entry["counterfactuals"]),
    }


def _verdict(explanation: Explanation) -> dict[str, Any]:
    verdict = explanation.verdict
    logit = float(verdict.logit[0])
    probability = None if verdict.probability is None else float(verdict.probability[0])
    return {
        "logit": logit,
        "threshold": verdict.threshold,
        "probability": probability,
        "auc": verdict.auc,
        "fake": bool(verdict.is_fake[0]),
        "unsure": bool(verdict.unsure[0]),
        "reals_below": reals_below(logit, explanation.critic.get("real_quantiles")),
    }


def reals_below(logit: float, quantiles: Sequence[float] | None) -> float | None:
    """Share of the known reals whose logit is lower, from evenly spaced quantiles of theirs (first is the minimum).

    >>> reals_below(0.5, [0.0, 1.0, 2.0]), reals_below(-1.0, [0.0, 1.0]), reals_below(9.0, [0.0, 1.0])
    (0.25, 0.0, 1.0)
    """
    if not quantiles:
        return None
    if logit <= quantiles[0]:
        return 0.0
    return float(np.interp(logit, quantiles, np.linspace(0, 1, len(quantiles))))


def _regions(explanation: Explanation) -> list[dict[str, Any]]:
    """The regions (or features, or spans), strongest first by the primary method."""
    first, places = explanation.primary, part_facts(explanation)
    totals = {name: explanation.totals(name).double().cpu() for name in explanation.attributions}
    rows = values.ranked(totals[first.method], _errors(first, explanation), totals, first.unit)
    return [row | places[row["label"]] for row in rows]


def _errors(attribution: Attribution, explanation: Explanation) -> Tensor | None:
    """(P,) standard errors of the regions, where the method's players are the regions."""
    errors, count = attribution.error, int(explanation.regions.max()) + 1
    return None if errors is None or attribution.domain != explanation.form.removed else errors[0, :count]


def _plain(value: Any) -> Any:
    """Rounded to `DIGITS`; a number that is not finite is refused, since JSON has none."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, bool) or value is None or isinstance(value, int | str):
        return value
    if isinstance(value, float):
        checks.finite(torch.tensor(value), "a number of the report")
        return float(f"{value:.{DIGITS}g}")
    return str(value)
