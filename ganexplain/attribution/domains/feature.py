"""Features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from torch import Tensor

from ganexplain.attribution import players as groups
from ganexplain.attribution.chart import BaselineLike, Chart, Domain
from ganexplain.attribution.domains._own import of_form, own_chart
from ganexplain.models.critic import Critic
from ganexplain.models.table import Table

__all__ = ["Feature"]


class Feature(Domain):
    """Which feature of a row: coordinates (F,) as the network reads them; a player is a feature, a category or a group.

    Args:
        groups: features by the group's name, instead of those of the critic's `Table`; {} takes every feature alone.
    """

    name = "feature"
    form = Table

    def __init__(self, groups: Mapping[str, Sequence[str]] | None = None) -> None:
        self.groups = None if groups is None else {name: tuple(group) for name, group in groups.items()}

    def bind(self, critic: Critic, inputs: Tensor, baseline: BaselineLike = None) -> Chart:
        """The chart of rows (N, F) in the caller's units."""
        of_form(critic, self)
        players = groups.canonical(self.table(critic).labels[None])
        facts = {} if self.groups is None else {"groups": {name: list(group) for name, group in self.groups.items()}}
        return own_chart(critic, inputs, baseline, players=players, domain=self.name, facts=facts)

    def table(self, critic: Critic) -> Table:
        """The critic's form, with these groups."""
        form = critic.form
        if not isinstance(form, Table):
            raise TypeError(f"the critic reads {form.many}, and features belong to rows of a table")
        return form if self.groups is None else replace(form, groups=self.groups)
