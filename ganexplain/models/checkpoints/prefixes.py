"""What lies before the names of weights: wrappers are taken away, networks that share a mapping are told apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

from ganexplain.models.checkpoints.checkpoint import Weights, common, words

WRAPPERS = ("module.", "_forward_module.")  # DataParallel and averaged models; Lightning's strategies
COMPILED = "_orig_mod."  # torch.compile reserves the name, at any depth
COUNTS = {"n_averaged"}  # beside the prefixed names of torch.optim.swa_utils.AveragedModel
# stricter than the words of `checkpoint.WORDS`: a "classifier" or "decoder" is often one part of one network
HEADS = {
    **dict.fromkeys(("g", "netg", "gen", "generator"), "generator"),
    **dict.fromkeys(("d", "netd", "dis", "disc", "discriminator", "critic"), "discriminator"),
}
T = TypeVar("T")


def split(weights: Weights, *, every: bool = False) -> Iterator[Weights]:
    """The networks of one flat mapping: several where the first parts of its names are a generator and a discriminator.

    Args:
        weights: under their names in the file.
        every: whether one network with a role is enough, as in files of Lightning, where losses and metrics lie beside.
    """
    weights = unwrapped(weights)
    shared = common(weights.tensors)
    for depth in range(len(shared) + 1):
        prefix = ".".join(shared[:depth]) + "." if depth else ""
        groups = list(dict.fromkeys(key.removeprefix(prefix).partition(".")[0] for key in weights.tensors))
        roles = {role for head in groups if (role := head_role(head))}
        if len(groups) > 1 and len(roles) >= (1 if every else 2):
            for head in groups:
                yield _part(weights, prefix + head)
            return
    yield weights


def head_role(head: str) -> str | None:
    """What the first part of a name says it belongs to: "generator", "discriminator" or None.

    >>> head_role("netG"), head_role("discriminator_A"), head_role("classifier")
    ('generator', 'discriminator', None)
    """
    if head in ("g", "d"):  # often layers, as in attention; networks are called G and D
        return None
    said = words(head)
    found = {HEADS[w] for w in (*said, "".join(said)) if w in HEADS}
    return found.pop() if len(found) == 1 else None


def unwrapped(weights: Weights) -> Weights:
    """The same weights without the prefixes of wrappers, unless two names would become one."""
    names = {key: key.replace(COMPILED, "") for key in weights.tensors}
    kept = [key for key in names if key not in COUNTS]
    while prefix := next((p for p in WRAPPERS if kept and all(names[k].startswith(p) for k in kept)), None):
        names = {key: name.removeprefix(prefix) for key, name in names.items()}
    if len(set(names.values())) < len(names):
        return weights
    modules = _renamed(weights.modules, names)
    return Weights(weights.name, {names[k]: weights.tensors[k] for k in kept}, modules)


def _renamed(modules: Mapping[str, T], names: Mapping[str, str]) -> dict[str, T]:
    """The paths of modules, shortened as the names of their weights were."""
    removed = next((key[: len(key) - len(name)] for key, name in names.items() if key != name), "")
    if not removed or not modules:
        return dict(modules)
    return {path.removeprefix(removed) if path != removed[:-1] else "": m for path, m in modules.items() if path}


def _part(weights: Weights, head: str) -> Weights:
    name = f"{weights.name}.{head}" if weights.name else head
    whole = {k.removeprefix(head + "."): v for k, v in weights.tensors.items() if k == head or k.startswith(head + ".")}
    modules = {
        path.removeprefix(head).removeprefix("."): facts
        for path, facts in weights.modules.items()
        if path == head or path.startswith(head + ".")
    }
    return unwrapped(Weights(name, whole, modules))
