"""What a patch discriminator says of each patch, placed where the patch really lies."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ganexplain import tensors
from ganexplain.models.critic import Critic
from ganexplain.models.receptive import fields


@dataclass(frozen=True)
class PatchMap:
    """The logits of one image's patches.

    Attributes:
        logits: (h, w), higher is more real.
        placed: (H, W) mean over the patches that see each pixel; NaN where none does.
        boxes: (h, w, 4) what each cell sees: top, left, bottom, right in pixels, bottom and right excluded, cut at the
            image's edge; all zero for a cell that sees nothing.
        whole: every cell sees the whole image, such as under InstanceNorm, so that a place means little; the boxes are
            then those of the convolutions alone, where these can be told.
        threshold: the logit below which the pooled verdict is "fake".
        unit: "logit" or "score".
        size: (height, width) in pixels of the largest receptive field.
        inside: under ``whole``, the share of a cell's squared gradient inside its box; None where that is the image.
        pool: how the verdict is made of the cells, a name of `ganexplain.models.outputs.POOLS` or "cell (i, j)".
        notes: what a reader must know, one sentence each.
    """

    logits: Tensor
    placed: Tensor
    boxes: Tensor
    whole: bool
    threshold: float = 0.0
    unit: str = "logit"
    size: tuple[int, int] = (0, 0)
    inside: float | None = None
    pool: str = "mean"
    notes: tuple[str, ...] = ()

    @property
    def most_fake(self) -> tuple[int, int]:
        """Row and column of the cell with the lowest logit."""
        return self._place(int(self.logits.argmin()))

    @property
    def most_real(self) -> tuple[int, int]:
        """Row and column of the cell with the highest logit."""
        return self._place(int(self.logits.argmax()))

    @property
    def fake_share(self) -> float:
        """Share of the cells with a logit below the threshold."""
        return float((self.logits < self.threshold).double().mean())

    def _place(self, flat: int) -> tuple[int, int]:
        return divmod(flat, self.logits.shape[1])


def patch_map(critic: Critic, image: Tensor, *, batch_size: int = 64) -> PatchMap:
    """The logits of an image's patches, each where its patch lies, averaged where patches overlap.

    Stretching the map over the image would be wrong: patches overlap, and the first and last ones reach less far inside
    than a stretched cell does.

    Args:
        critic: a critic whose network returns a patch map, however it is pooled.
        image: (1, C, H, W) in [-1, 1].
        batch_size: most images that the network is given at a time.

    Raises:
        ValueError: the network gives one number an image, several images were given, or the critic reads no images.
    """
    found = fields(critic, image, batch_size=batch_size)
    with torch.no_grad(), tensors.isolated():
        logits = critic.cells(image)[0]
    if not critic.pools:
        raise ValueError("this critic gives one number an image and no map of patches; explain it as it is")
    pool = f"cell {critic.pool}" if isinstance(critic.pool, tuple) else critic.pool or "mean"
    return PatchMap(
        logits.to(image),
        placed(logits, found.boxes, (image.shape[-2], image.shape[-1])).to(image),
        found.boxes,
        found.whole,
        critic.threshold,
        critic.unit,
        found.size,
        found.inside,
        pool,
        found.notes,
    )


def placed(logits: Tensor, boxes: Tensor, shape: tuple[int, int]) -> Tensor:
    """(H, W) float64 mean of ``logits`` (h, w) over the ``boxes`` (h, w, 4) that hold a pixel; NaN where none does."""
    total, count = (torch.zeros(shape, dtype=torch.float64) for _ in range(2))
    for logit, box in zip(logits.double().flatten().tolist(), boxes.reshape(-1, 4).tolist(), strict=True):
        inside = (slice(box[0], box[2]), slice(box[1], box[3]))
        total[inside] += logit
        count[inside] += 1
    return total / count.where(count > 0, torch.nan)
