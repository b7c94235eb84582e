"""One input in coordinates: what methods are given, and what checks remove."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from ganexplain.attribution.attribution import Attribution
from ganexplain.attribution.chart import BaselineLike, Domain
from ganexplain.explanation.parts import domain_of, labels_of, region_totals
from ganexplain.explanation.plan import Amounts, Plan
from ganexplain.models.forms import Form

PLACES = "places"


@dataclass(frozen=True)
class View:
    """One input in coordinates that its methods and checks share.

    Attributes:
        name: "places", or the name of a domain.
        parts: several of the parts that are removed, such as "regions" or "bands".
        inputs: (1, *) what methods are given: the image, or its code.
        labels: (*coordinates) canonical labels of the parts; those of an image's places lack the axis of channels.
        methods: names of those that are run.
        domain: where a method works, by what it needs ("calls", "gradients", "modules") and the labels, which are None
            for parts that each input has of its own.
        amounts: how much is compared.
        names: what the parts are called, by label; empty where a place says it better.
        baseline: of a domain whose inputs are no images; None takes that of the image, which all others share.
        spare: baselines of maps that are only compared with, where those are many; None takes the same.
        others: so many other inputs of such a domain; None takes the other images.
    """

    name: str
    parts: str
    inputs: Tensor
    labels: Tensor
    methods: tuple[str, ...]
    domain: Callable[[str, Tensor | None], Domain]
    amounts: Amounts
    names: tuple[str, ...] = ()
    baseline: BaselineLike = None
    spare: BaselineLike = None
    others: Callable[[int], Tensor] | None = None

    @property
    def count(self) -> int:
        """Number of parts."""
        return int(self.labels.max()) + 1

    @property
    def common(self) -> bool:
        """Whether a part means the same in every input."""
        return self.name != PLACES

    def totals(self, attribution: Attribution) -> Tensor:
        """(P,) value of each part."""
        return region_totals(attribution, self.labels)

    def told(self, what: str) -> str:
        """What is being done, for a progress bar."""
        return f"{what} in {self.name}" if self.common else what


def places(form: Form, inputs: Tensor, plan: Plan) -> View:
    """Where: gradients in pixels, features or samples, removals in regions, features or spans.

    Raises:
        ValueError: the plan's mask does not fit.
    """
    return View(
        name=PLACES,
        parts="regions",
        inputs=inputs,
        labels=labels_of(form, inputs, plan),
        methods=plan.methods,
        domain=lambda needs, labels: domain_of(form, needs, labels, plan),
        amounts=plan.amounts,
    )
