"""Files of safetensors: names, shapes and numbers, with nothing in them that could run."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from ganexplain.models.checkpoints.naming import UnreadableError


def tensors_of(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of a file and the texts stored beside them.

    Raises:
        UnreadableError: it is damaged, or a whole GAN that this project saved.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="pt") as file:
            beside = dict(file.metadata() or {})
            if "ganexplain" in beside:
                raise UnreadableError(
                    "was saved by ganexplain with its architecture; open it by GAN.load or as the model itself"
                )
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    except SafetensorError as error:
        raise UnreadableError(f"is a damaged safetensors file ({error}); download or copy it again") from None
    return tensors, beside
