"""One judged input with what all its domains share: the side, the baseline, critics with random weights."""

from __future__ import annotations

import torch
from torch import Tensor

from ganexplain import checks
from ganexplain.attribution import METHODS
from ganexplain.attribution.baselines import baselines_in, made_once, origin_of
from ganexplain.attribution.baselines._fixed import Fixed
from ganexplain.attribution.chart import BaselineLike, Domain
from ganexplain.attribution.methods._base import Method
from ganexplain.evaluation import trust
from ganexplain.evaluation.randomisation import randomised
from ganexplain.explanation.plan import Plan
from ganexplain.explanation.view import View
from ganexplain.models.critic import Critic
from ganexplain.models.verdict import Verdict

CALM = 32  # reals on which the statistics of randomised critics are measured
STEEP = 30  # gradients for a map that is only compared with


class Case:
    """One judged input, and what is made for it once.

    Args:
        critic: who judged.
        plan: what to compute.
        image: (1, C, H, W), or a row or signal.
        side: "fake" or "real"; None takes the side of the verdict.
    """

    def __init__(self, critic: Critic, plan: Plan, image: Tensor, side: str | None = None) -> None:
        self.critic, self.plan, self.image = critic, plan, image
        self.verdict: Verdict = critic.judge(image, batch_size=plan.batch_size)
        self.side = side or ("fake" if bool(self.verdict.is_fake[0]) else "real")
        self.sign = checks.side(self.side)
        self.baseline = self._baseline()
        self._made: dict[str, Fixed] = {}
        self._random: list[Critic] | None = None

    def _baseline(self) -> BaselineLike:
        """The plan's; else the nearest real for a fake where reals are known, else one that leaves most to explain."""
        plan, critic = self.plan, self.critic
        if plan.baseline is not None or (self.side == "fake" and critic.reference is not None):
            return plan.baseline
        names, made = contrasts(critic), [self.image]
        for name in names:
            origin = origin_of(critic, self.image, name)
            made.append(origin.images if origin.many is None else origin.many[0])
        logits = critic.logits(torch.cat(made), batch_size=plan.batch_size) - critic.threshold
        own, *evidence = [float(self.sign * part.mean()) for part in torch.split(logits, [len(m) for m in made])]
        enough = (name for name, e in zip(names, evidence, strict=True) if e <= (1 - trust.COVERED) * own)
        return next(enough, names[evidence.index(min(evidence))])

    def method(self, name: str, view: View) -> Method:
        """A method of the plan on this input, from the baseline that all domains share."""
        baseline = self.start(name) if view.baseline is None else view.baseline
        return method_of(self.critic, self.plan, name, view.domain(METHODS.get(name).needs, view.labels), baseline)

    def light(self, name: str, view: View) -> Method:
        """The same with the effort that a map deserves which is only compared with."""
        made = light(self.method(name, view), view.amounts.light)
        return made if view.spare is None else made.variant(baseline=view.spare)

    def start(self, name: str = "") -> Fixed:
        """The baseline of a method, or of those that have no wish of their own; made once, and a set stays a set.

        It is the same for all methods, save one that takes a set of its own where the plan says nothing.
        """
        asked: BaselineLike = self.baseline
        if name and METHODS.get(name).sets:
            asked = METHODS.get(name)(self.critic, baseline=asked).baseline
        key = name if asked is not self.baseline else ""
        if key not in self._made:
            self._made[key] = made_once(self.critic, self.image, asked)
        return self._made[key]

    def randomised(self) -> list[Critic] | None:
        """The critic with random weights, several times; None where it has none. Made once for all maps."""
        if self._random is None:
            plan, made = self.plan, self.start().made
            calm = [self.image, made if made.ndim == self.image.ndim else made.mean(1)]
            if self.critic.reference is not None:
                reals = self.critic.reference.images[:CALM]
                calm.append(fitted(self.critic, reals, self.image))
            found = []
            for k in range(plan.amounts.n_randomised):
                seen = torch.cat([part.to(self.image) for part in calm])
                other = randomised(self.critic, seen, seed=plan.seed + k, batch_size=plan.batch_size)
                if other is None:
                    return None
                found.append(other._variant(reference=None))
            self._random = found
        return self._random


def method_of(critic: Critic, plan: Plan, name: str, domain: Domain, baseline: BaselineLike) -> Method:
    """A method with the plan's settings."""
    own = plan.settings.get(name, {})
    made: Method = METHODS.get(name)(critic, domain=domain, baseline=baseline, batch_size=plan.batch_size, **own)
    if plan.max_evaluations is not None and hasattr(made, "max_evaluations"):
        made = made.variant(max_evaluations=plan.max_evaluations)
    if plan.tol is not None and hasattr(made, "tol") and "tol" not in own and "integrated_gradients" in name:
        made = made.variant(tol=plan.tol)
    return made


def light(method: Method, most: int) -> Method:
    """The method with the effort that a map deserves which is only compared with."""
    if not hasattr(method, "max_evaluations"):
        return method
    enough = most if method.needs == "calls" else STEEP
    return method.variant(max_evaluations=min(enough, method.max_evaluations))


def contrasts(critic: Critic) -> tuple[str, ...]:
    """Baselines from which a real leaves something to explain, in the order in which they are tried."""
    form = critic.form
    return (*(() if critic.reference is None else form.unlike), *form.contrasts)


def tried(critic: Critic) -> int:
    """Forward passes that the choice among them takes, at most."""
    return sum(baselines_in(name, critic.form.ndim) for name in contrasts(critic))


def fitted(critic: Critic, images: Tensor, like: Tensor) -> Tensor:
    """Other inputs in the shape, type and place of ``like``."""
    return critic.form.fitted(images, like, f"the other {critic.form.many}")
