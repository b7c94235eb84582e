"""The number types of weights: everything that is a weight becomes float32, and what cannot is refused by name."""

from __future__ import annotations

import torch
from torch import Tensor

from ganexplain.models.checkpoints.checkpoint import Weights
from ganexplain.models.checkpoints.naming import UnreadableError

FRACTIONS = ("weight", "bias", "weight_orig", "weight_g", "weight_v", "running_mean", "running_var")


def settled(weights: Weights) -> tuple[Weights, tuple[str, ...]]:
    """The same weights in float32, and a note where they had another precision; counters and masks stay as they are.

    Raises:
        UnreadableError: complex, quantised or sparse tensors, or whole numbers where a weight should be.
    """
    tensors = {name: _plain(value, _full(weights.name, name)) for name, value in weights.tensors.items()}
    others = sorted(
        {str(t.dtype).removeprefix("torch.") for t in tensors.values() if t.is_floating_point()} - {"float32"}
    )
    tensors = {name: t.float() if t.is_floating_point() else t for name, t in tensors.items()}
    who = weights.name or "the network"
    notes = (f"{who} was stored in {' and '.join(others)} and is read as float32",) if others else ()
    return Weights(weights.name, tensors, weights.modules), notes


def _full(network: str, name: str) -> str:
    return f"{network}.{name}" if network else name


def _plain(value: Tensor, name: str) -> Tensor:
    value = value.detach()
    odd = "quantised" if value.is_quantized else "complex" if value.is_complex() else ""
    odd = odd or ("" if value.layout is torch.strided else "sparse") or ("without values" if value.is_meta else "")
    if odd:
        raise UnreadableError(f"holds the tensor {name!r}, which is {odd}; save it as a dense float32 tensor instead")
    if name.rpartition(".")[2] in FRACTIONS and not value.is_floating_point():
        raise UnreadableError(
            f"holds {str(value.dtype).removeprefix('torch.')} where weights should be, in {name!r}; "
            "save the network before it is quantised, as float32"
        )
    return value.cpu()
