"""What is computed for each image."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from ganexplain import checks
from ganexplain.attribution import COUNTERFACTUALS, DOMAINS, METHODS
from ganexplain.attribution.chart import BaselineLike
from ganexplain.attribution.methods._base import FEWEST
from ganexplain.models.critic import Critic

BUDGETS = ("quick", "standard", "thorough")
FACETS = ("frequency", "latent")  # domains beside those of places, which are always explained
READINGS = ("patches", "labels", "dependence")
WITHOUT_GRADIENTS = ("kernel_shap", "lime")
# of latent codes, where the plan keeps its default methods: Shapley values, which predict best what resampling a
# direction does, of all values that sum to the change (benchmarks.latent), by the estimator with the smallest error;
# and what resampling each direction alone does
IN_CODES = ("kernel_shap", "occlusion")


@dataclass(frozen=True)
class Amounts:
    """How much is computed to tell whether a map can be trusted.

    Attributes:
        n_orders: random orders that a map has to beat.
        n_randomised: critics with random weights.
        n_others: other images whose maps are compared.
        light: evaluations for the maps that are only compared with.
    """

    n_orders: int
    n_randomised: int
    n_others: int
    light: int


AMOUNTS = {
    "quick": Amounts(100, 3, 10, 100),
    "standard": Amounts(200, 5, 10, 256),
    "thorough": Amounts(400, 10, 20, 512),
}


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
            another real, little would be left to explain of a real. One choice holds for places and frequencies.
        mask: (H, W) labels of regions of your own, or None for segments of the image.
        n_segments: about how many segments; None decides by the size.
        seed: of everything that is drawn.
        batch_size: the largest batch that the critic sees.
        max_evaluations: forward passes per method and image, at least 50, or None for each method's default.
        settings: more constructor arguments by method, such as {"grad_cam": {"layer": "layers.2"}}.
        n_orders: random orders that a map has to beat; None takes the budget's, see `amounts`.
        n_randomised: critics with random weights; None takes the budget's.
        n_others: other images whose maps are compared; None takes the budget's.
        light: evaluations for the maps that are only compared with (of randomised critics and other images); None takes
            the budget's.
        budget: "quick" explains places alone; "standard" adds frequencies, what patches and labels say, how far the
            values depend on the baseline, and latent directions where the image's code is given; "thorough" adds
            latent directions by inversion where the generator is known, counterfactuals, and compares more.
        domains: "frequency", "latent"; places ("pixel", "region", "feature", "window") are always explained. None
            decides by budget and model; () leaves places alone.
        readings: "patches", "labels", "dependence"; None decides by budget and model.
        counterfactuals: names from the registry; None decides by budget and model.
        tol: tolerance of integrated gradients, guided and blurred ones included; None takes each method's default.
        code: (1, D) latent code of the image, or None.
        space: latent space of the code, or in which one is searched; None takes that of the directions, else the
            generator's first.
        directions: anything with vectors (K, D), names, scale and space, such as `ganexplain.Directions`; None finds
            some where the latent domain is explained.
        frequency: constructor arguments of `Frequency`, such as {"transform": "fft", "bands": 12}.
        latent: constructor arguments of `Latent`, such as {"n_origins": 16}.
    """

    methods: tuple[str, ...] = ("kernel_shap", "integrated_gradients")
    baseline: BaselineLike = None
    mask: Tensor | None = None
    n_segments: int | None = None
    seed: int = 0
    batch_size: int = 64
    max_evaluations: int | None = None
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    n_orders: int | None = None
    n_randomised: int | None = None
    n_others: int | None = None
    light: int | None = None
    budget: str = "standard"
    domains: tuple[str, ...] | None = None
    readings: tuple[str, ...] | None = None
    counterfactuals: tuple[str, ...] | None = None
    tol: float | None = None
    code: Tensor | None = None
    space: str | None = None
    directions: Any = None
    frequency: Mapping[str, Any] = field(default_factory=dict)
    latent: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.methods:
            raise ValueError("at least one attribution method is needed")
        checks.one_of("budget", self.budget, BUDGETS)
        for kind, names, choices in (
            ("attribution method", self.methods, METHODS.names()),
            ("method with settings", tuple(self.settings), dict.fromkeys((*self.methods, *IN_CODES))),
            ("domain", self.domains, DOMAINS.names()),
            ("reading", self.readings, READINGS),
            ("counterfactual", self.counterfactuals, COUNTERFACTUALS.names()),
        ):
            if isinstance(names, str):
                raise TypeError(f"{kind}s must be a tuple of names, got the text {names!r}; write ({names!r},)")
            for name in names or ():
                checks.one_of(kind, name, choices)
        if self.max_evaluations is not None and self.max_evaluations < FEWEST:
            raise ValueError(f"max_evaluations must be at least {FEWEST}, got {self.max_evaluations}")
        if self.tol is not None:
            checks.positive(self.tol, "tol")
        if self.code is not None and (self.code.ndim != 2 or len(self.code) != 1):
            raise ValueError(f"code must have the shape (1, D), one code for one image, got {tuple(self.code.shape)}")
        missing = [w for w in ("vectors", "names", "scale", "space") if not hasattr(self.directions, w)]
        if self.directions is not None and missing:
            raise TypeError(
                f"directions must have vectors, names, scale and space, got {type(self.directions).__name__} without "
                f"{', '.join(missing)}; take ganexplain.Directions"
            )

    @property
    def amounts(self) -> Amounts:
        """How much is compared: what was asked for, else what the budget allows."""
        asked = {f.name: getattr(self, f.name) for f in dataclasses.fields(Amounts)}
        return dataclasses.replace(AMOUNTS[self.budget], **{k: v for k, v in asked.items() if v is not None})

    def to_json(self) -> dict[str, Any]:
        """What a report says of the plan: tensors and directions by their shape or method."""
        base, made = self.baseline, self.directions
        name = base if base is None or isinstance(base, str) else getattr(base, "name", "given")
        found = None if made is None else {"method": getattr(made, "method", "given"), "names": list(made.names)}
        rest = {k: v for k, v in vars(self).items() if k not in ("mask", "code")} | dataclasses.asdict(self.amounts)
        listed = {k: list(v) if isinstance(v, tuple) else v for k, v in rest.items()}
        said = {"baseline": name, "directions": found, "mask": self.mask is not None, "code": self.code is not None}
        return listed | said

    def __repr__(self) -> str:
        plain = Plan.__dataclass_fields__
        told = []
        for name, value in vars(self).items():
            default = plain[name].default
            known = {} if default is dataclasses.MISSING else default
            if name == "methods" or (not isinstance(value, Tensor) and type(value) is type(known) and value == known):
                continue
            told.append(f"{name}={tuple(value.shape) if isinstance(value, Tensor) else value!r}")
        return f"Plan({', '.join([' + '.join(self.methods), *told])})"
