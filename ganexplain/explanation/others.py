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

    def maps(self, case: Case, view: View, name: str) -> list[Tensor] | None:
        """(P,) each, over the parts of this input; None where there are no other inputs."""
        key = (view.name, name, case.side, str(tuple(case.image.shape[1:])))
        if key not in self._maps:
            inputs = self.drawn(view)
            self._maps[key] = self._made(case, view, name, inputs) if len(inputs) else None
        kept = self._maps[key]
        if kept is None:
            return None
        shown, values = kept
        mine = self._shown(view, view.inputs)
        same = (shown - mine).abs().flatten(1).amax(1) < SAME  # the input itself is no other input
        found = values[~same][: view.amounts.n_others]
        return [groups.totals(m[None], view.labels[None].to(m.device))[0] for m in found] if len(found) else None

    def drawn(self, view: View) -> Tensor:
        """(at most n_others + 1, *) inputs: one more than needed, since the input itself may be among them.

        Images come in an order that the seed decides.
        """
        most, like = view.amounts.n_others + 1, view.inputs
        if view.others is not None:
            return view.others(most)
        others = like[:0] if self.images is None else self.images
        order = tensors.rng(self.plan.seed, "others").permutation(len(others))[:most]
        return fitted(self.critic, others[torch.from_numpy(order).to(others.device)], like)

    def _made(self, case: Case, view: View, name: str, inputs: Tensor) -> tuple[Tensor, Tensor]:
        method = self.method(view, name, case.side)
        found = method.attribute(inputs, side=case.side, seed=self.plan.seed)
        return self._shown(view, inputs), placed(found.values, view.labels).to(inputs)

    def method(self, view: View, name: str, side: str) -> Method:
        """The method with little effort, from baselines of the other inputs' own."""
        plan, form = self.plan, self.critic.form
        own_start: BaselineLike = plan.baseline if view.baseline is None else view.baseline
        baseline = own_start if view.spare is None else view.spare
        if baseline is None and side == "real":
            baseline = form.contrasts[0]
        own = view.labels if plan.mask is not None or view.common else None  # a mask's regions are those of every image
        domain = view.domain(METHODS.get(name).needs, own)
        return light(method_of(self.critic, plan, name, domain, baseline), view.amounts.light)

    def planned(self, view: View) -> int:
        """The most forward passes that `maps` of all methods of the view will take, where none is kept."""
        kept = {key[1] for key in self._maps if key[0] == view.name}
        methods = [self.method(view, name, "fake") for name in view.methods if name not in kept]
        there = 0 if self.images is None else len(self.images)
        most = view.amounts.n_others + 1
        count = min(most, there) if view.others is None else most
        if not methods or not count:
            return 0
        sizes: Iterable[int] = [view.count] * count
        if not view.common and any(m.needs == "calls" for m in methods):
            sizes = list(counts_of(self.critic.form, self.drawn(view), self.plan))
        return sum(m.passes(size if m.needs == "calls" else view.labels.numel()) for m in methods for size in sizes)

    def _shown(self, view: View, inputs: Tensor) -> Tensor:
        """Inputs in units in which they compare, without the axes that the parts do not have."""
        if view.others is not None:
            return inputs
        shown = self.critic.form.scaled(inputs)
        return shown if view.common else placed(shown, view.labels)
