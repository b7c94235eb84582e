"""Explains images one by one, sharing between them what does not depend on the image."""

from __future__ import annotations

import dataclasses
import time
import warnings
from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor, nn

from ganexplain import checks, tensors
from ganexplain.attribution import METHODS
from ganexplain.attribution import players as groups
from ganexplain.attribution.attribution import Attribution
from ganexplain.attribution.baselines import baselines_in, origin_of
from ganexplain.attribution.chart import BaselineLike, Chart
from ganexplain.attribution.domains.pixel import Pixel
from ganexplain.attribution.methods._base import Method
from ganexplain.evaluation import faithfulness, randomisation, trust
from ganexplain.evaluation.randomisation import randomised
from ganexplain.evaluation.trust import Trust
from ganexplain.explanation.explanation import Explanation, describe
from ganexplain.explanation.parts import counts_of, domain_of, labels_of, placed, region_totals
from ganexplain.explanation.plan import Plan, suited
from ganexplain.models import fast, footprint, neighbours
from ganexplain.models.critic import Critic
from ganexplain.models.forms import Form

Progress = Callable[[str, float], None]

LOOKS = fast.LOOKS + neighbours.LOOKS  # passes that a critic's first explanation takes
LARGE = 3 * 128 * 128  # numbers in an input from which batches are measured before they are run
CALM = 32  # reals on which the statistics of randomised critics are measured


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
        self._maps: dict[tuple[str, str, str], Tensor] = {}

    def explain(
        self, image: Tensor, *, side: str | None = None, name: str = "", progress: Progress | None = None
    ) -> Explanation:
        """Explain one image (1, C, H, W) in [-1, 1], or one row (1, F) or signal (1, C, L).

        Args:
            image: what was judged.
            side: "fake" or "real"; None takes the side of the verdict.
            name: what to call it; "image", "row" or "signal" if empty.
            progress: called with what is being done and the share that is done.

        An interrupt (Ctrl-C) after the first attribution returns what is finished, marked as interrupted.
        """
        form = self._one(image)
        plan, tell = self._bounded(image), progress or (lambda what, done: None)
        verdict = self.critic.judge(image, batch_size=plan.batch_size)
        side = side or ("fake" if bool(verdict.is_fake[0]) else "real")
        checks.side(side)
        labels, baseline = self._regions(image), self._baseline(image, side)
        found: dict[str, Attribution] = {}
        trusts: dict[str, Trust] = {}
        interrupted = False
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # the notes say it again, in the report
                for i, method in enumerate(plan.methods):
                    tell(method, i / (3 * len(plan.methods)))
                    made = self._method(method, labels, baseline)
                    found[method] = made.attribute(image, side=side, seed=plan.seed)
                for method, trust_ in self._check(found, labels, tell):
                    trusts[method] = trust_
        except KeyboardInterrupt:
            if not found:
                raise
            interrupted = True
        notes, facts = tuple(dict.fromkeys(note for a in found.values() for note in a.notes)), describe(self.critic)
        return Explanation(
            name or form.one,
            image.detach().clone(),
            verdict,
            side,
            found,
            trusts,
            labels,
            facts,
            plan,
            notes,
            interrupted,
            form,
        )

    def _one(self, image: Tensor) -> Form:
        """The critic's form, of which ``image`` must be one valid input."""
        form = self.critic.form
        if len(form.check(image, form.one)) != 1:
            shape = "1, C, H, W" if form.ndim == 4 else ", ".join(map(str, (1, *image.shape[1:])))
            raise ValueError(f"one {form.one} ({shape}) is explained at a time, got {len(image)}; loop over them")
        return form

    def planned(self, image: Tensor) -> int:
        """The most forward passes that `explain` will use for this image; what is shared is counted once, with it."""
        plan, labels = self.plan, self._regions(image)
        n = int(groups.counts(labels[None])[0])
        others = None if self.others is None else self._other_images(image)
        compared = 0 if others is None else min(plan.amounts.n_others, len(others))
        scores = len(plan.methods) * (1 if others is None else 2 + compared)
        reals = 0 if self.critic.reference is None else min(CALM, len(self.critic.reference.images))
        shuffled = LOOKS + randomisation.planned(self.critic, 2 + reals)
        total = (
            LOOKS + 2 + self._tried() + faithfulness.planned(n, plan.amounts.n_orders, seed=plan.seed, n_scores=scores)
        )
        for name in plan.methods:
            method = self._method(name, labels, plan.baseline)
            size = labels.numel() if isinstance(method.domain, Pixel) else n
            light = self._light(method)
            total += method.passes(size)
            if n >= faithfulness.FEWEST and isinstance(self.critic.network, nn.Module):
                total += plan.amounts.n_randomised * (shuffled + light.passes(size))
            if others is not None and not any(key[0] == name for key in self._maps):
                total += sum(light.passes(size) for size in self._sizes(method, others))
        return total

    def _sizes(self, method: Method, images: Tensor) -> list[int]:
        """Number of players of each of the other images."""
        if isinstance(method.domain, Pixel):
            return [images[0, 0].numel()] * len(images)
        return list(counts_of(self.critic.form, images, self.plan))

    def seconds(self, image: Tensor) -> float:
        """A measured estimate of the time for `planned`: one batch is run forward."""
        batch = image.expand(min(16, self.plan.batch_size), *image.shape[1:])
        self.critic.logits(batch[:1])
        start = time.perf_counter()
        self.critic.logits(batch)
        return (time.perf_counter() - start) / len(batch) * self.planned(image) * 1.3

    def _regions(self, image: Tensor) -> Tensor:
        return labels_of(self.critic.form, image, self.plan)

    def _method(self, name: str, labels: Tensor | None, baseline: BaselineLike) -> Method:
        kind = METHODS.get(name)
        domain = domain_of(self.critic.form, kind.needs, labels, self.plan)
        own = self.plan.settings.get(name, {})
        method: Method = kind(self.critic, domain=domain, baseline=baseline, batch_size=self.plan.batch_size, **own)
        if self.plan.max_evaluations is not None and hasattr(method, "max_evaluations"):
            method = method.variant(max_evaluations=self.plan.max_evaluations)
        return method

    def _bounded(self, image: Tensor) -> Plan:
        """The plan, with batches of large images that fit into memory; results do not depend on it."""
        if image.numel() > LARGE and self.critic.differentiable:
            fitted = footprint.fitting(self.critic, image, self.plan.batch_size)
            self.plan = dataclasses.replace(self.plan, batch_size=fitted)
        return self.plan

    def _baseline(self, image: Tensor, side: str) -> BaselineLike:
        """The plan's; else the nearest real for a fake where reals are known, else one that leaves most to explain."""
        if self.plan.baseline is not None or (side == "fake" and self.critic.reference is not None):
            return self.plan.baseline
        sign, threshold = checks.side(side), self.critic.threshold
        names, made = self._contrasts(), [image]
        for name in names:
            origin = origin_of(self.critic, image, name)
            made.append(origin.images if origin.many is None else origin.many[0])
        logits = self.critic.logits(torch.cat(made), batch_size=self.plan.batch_size) - threshold
        own, *evidence = [float(sign * part.mean()) for part in torch.split(logits, [len(m) for m in made])]
        enough = (name for name, e in zip(names, evidence, strict=True) if e <= (1 - trust.COVERED) * own)
        return next(enough, names[evidence.index(min(evidence))])

    def _contrasts(self) -> tuple[str, ...]:
        """Baselines from which a real leaves something to explain, in the order in which they are tried."""
        form = self.critic.form
        return (*(() if self.critic.reference is None else form.unlike), *form.contrasts)

    def _tried(self) -> int:
        """Forward passes that the choice among them takes, at most."""
        return sum(baselines_in(name, self.critic.form.ndim) for name in self._contrasts())

    def _light(self, method: Method) -> Method:
        if not hasattr(method, "max_evaluations"):
            return method
        most = 30 if method.needs != "calls" else self.plan.amounts.light
        return method.variant(max_evaluations=min(most, method.max_evaluations))

    def _check(self, found: Mapping[str, Attribution], labels: Tensor, tell: Progress) -> Iterator[tuple[str, Trust]]:
        plan = self.plan
        first = next(iter(found.values()))
        removed = domain_of(self.critic.form, "calls", labels, self.plan)
        region = removed.bind(self.critic.fast(first.images), first.images, first.origins)
        totals = {name: region_totals(a, labels) for name, a in found.items()}
        tell("random orders", 1 / 3)
        orders = self._orders(region, first.side)
        for i, (name, attribution) in enumerate(found.items()):
            tell(f"checks of {name}", (1 + 2 * (i + 1) / (len(found) + 1)) / 3)
            total = totals[name]
            partner = _partner(name, found)
            with tensors.isolated(plan.seed):
                checked = (
                    trust.contrast(attribution),
                    trust.completeness(attribution, region.scale, 0.05),
                    trust.convergence(attribution),
                    trust.deletion(total, orders),
                    trust.agreement(total, totals.get(partner), partner, plan.seed),
                    trust.randomisation(total, self._randomised(attribution, labels)),
                    trust.specificity(total, self._others(attribution, labels), orders),
                )
            yield name, Trust(checked)

    def _orders(self, region: Chart, side: str) -> faithfulness.Orders | None:
        if region.players is None or int(groups.counts(region.players)[0]) < faithfulness.FEWEST:
            return None
        plan = self.plan
        with tensors.isolated(plan.seed):
            return faithfulness.orders(
                region, side, n_orders=plan.amounts.n_orders, seed=plan.seed, batch_size=plan.batch_size
            )

    def _randomised(self, attribution: Attribution, labels: Tensor) -> list[Tensor] | None:
        if int(labels.max()) + 1 < faithfulness.FEWEST:
            return None
        calm = [attribution.images, attribution.origins]
        if self.critic.reference is not None:
            calm.append(self._fit(self.critic.reference.images[:CALM], attribution.images))
        start = self._start(attribution)
        method = self._light(self._method(attribution.method, labels, start))
        out = []
        for k in range(self.plan.amounts.n_randomised):
            other = randomised(self.critic, torch.cat(calm), seed=self.plan.seed + k, batch_size=self.plan.batch_size)
            if other is None:
                return None
            twin = method.variant(critic=other._variant(reference=None), baseline=start)
            map_ = twin.attribute(attribution.images, side=attribution.side, seed=self.plan.seed)
            out.append(region_totals(map_, labels))
        return out

    def _start(self, attribution: Attribution) -> Tensor:
        """The baseline as a tensor, for critics that know no reals; of a set the set, not the mean that is shown."""
        images, side = attribution.images, attribution.side
        asked = self._method(attribution.method, None, self._baseline(images, side)).baseline
        made = origin_of(self.critic, images, asked).many if baselines_in(asked, images.ndim) > 1 else None
        return attribution.origins if made is None else made

    def _others(self, attribution: Attribution, labels: Tensor) -> list[Tensor] | None:
        if self.others is None:
            return None
        key = (attribution.method, attribution.side, str(tuple(attribution.images.shape[1:])))
        if key not in self._maps:
            images = self._other_images(attribution.images)
            baseline = (
                self.critic.form.contrasts[0]
                if self.plan.baseline is None and attribution.side == "real"
                else self.plan.baseline
            )
            own = None if self.plan.mask is None else labels  # a mask's regions are those of every image
            method = self._light(self._method(attribution.method, own, baseline))
            found = method.attribute(images, side=attribution.side, seed=self.plan.seed)
            shown = self.critic.form.scaled(images)
            self._maps[key] = torch.stack([placed(shown, labels), placed(found.values, labels).to(images)], 1)
        kept = self._maps[key]
        mine = placed(self.critic.form.scaled(attribution.images), labels)
        same = (kept[:, 0] - mine).abs().flatten(1).amax(1) < 1e-3  # the image itself is no other image
        maps = kept[~same, 1][: self.plan.amounts.n_others]
        return [groups.totals(m[None], labels[None])[0] for m in maps] if len(maps) else None

    def _other_images(self, like: Tensor) -> Tensor:
        """(at most n_others + 1, C, H, W): one more than needed, since the image itself may be among them."""
        others = like[:0] if self.others is None else self.others
        order = tensors.rng(self.plan.seed, "others").permutation(len(others))[: self.plan.amounts.n_others + 1]
        return self._fit(others[torch.from_numpy(order)], like)

    def _fit(self, images: Tensor, like: Tensor) -> Tensor:
        return self.critic.form.fitted(images, like, f"the other {self.critic.form.many}")


def explain(
    critic: Critic, image: Tensor, *, side: str | None = None, plan: Plan | None = None, others: Tensor | None = None
) -> Explanation:
    """Explain one image (1, C, H, W) in [-1, 1]; see `Plan` for what is computed and `Explainer` for many images."""
    return Explainer(critic, plan, others=others).explain(image, side=side)


def _partner(name: str, found: Mapping[str, Attribution]) -> str:
    """Another method that works in the other way: gradients against removals. Raw saliency is never a second method."""
    by_calls = METHODS.get(name).needs == "calls"
    others = {o: METHODS.get(o) for o in found}
    return next((o for o, kind in others.items() if (kind.needs == "calls") != by_calls and kind.unit == "{}"), "")
