"""Explains images one by one, sharing between them what does not depend on the image."""

from __future__ import annotations

import dataclasses
import time
import warnings
from collections.abc import Callable
from functools import cached_property
from typing import Any

from torch import Tensor

from ganexplain import checks
from ganexplain.evaluation.probes import PROBES, Probes, probe
from ganexplain.explanation import facets, readings
from ganexplain.explanation.case import Case, tried
from ganexplain.explanation.checking import LOOKS, Examined, chart_of, examine, planned, planned_randomised, steps
from ganexplain.explanation.codes import TRIED, Coded, Codes
from ganexplain.explanation.explanation import Explanation, Facet, describe
from ganexplain.explanation.inputs import read
from ganexplain.explanation.others import Others
from ganexplain.explanation.plan import FACETS, Plan, suited
from ganexplain.explanation.view import View, places
from ganexplain.models import footprint
from ganexplain.models.critic import Critic
from ganexplain.models.forms import Images

Progress = Callable[[str, float], None]

LARGE = 3 * 128 * 128  # numbers in an input from which batches are measured before they are run


class Explainer:
    """Explains images one by one, sharing between them what does not depend on the image.

    Args:
        critic: who judged.
        plan: what to compute.
        others: (K, C, H, W) other images, for the check of specificity; the critic's reals if None.
    """

    def __init__(self, critic: Critic, plan: Plan | None = None, *, others: Tensor | None = None) -> None:
        self.critic, self.plan = critic, plan or Plan(methods=suited(critic))
        if others is None and critic.reference is not None and len(critic.reference.images) > 1:
            others = critic.reference.images  # a single real would have no other real to be compared with
        self.others = others
        self.compared = Others(critic, self.plan, others)
        self.codes = Codes(critic, self.plan)

    def explain(
        self,
        image: Any,
        *,
        side: str | None = None,
        name: str = "",
        progress: Progress | None = None,
        code: Tensor | None = None,
    ) -> Explanation:
        """Explain one image, or one row or signal.

        Args:
            image: what was judged: a path, PIL image, array or tensor (1, C, H, W) in [-1, 1], see
                `ganexplain.explanation.inputs.read`; or a row (1, F) or signal (1, C, L).
            side: "fake" or "real"; None takes the side of the verdict.
            name: what to call it; its file's name, or "image", "row" or "signal", if empty.
            progress: called with what is being done and the share that is done.
            code: (1, D) latent code of the image; None takes the plan's.

        An interrupt (Ctrl-C) after the first attribution returns what is finished, marked as interrupted.

        Raises:
            ValueError: it cannot be read; or what the plan names cannot be computed. What was chosen by the budget and
                cannot be computed is left out, and a note says why.
        """
        given = read(self.critic, image)
        self._bounded(given.image)
        if side is not None:
            checks.side(side)
        case = Case(self.critic, self.plan, given.image, side)
        job = Job(self, case, self.plan.code if code is None else code, progress or (lambda what, done: None))
        interrupted = False
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # the notes say it again, in the report
                job.run()
        except KeyboardInterrupt:
            if not job.places.attributions:
                raise
            interrupted = True
        return dataclasses.replace(
            job.result(given.notes), name=name or given.name or self.critic.form.one, interrupted=interrupted
        )

    @cached_property
    def probes(self) -> Probes | None:
        """What the critic says of noise and plain images, beside its reals; asked once."""
        return probe(self.critic, seed=self.plan.seed, batch_size=self.plan.batch_size)

    def planned(self, image: Any, code: Tensor | None = None) -> int:
        """The most forward passes that `explain` will use for this image; what is shared is counted once, with it.

        Counterfactuals are left out: how far they have to search is not known before. So is what a generator takes.
        """
        plan, critic = self.plan, self.critic
        view = places(critic.form, read(critic, image).image, plan)
        allowed = (
            self._allowed(name, view.inputs, named) for name, named in self.domains(plan.code if code is None else code)
        )
        views = [view, *(one for one in allowed if one is not None)]
        total = LOOKS + 2 + PROBES + tried(critic) + planned_randomised(critic, plan)
        total += sum(planned(critic, one, self.compared) + one.count * one.common for one in views)
        if any(one.name == "latent" for one in views):
            total += TRIED * self.codes.domain.n_origins + 3  # to find what it is compared with
        return total + readings.planned(critic, view, plan)

    def seconds(self, image: Any, code: Tensor | None = None) -> float:
        """A measured estimate of the time for `planned`: one batch is run forward."""
        one = read(self.critic, image).image
        batch = one.expand(min(16, self.plan.batch_size), *one.shape[1:])
        self.critic.logits(batch[:1])
        start = time.perf_counter()
        self.critic.logits(batch)
        return (time.perf_counter() - start) / len(batch) * self.planned(one, code) * 1.3

    def domains(self, code: Tensor | None) -> list[tuple[str, bool]]:
        """The domains beside places, each with whether the plan names it; else budget and model decide."""
        plan, critic = self.plan, self.critic
        if plan.domains is not None:
            return [(name, True) for name in FACETS if name in plan.domains]
        if plan.budget == "quick":
            return []
        known = critic.generator is not None and critic.generator.form == critic.form
        coded = code is not None or (plan.budget == "thorough" and isinstance(critic.form, Images))
        fits = {"frequency": isinstance(critic.form, Images), "latent": known and coded}
        return [(name, False) for name in FACETS if fits[name]]

    def view(self, name: str, image: Tensor, coded: Coded | None) -> View:
        """The view of a domain beside places; ``coded`` None takes any code, to count what will be done."""
        if name == "frequency":
            return facets.frequency(self.critic, image, self.plan)
        if coded is None:
            domain = self.codes.domain
            coded = Coded(domain, domain.origins(self.codes.generator)[:1])
        return facets.latent(self.critic, coded, self.plan)

    def _allowed(self, name: str, image: Tensor, named: bool) -> View | None:
        """The view of a domain, or None where it refuses and was not named: it will be left out, with a note."""
        try:
            return self.view(name, image, None)
        except ValueError:
            if named:
                raise
            return None

    def _bounded(self, image: Tensor) -> Plan:
        """The plan, with batches of large images that fit into memory; results do not depend on it."""
        if image.numel() > LARGE and self.critic.differentiable:
            most = footprint.fitting(self.critic, image, self.plan.batch_size)
            self.plan = dataclasses.replace(self.plan, batch_size=most)
            self.compared.plan = self.codes.plan = self.plan
        return self.plan


class Job:
    """The work on one image, in its order; what is finished stays when it is interrupted.

    Args:
        explainer: with what images share.
        case: the image.
        code: (1, D) its latent code, or None.
        progress: called with what is being done and the share that is done.
    """

    def __init__(self, explainer: Explainer, case: Case, code: Tensor | None, progress: Progress) -> None:
        self.explainer, self.case, self.code, self.progress = explainer, case, code, progress
        self.view = places(case.critic.form, case.image, case.plan)
        self.places, self.facets = Examined(), dict[str, Facet]()
        self.read: dict[str, Any] = {}
        self.changes: list[Any] = []
        self.notes: list[str] = []
        self.coded: Coded | None = None
        self._done, self._all = 0, 1

    def run(self) -> None:
        """Places first, then what else budget and model allow."""
        case, plan = self.case, self.case.plan
        domains = self.explainer.domains(self.code)
        asked = readings.readings_of(case.critic, plan)
        self._all = steps(self.view) * (1 + len(domains)) + len(asked) + 1
        examine(case, self.view, self.explainer.compared, self.places, self.tell)
        for name, named in domains:
            self._tried(name, lambda name=name: self._facet(name), named)  # type: ignore[misc]
        made: dict[str, Callable[[], Any]] = {
            "patches": lambda: readings.patches(case),
            "labels": lambda: readings.labels(case),
            "dependence": lambda: readings.dependence(case, self.view),
        }
        for name in asked:
            self.tell(name)
            self._tried(name, lambda name=name: self.read.update({name: made[name]()}), plan.readings is not None)  # type: ignore[misc]
        kinds = readings.counterfactuals_of(case.critic, plan, self.coded)
        self._all += len(kinds)
        for name in kinds:
            self.tell(f"counterfactual {name}")
            self._tried(name, lambda name=name: self._change(name), plan.counterfactuals is not None)  # type: ignore[misc]

    def result(self, notes: tuple[str, ...]) -> Explanation:
        """What is finished, with notes on how the image was read."""
        case, places, probes = self.case, self.places, self.explainer.probes
        blind = (probes.sentence,) if probes is not None and probes.blind else ()
        told = (*notes, *blind, *(note for a in places.attributions.values() for note in a.notes), *self.notes)
        return Explanation(
            name="",
            image=case.image.detach().clone(),
            verdict=case.verdict,
            side=case.side,
            attributions=places.attributions,
            trusts=places.trusts,
            regions=self.view.labels,
            critic=describe(case.critic) | {"probes": None if probes is None else dataclasses.asdict(probes)},
            plan=case.plan,
            notes=tuple(dict.fromkeys(told)),
            form=case.critic.form,
            facets=self.facets,
            counterfactuals=tuple(self.changes),
            **self.read,
        )

    def tell(self, what: str) -> None:
        """One more step begins."""
        self.progress(what, min(self._done / self._all, 1.0))
        self._done += 1

    def _facet(self, name: str) -> None:
        if name == "latent":
            self.tell("the latent code")
            self.coded = self.explainer.codes.of(self.case.image, self.code)
        view = self.explainer.view(name, self.case.image, self.coded)
        bare = facets.bare(self.case, view, chart_of(self.case, view), self.coded if name == "latent" else None)
        found = Examined()
        try:
            examine(self.case, view, self.explainer.compared, found, self.tell)
        finally:
            if found.attributions:
                self.facets[name] = facets.filled(bare, found)

    def _change(self, name: str) -> None:
        self.changes.append(readings.counterfactual(self.case, name, self.view, self.code, self.coded))

    def _tried(self, name: str, make: Callable[[], None], named: bool) -> None:
        """Run what was named by the plan; what the budget chose may refuse, and then a note says why."""
        try:
            make()
        except ValueError as error:
            if named:
                raise
            self.notes.append(f"{name.replace('_', ' ')} is left out: {error}")


def explain(
    critic: Critic,
    image: Any,
    *,
    side: str | None = None,
    plan: Plan | None = None,
    others: Tensor | None = None,
    budget: str | None = None,
) -> Explanation:
    """Explain one image; see `Plan` for what is computed and `Explainer` for many images.

    Args:
        critic: who judged.
        image: a path, PIL image, array or tensor (1, C, H, W) in [-1, 1]; or a row (1, F) or signal (1, C, L).
        side: "fake" or "real"; None takes the side of the verdict.
        plan: what is computed; None takes what suits the critic.
        others: (K, C, H, W) other images to compare maps with; the critic's reals if None.
        budget: "quick", "standard" or "thorough"; None takes the plan's.
    """
    made = plan or Plan(methods=suited(critic))
    made = made if budget is None else dataclasses.replace(made, budget=budget)
    return Explainer(critic, made, others=others).explain(image, side=side)
