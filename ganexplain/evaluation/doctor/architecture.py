"""What weights do not say of their own network: the slope of LeakyReLU and other options of its layout, tried."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from torch import nn

from ganexplain.evaluation.doctor.contest import Variant
from ganexplain.models.critic import Critic
from ganexplain.models.foreign import LAYOUTS
from ganexplain.models.spec import Spec

SLOPE = "architecture.slope"
SLOPES = (0.2, 0.0, 0.01, 0.1, 0.3)  # the commoner first
CHOICES: Mapping[str, tuple[Any, ...]] = {
    "slope": SLOPES,
    "activation": ("relu", "elu", "selu", "silu", "gelu", "tanh"),
    "order": ("relu-norm", "norm-relu"),
    "pool": ("max", "avg"),
    "border": ("zeros", "reflect"),
    "inception_relu": (True, False),
}


def variants(critic: Critic) -> dict[str, Variant]:
    """By name, the critic with another choice of one option, and what a spec would say; empty where nothing is open.

    A critic that was opened from a file is opened again by its layout; in another network the modules LeakyReLU are
    given another slope, or the modules ReLU replaced where there is no LeakyReLU.
    """
    if critic.about is None:
        own = _slope(critic.network)
        values = [] if own is None else [value for value in SLOPES if value != own]
        return {named("slope", value): (partial(_sloped, critic, value), _said("slope", value)) for value in values}
    found: dict[str, Variant] = {}
    for option, value in _open(critic):
        found[named(option, value)] = (partial(reopened, critic, _said(option, value)), _said(option, value))
    return found


def reopened(critic: Critic, said: Mapping[str, Any]) -> Critic:
    """A critic of a file, opened again with other options (by dotted key) and reading images as it does now."""
    if critic.about is None:
        raise ValueError("only a critic that was opened from a file of weights can be opened again")
    spec = Spec(architecture={key.removeprefix("architecture."): value for key, value in said.items()})
    other: Critic = critic.about.reread(spec.over(critic.about.spec))
    return other.with_preprocess(critic.preprocess)


def resloped(critic: Critic, value: float) -> Critic:
    """A critic whose activations have another slope, whether it was opened from a file or not."""
    return _sloped(critic, value) if critic.about is None else reopened(critic, _said("slope", value))


def named(option: str, value: Any) -> str:
    """A choice in words.

    >>> named("slope", 0.2), named("slope", 0.0), named("border", "reflect")
    ('LeakyReLU 0.2', 'ReLU', 'border reflect')
    """
    if option == "slope":
        return "ReLU" if value == 0 else f"LeakyReLU {value:g}"
    return str(value) if option == "activation" else f"{option} {value}"


def current(critic: Critic) -> str:
    """The activation that the network has, in words; empty where it is not known."""
    own = _slope(critic.network)
    return "" if own is None else named("slope", own)


def _open(critic: Critic) -> Iterator[tuple[str, Any]]:
    """Options of the critic's layout with choices other than its own."""
    about = critic.about
    if about is None or about.layout not in LAYOUTS.names():
        return
    known = {**LAYOUTS.get(about.layout).options, **about.spec.architecture}
    own, open_ = _slope(critic.network), {key.rpartition(".")[2] for key in about.unknown} | {*about.spec.architecture}
    if open_ & {"slope", "activation"}:
        open_ |= {"slope", "activation"}
    for option, values in CHOICES.items():
        if option not in known or option not in open_:
            continue
        for value in values:
            same = value == (own if option == "slope" and own is not None else known[option])
            if not same and not (option == "activation" and value == "relu" and "slope" in known):
                yield option, value


def _slope(network: object) -> float | None:
    """The slope of a network's activations; None where it has no such modules, or several slopes."""
    if not isinstance(network, nn.Module):
        return None
    leaky = {float(m.negative_slope) for m in network.modules() if isinstance(m, nn.LeakyReLU)}
    if leaky:
        return leaky.pop() if len(leaky) == 1 else None
    return 0.0 if any(isinstance(m, nn.ReLU) for m in network.modules()) else None


def _sloped(critic: Critic, value: float) -> Critic:
    network = copy.deepcopy(critic.network)
    kinds = [m for m in network.modules() if isinstance(m, nn.LeakyReLU)] if isinstance(network, nn.Module) else []
    for leaky in kinds:
        leaky.negative_slope = value
    if not kinds:
        _replace(network, value)
    twin = critic._variant(_fast=None)
    twin.network = network
    return twin


def _replace(network: Any, value: float) -> None:
    for name, child in list(network.named_children()):
        if isinstance(child, nn.ReLU):
            setattr(network, name, nn.LeakyReLU(value))
        else:
            _replace(child, value)


def _said(option: str, value: Any) -> dict[str, Any]:
    return {f"architecture.{option}": value}
