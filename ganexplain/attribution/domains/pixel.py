"""Pixels."""

from __future__ import annotations

import torch
from torch import Tensor

from ganexplain.attribution.chart import BaselineLike, Chart, Domain
from ganexplain.attribution.domains._own import of_form, own_chart
from ganexplain.models.critic import Critic
from ganexplain.models.forms import Images

__all__ = ["Pixel"]


class Pixel(Domain):
    """Where, pixel by pixel: coordinates (C, H, W); a player is one pixel with all its channels."""

    name = "pixel"
    form = Images

    def bind(self, critic: Critic, inputs: Tensor, baseline: BaselineLike = None) -> Chart:
        """The chart of images (N, C, H, W) in [-1, 1]."""
        of_form(critic, self)
        _, channels, height, width = critic.form.check(inputs).shape
        pixels = torch.arange(height * width).view(1, 1, height, width).expand(1, channels, height, width)
        return own_chart(critic, inputs, baseline, players=pixels, domain=self.name, facts={})
