"""Signals: channels over time, such as an electrocardiogram or a sound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, ClassVar

import torch
from torch import Tensor

from ganexplain import checks
from ganexplain.models.forms import SHARED, Scaled, Scaling

WINDOWS = 16  # that a signal is cut into unless said otherwise, over all channels together


@dataclass(frozen=True)
class Signal(Scaled):
    """Signals (N, C, L) in the caller's own units.

    Args:
        channels: their names.
        length: samples of a signal; None takes any.
        sample_rate: samples per second; None counts samples.
        units: unit of each channel, or one for all.
        mean: of each channel, or one number for all; the network reads ``(value - mean) / std``.
        std: see ``mean``.
        low: value that the network reads as -1; ``high`` is read as 1.
        high: see ``low``.
        windows: about how many spans a signal is cut into to be explained, over all channels together.

    Raises:
        ValueError: no channels, names twice, or a scaling that does not fit.
    """

    channels: tuple[str, ...] = ("signal",)
    length: int | None = None
    sample_rate: float | None = None
    units: Any = ""
    mean: Any = None
    std: Any = None
    low: Any = None
    high: Any = None
    windows: int = WINDOWS

    name: ClassVar[str] = "signal"
    ndim: ClassVar[int] = 3
    one: ClassVar[str] = "signal"
    many: ClassVar[str] = "signals"
    part: ClassVar[str] = "span"
    parts: ClassVar[str] = "spans"
    removed: ClassVar[str] = "window"
    differentiated: ClassVar[str] = "window"
    baselines: ClassVar[tuple[str, ...]] = ("blur", "noise", "inpaint", *SHARED)
    contrasts: ClassVar[tuple[str, ...]] = ("blur", "zero")
    words: ClassVar[Mapping[str, str]] = {
        "an image": "a signal",
        "image": "signal",
        "images": "signals",
        "image's": "signal's",
        "images'": "signals'",
        "region": "span",
        "regions": "spans",
        "map": "explanation",
        "maps": "explanations",
        "a map": "an explanation",
        "shows this image instead of the baseline": "has this signal's values instead of the baseline's",
        "lies most in": "lies most in",
    }

    def __post_init__(self) -> None:
        set_ = object.__setattr__
        set_(self, "channels", tuple(self.channels))
        if not self.channels or len(set(self.channels)) < len(self.channels):
            raise ValueError(f"channels must be different names and at least one, got {self.channels}")
        units = (self.units,) * len(self.channels) if isinstance(self.units, str) else tuple(self.units)
        if len(units) != len(self.channels):
            raise ValueError(f"units must be one word, or one for each of {len(self.channels)} channels, got {units}")
        set_(self, "units", units)
        for name in ("length", "sample_rate"):
            if getattr(self, name) is not None:
                checks.positive(getattr(self, name), name)
        checks.positive(self.windows, "windows")
        for name in ("mean", "std", "low", "high"):
            if getattr(self, name) is not None:
                set_(self, name, tuple(torch.as_tensor(getattr(self, name), dtype=torch.float64).reshape(-1).tolist()))
        _ = self.scaling

    @cached_property
    def scaling(self) -> Scaling | None:
        """One shift and scale a channel."""
        return Scaling.of(len(self.channels), self.mean, self.std, self.low, self.high, "channels")

    @property
    def axes(self) -> tuple[int, ...]:
        """(C, 1)."""
        return (len(self.channels), 1)

    @property
    def unit(self) -> str:
        """A standard deviation where one is given."""
        return "standard deviation" if self.std is not None else "unit"

    def check(self, values: Tensor, name: str = "") -> Tensor:
        """Return ``values`` if they are finite signals (N, C, L)."""
        name = name or self.many
        shape = f"(N, {len(self.channels)}, {self.length or 'L'})"
        self._float(values, name, shape)
        fits = values.ndim == 3 and values.shape[1] == len(self.channels) and 0 not in values.shape
        if not fits or self.length not in (None, values.shape[2]):
            raise ValueError(f"{name} must have the shape {shape}, got {tuple(values.shape)}")
        return checks.finite(values, name)

    def seconds(self, samples: float) -> float:
        """Time of a number of samples; the number itself where no rate is known."""
        return samples if self.sample_rate is None else samples / self.sample_rate

    @property
    def clock(self) -> str:
        """The unit of time: "s", or "samples"."""
        return "samples" if self.sample_rate is None else "s"

    def span(self, start: int, stop: int) -> str:
        """The samples from ``start`` to before ``stop`` in words.

        >>> Signal(sample_rate=100).span(50, 75), Signal().span(50, 75)
        ('0.5–0.75 s', 'samples 50–74')
        """
        if self.sample_rate is None:
            return f"samples {start}–{stop - 1}"
        return f"{self.seconds(start):.4g}–{self.seconds(stop):.4g} s"

    def to_json(self) -> dict[str, Any]:
        """All that makes the form."""
        return {"name": self.name, **{k: v for k, v in asdict(self).items() if v is not None}}
