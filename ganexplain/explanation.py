"""One judgement explained: the verdict, attributions of it by methods of two kinds, and whether they can be trusted."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ganexplain import checks, tensors
from ganexplain.attribution import METHODS
from ganexplain.attribution import players as groups
from ganexplain.attribution.attribution import Attribution
from ganexplain.attribution.chart import BaselineLike
from ganexplain.attribution.domains.pixel import Pixel
from ganexplain.attribution.domains.region import Region, segments
from ganexplain.attribution.methods._base import Method
from ganexplain.evaluation import faithfulness, trust
from ganexplain.evaluation.randomisation import randomised
from ganexplain.evaluation.trust import Trust
from ganexplain.models.critic import Critic
from ganexplain.models.preprocess import resized
from ganexplain.models.verdict import Verdict

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Plan:
    """What is computed for each image.

    Attributes:
        methods: names from the registry; the first one is what a report quotes.
        baseline: see `ganexplain.attribution.baselines.origin_of`; None takes the nearest real for an image judged fake where
            reals are known, else the blurred image: from another real, little would be left to explain of a real.
        mask: (H, W) labels of regions of your own, or None for segments of the image.
        n_segments: about how many segments; None decides by the size.
        seed: of everything that is drawn.
        batch_size: the largest batch that the critic sees.
        max_evaluations: per sampled method and image, or None for each method's default.
        n_orders: random orders that a map has to beat.
        n_randomised: critics with random weights.
        n_others: other images whose maps are compared.
        light: evaluations for the maps that are only compared with (of randomised critics and other images).
    """

    methods: tuple[str, ...] = ("kernel_shap", "integrated_gradients")
    baseline: BaselineLike = None
    mask: Tensor | None = None
    n_segments: int | None = None
    seed: int = 0
    batch_size: int = 64
    max_evaluations: int | None = None
    n_orders: int = 200
    n_randomised: int = 5
    n_others: int = 10
    light: int = 256

    def __post_init__(self) -> None:
        if not self.methods:
            raise ValueError("at least one attribution method is needed")
        for name in self.methods:
            checks.one_of("attribution method", name, METHODS.names())


@dataclass(frozen=True)
class Explanation:
    """Why one image was judged so.

    Attributes:
        name: what the image is called.
        image: (1, C, H, W).
        verdict: the critic's judgement.
        side: what positive values speak for.
        attributions: by method name, in the order of the plan.
        trusts: by method name.
        regions: (H, W) canonical labels of the regions.
        critic: what is known of the critic, JSON-able.
        plan: how it was made.
        notes: what a reader must know, one sentence each.
        interrupted: not everything that was planned was computed.
    """

    name: str
    image: Tensor
    verdict: Verdict
    side: str
    attributions: Mapping[str, Attribution]
    trusts: Mapping[str, Trust]
    regions: Tensor
    critic: Mapping[str, Any]
    plan: Plan
    notes: tuple[str, ...] = field(default=())
    interrupted: bool = False

    @property
    def primary(self) -> Attribution:
        """The attribution of the plan's first method that was computed."""
        return next(iter(self.attributions.values()))

    @property
    def word(self) -> str:
        """ "RELIABLE", "CHECK" or "NOT RELIABLE", of the primary attribution."""
        known = self.trusts.get(self.primary.method)
        word = "CHECK" if known is None else known.word
        return "CHECK" if self.interrupted and word == "RELIABLE" else word

    def totals(self, method: str | None = None) -> Tensor:
        """(P,) value of each region by a method, the primary one by default."""
        found = self.primary if method is None else self.attributions[method]
        return region_totals(found, self.regions)

    def _repr_html_(self) -> str:
        from ganexplain.report.report import Report

        return Report([self]).fragment()

    def __repr__(self) -> str:
        judged = "fake" if bool(self.verdict.is_fake[0]) else "real"
        return f"Explanation({self.name!r} judged {judged}, logit {float(self.verdict.logit[0]):.2f}, {self.word})"


class Explainer:
    """Explains images one by one, sharing between them what does not depend on the image.

    Args:
        critic: who judged.
        plan: what to compute.
        others: (K, C, H, W) other images, for the check of specificity; the critic's reals if None.
    """

    def __init__(self, critic: Critic, plan: Plan | None = None, *, others: Tensor | None = None) -> None:
        self.critic, self.plan = critic, plan or Plan()
        if others is None and critic.reference is not None:
            others = critic.reference.images
        self.others = others
        self._maps: dict[tuple[str, str, str], Tensor] = {}

    def explain(self, image: Tensor, *, side: str | None = None, name: str = "image", progress: Progress | None = None) -> Explanation:
        """Explain one image (1, C, H, W) in [-1, 1].

        Args:
            image: what was judged.
            side: "fake" or "real"; None takes the side of the verdict.
            name: what to call it.
            progress: called with what is being done and the share that is done.

        An interrupt (Ctrl-C) after the first attribution returns what is finished, marked as interrupted.
        """
        if len(checks.images(image, "image")) != 1:
            raise ValueError(f"one image (1, C, H, W) is explained at a time, got {len(image)}; loop over them")
        plan, tell = self.plan, progress or (lambda what, done: None)
        verdict = self.critic.judge(image, batch_size=plan.batch_size)
        side = side or ("fake" if bool(verdict.is_fake[0]) else "real")
        checks.side(side)
        labels = self._regions(image)
        found: dict[str, Attribution] = {}
        trusts: dict[str, Trust] = {}
        interrupted = False
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # the notes say it again, in the report
                for i, method in enumerate(plan.methods):
                    tell(method, i / (3 * len(plan.methods)))
                    found[method] = self._method(method, labels, side).attribute(image, side=side, seed=plan.seed)
                trusts.update(self._check(found, labels, tell))
        except KeyboardInterrupt:
            if not found:
                raise
            interrupted = True
        notes = tuple(dict.fromkeys(note for a in found.values() for note in a.notes))
        facts = describe(self.critic)
        return Explanation(name, image.detach(), verdict, side, found, trusts, labels, facts, plan, notes, interrupted)

    def planned(self, image: Tensor) -> int:
        """The most forward passes that `explain` will use for this image; what is shared is counted once, with it."""
        n = int(groups.counts(groups.canonical(self._regions(image)[None]))[0])
        plan = self.plan
        total = faithfulness.planned(n, plan.n_orders)
        shared = 0 if self.others is None else min(plan.n_others, len(self.others))
        scored = 2 * len(faithfulness.symmetric_levels(max(n, 3))) * (1 + shared)
        for name in plan.methods:
            method = self._method(name, None, "fake")
            known = any(key[0] == name for key in self._maps)
            light = self._light(method).planned(n)
            total += method.planned(n) + plan.n_randomised * light + scored + (0 if known else shared * light)
        return total

    def seconds(self, image: Tensor) -> float:
        """A measured estimate of the time for `planned`: one batch is run forward, gradients counted as two forwards."""
        batch = image.expand(min(16, self.plan.batch_size), *image.shape[1:])
        self.critic.logits(batch[:1])
        start = time.perf_counter()
        self.critic.logits(batch)
        return (time.perf_counter() - start) / len(batch) * self.planned(image) * 1.3

    def _regions(self, image: Tensor) -> Tensor:
        plan = self.plan
        chart_labels = segments(image, plan.n_segments) if plan.mask is None else plan.mask.reshape(1, *plan.mask.shape[-2:])
        if chart_labels.shape[1:] != image.shape[2:]:
            raise ValueError(f"the mask must have the image's size {tuple(image.shape[2:])}, got {tuple(chart_labels.shape[1:])}")
        return groups.canonical(chart_labels)[0]

    def _method(self, name: str, labels: Tensor | None, side: str) -> Method:
        kind = METHODS.get(name)
        domain = Pixel() if kind.needs == "gradients" else Region(labels, n_segments=self.plan.n_segments)
        method: Method = kind(self.critic, domain=domain, baseline=self._baseline(side), batch_size=self.plan.batch_size)
        if self.plan.max_evaluations is not None and hasattr(method, "max_evaluations"):
            method = method.variant(max_evaluations=self.plan.max_evaluations)
        return method

    def _baseline(self, side: str) -> BaselineLike:
        if self.plan.baseline is not None or side == "fake":
            return self.plan.baseline
        return "blur"

    def _light(self, method: Method) -> Method:
        if not hasattr(method, "max_evaluations"):
            return method
        most = 30 if method.needs == "gradients" else self.plan.light
        return method.variant(max_evaluations=min(most, method.max_evaluations))

    def _check(self, found: Mapping[str, Attribution], labels: Tensor, tell: Progress) -> dict[str, Trust]:
        plan = self.plan
        first = next(iter(found.values()))
        region = Region(labels).bind(self.critic, first.images, first.origins)
        totals = {name: region_totals(a, labels) for name, a in found.items()}
        with tensors.isolated(plan.seed):
            tell("random orders", 1 / 3)
            orders = faithfulness.orders(
                region, first.side, n_orders=plan.n_orders, seed=plan.seed, batch_size=plan.batch_size
            )
            out = {}
            for i, (name, attribution) in enumerate(found.items()):
                tell(f"checks of {name}", (1 + 2 * (i + 1) / (len(found) + 1)) / 3)
                total = totals[name]
                partner = _partner(name, found)
                out[name] = Trust(
                    (
                        trust.completeness(attribution, region.scale, 0.05),
                        trust.convergence(attribution),
                        trust.deletion(total, orders),
                        trust.agreement(total, totals.get(partner), partner, plan.seed),
                        trust.randomisation(total, self._randomised(attribution, labels)),
                        trust.specificity(total, self._others(attribution, labels), orders),
                    )
                )
        return out

    def _randomised(self, attribution: Attribution, labels: Tensor) -> list[Tensor] | None:
        calm = [attribution.images, attribution.origins]
        if self.critic.reference is not None:
            calm.append(_fit(self.critic.reference.images[:32], attribution.images))
        method = self._light(self._method(attribution.method, labels, attribution.side))
        out = []
        for k in range(self.plan.n_randomised):
            other = randomised(self.critic, torch.cat(calm), seed=self.plan.seed + k)
            if other is None:
                return None
            twin = method.variant(critic=other._variant(reference=None), baseline=attribution.origins)
            map_ = twin.attribute(attribution.images, side=attribution.side, seed=self.plan.seed)
            out.append(region_totals(map_, labels))
        return out

    def _others(self, attribution: Attribution, labels: Tensor) -> list[Tensor] | None:
        if self.others is None:
            return None
        key = (attribution.method, attribution.side, str(tuple(attribution.images.shape[1:])))
        if key not in self._maps:
            order = tensors.rng(self.plan.seed, "others").permutation(len(self.others))[: self.plan.n_others + 1]
            images = _fit(self.others[torch.from_numpy(order)], attribution.images)
            method = self._light(self._method(attribution.method, None, attribution.side))
            found = method.attribute(images, side=attribution.side, seed=self.plan.seed)
            self._maps[key] = torch.stack([images.sum(1), found.heatmap().to(images)], 1)
        kept = self._maps[key]
        same = (kept[:, 0] - attribution.images.sum(1)).abs().amax((1, 2)) < 1e-3  # the image itself is no other image
        maps = kept[~same, 1][: self.plan.n_others]
        return [groups.totals(m[None], labels[None])[0] for m in maps] if len(maps) else None


def explain(critic: Critic, image: Tensor, *, side: str | None = None, plan: Plan | None = None, others: Tensor | None = None) -> Explanation:
    """Explain one image (1, C, H, W) in [-1, 1]; see `Plan` for what is computed and `Explainer` for many images."""
    return Explainer(critic, plan, others=others).explain(image, side=side)


def region_totals(attribution: Attribution, labels: Tensor) -> Tensor:
    """(P,) sums of an attribution of one image over regions (H, W)."""
    return groups.totals(attribution.heatmap(), labels[None].to(attribution.values.device))[0]


def describe(critic: Critic) -> dict[str, Any]:
    """What is known of a critic, JSON-able."""
    known, reference = critic.calibration, critic.reference
    return {
        "output": critic.kind,
        "polarity": critic.polarity,
        "unit": critic.unit,
        "tail": critic.tail,
        "threshold": known.threshold if known else 0.0,
        "slope": known.slope if known else None,
        "auc": known.auc if known else None,
        "auc_reals": known.n_real if known else None,
        "auc_fakes": known.n_fake if known else None,
        "real_share": known.real_share if known else None,
        "reals": len(reference.images) if reference else 0,
        "real_logits": list(reference.range) if reference else None,
        "size": list(critic.preprocess.shape) if critic.preprocess.shape else None,
        "value_range": list(critic.preprocess.value_range),
    }


def _partner(name: str, found: Mapping[str, Attribution]) -> str:
    """Another method that works in the other way: gradients against removals. Raw saliency is never a second method."""
    wanted = "calls" if METHODS.get(name).needs == "gradients" else "gradients"
    return next((other for other in found if METHODS.get(other).needs == wanted and other != "saliency"), "")


def _fit(images: Tensor, like: Tensor) -> Tensor:
    if images.shape[1] != like.shape[1]:
        raise ValueError(f"the other images have {images.shape[1]} channels and the image {like.shape[1]}; read them alike")
    same = images.shape[-2:] == like.shape[-2:]
    return images.to(like) if same else resized(images.to(like), (like.shape[-2], like.shape[-1]))
