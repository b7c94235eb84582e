"""From what a file held, an unpickled object or a flat mapping, to networks by name."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from ganexplain.models.checkpoints.checkpoint import Weights, role_of

WRAPPERS = ("module.", "_orig_mod.", "_forward_module.")


@dataclass
class Found:
    """What has been gathered so far: networks, plain facts, and notes for the reader."""

    networks: list[Weights] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def gather(stored: Any) -> Found:
    """Networks, facts and notes of an unpickled object."""
    found = Found()
    _walk(stored, "", found)
    return found


def _walk(value: Any, name: str, found: Found) -> None:
    if isinstance(value, Mapping):
        if "param_groups" in value:
            found.notes.append(f"{name} is an optimiser and was left out")
            return
        tensors = {str(k): v for k, v in value.items() if isinstance(v, Tensor)}
        before = len(found.networks)
        for key, inner in value.items():
            if not isinstance(inner, Tensor):
                _walk(inner, f"{name}.{key}" if name else str(key), found)
        if tensors and len(found.networks) == before:
            found.networks.extend(split(name, tensors))
    elif isinstance(value, list | tuple):
        for i, inner in enumerate(value):
            _walk(inner, f"{name}.{i}" if name else str(i), found)
    elif isinstance(value, bool | int | float | str):
        found.facts[name] = value


def split(name: str, tensors: Mapping[str, Tensor]) -> list[Weights]:
    """The networks of one flat mapping: several where first parts of its names say different roles."""
    tensors = unwrapped(tensors)
    groups: dict[str, dict[str, Tensor]] = OrderedDict()
    for key, tensor in tensors.items():
        head, _, rest = key.partition(".")
        groups.setdefault(head, {})[rest or key] = tensor
    if len({role_of(head) for head in groups} - {None}) < 2:
        return [Weights(name, tensors)]
    return [Weights(f"{name}.{head}" if name else head, unwrapped(inner)) for head, inner in groups.items()]


def unwrapped(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors without the prefixes of DataParallel, compile and the like."""
    names = list(tensors)
    while names and (prefix := next((p for p in WRAPPERS if all(n.startswith(p) for n in names)), None)):
        names = [n.removeprefix(prefix) for n in names]
    return dict(zip(names, tensors.values(), strict=True))
