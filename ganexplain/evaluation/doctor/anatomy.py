"""What happens inside the network: dead units, modules that are used again, results that are overwritten."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ganexplain.evaluation.doctor.case import FEW, Case
from ganexplain.evaluation.doctor.finding import Finding, Topic

MIXING = (nn.Linear, nn.modules.conv._ConvNd)
ACTIVE = (nn.ReLU, nn.LeakyReLU, nn.ELU, nn.SELU, nn.GELU, nn.SiLU, nn.Tanh, nn.Sigmoid, nn.Softplus)
DEAD = 0.8  # share of constant features in the last hidden layer that is worth a warning
STILL = 1e-6  # of the largest spread


def dead(case: Case) -> Finding:
    """The share of the last hidden layer's features that are the same for all images."""
    topic, network = Topic("dead units", "share of the last hidden layer"), case.critic.network
    layers = [m for m in network.modules() if isinstance(m, MIXING)] if isinstance(network, nn.Module) else []
    if len(layers) < 2:
        return topic.skip("the model has no hidden layer that is known")
    images = case.some(FEW)
    if len(images) < 2:
        return topic.skip("needs at least two images")
    inputs: list[tuple[int, Tensor]] = []
    with _hooked(layers, lambda module, given, made: inputs.append((id(module), given[0].detach()))):
        case.score(images)
    features = torch.cat([x for layer, x in inputs if layer == inputs[-1][0]]).double()
    axes = [i for i in range(features.ndim) if i != 1]
    spread = features.amax(axes) - features.amin(axes)
    share = float((spread <= STILL * spread.max()).double().mean())
    sentence = f"{share:.0%} of the {features.shape[1]} features before the last layer are the same for all images"
    if share < DEAD:
        return topic.ok(share, sentence)
    advice = "see the range of the images first; a network whose units are dead decides by the few that are left"
    return topic.warn(share, sentence, advice)


def reuse(case: Case) -> Finding:
    """Activations that are one module used at several places, and results that a later step overwrites."""
    topic, network = Topic("reused and in place", "modules"), case.critic.network
    if not isinstance(network, nn.Module):
        return topic.skip("the model is a function, whose layers are not known")
    names = {id(m): name for name, m in network.named_modules() if not list(m.children())}
    leaves = [m for m in network.modules() if not list(m.children())]
    calls: dict[int, int] = {}
    made: list[tuple[int, Tensor, int]] = []

    def keep(module: nn.Module, given: Any, result: Any) -> None:
        calls[id(module)] = calls.get(id(module), 0) + 1
        if isinstance(result, Tensor):
            made.append((id(module), result, result._version))

    with _hooked(leaves, keep):
        case.score(case.some(1))
    again = [m for m in leaves if calls.get(id(m), 0) > 1 and isinstance(m, ACTIVE)]
    over = list(dict.fromkeys(names.get(i, "") for i, result, version in made if result._version != version))
    said = []
    if again:
        one = again[0]
        said.append(f"{type(one).__name__} {names.get(id(one), '')!r} is used {calls[id(one)]} times in a forward")
    if over:
        said.append(f"what {over[0]!r} returns is overwritten by a later step")
    n = float(len(again) + len(over))
    if not said:
        return topic.ok(n, "every activation is used once, and nothing is overwritten")
    told = "; methods that look into layers may refuse, see the findings on methods for those that remain"
    return topic.ok(n, " and ".join(said) + told)


@contextlib.contextmanager
def _hooked(modules: Sequence[nn.Module], keep: Any) -> Iterator[None]:
    handles = [module.register_forward_hook(keep) for module in modules]
    try:
        with torch.no_grad():
            yield
    finally:
        for handle in handles:
            handle.remove()
