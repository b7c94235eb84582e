"""The weighted layers of a file: tensors by module, with the weights that normalised layers use in eval mode."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ganexplain.models.checkpoints import Weights

STATISTICS = ("running_mean", "running_var")
LEAVES = {
    "parametrizations.weight.original": "weight_orig",
    "parametrizations.weight.0._u": "weight_u",
    "parametrizations.weight.0._v": "weight_v",
    "parametrizations.weight.original0": "weight_g",
    "parametrizations.weight.original1": "weight_v",
    "module.weight_bar": "weight_orig",  # the spectral norm that circulated before PyTorch had one
    "module.weight_u": "weight_u",
    "module.weight_v": "weight_v",
    "module.bias": "bias",
}
KNOWN = {"weight", "bias", "num_batches_tracked", *STATISTICS, *LEAVES.values()}
TURNED = re.compile(r"deconv|conv_?t|t_?conv|trans|up_?conv|dconv", re.IGNORECASE)


@dataclass(frozen=True)
class Part:
    """One layer with weights.

    Attributes:
        name: dotted path of its module in the file.
        kind: "linear", "conv", "tconv" (transposed), "norm" or "prelu". Conv and tconv are told apart only in a chain.
        weight: as used in eval mode, float32; None for a norm without scale.
        bias: float32 or None.
        statistics: the running mean and variance of a norm that keeps them.
        reparametrised: "spectral norm" or "weight norm" where the weight was stored in pieces.
        turned: whether the pieces show a transposed convolution; None where they do not say.
    """

    name: str
    kind: str
    weight: Tensor | None
    bias: Tensor | None = None
    statistics: Mapping[str, Tensor] = field(default_factory=dict)
    reparametrised: str = ""
    turned: bool | None = None

    @property
    def mixes(self) -> bool:
        """Whether it is a linear layer or a convolution."""
        return self.kind in ("linear", "conv", "tconv")

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the weight, or of the running mean where there is none."""
        held = self.weight if self.weight is not None else self.statistics["running_mean"]
        return tuple(held.shape)

    @property
    def into(self) -> int:
        """Channels or features that a linear layer or convolution takes."""
        return self.shape[0] if self.kind == "tconv" else self.shape[1]

    @property
    def out(self) -> int:
        """Channels or features that it returns."""
        return self.shape[1] if self.kind == "tconv" else self.shape[0]

    @property
    def kernel(self) -> tuple[int, int]:
        """(height, width) of a convolution."""
        return (self.shape[2], self.shape[3])

    def state(self) -> dict[str, Tensor]:
        """Its tensors by their names in a torch layer of the kind."""
        found = {"weight": self.weight, "bias": self.bias, **self.statistics}
        return {name: tensor for name, tensor in found.items() if tensor is not None}


def parts_of(weights: Weights | Mapping[str, Tensor]) -> tuple[Part, ...] | None:
    """The weighted layers in the file's order, or None where a tensor is of no layer known here."""
    tensors = weights.tensors if isinstance(weights, Weights) else weights
    groups: dict[str, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        long = next((leaf for leaf in LEAVES if key.endswith(f".{leaf}")), None)
        path, leaf = (key[: -len(long) - 1], LEAVES[long]) if long else (key.rpartition(".")[0], key.rpartition(".")[2])
        if leaf not in KNOWN:
            return None
        groups.setdefault(path, {})[leaf] = tensor
    parts = [_part(path, leaves) for path, leaves in groups.items()]
    found = tuple(part for part in parts if part is not None)
    return found if found and len(found) == len(parts) else None


def _part(name: str, leaves: Mapping[str, Tensor]) -> Part | None:
    if any(not t.is_floating_point() for leaf, t in leaves.items() if leaf != "num_batches_tracked"):
        return None
    weight, how, turned = _effective({leaf: t.float() for leaf, t in leaves.items()})
    bias = leaves["bias"].float() if "bias" in leaves else None
    statistics = {leaf: leaves[leaf].float() for leaf in STATISTICS if leaf in leaves}
    kind = _kind(weight, bias, statistics)
    return None if kind is None else Part(name, kind, weight, bias, statistics, how, turned)


def _kind(weight: Tensor | None, bias: Tensor | None, statistics: Mapping[str, Tensor]) -> str | None:
    if len(statistics) == 1 or (weight is None and not statistics):
        return None
    if weight is None or statistics:
        return "norm" if weight is None or weight.dim() == 1 else None
    if bias is not None and bias.shape == weight.shape:
        return "norm"
    if weight.dim() == 1:
        return "prelu" if bias is None else None
    plain = {2: "linear", 4: "conv"}.get(weight.dim())
    return plain if bias is None or bias.dim() == 1 else None


def _effective(leaves: Mapping[str, Tensor]) -> tuple[Tensor | None, str, bool | None]:
    """Weight in eval mode, how it was stored, and whether that shows a transposed convolution."""
    if "weight_orig" in leaves and "weight_u" in leaves:
        return _spectral(leaves["weight_orig"], leaves["weight_u"].flatten(), leaves.get("weight_v"))
    if "weight_g" in leaves and "weight_v" in leaves:
        direction, length = leaves["weight_v"], leaves["weight_g"]
        axes = [i for i in range(direction.dim()) if length.dim() != direction.dim() or length.shape[i] == 1]
        turned = None
        if length.dim() == 4 and length.numel() > 1:
            turned = length.shape[1] > 1
        return length * direction / direction.square().sum(axes, keepdim=True).sqrt(), "weight norm", turned
    return leaves.get("weight"), "", None


def _spectral(weight: Tensor, u: Tensor, v: Tensor | None) -> tuple[Tensor | None, str, bool | None]:
    """The weight over its norm as estimated by the stored vectors (Miyato et al. 2018).

    A transposed convolution is flattened along its second axis. Where both axes are as long as ``u``, the right one
    gives the larger estimate, because the vectors come close to the first singular pair.
    """
    sigmas = {}
    for axis in (0, 1) if weight.dim() == 4 else (0,):
        if weight.shape[axis] == u.numel():
            matrix = weight.transpose(0, axis).flatten(1)
            right = matrix.T @ u if v is None else v.flatten()
            if right.numel() == matrix.shape[1]:
                right = right if v is not None else torch.nn.functional.normalize(right, dim=0)
                sigmas[axis] = float(u @ matrix @ right)
    if not sigmas:
        return None, "", None
    axis = max(sigmas, key=lambda a: abs(sigmas[a]))
    return weight / sigmas[axis], "spectral norm", axis == 1 if weight.dim() == 4 else None
