"""Maps of other inputs: one that explains them as well says nothing of the input at hand."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from ganexplain import tensors
from ganexplain.attribution import METHODS
from ganexplain.attribution import players as groups
from ganexplain.attribution.chart import BaselineLike
from ganexplain.attribution.methods._base import Method
from ganexplain.explanation.case import Case, fitted, light, method_of
from ganexplain.explanation.parts import counts_of, placed
from ganexplain.explanation.plan import Plan
from ganexplain.explanation.view import View
from ganexplain.models.critic import Critic

SAME = 1e-3  # largest difference below which two inputs are one
POOL = 4  # times as many are judged, to find enough that are judged otherwise


class Others:
    """Maps of other inputs, made once for all inputs that are explained.

    Args:
        critic: who judged.
        plan: what to compute.
        images: (K, C, H, W) the other images, or None.
    """

    def __init__(self, critic: Critic, plan: Plan, images: Tensor | None) -> None:
        self.critic, self.plan, self.images = critic, plan, images
        self._maps: dict[tuple[str, ...], tuple[Tensor, Tensor] | None] = {}
        self._chosen: dict[tuple[str, ...], Tensor] = {}

    def maps(self, case: Case, view: View, name: str) -> list[Tensor] | None:
        """(P,) each, over the parts of this input; None where there are no other inputs."""
        key = (*self._key(case, view), name, case.side)
        if key not in self._maps:
            inputs = self.chosen(case, view)
            self._maps[key] = None if not len(inputs) else self._made(case, view, name, inputs)
        kept = self._maps[key]
        if kept is None:
            return None
        shown, values = kept
        mine = self._shown(view, view.inputs)
        same = (shown - mine).abs().flatten(1).amax(1) < SAME  # the input itself is no other input
        found = values[~same][: self.plan.amounts.n_others]
        return [groups.totals(m[None], view.labels[None].to(m.device))[0] for m in found] if len(found) else None

    def chosen(self, case: Case, view: View) -> Tensor:
        """(at most n_others + 1, *) inputs: one more than needed, since the input itself may be among them.

        Where a part means the same in every input, n_others that are judged otherwise.
        """
        key = self._key(case, view)
        if key not in self._chosen:
            if not view.common:
                self._chosen[key] = self.drawn(case.image, self.plan.amounts.n_others + 1)
            else:
                pool = self.pool(view, case.image)
                self._chosen[key] = pool if not len(pool) else pool[self._otherwise(case, view, pool)]
        return self._chosen[key]

    def pool(self, view: View, like: Tensor) -> Tensor:
        """(M, *) inputs of the view's domain, of which some may be judged otherwise."""
        most = POOL * (self.plan.amounts.n_others + 1)
        return self.drawn(like, most) if view.others is None else view.others(most)

    def drawn(self, like: Tensor, most: int) -> Tensor:
        """(at most ``most``, C, H, W) of the other images, in an order that the seed decides."""
        others = like[:0] if self.images is None else self.images
        order = tensors.rng(self.plan.seed, "others").permutation(len(others))[:most]
        return fitted(self.critic, others[torch.from_numpy(order).to(others.device)], like)

    def _otherwise(self, case: Case, view: View, pool: Tensor) -> Tensor:
        domain = view.domain("calls", view.labels)
        seen = domain.seen(self.critic, pool, batch_size=self.plan.batch_size)
        fake = self.critic.judge(seen, batch_size=self.plan.batch_size).is_fake
        index = (fake != case.verdict.is_fake[0].to(fake.device)).nonzero().flatten()
        return index[: self.plan.amounts.n_others].to(pool.device)

    def _made(self, case: Case, view: View, name: str, inputs: Tensor) -> tuple[Tensor, Tensor]:
        method = self.method(view, name, case.side)
        found = method.attribute(inputs, side=case.side, seed=self.plan.seed)
        return self._shown(view, inputs), placed(found.values, view.labels).to(inputs)

    def method(self, view: View, name: str, side: str) -> Method:
        """The method with little effort, from baselines of the other inputs' own."""
        plan, form = self.plan, self.critic.form
        baseline: BaselineLike = plan.baseline if view.baseline is None else view.baseline
        if baseline is None and side == "real":
            baseline = form.contrasts[0]
        own = view.labels if plan.mask is not None or view.common else None  # a mask's regions are those of every image
        domain = view.domain(METHODS.get(name).needs, own)
        return light(method_of(self.critic, plan, name, domain, baseline), view.light)

    def planned(self, view: View) -> int:
        """The most forward passes that `maps` of all methods of the view will take, where none is kept."""
        most = self.plan.amounts.n_others + 1 - view.common
        there = 0 if self.images is None else len(self.images)
        looked = POOL * (self.plan.amounts.n_others + 1)
        looked = min(looked, there) if view.others is None else looked
        methods = [self.method(view, n, "fake") for n in view.methods if not self._kept(view, n)]
        if not methods or not looked:
            return 0
        sizes: Iterable[int] = [view.count] * min(most, looked)
        if not view.common and any(m.needs == "calls" for m in methods):
            sizes = list(counts_of(self.critic.form, self.drawn(view.inputs, most), self.plan))
        total = sum(m.passes(size if m.needs == "calls" else view.labels.numel()) for m in methods for size in sizes)
        return total + looked * view.common

    def _kept(self, view: View, name: str) -> bool:
        return any(key[0] == view.name and key[-2] == name for key in self._maps)

    def _key(self, case: Case, view: View) -> tuple[str, ...]:
        judged = str(bool(case.verdict.is_fake[0])) if view.common else ""
        return view.name, judged, str(tuple(case.image.shape[1:]))

    def _shown(self, view: View, inputs: Tensor) -> Tensor:
        """Inputs in units in which they compare, without the axes that the parts do not have."""
        if view.others is not None:
            return inputs
        shown = self.critic.form.scaled(inputs)
        return shown if view.common else placed(shown, view.labels)
