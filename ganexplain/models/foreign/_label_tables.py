"""What a label becomes before it meets an image or code: one row a class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from ganexplain.models.foreign import _modules
from ganexplain.models.foreign._blocks import blocks_of
from ganexplain.models.foreign._fit import Choice, Size
from ganexplain.models.foreign._labels import Entry
from ganexplain.models.foreign._modules import Step
from ganexplain.models.foreign._parts import Part

LARGEST = 2**28  # values of a table


def table_of(entry: Entry, before: Sequence[Step], size: Size, settings: Mapping[str, Any]) -> Tensor | None:
    """(classes, d) or (classes, c, h, w) after the label's own layers, or None where they do not fit the joint.

    The layers depend on nothing but the label, so that one row a class says all of them.

    Args:
        entry: how the label enters.
        before: the modules that an image or code passes before the joint.
        size: of the maps that ``before`` reads; (1, 1) for codes.
        settings: the layout's options.
    """
    if entry.table is not None and entry.table.weight is not None:
        rows = entry.table.weight
    else:
        low, high = settings["one_hot"]
        rows = torch.full((entry.classes, entry.classes), float(low)).fill_diagonal_(float(high))
    planes = any(part.kind in ("conv", "tconv") for part in entry.branch)
    wide = max([rows.shape[1], *(part.out for part in entry.branch if part.mixes)])
    if len(rows) * wide * (size[0] * size[1] if planes else 1) > LARGEST:
        raise ValueError(f"the labels' table would have more than {LARGEST} values; such a network is not rebuilt")
    if entry.branch:
        modules = twins(entry.branch, before) if planes or entry.table is None else None
        if modules is None and planes:
            return None
        rows = rows[:, :, None, None].expand(-1, -1, *size) if planes else rows
        with torch.no_grad():
            rows = nn.Sequential(*(modules or _vectors(entry.branch, settings))).eval()(rows)
    if entry.side is not None:
        rows = rows.reshape(len(rows), entry.width, entry.side, entry.side)
    return rows.contiguous() if rows.shape[1] == entry.width else None


def twins(branch: Sequence[Part], before: Sequence[Step]) -> list[nn.Module] | None:
    """The modules before the joint with the branch's weights, or None where the branch is built otherwise."""
    own, made = list(branch), []
    for step in before:
        if not list(step.module.state_dict()):
            made += [step.module] if not isinstance(step.module, nn.Flatten | nn.Unflatten) else []
            continue
        if not own:
            return None
        module = _alike(own.pop(0), step.module)
        if module is None:
            return None
        made.append(module)
    return None if own or not made else made


def geometry(module: nn.Module) -> tuple[str, Choice]:
    """The kind of a layer and how it moves over its map."""
    if not isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        return "linear", Choice()
    stride, padding, extra = (
        int(tuple[Any, ...](pair)[0]) for pair in (module.stride, module.padding, module.output_padding)
    )
    return ("conv" if isinstance(module, nn.Conv2d) else "tconv"), Choice(stride, padding, extra)


def _alike(part: Part, module: nn.Module) -> nn.Module | None:
    """A module of the kind of ``module`` with the weights of ``part``; None where the part is of another kind."""
    if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
        kind, choice = geometry(module)
        if (part.kind == "linear") != (kind == "linear") or part.shape[2:] != tuple(module.weight.shape[2:]):
            return None
        return _modules.layer(replace(part, kind=kind), choice)[0] if part.mixes else None
    if part.kind != "norm" or isinstance(module, nn.PReLU):
        return None
    eps = getattr(module, "eps", None)
    return _modules.norm(part, flat=isinstance(module, nn.BatchNorm1d), kind=None, groups=1, eps=eps)[0]


def _vectors(branch: Sequence[Part], settings: Mapping[str, Any]) -> list[nn.Module]:
    """Linear layers of a label's vector; an activation only where names leave room or the spec says so."""
    made: list[nn.Module] = []
    said = settings["label_activation"]
    for block in blocks_of(branch):
        for i, part in enumerate(block.parts):
            if part.mixes:
                made.append(_modules.layer(part, Choice())[0])
            else:
                made.append(_modules.norm(part, flat=True, kind=None, groups=1, eps=settings["eps"])[0])
            asked = said if said is not None else "leaky_relu" if block.gaps[i] else "none"
            if asked != "none" and i == (len(block.parts) - 1 if said is not None else i):
                made.append(_modules.activation(asked, settings["slope"])[0])
    return made
