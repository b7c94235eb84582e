"""What is in a file of weights: its networks by name, and a program where the file holds one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ganexplain import checks

ROLES = ("discriminator", "generator")
WORDS = {
    "discriminator": {"d", "dis", "disc", "discrim", "discriminator", "critic", "judge", "detector", "classifier"},
    "generator": {"g", "gs", "gen", "generator", "decoder", "synthesis"},
}
EMA = {"ema", "gs", "averaged", "avg", "smooth"}
FILLERS = {"net", "model", "state", "dict", "weights", "params"}


@dataclass(frozen=True)
class Weights:
    """The weights of one network.

    Attributes:
        name: its name in the file ("netD_state_dict", "discriminator"), "" for a bare state dict.
        tensors: dense CPU tensors in the file's order, without the prefixes that wrappers put before names.
        modules: facts of the modules where a whole module was stored: path -> {"class": dotted name, "negative_slope":
            0.2, ...}, primitives only; empty for a state dict.
        stem: the file's name without its ending, whose words may tell what the network is; "" is not known.
    """

    name: str
    tensors: Mapping[str, Tensor]
    modules: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    stem: str = ""

    @property
    def role(self) -> str | None:
        """What its own name, or the first part that the names of its tensors share, says it is for."""
        return role_of(self.name) or role_of(".".join(common(self.tensors)[:1]))


@dataclass(frozen=True)
class Checkpoint:
    """What was found in a file of weights.

    Attributes:
        path: the file.
        format: "torch", "safetensors", "torchscript" or "onnx".
        networks: the weights of every network; optimisers, schedulers and the like are left out.
        program: the network itself, runnable on CPU, where the file holds one (TorchScript, ONNX).
        differentiable: whether gradients flow through the program; False for ONNX.
        facts: other plain values that were stored (epoch, settings), by dotted name.
        notes: what a reader must know, one sentence each.
    """

    path: Path
    format: str
    networks: tuple[Weights, ...]
    program: nn.Module | None = None
    differentiable: bool = True
    facts: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all networks in the file's order."""
        return tuple(w.name for w in self.networks)

    def network(self, name: str | None = None, role: str | None = None) -> Weights:
        """The weights that ``name`` or, without one, ``role`` picks; the only ones where there are no others.

        Args:
            name: a network's name in the file; its last part is enough where no other network shares it.
            role: "discriminator" or "generator": what the network is for, told from the words of its name.

        Raises:
            ValueError: no network or several fit; the message lists the names.
        """
        if not self.networks:
            raise ValueError(f"{self.path} holds no weights by name; it is a {self.format} program, to be run as it is")
        if name is not None:
            return self._named(name)
        fitting = self.networks if role is None else self._of_role(role)
        if len(fitting) == 1:
            return fitting[0]
        what = "networks" if role is None else f"networks that may be the {role}"
        raise ValueError(
            f"{self.path} holds {len(fitting)} {what}: {_listed(w.name for w in fitting)}; "
            f"choose one by its name, network={fitting[0].name!r}"
        )

    def _named(self, name: str) -> Weights:
        plain = [w for w in self.networks if w.name == name]
        loose = [w for w in self.networks if _loosely(w.name) == _loosely(name)]
        last = [w for w in self.networks if _loosely(w.name.rpartition(".")[2]) == _loosely(name)]
        found = next((hits for hits in (plain, loose, last) if len(hits) == 1), None)
        if found is None:
            raise checks.unknown(f"network in {self.path}", name, [w.name or "''" for w in self.networks])
        return found[0]

    def _of_role(self, role: str) -> tuple[Weights, ...]:
        checks.one_of("role", role, ROLES)
        roles = {w.name: w.role for w in self.networks}
        fitting = tuple(w for w in self.networks if roles[w.name] == role)
        fitting = fitting or tuple(w for w in self.networks if roles[w.name] is None)
        averaged = tuple(w for w in fitting if set(words(w.name)) & EMA)
        if role == "generator" and len(averaged) == 1:
            return averaged
        if not fitting:
            raise ValueError(
                f"{self.path} holds no {role} by name: it holds {_listed(self.names)}; "
                "choose one by its name if that name misleads"
            )
        return fitting


def words(name: str) -> list[str]:
    """The words of a name in lower case, split at punctuation and at capitals.

    >>> words("netD_state_dict"), words("G_ema"), words("EMAGenerator")
    (['net', 'd', 'state', 'dict'], ['g', 'ema'], ['ema', 'generator'])
    """
    return [w.lower() for w in re.findall(r"\d+[a-z]*|[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)]


def role_of(name: str) -> str | None:
    """What the words of a network's name say it is for: "discriminator", "generator" or None.

    >>> role_of("netD_state_dict"), role_of("model.G_ema"), role_of("state_dict")
    ('discriminator', 'generator', None)
    """
    for part in reversed(name.split(".")):  # the last part is the most specific
        found = [role for role in ROLES if _says(part, WORDS[role])]
        if len(found) == 1:
            return found[0]
    return None


def common(tensors: Mapping[str, object]) -> list[str]:
    """The leading parts that all names share, numbers and the last part excluded."""
    shared: list[str] = []
    parts = [key.split(".")[:-1] for key in tensors]
    for column in zip(*parts, strict=False):
        if len(set(column)) > 1 or column[0].isdigit():
            break
        shared.append(column[0])
    return shared


def _says(part: str, meant: set[str]) -> bool:
    said = words(part)
    joined = {w.removeprefix("net").removeprefix("model") for w in said} | set(said)  # "netd", "modelg"
    return bool(joined & meant)


def _loosely(name: str) -> str:
    kept = [w for w in words(name) if w not in FILLERS]
    return " ".join(kept or words(name))


def _listed(names: Iterable[str]) -> str:
    return ", ".join(repr(n) for n in names)
