"""What a conditional critic says of one image under every label: fake, or real but of another class?"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class LabelReading:
    """One image under every label.

    Attributes:
        given: the label that the verdict is for.
        logits: (K,) the logit under each label, higher is more real.
        threshold: logit below which an image is called fake.
        image_part: what the image contributes to the logit, beyond the mean over reference images; None without reals.
        label_part: what the label contributes: the logit under it minus the mean over all labels.
    """

    given: int
    logits: Tensor
    threshold: float
    label_part: float
    image_part: float | None = None
