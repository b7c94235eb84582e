"""Try what was found: the model with the proposals in place, examined again, until nothing more is found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ganexplain.evaluation.doctor import architecture, methods, ranges
from ganexplain.evaluation.doctor.case import Case
from ganexplain.evaluation.doctor.examination import CHECKS, Advance, Examination, examine, examined, spec_of
from ganexplain.evaluation.doctor.generators import examine_generator
from ganexplain.models.critic import Critic
from ganexplain.models.generator import Generator
from ganexplain.models.outputs import PROBABILITIES
from ganexplain.models.spec import Spec

ROUNDS = 3  # a wrong output or range hides other faults, which show once it is mended


@dataclass(frozen=True)
class Repair:
    """A critic or generator before and after what the doctor proposed.

    Attributes:
        before: the examination of the model as it came.
        after: that of the repaired one; ``before`` where nothing was proposed.
        model: the repaired one.
        proposal: all that was changed, by dotted key.
        comments: how each was found.
    """

    before: Examination
    after: Examination
    model: Critic | Generator
    proposal: Mapping[str, Any]
    comments: Mapping[str, str]

    def spec(self, base: Spec) -> Spec:
        """``base`` with what was found in place of what it says."""
        return spec_of(self.proposal).over(base)

    @property
    def sentence(self) -> str:
        """Before and after."""
        if not self.proposal and self.before.failed:
            return f"no change of the spec mends what fails: {', '.join(f.name for f in self.before.failed)}"
        if not self.proposal:
            return "nothing was found that a spec could say better"
        keys = ", ".join(self.proposal)
        return f"changed {keys}; before: {_in_short(self.before)}; after: {_in_short(self.after)}"


def repair(
    critic: Critic,
    *,
    real: Tensor | None = None,
    fake: Tensor | None = None,
    batch_size: int = 64,
    seed: int = 0,
    advance: Advance | None = None,
) -> Repair:
    """Examine a critic, apply what is at least likely, and examine again; see `examine` for the arguments.

    A critic that was opened from a file is opened again with the spec; of another one a variant is made, which its
    owner can have by the arguments of `Critic` that the findings name. Methods are tried again only where they could
    not be tried before.
    """
    before = examine(critic, real=real, fake=fake, batch_size=batch_size, seed=seed, advance=advance)
    checks = {**CHECKS, **dict(methods.tried())} if before["runs"].status == "fail" else CHECKS
    after, proposal, comments = before, dict[str, Any](), dict[str, str]()
    for _ in range(ROUNDS):
        said = {key: value for key, (value, _) in after.proposals.items()}
        news = {key: value for key, value in said.items() if proposal.get(key) != value}
        if not news:
            break
        comments |= {key: after.comments[key] for key in news}
        proposal |= news
        critic = repaired(critic, news)
        after = examined(Case(critic, real, fake, batch_size, seed), checks, advance)
    return Repair(before, after, critic, proposal, comments)


def repair_generator(
    generator: Generator,
    *,
    real: Tensor | None = None,
    batch_size: int = 64,
    seed: int = 0,
    advance: Advance | None = None,
) -> Repair:
    """Examine a generator that was opened from a file, apply what is at least likely, and examine again."""
    settings = {"batch_size": batch_size, "seed": seed}
    before = examine_generator(generator, real=real, **settings, advance=advance)
    proposal = {key: value for key, (value, _) in before.proposals.items()}
    if not proposal or generator.about is None:
        return Repair(before, before, generator, {}, {})
    mended = generator.about.reread(spec_of(proposal).over(generator.about.spec))
    after = examine_generator(mended, real=real, **settings, advance=advance)
    return Repair(before, after, mended, proposal, {key: before.comments[key] for key in proposal})


def repaired(critic: Critic, said: Mapping[str, Any]) -> Critic:
    """A critic with what a proposal says by dotted key."""
    if critic.about is not None:
        other: Critic = critic.about.reread(spec_of(said).over(critic.about.spec))
        return other
    reads = ranges.reads(critic.preprocess, said)
    changed = critic if reads == critic.preprocess else critic.with_preprocess(reads)
    names = {"polarity": "polarity", "pool": "pool", "real_class": "real_class", "output": "kind"}
    meant = {name: said[f"critic.{key}"] for key, name in names.items() if f"critic.{key}" in said}
    if "kind" in meant:
        meant["tail"] = "unverified" if meant["kind"] in (*PROBABILITIES, "classes") else "none"
    if meant:
        changed = changed._variant(**meant, calibration=None, reference=None)
    slope = said.get("architecture.slope")
    return changed if slope is None else architecture.resloped(changed, float(slope))


def _in_short(found: Examination) -> str:
    value = found["polarity"].value if found.subject == "critic" else None
    area = "" if value is None else f"AUC {value:.3f}, "
    failed = [finding.name for finding in found.failed]
    return area + (f"failing: {', '.join(failed)}" if failed else "no failure")
