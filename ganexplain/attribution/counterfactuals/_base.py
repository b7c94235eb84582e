"""What every counterfactual shares: which side is wanted, the caller's world as it was, and the measures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from ganexplain import checks, tensors
from ganexplain.attribution.counterfactuals import Counterfactual
from ganexplain.attribution.counterfactuals._boundary import NO_GRADIENT, Boundary
from ganexplain.attribution.counterfactuals._measures import Change, measured
from ganexplain.models.critic import Critic
from ganexplain.models.verdict import Verdict


class Search(ABC):
    """Base of the searches for a small change that turns a verdict.

    Args:
        critic: the critic whose verdict is to turn.
        batch_size: the largest batch that the critic sees.

    Attributes:
        name: the registry's name.
        needs: "calls" or "gradients": what the critic must offer.
    """

    name: ClassVar[str]
    needs: ClassVar[str] = "calls"

    def __init__(self, critic: Critic, *, batch_size: int = 64) -> None:
        if not isinstance(critic, Critic):
            raise TypeError(
                f"critic must be a Critic, got {type(critic).__name__}; wrap it: Critic(network, output=...)"
            )
        self.critic = critic
        self.batch_size = int(checks.positive(batch_size, "batch_size"))

    def find(self, image: Tensor, *, to: str | None = None, seed: int = 0) -> Counterfactual:
        """Change one image (1, C, H, W) in [-1, 1], or what else the critic reads, until it is judged otherwise.

        Args:
            image: what is changed; a copy is.
            to: "real" or "fake", the wanted verdict; None takes the other one than the image has.
            seed: of searches that draw, and of a critic that does.

        Raises:
            ValueError: more than one input, a score that nothing places, or a critic that lets no gradient through
                where one is needed.
        """
        if to is not None:
            checks.side(to)
        if self.needs == "gradients" and not self.critic.differentiable:
            raise ValueError(NO_GRADIENT)
        image = self._checked(image)
        with tensors.isolated(seed), torch.enable_grad():
            own = "fake" if bool(self._placed(image).is_fake[0]) else "real"
            wanted = to or ("real" if own == "fake" else "fake")
            boundary = Boundary(self.critic, image, wanted, self.batch_size)
            change = self._already(boundary) if own == wanted else self._change(boundary, seed)
            return measured(self.name, boundary, change)

    def _checked(self, image: Tensor) -> Tensor:
        """A copy of one valid input, without its graph."""
        one = self.critic.form.one
        if len(self.critic.form.check(image)) != 1:
            raise ValueError(f"one {one} is changed at a time, got {len(image)}; take one of them, such as [:1]")
        return image.detach().clone()

    def _placed(self, image: Tensor) -> Verdict:
        verdict = self.critic.judge(image, batch_size=self.batch_size)
        if not verdict.placed:
            raise ValueError(UNPLACED.format(self.critic.form.many))
        return verdict

    def _already(self, boundary: Boundary) -> Change:
        one = boundary.form.one
        return Change(boundary.start, notes=(f"the {one} is judged {boundary.to} as it is, so nothing was changed",))

    @abstractmethod
    def _change(self, boundary: Boundary, seed: int) -> Change:
        """The smallest change of its kind that was found."""


UNPLACED = (
    "the critic gives a score without a threshold, so no change turns its verdict; give known real {0} with "
    "critic.with_reference(reals), or reals and fakes with critic.calibrate(real, fake)"
)
