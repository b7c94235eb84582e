"""What a report says of the parts of an input: where regions lie, what features are, when spans are."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ganexplain.explanation import Explanation
from ganexplain.models.forms import Form
from ganexplain.models.signal import Signal
from ganexplain.models.table import Table
from ganexplain.report import words


def form_facts(explanation: Explanation) -> dict[str, Any]:
    """What the page calls the input and its parts, and how large it is."""
    form, shape = explanation.form, tuple(explanation.image.shape[1:])
    return {
        "name": form.name,
        "one": form.one,
        "many": form.many,
        "part": form.part,
        "parts": form.parts,
        "size": _size(form, shape),
    }


def _size(form: Form, shape: tuple[int, ...]) -> str:
    if isinstance(form, Table):
        return f"{len(form.names)} features" + (f" in {len(form.players)} groups" if form.groups else "")
    if isinstance(form, Signal):
        rate = f" at {form.sample_rate:g} per second" if form.sample_rate else ""
        return f"{shape[1]:,} samples{rate}, {_counted(shape[0], 'channel')}"
    return f"{shape[2]} × {shape[1]} pixels, {_counted(shape[0], 'channel')}"


def _counted(n: int, what: str) -> str:
    return f"{n} {what}" + ("" if n == 1 else "s")


def part_facts(explanation: Explanation) -> list[dict[str, Any]]:
    """One a part, in the order of its label: what it is called, where it is, and its value here and in the baseline."""
    form, labels = explanation.form, explanation.regions
    if isinstance(form, Table):
        return _features(form, explanation)
    if isinstance(form, Signal):
        return [_span(form, labels == i) for i in range(int(labels.max()) + 1)]
    return [_place(labels == i) for i in range(int(labels.max()) + 1)]


def _features(form: Table, explanation: Explanation) -> list[dict[str, Any]]:
    first, labels = explanation.primary, explanation.regions
    shown, before = form.shown(explanation.image[0]), form.shown(first.origins[0])
    return [
        {
            "position": name,
            "row": None,
            "column": None,
            "pixels": int((labels == i).sum()),
            "shown": shown[i],
            "before": before[i] if first.compares else None,
        }
        for i, name in enumerate(form.players)
    ]


def _span(form: Signal, inside: Tensor) -> dict[str, Any]:
    """Where a span lies; a mask's may be in several pieces, of which the first and the last sample are named."""
    channels, samples = torch.nonzero(inside, as_tuple=True)
    names = [form.channels[int(i)] for i in torch.unique(channels)]
    time = form.span(int(samples.min()), int(samples.max()) + 1)
    where = time if len(form.channels) == 1 else f"{time} of {words.listed(names)}"
    middle = float(samples.double().mean() + 0.5) / inside.shape[1]
    row = float(channels.double().mean() + 0.5) / inside.shape[0]
    return {"position": where, "row": row, "column": middle, "pixels": int(inside.sum()), "shown": None, "before": None}


def _place(inside: Tensor) -> dict[str, Any]:
    rows, columns = (axis.double() for axis in torch.nonzero(inside, as_tuple=True))
    height, width = inside.shape
    row, column = float(rows.mean() + 0.5) / height, float(columns.mean() + 0.5) / width
    sides = (inside[0], inside[-1], inside[:, 0], inside[:, -1])
    surrounds = all(bool(side.any()) for side in sides)
    return {
        "position": words.position(row, column, surrounds),
        "row": row,
        "column": column,
        "pixels": int(inside.sum()),
        "shown": None,
        "before": None,
    }
