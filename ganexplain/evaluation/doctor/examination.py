"""All checks of one critic, and what they come to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from ganexplain import checks, tensors
from ganexplain.evaluation.doctor import judgement, mechanics, methods, reading
from ganexplain.evaluation.doctor.finding import CLASSES, STATUSES, Case, Finding, Topic
from ganexplain.models.critic import Critic
from ganexplain.models.gan import GAN

Check = Callable[[Case], Finding]
Advance = Callable[[str, float], None]

EXPECTED = (ValueError, TypeError, RuntimeError, NotImplementedError)  # what models raise on images they do not stand
CHECKS: dict[str, Check] = {
    "constant output": mechanics.constant,
    "repeats": mechanics.repeats,
    "neighbours": mechanics.neighbours,
    "training mode": mechanics.training_mode,
    "batch statistics": mechanics.statistics,
    "image range": reading.span,
    "same delivery": judgement.same_delivery,
    "polarity": judgement.polarity,
    "threshold": judgement.threshold,
    "declared range": reading.declared_range,
    "channel order": reading.channel_order,
    "resize": reading.resize,
    "saturation": mechanics.saturation,
    "gradients": mechanics.gradients,
    "noise": judgement.noise,
}


@dataclass(frozen=True)
class Examination:
    """What the doctor found.

    Attributes:
        model: how the critic reads images and what it returns, in words.
        n_real: number of real images.
        n_fake: number of fakes.
        seed: of all that was drawn.
        findings: one a check, in the order of reading.
    """

    model: str
    n_real: int
    n_fake: int
    seed: int
    findings: tuple[Finding, ...]

    @property
    def failed(self) -> tuple[Finding, ...]:
        """The findings that make explanations of this critic misleading."""
        return tuple(f for f in self.findings if f.status == "fail")

    @property
    def counts(self) -> dict[str, int]:
        """Number of findings by status."""
        return {status: sum(f.status == status for f in self.findings) for status in STATUSES}

    @property
    def summary(self) -> str:
        """One sentence."""
        tail = ", ".join(f"{n} {status}" for status, n in self.counts.items())
        if self.failed:
            return f"Do not explain this critic yet: {self.failed[0].sentence} ({tail})."
        warned = [f.name for f in self.findings if f.status == "warn"]
        if warned:
            return f"This critic can be explained, with care for: {', '.join(warned)} ({tail})."
        return f"This critic can be explained ({tail})."

    def __getitem__(self, name: str) -> Finding:
        """The finding of one check."""
        by_name = {f.name: f for f in self.findings}
        return by_name[checks.one_of("check", name, by_name)]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        found = [_plain(f) for f in self.findings]
        return {**asdict(self), "findings": found, "summary": self.summary, "counts": self.counts}


def examine(
    model: Critic | GAN,
    *,
    real: Tensor | None = None,
    fake: Tensor | None = None,
    batch_size: int = 64,
    seed: int = 0,
    advance: Advance | None = None,
) -> Examination:
    """Examine a critic before it is explained.

    Args:
        model: a critic, or a GAN, whose judge is examined (its discriminator where there is no judge).
        real: (R, C, H, W) in [-1, 1]; None takes the GAN's own held-out reals.
        fake: (F, C, H, W) in [-1, 1]; None takes as many fresh samples of the GAN as there are reals, or 64.
        batch_size: the most images in one forward.
        seed: of samples and noise.
        advance: is told the name of each check and the share that is done.

    Raises:
        ValueError: a critic came without any image, or images are out of range.
    """
    critic = model.critic(model.critics[0]) if isinstance(model, GAN) else model
    if isinstance(model, GAN):
        real = tensors.from_uint8(model.reals) if real is None and model.reals is not None else real
        fake = model.samples(64 if real is None else len(real), seed=seed) if fake is None else fake
    if real is None and fake is None:
        raise ValueError("a critic is examined on images: give real, fake or both as (N, C, H, W) in [-1, 1]")
    for name, part in (("real", real), ("fake", fake)):
        if part is not None:
            checks.images(part, name)
    case = Case(critic, real, fake, batch_size, seed)
    findings = _findings(case, advance or (lambda what, done: None))
    counts = [0 if part is None else len(part) for part in (real, fake)]
    return Examination(_described(critic), counts[0], counts[1], seed, findings)


def _findings(case: Case, advance: Advance) -> tuple[Finding, ...]:
    todo, runs = {**CHECKS, **dict(methods.tried())}, Topic("runs", "images")
    try:
        n = float(len(case.logits))
    except EXPECTED as error:  # the model's own words are the finding
        sentence = f"the critic cannot judge these images: {' '.join(str(error).split())}"
        first = runs.fail(0.0, sentence, "see what the model expects: channels, size, range, output and pool")
        return (first, *(Topic(name).skip("the critic cannot judge these images") for name in todo))
    found = [runs.ok(n, f"the critic judged {n:.0f} images")]
    for i, (name, check) in enumerate(todo.items()):
        advance(name, i / len(todo))
        with torch.no_grad():
            found.append(_run(name, check, case))
    advance("", 1.0)
    return tuple(found)


def _run(name: str, check: Check, case: Case) -> Finding:
    try:
        return check(case)
    except EXPECTED as error:  # checks make images that the model may not stand, and say so
        sentence = f"could not be checked: {' '.join(str(error).split())}"
        return Topic(name).warn(
            None, sentence, "explanations perturb images too: make the model judge any image in [-1, 1]"
        )


def _described(critic: Critic) -> str:
    reads = critic.preprocess
    size = "any size" if reads.shape is None else f"{reads.shape[1]}x{reads.shape[0]} by {reads.resize}"
    low, high = reads.value_range
    normal = "" if reads.mean is None and reads.std is None else " with mean and std"
    classes = critic.pick is None and critic.kind in CLASSES
    what = "a callable's pick" if critic.pick else critic.kind
    means = f"real is class {critic.real_class}" if classes else f"high means {critic.polarity}"
    return f"{what}, {means}; reads {size} in [{low:g}, {high:g}]{normal}; tail {critic.tail}"


def _plain(finding: Finding) -> dict[str, Any]:
    row = asdict(finding)
    row["details"] = {k: _number(v) for k, v in finding.details.items()}
    row["value"] = None if finding.value is None else _number(finding.value)
    return row


def _number(value: float) -> float | None:
    """JSON has no NaN or infinity."""
    return float(value) if abs(value) < float("inf") else None
