"""From what a file describes to its networks by name, its plain facts, and notes for the reader."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor

from ganexplain.models.checkpoints.checkpoint import Weights
from ganexplain.models.checkpoints.naming import Name, Record, UnreadableError
from ganexplain.models.checkpoints.prefixes import split
from ganexplain.models.checkpoints.storages import ODD, SCALARS, Store, numpy_dtype, plainly

MAX_MODULES, MAX_DEPTH = 20_000, 64
MAX_FACTS, MAX_TEXT = 300, 500
SCHEDULES = {"last_epoch", "base_lrs", "_step_count"}
PARAMETERS = ("weight", "bias", "kernel", "gamma", "beta", "const", "weight_orig", "weight_g", "weight_v")
Path = tuple[str, ...]
FOLDERS = re.compile(r"(?:[A-Za-z]:)?[\\/](?:[^\\/'\"{}]*[\\/])+")  # of absolute paths, which are the author's own
SETTINGS = re.compile(r"\{[^}]*\}")  # that Lightning writes into the names of callbacks
UNCALLED = (
    "it was saved without parentheses, torch.save(net.state_dict, ...) for torch.save(net.state_dict(), ...); "
    "the whole module that this keeps is read instead"
)


@dataclass
class _Network:
    """A mapping of tensors, or a whole module, found on the way."""

    path: Path
    tensors: dict[str, Any]
    modules: dict[str, dict[str, Any]] = field(default_factory=dict)
    whole: bool = False


@dataclass
class Found:
    """What has been gathered: networks, plain facts, and notes for the reader."""

    networks: tuple[Weights, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def gather(stored: Any, store: Store | None = None) -> Found:
    """Networks, facts and notes of what a file describes.

    Args:
        stored: mappings, lists, records and plain values as `machine.interpret` leaves them, or a mapping of tensors.
        store: where the numbers of the records come from; None where tensors are at hand.

    Raises:
        UnreadableError: a tensor of a kind or size that cannot be read.
    """
    found = Found()
    candidates = list(_walk(stored, found))
    networks: list[Weights] = []
    lightning = "pytorch-lightning_version" in found.facts
    for network in candidates:
        inner = any(n is not network and n.path[: len(network.path)] == network.path for n in candidates)
        unlike = not _dotted(network.tensors) and (inner or not _like_weights(network.tensors))
        if not network.whole and (unlike or _numbers(network.tensors)):
            found.notes.append(f"left out: {_said(network)}")
            continue
        name = ".".join(network.path)
        tensors = {
            key: _dense(value, f"{name}.{key}" if name else key, store) for key, value in network.tensors.items()
        }
        networks.extend(split(Weights(name, tensors, network.modules), every=lightning))
    found.networks = tuple(w for w in networks if w.tensors)
    found.notes.extend(f"{w.name or 'the network'} has no weights" for w in networks if not w.tensors)
    return found


def _walk(stored: Any, found: Found) -> Iterator[_Network]:
    """Every mapping of tensors and every whole module, in the file's order; nothing is visited twice."""
    seen: dict[int, Path] = {}
    yielded: set[int] = set()
    waiting: list[tuple[Path, Any]] = [((), stored)]
    while waiting:
        path, value = waiting.pop()
        if _unsaid(value):
            found.notes.append(UNCALLED)
            value = value.args[0]
        if isinstance(value, Mapping | list | tuple | Record):
            if id(value) in yielded:
                found.notes.append(f"{'.'.join(path)} is the same as {'.'.join(seen[id(value)])}")
            if id(value) in seen:
                continue
            seen[id(value)] = path
        if isinstance(value, Record) and "_modules" in value.state:
            yielded.add(id(value))
            yield _whole(path, value)
            continue
        parts = None if _plain(value) is not None else _parts(value)
        if parts is None or len(path) > MAX_DEPTH:
            _fact(path, value, found)
            continue
        if "param_groups" in parts or SCHEDULES & set(parts):
            found.notes.append(f"left out: {'.'.join(path) or 'the file'}, the state of an optimiser or schedule")
            continue
        tensors = {str(k): v for k, v in parts.items() if _is_tensor(v)}
        if tensors:
            yielded.add(id(value))
            yield _Network(path, tensors)
        inner = [((*path, str(k)), v) for k, v in parts.items() if not _is_tensor(v)]
        waiting.extend(reversed(inner))


def _unsaid(value: Any) -> bool:
    """Whether a module's ``state_dict`` was stored itself and not what it returns."""
    bound = isinstance(value, Record) and value.kind == "builtins.getattr" and value.args[1:] == ("state_dict",)
    return bound and isinstance(value.args[0], Record)


def _parts(value: Any) -> Mapping[Any, Any] | None:
    """What lies in a value by name or place; None for plain values and for what has no parts."""
    if isinstance(value, Mapping):
        return value
    if isinstance(value, Record):
        return {**dict(enumerate(value.elements)), **value.items, **value.state}
    if isinstance(value, list | tuple):
        plain = all(v is None or isinstance(v, bool | int | float | str | bytes) for v in value)
        return None if plain else dict(enumerate(value))
    return None


def _is_tensor(value: Any) -> bool:
    return isinstance(value, Tensor) or plainly(value) is not None


def _axes(value: Any) -> int:
    if isinstance(value, Tensor):
        return value.ndim
    record = plainly(value)
    if record is None or record.kind in ODD:
        return 2
    size = record.args[2] if isinstance(record.args, tuple) and len(record.args) > 3 else (record.built or (0, ()))[1]
    return len(size)


def _dotted(tensors: Mapping[str, Any]) -> bool:
    return any("." in key and not key.replace(".", "").isdigit() for key in tensors)


def _like_weights(tensors: Mapping[str, Any]) -> bool:
    """Whether a mapping may be a network: parameters by their usual names, or a matrix."""
    return any(key.rpartition(".")[2] in PARAMETERS or _axes(value) > 1 for key, value in tensors.items())


def _numbers(tensors: Mapping[str, Any]) -> bool:
    """Whether all tensors are single numbers, such as the losses that trainers keep by the name of a file."""
    return all(_axes(value) == 0 for value in tensors.values())


def _said(network: _Network) -> str:
    names = [_without_folders(name) for name in network.tensors]
    place = SETTINGS.sub("", _without_folders(".".join(network.path)))
    where = f" of {place}" if place else ""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    what = "the tensor" if len(names) == 1 else "the tensors"
    return f"{what} {', '.join(names[:3])}{more}{where}, no network's weights"


def _without_folders(text: str) -> str:
    """The text without the folders of its author's machine."""
    return FOLDERS.sub("", text)


def _dense(value: Any, name: str, store: Store | None) -> Tensor:
    if isinstance(value, Tensor):
        return value
    record = plainly(value)
    if record is None or store is None:
        raise UnreadableError(f"holds {name!r}, which is no tensor")
    return store.tensor(record, name)


def _whole(path: Path, root: Record) -> _Network:
    """A module that was saved whole: its tensors under the names of a state dict, and the facts of its parts."""
    network = _Network(path, {}, whole=True)
    waiting: list[tuple[Path, Record]] = [((), root)]
    while waiting:
        place, module = waiting.pop()
        if len(network.modules) >= MAX_MODULES or len(place) > MAX_DEPTH:
            raise UnreadableError(f"nests more than {MAX_MODULES} modules, or deeper than {MAX_DEPTH}; do not trust it")
        network.modules[".".join(place)] = _facts_of(module)
        passing = module.state.get("_non_persistent_buffers_set")
        passing = set(map(str, passing)) if isinstance(passing, list) else set()
        for kind, left_out in (("_parameters", set()), ("_buffers", passing)):
            for key, value in _entries(module, kind):
                if key not in left_out and _is_tensor(value):
                    network.tensors[".".join((*place, key))] = value
        inner = [((*place, key), m) for key, m in _entries(module, "_modules") if isinstance(m, Record)]
        waiting.extend(reversed(inner))
    return network


def _entries(module: Record, kind: str) -> Iterable[tuple[str, Any]]:
    held = module.state.get(kind)
    held = {**held.items} if isinstance(held, Record) else held
    return [(str(k), v) for k, v in held.items()] if isinstance(held, Mapping) else []


def _facts_of(module: Record) -> dict[str, Any]:
    facts: dict[str, Any] = {"class": module.kind}
    for key, value in module.state.items():
        plain = _plain(value)
        if isinstance(key, str) and not key.startswith("_") and plain is not None:
            facts[key] = plain
    return facts


def _plain(value: Any) -> Any:
    """``value`` as a primitive, a short tuple of such, or the dotted name of a class or function; else None."""
    if isinstance(value, str):
        return value[:MAX_TEXT]
    if isinstance(value, bool | int | float):
        return value if not isinstance(value, int) or value.bit_length() < 64 else None
    if isinstance(value, Name):
        return value.path
    if isinstance(value, list | tuple) and 0 < len(value) <= 8:
        inner = tuple(_plain(v) if isinstance(v, bool | int | float | str) else None for v in value)
        return None if None in inner else inner
    if (
        isinstance(value, Record)
        and value.kind in SCALARS
        and len(value.args) == 2
        and isinstance(value.args[1], bytes)
    ):
        return np.frombuffer(value.args[1], numpy_dtype(value.args[0]), 1)[0].item()
    return None


def _fact(path: Path, value: Any, found: Found) -> None:
    plain = _plain(value)
    if plain is not None and len(found.facts) < MAX_FACTS and len(path) <= 4:
        found.facts[_without_folders(".".join(path))] = _without_folders(plain) if isinstance(plain, str) else plain
