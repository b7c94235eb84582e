"""What kind of thing a critic reads and a generator makes: images, rows of a table, or signals.

A form knows what a valid input is, how the caller's units become what a network reads, what the parts of an input are
called, and which domains and baselines make sense for it. Layers above ask it instead of asking what it is.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from ganexplain import checks
from ganexplain.models.preprocess import Preprocess, resized

SHARED = ("mean", "nearest_real", "reals", "median", "zero", "generated", "counterfactual")  # baselines of every form


class Form(ABC):
    """Base of the forms.

    Attributes:
        name: "images", "table" or "signal".
        ndim: axes of a batch.
        one: what one input is called, such as "row".
        many: several of them.
        part: what an input consists of for its reader, such as "feature".
        parts: several of them.
        removed: name of the domain in which parts are removed.
        differentiated: name of the domain in which gradients are read.
        baselines: names of those that exist for this form.
        contrasts: baselines that need no reals, in the order in which they are tried.
        unlike: baselines made of reals that no real is like, tried before those.
        words: other words for those that sentences use of images.
    """

    name: ClassVar[str]
    ndim: ClassVar[int]
    one: ClassVar[str]
    many: ClassVar[str]
    part: ClassVar[str]
    parts: ClassVar[str]
    removed: ClassVar[str]
    differentiated: ClassVar[str]
    baselines: ClassVar[tuple[str, ...]]
    contrasts: ClassVar[tuple[str, ...]]
    unlike: ClassVar[tuple[str, ...]] = ()
    words: ClassVar[Mapping[str, str]] = {}

    @abstractmethod
    def check(self, values: Tensor, name: str = "") -> Tensor:
        """Return ``values`` if they are a valid batch.

        Raises:
            TypeError: not a floating tensor.
            ValueError: another shape, or not finite.
        """

    @abstractmethod
    def read(self, values: Tensor, preprocess: Preprocess) -> Tensor:
        """What the network is given for ``values``; differentiable, never the caller's own tensor."""

    @abstractmethod
    def fitted(self, values: Tensor, like: Tensor, what: str) -> Tensor:
        """``values``, called ``what`` in errors, in the shape, type and place of the inputs ``like``.

        Raises:
            ValueError: they cannot be compared.
        """

    def scaled(self, values: Tensor) -> Tensor:
        """``values`` in units in which steps of different parts compare, such as standard deviations."""
        return values

    def unscaled(self, scaled: Tensor) -> Tensor:
        """The inverse of `scaled`."""
        return scaled

    def comparable(self, values: Tensor, reals: Tensor) -> Tensor:
        """``values`` for distances: `scaled`, or by the spread of known ``reals`` where no scaling was declared."""
        return self.scaled(values)

    def settled(self, made: Tensor, reals: Tensor) -> Tensor:
        """``made``, computed value by value from ``reals``, as an input that can exist."""
        return made

    @property
    def unit(self) -> str:
        """What "per unit" of a derivative means."""
        return "unit"

    @classmethod
    def told(cls, text: str) -> str:
        """A sentence about images, regions and maps as it reads for this form; names of the caller's are no part of it.

        >>> from ganexplain.models.table import Table
        >>> Table(("age",)).told("an image has regions")
        'a row has features'
        """
        if not cls.words:
            return text
        pattern = r"\b(?:" + "|".join(sorted(cls.words, key=len, reverse=True)) + r")\b"
        return re.sub(pattern, cls._translated, text, flags=re.IGNORECASE)

    @classmethod
    def _translated(cls, match: re.Match[str]) -> str:
        word = match[0]
        found = cls.words[word.lower()]
        return found[0].upper() + found[1:] if word[0].isupper() else found

    def to_json(self) -> dict[str, Any]:
        """What `form_of` reads."""
        return {"name": self.name}


@dataclass(frozen=True)
class Images(Form):
    """Images (N, C, H, W) in [-1, 1]; their parts are regions."""

    name: ClassVar[str] = "images"
    ndim: ClassVar[int] = 4
    one: ClassVar[str] = "image"
    many: ClassVar[str] = "images"
    part: ClassVar[str] = "region"
    parts: ClassVar[str] = "regions"
    removed: ClassVar[str] = "region"
    differentiated: ClassVar[str] = "pixel"
    baselines: ClassVar[tuple[str, ...]] = ("blur", "black", "noise", "inpaint", *SHARED)
    contrasts: ClassVar[tuple[str, ...]] = ("blur", "black")

    def check(self, values: Tensor, name: str = "") -> Tensor:
        """See `ganexplain.checks.images`."""
        return checks.images(values, name or "images")

    def read(self, values: Tensor, preprocess: Preprocess) -> Tensor:
        """In the range, size and channels of ``preprocess``."""
        return preprocess(values)

    def fitted(self, values: Tensor, like: Tensor, what: str) -> Tensor:
        """Resized to the height and width of ``like``."""
        if values.shape[1] != like.shape[1]:
            raise ValueError(f"{what} have {values.shape[1]} channels and the images {like.shape[1]}; read both alike")
        same = values.shape[-2:] == like.shape[-2:]
        return values.to(like) if same else resized(values.to(like), (like.shape[-2], like.shape[-1]))


IMAGES = Images()


@dataclass(frozen=True)
class Scaling:
    """How the caller's units become what a network reads: ``(value - shift) / scale``, a number each a column.

    Attributes:
        shift: float64.
        scale: float64, none of them zero.
    """

    shift: tuple[float, ...]
    scale: tuple[float, ...]

    @classmethod
    def of(cls, n: int, mean: Numbers, std: Numbers, low: Numbers, high: Numbers, what: str) -> Scaling | None:
        """From mean and standard deviation, or from the ends that become -1 and 1; None where nothing was given.

        Raises:
            ValueError: one without the other, both kinds, another number of values, or a width of zero.
        """
        pairs = {"mean and std": (mean, std), "low and high": (low, high)}
        given = {name: pair for name, pair in pairs.items() if pair != (None, None)}
        if not given:
            return None
        if len(given) > 1 or None in next(iter(given.values())):
            raise ValueError(
                "say how the network's input is scaled by mean and std, or by low and high, both of one kind"
            )
        ((name, (first, second)),) = given.items()
        one, two = _many(first, n, what), _many(second, n, what)
        if name == "low and high":
            one, two = (
                [(a + b) / 2 for a, b in zip(one, two, strict=True)],
                [(b - a) / 2 for a, b in zip(one, two, strict=True)],
            )
        if not all(width > 0 for width in two):
            raise ValueError(f"the {what} must have a positive {'std' if name[0] == 'm' else 'width, low < high'} each")
        return cls(tuple(one), tuple(two))

    def tensors(self, like: Tensor, axes: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        """Shift and scale of the shape ``axes``."""
        return tuple(torch.tensor(v, dtype=like.dtype, device=like.device).view(axes) for v in (self.shift, self.scale))  # type: ignore[return-value]


Numbers = Sequence[float] | float | None


def _many(value: Numbers, n: int, what: str) -> list[float]:
    listed = torch.as_tensor(value, dtype=torch.float64).reshape(-1).tolist()
    if len(listed) == 1:
        return listed * n
    if len(listed) != n:
        raise ValueError(f"the scaling needs one number, or one for each of the {n} {what}, got {len(listed)}")
    return listed


class Scaled(Form):
    """Base of the forms whose values come in units of the caller's, with a `Scaling` to what the network reads."""

    baselines: ClassVar[tuple[str, ...]] = SHARED

    @property
    @abstractmethod
    def scaling(self) -> Scaling | None:
        """The scaling, or None where the network reads the caller's values."""

    @property
    @abstractmethod
    def axes(self) -> tuple[int, ...]:
        """Shape in which one number a column broadcasts over an input."""

    def read(self, values: Tensor, preprocess: Preprocess) -> Tensor:
        """`scaled`, as a tensor of its own."""
        made = self.scaled(values)
        return made.clone() if made is values else made

    def scaled(self, values: Tensor) -> Tensor:
        """As the network reads them."""
        if self.scaling is None:
            return values
        shift, scale = self.scaling.tensors(values, self.axes)
        return (values - shift) / scale

    def unscaled(self, scaled: Tensor) -> Tensor:
        """In the caller's units."""
        if self.scaling is None:
            return scaled
        shift, scale = self.scaling.tensors(scaled, self.axes)
        return scaled * scale + shift

    def comparable(self, values: Tensor, reals: Tensor) -> Tensor:
        """In standard deviations of the reals where no scaling was declared; what never varies counts as it is."""
        if self.scaling is not None or len(reals) < 2:
            return self.scaled(values)
        over = [0, *(axis for axis, n in enumerate(self.axes, 1) if n == 1)]
        spread = reals.double().std(over, keepdim=True)[0]
        return values / torch.where(spread > 0, spread, torch.ones_like(spread)).to(values)

    def fitted(self, values: Tensor, like: Tensor, what: str) -> Tensor:
        """Refused where the shape is another one: there is no resizing of rows."""
        if values.shape[1:] != like.shape[1:]:
            raise ValueError(
                f"{what} have the shape {tuple(values.shape[1:])} and the {self.many} {tuple(like.shape[1:])}; read "
                "both alike"
            )
        return values.to(like)

    def _float(self, values: Tensor, name: str, shape: str) -> Tensor:
        """Return ``values`` if they are a tensor of floats."""
        if not isinstance(values, Tensor):
            raise TypeError(f"{name} must be a tensor {shape}, got {type(values).__name__}; use torch.as_tensor")
        if not values.is_floating_point():
            raise TypeError(f"{name} must be float, got {values.dtype}; use .float()")
        return values


def form_of(facts: Mapping[str, Any]) -> Form:
    """The form that `Form.to_json` wrote."""
    rest = {k: v for k, v in facts.items() if k != "name"}
    found: Form = kinds()[checks.one_of("form", facts["name"], kinds())](**rest)
    return found


def kinds() -> dict[str, type[Form]]:
    """The forms by name."""
    from ganexplain.models.signal import Signal
    from ganexplain.models.table import Table

    return {kind.name: kind for kind in (Images, Table, Signal)}


def told(text: str, form: str) -> str:
    """`Form.told` of the form of that name."""
    return kinds()[form].told(text)
