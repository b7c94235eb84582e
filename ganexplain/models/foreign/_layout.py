"""What a layout is, and which one fits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from torch import nn

from ganexplain import checks
from ganexplain.models.checkpoints import Weights
from ganexplain.models.spec import Spec

SHOWN = 6  # names of tensors in an error


@dataclass(frozen=True)
class Found:
    """A network that was rebuilt from weights.

    Attributes:
        layout: name of the layout.
        role: "discriminator" (any critic or detector) or "generator".
        network: with the weights, in eval mode. A discriminator takes images (N, C, H, W), a generator codes (N,
            z_dim) and returns images; a conditional one takes labels (N,) int64 as second argument.
        lines: the architecture in a few readable lines.
        unknown: what the file cannot say, and what was assumed in its place.
        spec: the caller's spec, completed by what was read or assumed.
        score: how specific the match is, 0 to 1.
        num_classes: 0 for an unconditional network.
    """

    layout: str
    role: str
    network: nn.Module
    lines: tuple[str, ...]
    spec: Spec
    unknown: Mapping[str, str] = field(default_factory=dict)
    score: float = 0.5
    num_classes: int = 0


class Layout(ABC):
    """How one kind of network is written in files.

    Attributes:
        name: the file's stem.
        options: what ``[architecture]`` of a spec may set, with the default of each.
        unmistakable: whether names alone tell its networks from those of all other layouts, so that none of those has
            to be tried after it.
    """

    name: ClassVar[str]
    unmistakable: ClassVar[bool] = False
    options: ClassVar[Mapping[str, Any]] = {}

    @abstractmethod
    def read(self, weights: Weights, spec: Spec) -> Found | None:
        """The network of these weights, or None where their names and shapes are of another kind.

        Raises:
            ValueError: they are of this kind, but something in file or spec does not fit.
        """

    def settings(self, spec: Spec) -> dict[str, Any]:
        """The layout's options with the spec's values.

        Raises:
            ValueError: the spec sets an option that this layout does not have, or to another type.
        """
        found = dict(self.options)
        for name, value in spec.architecture.items():
            checks.one_of(f"option of the layout {self.name!r} in [architecture]", name, self.options)
            default = self.options[name]
            kinds = (int, float) if isinstance(default, float) else (type(default),)
            if default is not None and (not isinstance(value, kinds) or isinstance(value, bool) != (kinds == (bool,))):
                raise ValueError(f"[architecture] {name} must be a {kinds[-1].__name__}, got {value!r}")
            found[name] = value
        return found


def recognised(weights: Weights, spec: Spec, role: str | None = None) -> Found:
    """The network of these weights by the layout that the spec names, else by the one that fits best.

    Args:
        weights: one network of a checkpoint.
        spec: what is said about the file.
        role: keep to layouts of a "discriminator" or a "generator"; None takes either.

    Raises:
        ValueError: no layout knows these names and shapes, or the named one does not.
    """
    from ganexplain.models.foreign import LAYOUTS

    if spec.layout is not None:
        found = LAYOUTS.get(spec.layout)().read(weights, spec)
        if found is None:
            raise ValueError(f"{_said(weights)} is not of the layout {spec.layout!r}: {_held(weights)}{WAY_OUT}")
        return found
    found, refused = likeliest(weights, spec, role)
    if found is None:
        nearly = f"; nearly {' and '.join(refused)}" if refused else ""
        raise ValueError(f"no layout knows {_said(weights)}: {_held(weights)}{nearly}{WAY_OUT}")
    return found


def likeliest(weights: Weights, spec: Spec, role: str | None = None) -> tuple[Found | None, list[str]]:
    """The network by the layout that fits best, or None; and what layouts said that nearly fit."""
    from ganexplain.models.foreign import LAYOUTS

    matches, refused = [], []
    layouts = [LAYOUTS.get(name)() for name in LAYOUTS.names()]
    for layout in sorted(layouts, key=lambda layout: not layout.unmistakable):
        own = spec if set(spec.architecture) <= set(layout.options) else None
        try:
            found = None if own is None else layout.read(weights, own)
        except ValueError as error:
            refused.append(f"{layout.name} ({error})")
            continue
        if found is not None and role in (None, found.role):
            matches.append(found)
            if layout.unmistakable:
                break
    return max(matches, key=lambda match: match.score, default=None), refused


WAY_OUT = (
    "; build the network in a Python file with a factory of a few lines and name it file.py:factory "
    "(see 'Your own model' in the README); `ganexplain methods` lists the layouts"
)


def _said(weights: Weights) -> str:
    return f"the network {weights.name!r}" if weights.name else "this network"


def _held(weights: Weights) -> str:
    shown = [f"{name} {tuple(tensor.shape)}" for name, tensor in list(weights.tensors.items())[:SHOWN]]
    more = len(weights.tensors) - len(shown)
    return f"it holds {', '.join(shown)}" + (f" and {more} more" if more > 0 else "")
