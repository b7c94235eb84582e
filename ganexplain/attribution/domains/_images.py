"""What the pixel and region domains share: coordinates are the caller's pixels."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ganexplain import checks
from ganexplain.attribution.baselines import origin_of
from ganexplain.attribution.chart import BaselineLike, Chart
from ganexplain.models.critic import Critic


def image_chart(
    critic: Critic, images: Tensor, baseline: BaselineLike, *, players: Tensor, domain: str, facts: dict[str, Any]
) -> Chart:
    """The chart whose coordinates are the pixels (C, H, W) themselves.

    Args:
        critic: the critic.
        images: (N, C, H, W) in [-1, 1].
        baseline: see `origin_of`.
        players: (1 or N, C, H, W) canonical labels.
        domain: the domain's name.
        facts: the domain's parameters.
    """
    images = checks.images(images).detach()
    origin = origin_of(critic, images, baseline)

    def evidence(coordinates: Tensor, rows: Tensor) -> Tensor:
        logit: Tensor = critic(coordinates)
        return logit

    reference = critic.reference
    return Chart(
        point=images,
        origin=origin.images,
        evidence=evidence,
        players=players.to(images.device),
        domain=domain,
        baseline=origin.name,
        origins=origin.many,
        image=lambda coordinates, rows: coordinates,
        scale=reference.iqr if reference is not None else 0.0,
        real_range=reference.range if reference is not None else None,
        facts=facts,
    )
