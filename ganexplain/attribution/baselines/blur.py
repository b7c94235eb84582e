"""The image or signal without its details."""

from __future__ import annotations

import torch
from torch import Tensor

from ganexplain.models.critic import Critic

__all__ = ["Blur"]


class Blur:
    """The image or signal under a Gaussian of one eighth of its width: colours and layout stay, details go."""

    name = "blur"
    phrase = "the same image with its details blurred away"

    def __call__(self, critic: Critic, images: Tensor) -> Tensor:
        """(N, C, H, W) or (N, C, L)."""
        from scipy.ndimage import gaussian_filter

        sigma = images.shape[-1] / 8
        widths = (0, 0, *[sigma] * (images.ndim - 2))
        smooth = gaussian_filter(images.detach().cpu().double().numpy(), widths, mode="nearest")
        return torch.from_numpy(smooth).to(images)
