"""Directions of a generator that makes rows or signals, drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ganexplain.latent.directions import Directions
from ganexplain.models.forms import Form
from ganexplain.models.generator import Generator
from ganexplain.models.signal import Signal
from ganexplain.models.table import Table

if TYPE_CHECKING:
    from ganexplain.figures.style import Figure

SHOWN = 20  # features that a figure has room for: those that change most


def drawn(
    directions: Directions, generator: Generator, codes: Tensor, index: int | None, amounts: Sequence[float]
) -> Figure:
    """Lines of edited signals, or bars of what changes in rows; see `Directions.plot`.

    Raises:
        ValueError: the generator makes something else.
    """
    form = generator.form
    if isinstance(form, Table):
        chosen = range(len(directions)) if index is None else [index]
        changes = torch.stack([change(directions, generator, codes, i) for i in chosen])
        return changed_figure(changes, form, [directions.names[i] for i in chosen])
    if index is None:
        rows = torch.stack([directions.traverse(generator, codes[:1], i, amounts)[0] for i in range(len(directions))])
        return lines_figure(rows, amounts, directions.names, form)
    panels = directions.traverse(generator, codes, index, amounts)
    return lines_figure(panels, amounts, [f"{directions.names[index]}, code {i}" for i in range(len(codes))], form)


def change(directions: Directions, generator: Generator, codes: Tensor, index: int) -> Tensor:
    """(P,) mean change of each feature or group by one standard deviation along a direction, over codes (N, D).

    By central differences, in the feature's units as scaled; of a group or category the column that changes most.
    """
    form = generator.form
    if not isinstance(form, Table):
        raise ValueError(f"only rows have features, and this generator makes {form.many}")
    ends = (generator.render(directions.edit(codes, index, s), directions.space) for s in (-1.0, 1.0))
    down, up = (form.scaled(x).double() for x in ends)
    columns = ((up - down) / 2).mean(0).cpu()
    found = []
    for player in range(len(form.players)):
        own = columns[form.labels == player]
        found.append(own[own.abs().argmax()])
    return torch.stack(found)


def changed_figure(changes: Tensor, form: Table, names: Sequence[str]) -> Figure:
    """Bars of changes (K, P), of the features that change most."""
    from ganexplain.figures.rows import changes_figure

    strongest = changes.abs().amax(0).argsort(descending=True, stable=True)[:SHOWN].sort().values
    features = [form.players[i] for i in strongest.tolist()]
    return changes_figure(changes[:, strongest].tolist(), features, names)


def lines_figure(panels: Tensor, amounts: Sequence[float], names: Sequence[str], form: Form) -> Figure:
    """Lines of edited signals (R, A, C, L)."""
    from ganexplain.figures.lines import Lines, overlaid_figure

    if not isinstance(form, Signal):
        raise ValueError(f"only signals are drawn as lines, and this generator makes {form.many}")
    return overlaid_figure(panels, amounts, names, Lines.of(form, panels[0, 0]))


def beside(sets: Mapping[str, Directions], generator: Generator, codes: Tensor, amounts: Sequence[float]) -> Figure:
    """Several sets of directions in one figure, each direction with the name of its set."""
    form = generator.form
    names = [f"{name} {i}" for name, found in sets.items() for i in range(len(found))]
    if isinstance(form, Table):
        found = [change(one, generator, codes, i) for one in sets.values() for i in range(len(one))]
        return changed_figure(torch.stack(found), form, names)
    rows = [one.traverse(generator, codes[:1], i, amounts)[0] for one in sets.values() for i in range(len(one))]
    return lines_figure(torch.stack(rows), amounts, names, form)
