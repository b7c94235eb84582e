"""A critic's verdict as a function of the inputs' values: zero where the verdict turns."""

from __future__ import annotations

import torch
from torch import Tensor

from ganexplain import checks, tensors
from ganexplain.models.critic import Critic
from ganexplain.models.forms import Form, Images

MARGIN = 1e-4  # of the logit's way to the threshold; below it a change could lie on either side by rounding
ROUNDING = 1e-5  # the same, of the size of the logits: two batch sizes differ by a tenth of it
SHARES = (0.25, *(1 - 0.5**k for k in range(1, 10)), 1.0)  # of a change, close together where most searches end
HALVINGS = 3


class Boundary:
    """How far a critic's logit is past the threshold, on the side that is wanted, less a tiny margin.

    Args:
        critic: the critic.
        image: (1, *coordinates) where the search begins, valid by the critic's form.
        to: "real" or "fake".
        batch_size: the most inputs in one pass.

    Attributes:
        start: (1, D) float64 values of the image in the form's units.
        low: (1, D) smallest values that an input may have; minus infinity where nothing bounds them.
        high: (1, D) largest ones.
        free: (1, D) bool, which values may change: all but those of a table's categories.
        logit: the image's.
        threshold: the critic's.
        margin: how far past the threshold a logit must be, in logits; a search that aims at it is done at half of it.
        evaluations: inputs judged so far; a gradient counts as one.
    """

    def __init__(self, critic: Critic, image: Tensor, to: str, batch_size: int) -> None:
        self.critic, self.form, self.batch_size = critic, critic.form, batch_size
        self.to, self.sign = to, checks.side(to)
        self.like, self.threshold = image, critic.threshold
        self.start = self.form.scaled(image.detach().double()).flatten(1)
        self.low, self.high = _ends(critic, image, self.start)
        self.free = _free(self.form, self.start)
        self.evaluations, self.margin = 1, 0.0
        self.logit = float(critic.logits(image, batch_size=batch_size)[0])
        size = max(abs(self.logit), abs(self.threshold))
        self.margin = max(MARGIN * abs(self.logit - self.threshold), ROUNDING * size)

    def inputs(self, values: Tensor) -> Tensor:
        """(M, *coordinates) inputs of values (M, D), in the caller's units and type."""
        shaped = values.view(len(values), *self.like.shape[1:])
        return self.form.unscaled(shaped).to(self.like.dtype)

    def logits(self, values: Tensor) -> Tensor:
        """(M,) float64 logits of values (M, D)."""
        self.evaluations += len(values)
        return self.critic.logits(self.inputs(values), batch_size=self.batch_size).double()

    def past(self, values: Tensor) -> Tensor:
        """(M,) how far the logits of values (M, D) are past the margin; negative before it."""
        return self.sign * (self.logits(values) - self.threshold) - self.margin

    def logits_of(self, past: Tensor) -> list[float]:
        """The logits that `past` says this of."""
        return [float(logit) for logit in self.sign * (past.double() + self.margin) + self.threshold]

    def slopes(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """(M,) what `past` says of values (M, D), and its gradient (M, D).

        Raises:
            ValueError: the critic lets no gradient through, or one that is not finite.
        """
        self.evaluations += len(values)
        pieces = [self._slope(piece) for piece in torch.split(values, self.batch_size)]
        level, slope = (torch.cat(part) for part in zip(*pieces, strict=True))
        return self.sign * (level - self.threshold) - self.margin, checks.finite(self.sign * slope, "the gradient")

    @property
    def smooth(self) -> bool:
        """Whether the critic lets gradients through."""
        self.evaluations += 1
        return self.critic.differentiable and self._traced(self.start)[0].requires_grad

    def _traced(self, values: Tensor) -> tuple[Tensor, Tensor]:
        leaf = values.detach().clone().requires_grad_(True)
        with torch.enable_grad(), tensors.isolated():
            return self.critic(self.inputs(leaf)), leaf

    def _slope(self, values: Tensor) -> tuple[Tensor, Tensor]:
        logit, leaf = self._traced(values)
        if not logit.requires_grad:
            raise ValueError(NO_GRADIENT)
        (slope,) = torch.autograd.grad(logit.sum(), leaf, allow_unused=True)
        slope = torch.zeros_like(leaf) if slope is None else slope
        return logit.detach().to(leaf), torch.where(self.free, slope, 0.0)

    def turned(self, past: Tensor) -> Tensor:
        """(M,) bool: whether what `past` says is enough; half of the margin may be missing."""
        return past >= -self.margin / 2

    def nearest_on_ray(self, values: Tensor) -> Tensor | None:
        """(1, D) the point nearest to the image on the way from it to values (1, D) that turns the verdict, or None."""
        shares = values.new_tensor(SHARES)
        found = self.turned(self.past(self._between(values, shares)))
        if not found.any():
            return None
        first = int(found.nonzero()[0])
        low, high = (0.0, *SHARES)[first], SHARES[first]
        for _ in range(HALVINGS):
            middle = values.new_tensor([(low + high) / 2])
            if bool(self.turned(self.past(self._between(values, middle)))):
                high = float(middle)
            else:
                low = float(middle)
        return self._between(values, values.new_tensor([high]))

    def _between(self, values: Tensor, shares: Tensor) -> Tensor:
        return self.start + shares[:, None] * (values - self.start)


NO_GRADIENT = (
    "the critic lets no gradient through, and the smallest change of values needs one; use the counterfactuals that "
    "need calls alone: bands or regions"
)


def _ends(critic: Critic, image: Tensor, start: Tensor) -> tuple[Tensor, Tensor]:
    """What values an input may have: an image's lie in [-1, 1], others between those of the reals, where known."""
    if isinstance(critic.form, Images):
        low, high = torch.full_like(start, -1.0), torch.full_like(start, 1.0)
    elif critic.reference is not None:
        reals = critic.form.fitted(critic.reference.images, image, "the reals").double()
        known = critic.form.scaled(reals).flatten(1)
        low, high = known.amin(0, keepdim=True), known.amax(0, keepdim=True)
    else:
        low, high = torch.full_like(start, -torch.inf), torch.full_like(start, torch.inf)
    return torch.minimum(low, start), torch.maximum(high, start)


def _free(form: Form, start: Tensor) -> Tensor:
    """Columns of categories are words, and no word is a little of another."""
    free = torch.ones_like(start, dtype=torch.bool)
    categories = getattr(form, "categories", None)
    if categories:
        free[:, [i for i, column in enumerate(form.columns) if column.split("=")[0] in categories]] = False  # type: ignore[attr-defined]
    return free
