"""What is measured of every counterfactual: distances, the way of the logit, realism, bytes, and what an eye sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ganexplain import tensors
from ganexplain.attribution.counterfactuals import Counterfactual
from ganexplain.attribution.counterfactuals._boundary import Boundary
from ganexplain.attribution.counterfactuals._visibility import visible
from ganexplain.models.critic import Critic
from ganexplain.models.forms import Images

FRACTIONS = 21  # of the way at which the logit is measured, the two ends among them
CHANGED = 1e-6  # a value that differs by less is the same
STRETCHED = (1.0, 1.01, 1.02, 1.05, 1.1, 1.2, 1.5, 2.0)  # times a change, where it is rounded to bytes
SAME = 1e-3  # root mean square difference below which two inputs are the same one


@dataclass(frozen=True)
class Change:
    """What a search hands in.

    Attributes:
        values: (1, D) of the changed input in the form's units.
        way: (T, D) from the image to ``values``, or None for the straight line.
        distance: measures of its own, which join those of values.
        steps: part and logit after it.
        notes: what a reader must know, one sentence each.
        facts: JSON-able.
    """

    values: Tensor
    way: Tensor | None = None
    distance: Mapping[str, float] = field(default_factory=dict)
    steps: tuple[tuple[str, float], ...] = ()
    notes: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


def measured(kind: str, boundary: Boundary, change: Change) -> Counterfactual:
    """The counterfactual of a change, judged by the critic itself as it is handed out."""
    image, changed = boundary.like.detach().clone(), boundary.inputs(change.values)
    way = straight(boundary.start, change.values) if change.way is None else change.way
    logits = boundary.logits(torch.cat([way[:-1], change.values])).tolist()
    flipped = _side(logits[-1], boundary.threshold) == boundary.to
    own = _side(boundary.logit, boundary.threshold)
    seen = visible(boundary.form, image, changed)
    bytes_ = _in_bytes(boundary, image, change.values) if flipped and boundary.to != own else {}
    facts = {
        "to": boundary.to,
        "margin": boundary.margin,
        "form": boundary.form.name,
        **_unit(boundary),
        **bytes_,
        **change.facts,
    }
    distance = {**distances(boundary.start, change.values), **change.distance}
    notes = (*change.notes, *_notes(boundary, flipped, seen, facts, distance["max"]))
    return Counterfactual(
        kind=kind,
        image=image,
        changed=changed,
        flipped=flipped,
        logit=(logits[0], logits[-1]),
        threshold=boundary.threshold,
        distance=distance,
        path=tuple(zip(torch.linspace(0, 1, len(logits)).tolist(), logits, strict=True)),
        visible=seen,
        evaluations=boundary.evaluations,
        steps=change.steps,
        realism=realism(boundary.critic, image, changed),
        notes=notes,
        facts=facts,
    )


def straight(start: Tensor, end: Tensor) -> Tensor:
    """(`FRACTIONS`, D) points from start (1, D) to end (1, D), both of them exactly."""
    t = torch.linspace(0, 1, FRACTIONS, dtype=start.dtype, device=start.device)[:, None]
    return torch.where(t < 1, start + t * (end - start), end)


def distances(start: Tensor, end: Tensor) -> dict[str, float]:
    """Norms of the change of values (1, D), and the share of the numbers that changed."""
    change = (end - start)[0]
    return {
        "rms": float(change.square().mean().sqrt()),
        "l1": float(change.abs().sum()),
        "l2": float(change.norm()),
        "max": float(change.abs().max()),
        "share": float((change.abs() > CHANGED).double().mean()),
    }


def realism(critic: Critic, image: Tensor, changed: Tensor) -> float | None:
    """Root mean square distance of ``changed`` to the nearest known real, divided by that of ``image``.

    A real that is the image itself is left out: a change of a known real would seem to lead away from all others.
    None where no reals are known, or no other one.
    """
    if critic.reference is None:
        return None
    reals = critic.form.fitted(critic.reference.images, image, "the reals")
    compared = (critic.form.comparable(x.double(), reals.double()).flatten(1) for x in (image, changed, reals))
    own, new, known = compared
    exact = "donot_use_mm_for_euclid_dist"  # the faster form loses the digits that tell an image from itself
    before = torch.cdist(own, known, compute_mode=exact)[0] / own.shape[1] ** 0.5
    others = before > SAME
    if not others.any():
        return None
    after = torch.cdist(new, known[others], compute_mode=exact)[0] / own.shape[1] ** 0.5
    return float(after.min() / before[others].min())


def _side(logit: float, threshold: float) -> str:
    return "fake" if logit < threshold else "real"


def _unit(boundary: Boundary) -> dict[str, str]:
    return {} if isinstance(boundary.form, Images) else {"unit": boundary.form.unit}


def _in_bytes(boundary: Boundary, image: Tensor, end: Tensor) -> dict[str, Any]:
    """Whether the change to ``end`` (1, D) lives through a file of 8 bits, or how much more of it would."""
    if not isinstance(boundary.form, Images):
        return {}
    factors = end.new_tensor(STRETCHED)
    farther = boundary.start + factors[:, None] * (end - boundary.start)
    pixels = tensors.to_uint8(boundary.inputs(torch.cat([end, farther[1:]]).clamp(-1, 1)))
    again = boundary.form.scaled(tensors.from_uint8(pixels).double()).flatten(1).to(end)
    logits = boundary.logits(again).tolist()
    turned = [f for f, logit in zip(STRETCHED, logits, strict=True) if _side(logit, boundary.threshold) == boundary.to]
    differing = float((pixels[:1] != tensors.to_uint8(image)).double().mean())
    return {
        "survives_8bit": turned[:1] == [1.0],
        "factor_8bit": turned[0] if turned else None,
        "share_8bit": differing,
    }


def _notes(boundary: Boundary, flipped: bool, seen: str, facts: Mapping[str, Any], most: float) -> Sequence[str]:
    notes, one = [], boundary.form.one
    if not flipped:
        nothing = most <= CHANGED
        notes.append(
            f"nothing that was tried moves the verdict towards {boundary.to}"
            if nothing
            else f"the verdict did not turn: this is the {one} that came nearest to {boundary.to}"
        )
    if flipped and seen == "none" and most > CHANGED:
        notes.append(
            "no eye sees this change, and yet the verdict turns: it is an adversarial example, which shows how fragile "
            "the critic is and not what is wrong with the image"
        )
    if facts.get("survives_8bit") is False:
        factor = facts["factor_8bit"]
        least = (
            "the change is lost" if factor is None else f"the verdict turns only from {factor:g} times this change on"
        )
        notes.append(f"saved with 8 bits a channel, {least}")
    return notes
