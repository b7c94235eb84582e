"""The critic's reference reals at the size of the inputs that are explained."""

from __future__ import annotations

from torch import Tensor

from ganexplain.models.critic import Critic
from ganexplain.models.reference import Reference


def known_reals(critic: Critic, images: Tensor) -> Reference:
    """The reference with its images at (C, H, W) of ``images``, or rows or signals of the same shape.

    Raises:
        ValueError: the critic knows no reals, or reals with another number of channels.
    """
    reference = critic.reference
    if reference is None:
        raise ValueError(
            f"this baseline needs real {critic.form.many}; give them with critic.with_reference(reals), or --reals"
        )
    return Reference(critic.form.fitted(reference.images, images, "the reals"), reference.logits)
