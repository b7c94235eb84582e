"""All checks of one critic, and what they come to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

from ganexplain import checks, tensors
from ganexplain.evaluation.doctor import anatomy, answers, judgement, mechanics, memory, methods, reading, running
from ganexplain.evaluation.doctor.case import CLASSES, Case
from ganexplain.evaluation.doctor.evidence import Evidence
from ganexplain.evaluation.doctor.finding import STATUSES, Finding, Topic
from ganexplain.evaluation.doctor.running import EXPECTED
from ganexplain.evaluation.doctor.weights import untrained
from ganexplain.models.critic import Critic
from ganexplain.models.forms import Images
from ganexplain.models.gan import GAN
from ganexplain.models.spec import Spec

Check = Callable[[Case], Finding]
Advance = Callable[[str, float], None]

CHECKS: dict[str, Check] = {
    "constant output": mechanics.constant,
    "repeats": mechanics.repeats,
    "neighbours": mechanics.neighbours,
    "training mode": mechanics.training_mode,
    "batch statistics": mechanics.statistics,
    "weights": untrained,
    "dead units": anatomy.dead,
    "reused and in place": anatomy.reuse,
    "output": answers.output,
    "pool": answers.pool,
    "image range": reading.span,
    "same delivery": judgement.same_delivery,
    "polarity": judgement.polarity,
    "threshold": judgement.threshold,
    "declared range": reading.declared_range,
    "channel order": reading.channel_order,
    "resize": reading.resize,
    "input size": memory.size,
    "architecture": memory.options,
    "BatchNorm fit": memory.batchnorm,
    "saturation": mechanics.saturation,
    "gradients": mechanics.gradients,
    "noise": judgement.noise,
}
PRIORITY = ("runs", "output", "declared range", "channel order", "input size", "resize", "architecture", "pool")
GROUNDLESS = ("weights", "batch statistics", "BatchNorm fit")  # where these fail, no trial means anything


@dataclass(frozen=True)
class Examination:
    """What the doctor found.

    Attributes:
        model: how the critic reads images and what it returns, in words.
        n_real: number of real images.
        n_fake: number of fakes.
        seed: of all that was drawn.
        findings: one a check, in the order of reading.
        subject: "critic" or "generator".
        evidence: what figures are drawn from; no part of the JSON.
    """

    model: str
    n_real: int
    n_fake: int
    seed: int
    findings: tuple[Finding, ...]
    subject: str = "critic"
    evidence: Evidence = field(default_factory=Evidence, repr=False, compare=False)

    @property
    def proposals(self) -> dict[str, tuple[Any, Finding]]:
        """What a spec should say by dotted key, with the finding that says so; the more basic finding wins.

        What is undecided is left out, and so is what was found with weights that fit nowhere.
        """
        lost = any(finding.name in GROUNDLESS for finding in self.failed)
        told = [f for f in self.findings if not lost or f.name not in PRIORITY[2:]]
        ranked = sorted(told, key=lambda f: PRIORITY.index(f.name) if f.name in PRIORITY else len(PRIORITY))
        found: dict[str, tuple[Any, Finding]] = {}
        for finding in ranked:
            for key, value in finding.accepted.items():
                found.setdefault(key, (value, finding))
        return found

    def spec(self, base: Spec) -> Spec:
        """``base`` with what was found in place of what it says."""
        return spec_of({key: value for key, (value, _) in self.proposals.items()}).over(base)

    @property
    def comments(self) -> dict[str, str]:
        """How each proposal was found, by dotted key, for `Spec.write`."""
        found = self.proposals.items()
        return {key: f"found by trying: {finding.evidence} ({finding.certainty})" for key, (_, finding) in found}

    @property
    def methods(self) -> tuple[str, ...]:
        """Names of the attribution methods that work with this critic."""
        named = [f for f in self.findings if f.name.startswith("method ")]
        return tuple(f.name.removeprefix("method ") for f in named if f.status == "ok")

    @property
    def failed(self) -> tuple[Finding, ...]:
        """The findings that make explanations of this model misleading."""
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
            return f"Do not explain this {self.subject} yet: {self.failed[0].sentence} ({tail})."
        warned = [f.name for f in self.findings if f.status == "warn"]
        if warned:
            return f"This {self.subject} can be explained, with care for: {', '.join(warned)} ({tail})."
        return f"This {self.subject} can be explained ({tail})."

    def __getitem__(self, name: str) -> Finding:
        """The finding of one check."""
        by_name = {f.name: f for f in self.findings}
        return by_name[checks.one_of("check", name, by_name)]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        facts: dict[str, Any] = {"model": self.model, "n_real": self.n_real, "n_fake": self.n_fake, "seed": self.seed}
        facts["subject"] = self.subject
        found = [_plain(f) for f in self.findings]
        proposed = spec_of({key: value for key, (value, _) in self.proposals.items()}).to_dict()
        told = {"findings": found, "summary": self.summary, "counts": self.counts, "proposal": proposed}
        return {**facts, **told, "comments": self.comments, "methods": list(self.methods)}


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
            critic.form.check(part, name)
    return examined(Case(critic, real, fake, batch_size, seed), {**CHECKS, **dict(methods.tried())}, advance)


def examined(case: Case, todo: Mapping[str, Check], advance: Advance | None = None) -> Examination:
    """Examine a case by these checks; see `examine`."""
    critic = case.critic
    findings = _findings(case, todo, advance or (lambda what, done: None))
    counts = [0 if part is None else len(part) for part in (case.real, case.fake)]
    evidence = Evidence() if findings[0].status == "fail" else Evidence.of(case)
    return Examination(_described(critic), counts[0], counts[1], case.seed, findings, evidence=evidence)


def spec_of(said: Mapping[str, Any]) -> Spec:
    """The spec that says these things, by dotted key."""
    nested: dict[str, dict[str, Any]] = {}
    for key, value in said.items():
        section, _, name = key.partition(".")
        nested.setdefault(section, {})[name] = value
    return Spec.of(nested)


def _findings(case: Case, todo: Mapping[str, Check], advance: Advance) -> tuple[Finding, ...]:
    runs = Topic("runs", "images")
    try:
        n = float(len(case.logits))
    except EXPECTED as error:  # the model's own words are the finding
        with torch.no_grad():
            first = running.failure(case, error)
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
    if not isinstance(critic.form, Images):
        return f"{critic.kind}, high means {critic.polarity}; reads a {critic.form.one}; tail {critic.tail}"
    order = "" if reads.order == "rgb" else f", {reads.order}"
    size = "any size" if reads.shape is None else f"{reads.shape[1]}x{reads.shape[0]} by {reads.resize}"
    low, high = reads.value_range
    normal = "" if reads.mean is None and reads.std is None else " with mean and std"
    classes = critic.pick is None and critic.kind in CLASSES
    what = "a callable's pick" if critic.pick else critic.kind
    means = f"real is class {critic.real_class}" if classes else f"high means {critic.polarity}"
    return f"{what}, {means}; reads {size} in [{low:g}, {high:g}]{normal}{order}; tail {critic.tail}"


def _plain(finding: Finding) -> dict[str, Any]:
    row = asdict(finding)
    row["proposal"] = spec_of(finding.proposal).to_dict()
    row["details"] = {k: _number(v) for k, v in finding.details.items()}
    row["value"] = None if finding.value is None else _number(finding.value)
    return row


def _number(value: float) -> float | None:
    """JSON has no NaN or infinity."""
    return float(value) if abs(value) < float("inf") else None
