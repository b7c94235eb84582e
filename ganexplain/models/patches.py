"""What a patch discriminator says of each patch, placed where the patch really lies."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class PatchMap:
    """The logits of one image's patches.

    Attributes:
        logits: (h, w), higher is more real.
        placed: (H, W) mean over the patches that see each pixel; NaN where none does.
        boxes: (h, w, 4) what each cell sees: top, left, bottom, right in pixels, bottom and right excluded, cut at the
            image's edge.
        whole: every cell sees the whole image, such as under InstanceNorm, so that a place means nothing.
    """

    logits: Tensor
    placed: Tensor
    boxes: Tensor
    whole: bool
