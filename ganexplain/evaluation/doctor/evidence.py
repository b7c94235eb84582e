"""What the figures of an examination are drawn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ganexplain.evaluation.doctor.case import Case
from ganexplain.evaluation.doctor.contest import Contest, Reading
from ganexplain.evaluation.doctor.running import EXPECTED

SHOWN = 8  # images of a kind
WIDEST = 256  # pixels of a shown image

Rows = Mapping[str, tuple[float, ...]]


@dataclass(frozen=True)
class Evidence:
    """Numbers and images behind the findings.

    Attributes:
        logits: of "reals", "fakes" and "noise", as far as there are such images.
        threshold: of the critic.
        unit: of the logits.
        areas: AUC by reading, the declared one first; empty without both kinds.
        fits: distance of each BatchNorm layer by reading, the declared one first; empty without BatchNorm.
        layers: names of these layers.
        seen: (N, C, h, w) in [-1, 1], what the network reads, stretched to its own lowest and highest value; or None.
        span: that lowest and highest value.
        given: how many of them are reals and how many fakes.
    """

    logits: Rows = field(default_factory=dict)
    threshold: float = 0.0
    unit: str = "logit"
    areas: Mapping[str, float] = field(default_factory=dict)
    fits: Rows = field(default_factory=dict)
    layers: tuple[str, ...] = ()
    seen: Tensor | None = None
    span: tuple[float, float] = (-1.0, 1.0)
    given: tuple[int, int] = (0, 0)

    @classmethod
    def of(cls, case: Case) -> Evidence:
        """The evidence of a case whose critic runs."""
        contests = [tried for tried in (case.ranges, case.orders, case.architectures) if tried is not None]
        named = _named(contests)
        areas = {word: one.area for word, one in named.items() if one.judged}
        fits = {word: one.fit.distances for word, one in named.items() if one.fit is not None}
        layers = case.declared.fit.layers if case.pictures and case.declared.fit is not None else ()
        seen, span, given = _seen(case)
        return cls(_logits(case), case.critic.threshold, case.critic.unit, areas, fits, layers, seen, span, given)


def _logits(case: Case) -> Rows:
    found = {"reals": tuple(case.real_logits.tolist()), "fakes": tuple(case.fake_logits.tolist())}
    if case.pictures:
        try:
            found["noise"] = tuple(case.score(case.noise).tolist())
        except EXPECTED:  # the finding on noise says why
            found["noise"] = ()
    return {name: values for name, values in found.items() if values}


def _named(contests: list[Contest]) -> dict[str, Reading]:
    """Every reading by name; later trials were made with what earlier ones had found, and say so."""
    found: dict[str, Reading] = {}
    chosen: list[str] = []
    for tried in contests:
        found.setdefault("declared", tried.declared)
        for word, one in tried.others.items():
            found[", ".join([word, *chosen])] = one
        chosen = [*tried.better[:1], *chosen]
    return found


def _seen(case: Case) -> tuple[Tensor | None, tuple[float, float], tuple[int, int]]:
    if not case.pictures:
        return None, (-1.0, 1.0), (0, 0)
    with torch.no_grad():
        parts = {
            name: case.critic.preprocess(part[:SHOWN]).float().cpu()
            for name, part in (("real", case.real), ("fake", case.fake))
            if part is not None
        }
    if len({part.shape[1:] for part in parts.values()}) > 1:
        del parts["fake"]
    whole = torch.cat(list(parts.values()))
    low, high = float(whole.min()), float(whole.max())
    step = -(-max(whole.shape[-2:]) // WIDEST)
    stretched = (whole[..., ::step, ::step] - low) / max(high - low, 1e-9) * 2 - 1
    given = len(parts["real"]) if "real" in parts else 0
    return stretched.clamp(-1, 1), (low, high), (given, len(whole) - given)
