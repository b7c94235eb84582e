"""What the network's numbers are: logits or probabilities, one or several, a map, a sigmoid too many."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ganexplain import tensors
from ganexplain.evaluation.doctor.case import CLASSES, LIMIT, Case
from ganexplain.evaluation.doctor.contest import LARGE_GAIN, SURELY, compared
from ganexplain.evaluation.doctor.finding import Finding, Topic
from ganexplain.models import outputs
from ganexplain.models.critic import Critic
from ganexplain.models.verdict import POOR_AUC, auc

PROBED = 16  # images of a kind that are also shown far too bright and dark
FAR = (4.0, -4.0)  # times what the network reads: a score leaves [0, 1] there, a probability cannot
TWICE = (0.5, 0.7310586)  # sigmoid(0) and sigmoid(1): what a sigmoid of a sigmoid returns
TWICE_OF_TWO = (0.2689413, 0.7310587)  # what a softmax of two probabilities returns
SLACK = 1e-6


@dataclass(frozen=True)
class Diagnosis:
    """What is wrong with the numbers that a network returns.

    Attributes:
        sentence: what was seen; empty where nothing is wrong.
        advice: what to do.
        proposal: what a spec would say.
    """

    sentence: str = ""
    advice: str = ""
    proposal: Mapping[str, Any] = field(default_factory=dict)


def raw(critic: Critic, images: Tensor, scale: float = 1.0) -> Any:
    """What the network returns for images, its input multiplied by ``scale``; without gradients."""
    with torch.no_grad(), tensors.isolated():
        x = critic.form.read(critic._placed(images), critic.preprocess) * scale
        return critic._raw(x)


def output(case: Case) -> Finding:
    """Whether the numbers are of the kind that was declared, also for noise and for images far too bright."""
    topic, critic = Topic("output", "highest output"), case.critic
    if critic.pick is not None:
        return topic.skip("a callable picks the logit, and only it is known")
    values = _many(case)
    said = diagnosis(values, "cut" if critic.tail == "cut" else critic.kind, critic.kind)
    low, high = float(values.min()), float(values.max())
    details = {"lowest": low, "highest": high}
    if not said.sentence:
        where = "before its sigmoid or softmax" if critic.tail == "cut" else "as it returns them"
        return topic.ok(high, f"the outputs, {where}, lie in [{low:.4g}, {high:.4g}]", details)
    found = topic.fail(high, said.sentence, said.advice, details)
    return found.proposing(said.proposal, "certain", f"outputs in [{low:.3g}, {high:.3g}] even for extreme inputs")


def diagnosis(values: Tensor, kind: str, declared: str) -> Diagnosis:
    """What is wrong with outputs (N, ...) that were declared to be of a kind.

    Args:
        values: of images and of inputs far away from images.
        kind: a name of `outputs.KINDS`, or "cut" where a verified sigmoid or softmax was taken off.
        declared: the kind that was declared.
    """
    many = values.ndim > 1 and values.shape[1] > 1 and values.numel() == values.shape[0] * values.shape[1]
    low, high = float(values.min()), float(values.max())
    if many:
        return _of_classes(values, kind)
    if low == high == 1.0:
        advice = "one logit takes a sigmoid; a softmax over it is 1 whatever it is: return the logit itself"
        return Diagnosis("every output is exactly 1: a softmax over a single logit", advice)
    inside = low >= -SLACK and high <= 1 + SLACK and high > low
    if not inside:
        return Diagnosis()
    if TWICE[0] - SLACK <= low and high <= TWICE[1] + SLACK and kind != "cut":
        advice = "take one of the two sigmoids away; the loss that was trained with may hold another (BCEWithLogits)"
        return Diagnosis(f"the outputs lie in [{low:.3f}, {high:.3f}]: a sigmoid of a sigmoid", advice)
    if kind == "cut":
        advice = "take one of the two sigmoids away: what is left after the last one still lies in [0, 1]"
        return Diagnosis("before its last sigmoid the output lies in [0, 1]: a sigmoid of a sigmoid", advice)
    if kind in ("logit", "score"):
        sentence = (
            f"the outputs lie in [{low:.3g}, {high:.3g}] whatever is shown: a probability, declared as {declared}"
        )
        return Diagnosis(sentence, "say output='probability'", {"critic.output": "probability"})
    return Diagnosis()


def _of_classes(values: Tensor, kind: str) -> Diagnosis:
    low, high = float(values.min()), float(values.max())
    if kind != "class_probabilities" or values.shape[1] != 2:
        return Diagnosis()
    if TWICE_OF_TWO[0] - SLACK <= low and high <= TWICE_OF_TWO[1] + SLACK and high > low:
        advice = "take one of the two softmaxes away"
        return Diagnosis(f"the probabilities lie in [{low:.3f}, {high:.3f}]: a softmax of a softmax", advice)
    return Diagnosis()


def pool(case: Case) -> Finding:
    """Whether another way of pooling a patch map tells real from fake where the declared one does not."""
    topic, critic = Topic("pool", "AUC"), case.critic
    shape = _shape(case)
    if len(shape) < 4 or shape[1] != 1 or shape[2] * shape[3] == 1 or critic.kind in CLASSES:
        return topic.skip("the model gives one number an image")
    if case.both is None:
        return topic.skip(case.lacking)
    others = [name for name in outputs.POOLS if name != critic.pool]
    variants = {name: (partial(critic._variant, pool=name), {"critic.pool": name}) for name in others}
    pools = compared(case.declared, variants, case.look)
    own, details = auc(*case.declared.turned), {name: other.area for name, other in pools.others.items()}
    size = f"{shape[2]}x{shape[3]} patches"
    better = pools.better[0] if pools.better else ""
    change, error = pools.gain(better) if better else (0.0, 1.0)
    if not better or own >= POOR_AUC or change < LARGE_GAIN or change < SURELY * error:
        return topic.ok(case.area[0], f"{size}, pooled by {critic.pool!r}; no other pool is needed", details)
    sentence = f"{size}: pooled by {better!r} the AUC is {pools.others[better].area:.3f}, by {critic.pool!r} {own:.3f}"
    found = topic.warn(case.area[0], sentence, f"say pool={better!r}", details)
    return found.proposing({"critic.pool": better}, "likely", pools.evidence(better))


def columns(case: Case) -> list[float]:
    """AUC of reals against fakes by every column of a classifier taken as the real one."""
    critic, areas = case.critic, []
    for column in range(_shape(case)[1]):
        other = critic._variant(real_class=column)
        parts = [case.score(part[:LIMIT], other) for part in (case.real, case.fake) if part is not None]
        areas.append(auc(parts[0], parts[1]))
    return areas


def _shape(case: Case) -> tuple[int, ...]:
    found = raw(case.critic, case.parts[0][:1])
    return tuple(found.shape) if isinstance(found, Tensor) else ()


def _many(case: Case) -> Tensor:
    """Outputs for images of both kinds, noise, and all of them far too bright, dark and inverted."""
    critic, images = case.critic, [part[:PROBED] for part in case.parts]
    images.append(tensors.normal(case.seed, "doctor output", shape=tuple(images[0].shape)).to(images[0]).clamp(-1, 1))
    found = [raw(critic, part, scale) for part in images for scale in (1.0, *FAR)]
    return torch.cat([one.reshape(len(one), *one.shape[1:]).detach().double() for one in found])
