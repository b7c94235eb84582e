"""What the domains share whose coordinates are the inputs' own values: pixels, features, samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from torch import Tensor

from ganexplain.attribution.baselines import Origin, origin_of
from ganexplain.attribution.chart import BaselineLike, Chart
from ganexplain.models.critic import Critic
from ganexplain.models.forms import Form


class Own(Protocol):
    """A domain whose coordinates are the values of inputs of one form."""

    @property
    def name(self) -> str:
        """The domain's name."""
        ...

    @property
    def form(self) -> type[Form]:
        """The form."""
        ...


def of_form(critic: Critic, domain: Own) -> None:
    """Refuse a critic that reads another kind of input than the domain has coordinates for.

    Raises:
        ValueError: it does.
    """
    form = critic.form
    if not isinstance(form, domain.form):
        raise ValueError(
            f"the domain {domain.name!r} has coordinates of {domain.form.many}, and this critic reads {form.many}; use "
            f"domain={form.removed.capitalize()}()"
        )


def own_chart(
    critic: Critic, inputs: Tensor, baseline: BaselineLike, *, players: Tensor, domain: str, facts: dict[str, Any]
) -> Chart:
    """The chart whose coordinates are the inputs' own values, in the units in which the form compares them.

    Those are the pixels (C, H, W) themselves, and for rows and signals the values as the network reads them, so that a
    step of one size means alike for features in millimetres and in years.

    Args:
        critic: the critic.
        inputs: (N, *coordinates), valid by the critic's form.
        baseline: see `origin_of`.
        players: (1 or N, *coordinates) canonical labels.
        domain: the domain's name.
        facts: the domain's parameters.
    """
    form = critic.form
    inputs = form.check(inputs).detach()
    origin = origin_of(critic, inputs, baseline)

    def evidence(coordinates: Tensor, rows: Tensor) -> Tensor:
        logit: Tensor = critic(form.unscaled(coordinates))
        return logit

    reference = critic.reference
    return Chart(
        point=form.scaled(inputs),
        origin=form.scaled(origin.images),
        evidence=evidence,
        players=players.to(inputs.device),
        domain=domain,
        baseline=origin.name,
        origins=None if origin.many is None else form.scaled(origin.many),
        fill=_filling(form, origin),
        image=lambda coordinates, rows: form.unscaled(coordinates),
        scale=reference.iqr if reference is not None else 0.0,
        real_range=reference.range if reference is not None else None,
        notes=origin.notes,
        facts=facts,
    )


def _filling(form: Form, origin: Origin) -> Callable[[Tensor, Tensor], Tensor] | None:
    """`Origin.fill` in the chart's coordinates."""
    fill = origin.fill
    return None if fill is None else lambda points, keep: form.scaled(fill(form.unscaled(points), keep))
