"""Torch layers of parts, activations by name, and one Sequential whose modules have the file's names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ganexplain import checks
from ganexplain.models.foreign._fit import Choice
from ganexplain.models.foreign._parts import Part

ACTIVATIONS = ("none", "relu", "leaky_relu", "elu", "selu", "gelu", "silu", "tanh", "sigmoid", "softplus", "mish")
CLASSES = {  # by the lower-case name of the torch class
    "relu": "relu",
    "leakyrelu": "leaky_relu",
    "elu": "elu",
    "selu": "selu",
    "gelu": "gelu",
    "silu": "silu",
    "tanh": "tanh",
    "sigmoid": "sigmoid",
    "softplus": "softplus",
    "mish": "mish",
    "identity": "none",
}
NORMS = ("instance", "layer", "group", "batch")
HINTS = {"instance": r"(^|[._\d])in\d*$|inst", "group": r"(^|[._])gn\d*$|group", "layer": r"(^|[._])ln\d*$|layer_?norm"}


@dataclass(frozen=True)
class Step:
    """One module of the chain: its name, what it is in words, and the block that it belongs to.

    ``activation`` marks those that a file does not hold and that stand between two layers.
    """

    name: str
    module: nn.Module
    text: str
    block: int
    activation: bool = False


def activation(name: str, slope: float) -> tuple[nn.Module, str]:
    """The module called ``name`` and how it reads.

    Raises:
        ValueError: there is no such activation.
    """
    checks.one_of("[architecture] activation", name, ACTIVATIONS)
    if name == "leaky_relu":
        return nn.LeakyReLU(slope), f"LeakyReLU {slope:g}"
    kinds = [nn.Identity, nn.ReLU, nn.LeakyReLU, nn.ELU, nn.SELU, nn.GELU, nn.SiLU, nn.Tanh, nn.Sigmoid]
    kind = dict(zip(ACTIVATIONS, [*kinds, nn.Softplus, nn.Mish], strict=True))[name]
    return kind(), kind.__name__


def layer(part: Part, choice: Choice) -> tuple[nn.Module, str]:
    """The linear layer or convolution of a part, with its weights, and how it reads."""
    bias = part.bias is not None
    how = f", {part.reparametrised}" if part.reparametrised else ""
    module: nn.Module
    if part.kind == "linear":
        module, text = nn.Linear(part.into, part.out, bias, device="meta"), f"Linear {part.into}->{part.out}"
    else:
        kernel, (stride, padding) = part.kernel, (choice.stride, choice.padding)
        if part.kind == "tconv":
            wide = (part.into, part.out, kernel, stride, padding, choice.extra)
            module = nn.ConvTranspose2d(*wide, bias=bias, device="meta")
        else:
            module = nn.Conv2d(part.into, part.out, kernel, stride, padding, bias=bias, device="meta")
        name = "Conv" if part.kind == "conv" else "ConvTranspose"
        text = f"{name} {part.into}->{part.out} {kernel[0]}x{kernel[1]}"
        text += f" {'/' if part.kind == 'conv' else '*'}{stride}" if stride > 1 else ""
    return _loaded(module, part), text + how


def norm(part: Part, *, flat: bool, kind: str | None, groups: int, eps: float | None) -> tuple[nn.Module, str]:
    """The norm or PReLU of a part, with its weights, and how it reads.

    Args:
        part: of the kind "norm" or "prelu".
        flat: whether it reads vectors, not maps.
        kind: one of `NORMS` for a norm without statistics; None goes by its name, else "instance" ("layer" if flat).
        groups: of "group".
        eps: added to variances; None is torch's default.
    """
    shape, small = part.shape, 1e-5 if eps is None else eps
    affine = part.weight is not None
    if part.kind == "prelu":
        return _loaded(nn.PReLU(shape[0]), part), "PReLU"
    if part.statistics:
        made: nn.Module = (nn.BatchNorm1d if flat else nn.BatchNorm2d)(shape[0], eps=small, affine=affine)
        return _loaded(made, part), "BatchNorm"
    kind = kind or norm_kind(part.name, flat=flat)
    checks.one_of("[architecture] norm", kind, NORMS)
    if len(shape) > 1 or flat:
        return _loaded(nn.LayerNorm(shape, eps=small), part), "LayerNorm"
    if kind == "batch":
        made = nn.BatchNorm2d(shape[0], eps=small, track_running_stats=False)
    elif kind == "instance":
        made = nn.InstanceNorm2d(shape[0], eps=small, affine=True)
    else:
        made = nn.GroupNorm(groups if kind == "group" else 1, shape[0], eps=small)
    words = {"batch": "BatchNorm of the batch", "instance": "InstanceNorm", "layer": "LayerNorm (GroupNorm 1)"}
    return _loaded(made, part), words.get(kind, f"GroupNorm {groups}")


def norm_kind(name: str, *, flat: bool) -> str:
    """What a norm without statistics is by its name."""
    hinted = next((kind for kind, pattern in HINTS.items() if re.search(pattern, name, re.IGNORECASE)), None)
    return hinted or ("layer" if flat else "instance")


def _loaded(module: nn.Module, part: Part) -> nn.Module:
    """The module with copies of the part's tensors; made without memory, it draws no random numbers for its own."""
    state: dict[str, Tensor] = {name: tensor.clone() for name, tensor in part.state().items()}
    if part.statistics:
        state["num_batches_tracked"] = torch.tensor(0)
    module.load_state_dict(state, strict=True, assign=True)
    return module


def sequential(steps: Sequence[Step]) -> nn.Sequential:
    """One Sequential, nested as the names are; where two containers alternate, names are joined by underscores."""
    names = [_safe(step.name) for step in steps]
    if not _nests(names):
        names = [name.replace(".", "_") for name in names]
    whole = nn.Sequential()
    for name, step in zip(names, steps, strict=True):
        home: nn.Module = whole
        *containers, leaf = name.split(".")
        for container in containers:
            if container not in home._modules:
                home.add_module(container, nn.Sequential())
            home = home.get_submodule(container)
        home.add_module(leaf, step.module)
    return whole.eval()


def _safe(name: str) -> str:
    """The name without components that a Sequential has as attributes, such as "append"."""
    return ".".join(f"{part}_" if hasattr(nn.Sequential, part) or not part else part for part in name.split("."))


def _nests(names: Sequence[str]) -> bool:
    """Whether the modules of every container follow each other, and no container is a layer itself."""
    places: dict[str, list[int]] = {}
    for i, name in enumerate(names):
        parts = name.split(".")
        for depth in range(1, len(parts)):
            places.setdefault(".".join(parts[:depth]), []).append(i)
    whole = all(at[-1] - at[0] + 1 == len(at) for at in places.values())
    return whole and not places.keys() & set(names)


class Names:
    """Hands out names to modules without weights: the free numbers of a container, else the neighbour's with a word."""

    def __init__(self, taken: Sequence[str]) -> None:
        self.taken = set(taken)

    def after(self, name: str, word: str) -> str:
        """A name for a module that follows ``name``, such as "main.1" after "main.0", or "conv1_act" after "conv1"."""
        home, _, leaf = name.rpartition(".")
        if leaf.isdecimal():
            found = f"{home}.{int(leaf) + 1}" if home else str(int(leaf) + 1)
            if found not in self.taken and not any(t.startswith(f"{found}.") for t in self.taken):
                self.taken.add(found)
                return found
        base = name.rpartition("_")[0] if name.endswith(("_act", "_pool", "_up", "_flat")) else name
        found = f"{base}_{word}"
        while found in self.taken:
            found += "_"
        self.taken.add(found)
        return found


def told(facts: Mapping[str, Any]) -> tuple[str, float] | None:
    """Name and slope of an activation by the facts of a stored module; None for another module."""
    name = CLASSES.get(str(facts.get("class", "")).rpartition(".")[2].lower())
    return None if name is None else (name, float(facts.get("negative_slope", 0.0) or 0.0))
