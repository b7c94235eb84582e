"""What is computed for each image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from ganexplain import checks
from ganexplain.attribution import METHODS
from ganexplain.attribution.chart import BaselineLike
from ganexplain.attribution.methods._base import FEWEST
from ganexplain.models.critic import Critic

WITHOUT_GRADIENTS = ("kernel_shap", "lime")


def suited(critic: Critic) -> tuple[str, ...]:
    """The methods of a plan that names none: of two kinds, where gradients flow."""
    return Plan().methods if critic.differentiable else WITHOUT_GRADIENTS


@dataclass(frozen=True)
class Plan:
    """What is computed for each image.

    Attributes:
        methods: names from the registry; the first one is what a report quotes.
        baseline: see `ganexplain.attribution.baselines.origin_of`; None takes the nearest real for an image judged
            fake where reals are known, else the blurred image, or the black one if the blur keeps the verdict: from
            another real, little would be left to explain of a real.
        mask: (H, W) labels of regions of your own, or None for segments of the image.
        n_segments: about how many segments; None decides by the size.
        seed: of everything that is drawn.
        batch_size: the largest batch that the critic sees.
        max_evaluations: forward passes per method and image, at least 50, or None for each method's default.
        settings: more constructor arguments by method, such as {"grad_cam": {"layer": "layers.2"}}.
        n_orders: random orders that a map has to beat.
        n_randomised: critics with random weights.
        n_others: other images whose maps are compared.
        light: evaluations for the maps that are only compared with (of randomised critics and other images).
    """

    methods: tuple[str, ...] = ("kernel_shap", "integrated_gradients")
    baseline: BaselineLike = None
    mask: Tensor | None = None
    n_segments: int | None = None
    seed: int = 0
    batch_size: int = 64
    max_evaluations: int | None = None
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    n_orders: int = 200
    n_randomised: int = 5
    n_others: int = 10
    light: int = 256

    def __post_init__(self) -> None:
        if not self.methods:
            raise ValueError("at least one attribution method is needed")
        for name in self.methods:
            checks.one_of("attribution method", name, METHODS.names())
        for name in self.settings:
            checks.one_of("method with settings", name, self.methods)
        if self.max_evaluations is not None and self.max_evaluations < FEWEST:
            raise ValueError(f"max_evaluations must be at least {FEWEST}, got {self.max_evaluations}")
