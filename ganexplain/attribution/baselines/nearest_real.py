"""The nearest real image."""

from __future__ import annotations

import torch
from torch import Tensor

from ganexplain.attribution.baselines._reals import known_reals
from ganexplain.models.critic import Critic

__all__ = ["NearestReal"]

SAME = 1e-3  # root mean square difference below which two images are the same one


class NearestReal:
    """The reference real nearest in pixels, among those that the critic judges real; never the image itself."""

    name = "nearest_real"

    def __call__(self, critic: Critic, images: Tensor) -> Tensor:
        """(N, C, H, W)."""
        reference = known_reals(critic, images)
        threshold = critic.calibration.threshold if critic.calibration else 0.0
        believed = reference.logits.to(images.device) >= threshold
        reals = reference.images[believed] if believed.any() else reference.images
        # the faster form |a|^2 - 2ab + |b|^2 loses the digits that tell an image from itself
        exact = "donot_use_mm_for_euclid_dist"
        distance = torch.cdist(images.flatten(1).double(), reals.flatten(1).double(), compute_mode=exact)
        distance /= images[0].numel() ** 0.5
        distance[distance < SAME] = torch.inf
        if torch.isinf(distance).all(1).any():
            raise ValueError("the only real image known is the one to be explained; give more reals")
        return reals[distance.argmin(1)]
