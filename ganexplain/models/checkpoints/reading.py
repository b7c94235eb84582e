"""One door: from the path of a file of weights to a `Checkpoint`, whatever the file's format."""

from __future__ import annotations

from pathlib import Path

import torch

from ganexplain.models.checkpoints.checkpoint import Checkpoint
from ganexplain.models.checkpoints.networks import gather


def read(path: str | Path) -> Checkpoint:
    """Read a file of weights; no code in it is run.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no file of weights that can be read safely.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        found, format_ = gather(load_file(path)), "safetensors"
    else:
        found, format_ = gather(torch.load(path, weights_only=True, map_location="cpu")), "torch"
    return Checkpoint(path, format_, tuple(found.networks), facts=found.facts, notes=tuple(found.notes))
