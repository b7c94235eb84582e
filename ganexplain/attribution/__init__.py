"""Why a critic said so: attribution = method x domain x baseline."""

from __future__ import annotations

from typing import Any

from ganexplain.registry import Registry

METHODS: Registry[Any] = Registry("ganexplain.attribution.methods", "attribution method")
DOMAINS: Registry[Any] = Registry("ganexplain.attribution.domains", "domain")
BASELINES: Registry[Any] = Registry("ganexplain.attribution.baselines", "baseline")
COUNTERFACTUALS: Registry[Any] = Registry("ganexplain.attribution.counterfactuals", "counterfactual")


def listing() -> dict[str, dict[str, dict[str, Any]]]:
    """Per kind and name: a summary and the facts that a part states of itself."""
    kinds = {"attribution methods": METHODS, "domains": DOMAINS, "baselines": BASELINES} | (
        {"counterfactuals": COUNTERFACTUALS} if COUNTERFACTUALS.names() else {}
    )
    return {kind: {name: _row(registry.get(name)) for name in registry.names()} for kind, registry in kinds.items()}


def _row(part: Any) -> dict[str, Any]:
    facts = [word for word in ("complete", "sampled") if getattr(part, word, False)]
    if hasattr(part, "needs"):
        facts.append(f"needs {part.needs}")
    if getattr(part, "caution", ""):
        facts.append(part.caution)
    return {"summary": (part.__doc__ or "").strip().split("\n")[0], "facts": facts}
