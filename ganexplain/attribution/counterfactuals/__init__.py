"""The smallest change that would turn a verdict. One kind of change a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor


@dataclass(frozen=True)
class Counterfactual:
    """One image changed until the critic judges it otherwise, or as far as that was possible.

    Attributes:
        kind: the name of its file, such as "pixel_l2" or "bands".
        image: (1, C, H, W) before, in [-1, 1].
        changed: (1, C, H, W) after.
        flipped: whether the verdict turned.
        logit: before and after, higher is more real.
        threshold: logit below which an image is called fake.
        distance: how large the change is: "rms", "l1", "l2", "max" in the image's units (a range of 2), or for rows and
            signals in those in which the network reads them; "share" of the numbers, bands or regions that were
            changed, "energy" the share of the squared difference to the baseline, "code" in standard deviations of the
            prior.
        path: (fraction of the change, logit) from the image to the changed one.
        steps: what was changed in which order with the logit after it, for changes made part by part.
        visible: whether an eye would see the change: "plain", "faint" or "none"; none is an adversarial example.
        realism: root mean square distance of the changed image to the nearest known real, divided by that of the image
            itself; None where no reals are known.
        evaluations: forward passes that were used, a gradient counting as one.
        notes: what a reader must know, one sentence each.
        facts: parameters, JSON-able.
    """

    kind: str
    image: Tensor
    changed: Tensor
    flipped: bool
    logit: tuple[float, float]
    threshold: float
    distance: Mapping[str, float]
    path: tuple[tuple[float, float], ...]
    visible: str
    evaluations: int
    steps: tuple[tuple[str, float], ...] = ()
    realism: float | None = None
    notes: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        """What was changed, how much, and what the verdict became, in plain words with numbers and units."""
        from ganexplain.attribution.counterfactuals._words import told

        return told(self)

    def __repr__(self) -> str:
        return f"Counterfactual({self.kind}: {self.sentence})"
