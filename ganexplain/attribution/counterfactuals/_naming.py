"""What a player is called in a list of changes."""

from __future__ import annotations

import torch
from torch import Tensor

from ganexplain.attribution.chart import Chart
from ganexplain.models.forms import Form
from ganexplain.models.signal import Signal
from ganexplain.models.table import Table

DOWN, ACROSS = ("upper", "middle", "lower"), ("left", "centre", "right")


def names_of(chart: Chart, form: Form, like: Tensor) -> list[str]:
    """A name for each player of the chart's first input: its own, or its number and where it lies."""
    if chart.players is None:
        return []
    labels = chart.players[0].cpu()
    count = int(labels.max()) + 1
    if chart.names:
        return list(chart.names[:count])
    if isinstance(form, Signal):
        return [_span(labels == label, form) for label in range(count)]
    if isinstance(form, Table):
        return [_features(labels == label, form) for label in range(count)]
    if labels.shape != like.shape[1:] or labels.ndim != 3:
        return [f"{form.part} {label + 1}" for label in range(count)]
    return [f"{form.part} {label + 1} ({position(labels[0] == label)})" for label in range(count)]


def position(mask: Tensor) -> str:
    """In which ninth of the image the middle of a mask (H, W) lies.

    >>> mask = torch.zeros(9, 9, dtype=torch.bool)
    >>> mask[0, 0] = True
    >>> position(mask)
    'upper left'
    """
    rows, columns = mask.nonzero().double().mean(0).tolist()
    down = DOWN[min(2, int(3 * (rows + 0.5) / mask.shape[0]))]
    across = ACROSS[min(2, int(3 * (columns + 0.5) / mask.shape[1]))]
    return "centre" if (down, across) == ("middle", "centre") else f"{down} {across}"


def _span(mask: Tensor, form: Signal) -> str:
    """The channel, where there are several, and the samples of a mask (C, L)."""
    channels, times = torch.unique(mask.nonzero()[:, 0]).tolist(), mask.nonzero()[:, 1]
    span = form.span(int(times.min()), int(times.max()) + 1)
    every = len(channels) == len(form.channels)
    return span if every else f"{', '.join(form.channels[c] for c in channels)} {span}"


def _features(mask: Tensor, form: Table) -> str:
    """The group, or the features, of the columns in a mask (F,)."""
    columns = [form.columns[i].split("=")[0] for i in mask.nonzero()[:, 0].tolist()]
    features = tuple(dict.fromkeys(columns))
    groups = [name for name, group in form.groups.items() if set(group) == set(features)]
    return groups[0] if groups else ", ".join(features)
