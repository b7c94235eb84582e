"""Windows."""

from __future__ import annotations

import torch
from torch import Tensor

from ganexplain import checks
from ganexplain.attribution import players as groups
from ganexplain.attribution.chart import BaselineLike, Chart, Domain
from ganexplain.attribution.domains._own import of_form, own_chart
from ganexplain.models.critic import Critic
from ganexplain.models.signal import Signal

__all__ = ["Window"]


class Window(Domain):
    """When, in a signal: coordinates (C, L); a player is a span of time of one channel.

    Args:
        mask: (L,) or (C, L) integer labels, for spans that mean something to you.
        n_windows: about how many spans of equal length, over all channels together; None takes those of the critic's
            `Signal`. As many as there are samples make every sample a player.
    """

    name = "window"
    form = Signal

    def __init__(self, mask: Tensor | None = None, *, n_windows: int | None = None) -> None:
        self.mask = None if mask is None else groups.check_labels(mask, "mask")
        self.n_windows = None if n_windows is None else int(checks.positive(n_windows, "n_windows"))

    def bind(self, critic: Critic, inputs: Tensor, baseline: BaselineLike = None) -> Chart:
        """The chart of signals (N, C, L) in the caller's units."""
        of_form(critic, self)
        labels = self.labels(critic.form.check(inputs), getattr(critic.form, "windows", 1))
        facts = {"spans": int(labels.max()) + 1, "mask": self.mask is not None}
        return own_chart(critic, inputs, baseline, players=labels[None], domain=self.name, facts=facts)

    def labels(self, signals: Tensor, windows: int) -> Tensor:
        """(C, L) canonical labels of the spans of signals (N, C, L), ``windows`` of them unless said otherwise.

        Raises:
            ValueError: the mask has another shape, or one span alone.
        """
        channels, length = signals.shape[1:]
        if self.mask is None:
            each = min(length, max(1, round((self.n_windows or windows) / channels)))
            steps = torch.arange(length) * each // length
            return torch.arange(channels)[:, None] * each + steps
        if tuple(self.mask.shape) not in ((length,), (channels, length)):
            raise ValueError(f"the mask must have the shape {(channels, length)}, got {tuple(self.mask.shape)}")
        found = groups.canonical(self.mask.expand(channels, length)[None])[0]
        if int(found.max()) < 1:
            raise ValueError("the mask has one span only, so nothing can be told apart; give at least two labels")
        return found
