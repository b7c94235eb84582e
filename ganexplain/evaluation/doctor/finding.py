"""One finding, and the case that the checks look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from ganexplain.evaluation.doctor.area import interval
from ganexplain.evaluation.doctor.ranges import Ranges, compared
from ganexplain.models.critic import Critic, auc

STATUSES = ("ok", "warn", "fail", "not applicable")
Numbers = Mapping[str, float]
CLASSES = ("classes", "class_probabilities")  # outputs that have a real_class in place of a polarity
ENOUGH = 10  # images of a kind below which no AUC is stated
LIMIT = 100  # images of a kind that other readings are tried on


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        name: of the check.
        status: "ok", "warn" (explanations may mislead), "fail" (they will) or "not applicable".
        sentence: what was seen.
        advice: what to do about it; empty where nothing is to be done.
        value: the number that decided, or None.
        measure: what ``value`` is.
        details: further numbers by name.
    """

    name: str
    status: str
    sentence: str
    advice: str = ""
    value: float | None = None
    measure: str = ""
    details: Numbers = field(default_factory=dict)


@dataclass(frozen=True)
class Topic:
    """What a check is about; writes its findings.

    Attributes:
        name: of the check.
        measure: what its number is.
    """

    name: str
    measure: str = ""

    def ok(self, value: float | None, sentence: str, details: Numbers | None = None) -> Finding:
        """Nothing is to be done."""
        return Finding(self.name, "ok", sentence, "", value, self.measure, details or {})

    def warn(self, value: float | None, sentence: str, advice: str, details: Numbers | None = None) -> Finding:
        """Explanations may mislead."""
        return Finding(self.name, "warn", sentence, advice, value, self.measure, details or {})

    def fail(self, value: float | None, sentence: str, advice: str, details: Numbers | None = None) -> Finding:
        """Explanations will mislead."""
        return Finding(self.name, "fail", sentence, advice, value, self.measure, details or {})

    def skip(self, why: str) -> Finding:
        """There was nothing to look at."""
        return Finding(self.name, "not applicable", why, "", None, self.measure)


@dataclass(frozen=True)
class Case:
    """A critic with images of both kinds, and its logits of them.

    Attributes:
        critic: higher is more real.
        real: (R, C, H, W) in [-1, 1], or None.
        fake: (F, C, H, W) in [-1, 1], or None.
        batch_size: the most images in one forward.
        seed: of all that is drawn.
    """

    critic: Critic
    real: Tensor | None
    fake: Tensor | None
    batch_size: int = 64
    seed: int = 0

    @property
    def both(self) -> tuple[Tensor, Tensor] | None:
        """Reals and fakes where there are enough of each for an AUC."""
        if self.real is None or self.fake is None or min(len(self.real), len(self.fake)) < ENOUGH:
            return None
        return self.real, self.fake

    @property
    def lacking(self) -> str:
        """Why `both` is None."""
        counts = [0 if part is None else len(part) for part in (self.real, self.fake)]
        return f"needs at least {ENOUGH} reals and {ENOUGH} fakes, got {counts[0]} and {counts[1]}"

    def score(self, images: Tensor, critic: Critic | None = None) -> Tensor:
        """(N,) float64 logits."""
        return (critic or self.critic).logits(images, batch_size=self.batch_size).double()

    @cached_property
    def real_logits(self) -> Tensor:
        """(R,) float64; empty without reals."""
        return torch.zeros(0, dtype=torch.float64) if self.real is None else self.score(self.real)

    @cached_property
    def fake_logits(self) -> Tensor:
        """(F,) float64; empty without fakes."""
        return torch.zeros(0, dtype=torch.float64) if self.fake is None else self.score(self.fake)

    @cached_property
    def logits(self) -> Tensor:
        """(R + F,) float64."""
        return torch.cat([self.real_logits, self.fake_logits])

    @cached_property
    def spread(self) -> float:
        """Interquartile range of all logits: the unit in which a change is large or small."""
        low, high = torch.quantile(self.logits, self.logits.new_tensor([0.25, 0.75]))
        return float(high - low)

    @cached_property
    def ranges(self) -> Ranges | None:
        """The first images of each kind in every common range, where there are enough."""
        if self.both is None:
            return None
        return compared(self.critic, (self.both[0][:LIMIT], self.both[1][:LIMIT]), self.score, self.inverted)

    @property
    def area(self) -> tuple[float, float, float]:
        """AUC of reals against fakes, with its 95 % interval."""
        value = auc(self.real_logits, self.fake_logits)
        return value, *interval(value, len(self.real_logits), len(self.fake_logits))

    @property
    def inverted(self) -> bool:
        """Whether fakes clearly score above reals."""
        return self.both is not None and self.area[2] < 0.5

    @property
    def better_range(self) -> str:
        """The range in which the critic's own threshold works clearly better; empty where there is none."""
        if self.ranges is None or not self.ranges.better:
            return ""
        best = self.ranges.better[0]
        return best if self.ranges.more_accurate(best) else ""

    def some(self, n: int) -> Tensor:
        """At most n images of one size, reals and fakes by turns where their sizes agree."""
        parts = [part for part in (self.real, self.fake) if part is not None]
        if len(parts) == 2 and parts[0].shape[1:] == parts[1].shape[1:]:
            return torch.cat([parts[0][: (n + 1) // 2], parts[1][: n // 2]])
        return parts[0][:n]
