"""What a file says of modules without weights, where a whole network was stored and not only its tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ganexplain.models.foreign._blocks import Block
from ganexplain.models.foreign._modules import told
from ganexplain.models.foreign._parts import Part

Facts = Mapping[str, Mapping[str, Any]]
NORMS = {"InstanceNorm": "instance", "GroupNorm": "group", "LayerNorm": "layer", "BatchNorm": "batch"}
TAILS = ("tanh", "sigmoid")


def class_of(fact: Mapping[str, Any]) -> str:
    """The name of a module's class without where it comes from."""
    return str(fact.get("class", "")).rpartition(".")[2]


def activation_of(block: Block, following: Part | None, facts: Facts) -> tuple[str, float] | None:
    """Name and slope of the activation that stood after a block; None where the file does not say."""
    if not facts or block.active is None:
        return None
    name = block.parts[block.active].name
    home, _, leaf = name.rpartition(".")
    if not leaf.isdecimal() or class_of(facts.get(home, {"class": "Sequential"})) != "Sequential":
        return _only(facts)
    place, found = int(leaf) + 1, None
    names = {part.name for part in (*block.parts, *([following] if following else []))}
    while (path := f"{home}.{place}" if home else str(place)) in facts and path not in names:
        found = found or told(facts[path])
        place += 1
    return found or ("none", 0.0)


def _only(facts: Facts) -> tuple[str, float] | None:
    """The activation of a network that has one kind of them, whose place its code alone knows."""
    kinds = {found for fact in facts.values() if (found := told(fact)) and found[0] not in (*TAILS, "none")}
    return kinds.pop() if len(kinds) == 1 else None


def options_of(facts: Facts, role: str) -> dict[str, Any]:
    """Options of a chain that a stored network says."""
    said: dict[str, Any] = {}
    for fact in facts.values():
        kind, found = class_of(fact), told(fact)
        if kind in ("MaxPool2d", "AvgPool2d"):
            said["pool"] = kind[:3].lower()
        elif kind.startswith("Upsampl"):
            said["upsample"] = str(fact.get("mode", "bilinear" if "Bilinear" in kind else "nearest"))
        elif role == "generator" and found is not None and found[0] in TAILS:
            said["tail"] = found[0]
    return said


def norm_of(part: Part, index: int, facts: Facts, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Kind, groups and eps of the norm number ``index``: as the settings say, else as the file does."""
    fact = facts.get(part.name, {})
    kind = next((kind for name, kind in NORMS.items() if class_of(fact).startswith(name)), None)
    said, eps = settings["norm"], settings["eps"]
    if isinstance(eps, (list, tuple)):
        if index >= len(eps):
            raise ValueError(f"[architecture] eps must be one number or one for each norm, got {len(eps)} numbers")
        eps = eps[index]
    return {
        "kind": kind if said in (None, "none") else said,
        "groups": fact.get("num_groups", settings["groups"]),
        "eps": fact.get("eps") if eps is None else eps,
    }


def activations(
    blocks: Sequence[Block], facts: Facts, usual: tuple[str, float], asked: Any, slope: float
) -> tuple[tuple[str, float], ...]:
    """Name and slope of the activation of every block.

    Args:
        blocks: the chain.
        facts: of a stored network.
        usual: where nothing says.
        asked: the option: one name, or one for each block but the last, or None.
        slope: of a LeakyReLU that is asked for.

    Raises:
        ValueError: another number of names than of places.
    """
    listed = list(asked) if isinstance(asked, (list, tuple)) else [asked] * (len(blocks) - 1)
    if len(listed) != len(blocks) - 1:
        raise ValueError(
            f"[architecture] activation must be one name or {len(blocks) - 1}, one for each layer but the last, got "
            f"{len(listed)}"
        )
    made = []
    for block, after, name in zip(blocks[:-1], blocks[1:], listed, strict=True):
        if name is not None:
            made.append((str(name), float(slope)))
        elif block.active is None:
            made.append(("none", 0.0))
        else:
            made.append(activation_of(block, after.layer, facts) or usual)
    return (*made, ("none", 0.0))
