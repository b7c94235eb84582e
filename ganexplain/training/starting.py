"""A new run that starts from weights: of a saved GAN, of a run, or of one of its checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from ganexplain.models.gan import GAN
from ganexplain.training.checkpoints import Checkpoints
from ganexplain.training.folder import CHECKPOINTS, MODEL

Weights = Mapping[str, Tensor]


def start_from(gan: GAN, source: str | Path) -> dict[str, Any]:
    """Give ``gan`` the weights of ``source``: those of its averaged generator, and its discriminator's.

    Nothing else is taken over: optimisers, schedules and the number of steps begin anew.

    Args:
        gan: untrained; changed in place.
        source: a .safetensors file of `GAN.save`, the folder of a run (its newest checkpoint, else its GAN), or a
            checkpoint's .pt file.

    Returns:
        What was read, as plain JSON: ``path`` and, of a checkpoint, ``step``.

    Raises:
        FileNotFoundError: there is no such file or folder, or nothing in it.
        ValueError: weights of other names or shapes; the first one is named.
    """
    parts, read = _weights(Path(source))
    for name in ("generator", "discriminator"):
        own = getattr(gan, name).state_dict()
        _check(name, own, parts[name], read["path"])
    for name in ("generator", "discriminator"):
        getattr(gan, name).load_state_dict(parts[name])
    return read


def _weights(source: Path) -> tuple[dict[str, Weights], dict[str, Any]]:
    if source.suffix == ".pt":
        return _of_state(Checkpoints(source.parent).read(source.name), source)
    if source.is_dir():
        kept = Checkpoints(source / CHECKPOINTS)
        if found := kept.load():
            return _of_state(found[0], source)
        if not (source / MODEL).exists():
            raise FileNotFoundError(f"no weights in {source}: it has neither checkpoints nor {MODEL}")
        source = source / MODEL
    other = GAN.load(source)
    parts: dict[str, Weights] = {
        "generator": other.generator.state_dict(),
        "discriminator": other.discriminator.state_dict(),
    }
    return parts, {"path": str(source), "fingerprint": other.fingerprint}


def _of_state(state: Mapping[str, Any], source: Path) -> tuple[dict[str, Weights], dict[str, Any]]:
    try:
        networks, step = state["training"]["networks"], int(state["training"]["number"])
        parts = {"generator": networks["average"], "discriminator": networks["discriminator"]}
    except (KeyError, TypeError) as problem:
        raise ValueError(f"the checkpoint in {source} is of no run of ganexplain: it lacks {problem}") from problem
    return parts, {"path": str(source), "step": step}


def _check(part: str, own: Weights, given: Weights, path: str) -> None:
    for name in own:
        if name not in given:
            raise ValueError(f"{path} has no {part}.{name}; give the model's options as they were (--preset, --set)")
        here, there = tuple(own[name].shape), tuple(given[name].shape)
        if here != there:
            raise ValueError(
                f"{part}.{name} has the shape {there} in {path} and {here} in this run; give the model's options and "
                "the size of the images as they were (--preset, --set, --resolution)"
            )
    for name in given:
        if name not in own:
            raise ValueError(
                f"{path} has {part}.{name}, which this run's networks lack; give the model's options as they were "
                "(--preset, --set)"
            )
