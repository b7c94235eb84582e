"""The critic's reference reals at the size of the images that are explained."""

from __future__ import annotations

from torch import Tensor

from ganexplain.models.critic import Critic, Reference
from ganexplain.models.preprocess import resized


def known_reals(critic: Critic, images: Tensor) -> Reference:
    """The reference with its images at (C, H, W) of ``images``.

    Raises:
        ValueError: the critic knows no reals, or reals with another number of channels.
    """
    reference = critic.reference
    if reference is None:
        raise ValueError("this baseline needs real images; give them with critic.with_reference(reals), or --reals DIR")
    reals = reference.images.to(images)
    if reals.shape[1] != images.shape[1]:
        raise ValueError(f"the reals have {reals.shape[1]} channels and the images {images.shape[1]}; read both alike")
    if reals.shape[-2:] != images.shape[-2:]:
        reals = resized(reals, (images.shape[-2], images.shape[-1]))
    return Reference(reals, reference.logits)
