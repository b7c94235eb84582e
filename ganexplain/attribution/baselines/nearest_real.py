"""The nearest real."""

from __future__ import annotations

import torch
from torch import Tensor

from ganexplain.attribution.baselines._reals import known_reals
from ganexplain.models.critic import Critic

__all__ = ["NearestReal"]

DOUBTED = 1e3  # far beyond any distance of two images: reals that the critic doubts come after all others
SAME = 1e-3  # root mean square difference below which two images are the same one


class NearestReal:
    """The reference real nearest in its values, first among those judged real; never the input itself."""

    name = "nearest_real"
    phrase = "the most similar real image that is known"

    def __call__(self, critic: Critic, images: Tensor) -> Tensor:
        """(N, C, H, W)."""
        reference = known_reals(critic, images)
        threshold = critic.threshold
        believed = reference.logits.to(images.device) >= threshold
        # the faster form |a|^2 - 2ab + |b|^2 loses the digits that tell an image from itself
        exact = "donot_use_mm_for_euclid_dist"
        own, known = (critic.form.comparable(x, reference.images).flatten(1) for x in (images, reference.images))
        distance = torch.cdist(own.double(), known.double(), compute_mode=exact)
        distance /= images[0].numel() ** 0.5
        distance[distance < SAME] = torch.inf
        distance += torch.where(believed, 0.0, DOUBTED)
        if torch.isinf(distance).all(1).any():
            raise ValueError(f"the only real {critic.form.one} known is the one to be explained; give more reals")
        return reference.images[distance.argmin(1)]
