"""Regions."""

from __future__ import annotations

import torch
from torch import Tensor

from ganexplain import checks
from ganexplain.attribution import players as groups
from ganexplain.attribution.chart import BaselineLike, Chart, Domain
from ganexplain.attribution.domains._own import of_form, own_chart
from ganexplain.models.critic import Critic
from ganexplain.models.forms import Images

__all__ = ["Region"]

SEGMENTS = "SLIC, or a grid"


class Region(Domain):
    """Where, region by region: coordinates (C, H, W); the players are segments of the image, or a mask of your own.

    Args:
        mask: (H, W) or (N, H, W) integer labels, for regions that mean something to you (eyes, mouth, background).
        source: where a mask came from, for the record.
        n_segments: about how many segments to cut; None takes 16 below 64 pixels and 25 from there on.
    """

    name = "region"
    form = Images

    def __init__(self, mask: Tensor | None = None, *, n_segments: int | None = None, source: str = "") -> None:
        self.mask = None if mask is None else groups.check_labels(mask, "mask")
        self.source = source or (SEGMENTS if mask is None else "mask")
        self.n_segments = None if n_segments is None else int(checks.positive(n_segments, "n_segments"))

    def bind(self, critic: Critic, inputs: Tensor, baseline: BaselineLike = None) -> Chart:
        """The chart of images (N, C, H, W) in [-1, 1]."""
        of_form(critic, self)
        critic.form.check(inputs)
        labels = segments(inputs, self.n_segments) if self.mask is None else self._given(inputs)
        players = groups.canonical(labels)[:, None].expand(-1, *inputs.shape[1:])
        facts = {"regions": self.source, "n_segments": self.n_segments}
        return own_chart(critic, inputs, baseline, players=players, domain=self.name, facts=facts)

    def _given(self, images: Tensor) -> Tensor:
        mask = self.mask if self.mask is not None else images.new_zeros(0)
        mask = mask[None] if mask.ndim == 2 else mask
        if mask.shape[1:] != images.shape[2:] or len(mask) not in (1, len(images)):
            raise ValueError(f"the mask must have the image's size {tuple(images.shape[2:])}, got {tuple(mask.shape)}")
        if groups.counts(groups.canonical(mask)).min() < 2:
            raise ValueError("the mask has one region only, so nothing can be told apart; draw at least two colours")
        return mask


def segments(images: Tensor, n_segments: int | None = None) -> Tensor:
    """(N, H, W) labels of SLIC superpixels (Achanta et al. 2012), or of a grid where SLIC finds too few.

    A stroke on a flat ground leaves SLIC with a handful of segments on 28 x 28 pixels, and noise with one; the grid
    guarantees at least half of what was asked for.
    """
    side = min(images.shape[-2:])
    wanted = n_segments or (16 if side < 64 else 25)
    wanted = min(wanted, images.shape[-2] * images.shape[-1])
    return torch.stack([_slic(image, wanted) for image in images.detach().cpu().float()]).to(images.device)


def _slic(image: Tensor, wanted: int) -> Tensor:
    from skimage.segmentation import slic

    height, width = image.shape[-2:]
    pixels = image.add(1).div(2).clamp(0, 1).permute(1, 2, 0).double().numpy()
    if min(height, width) >= 8:
        labels = slic(
            pixels,
            n_segments=wanted,
            compactness=0.3 if pixels.shape[2] != 3 else 10.0,
            start_label=0,
            convert2lab=pixels.shape[2] == 3,
        )
        if wanted / 2 <= labels.max() + 1 <= 2 * wanted:
            return torch.from_numpy(labels).long()
    return _grid(height, width, wanted)


def _grid(height: int, width: int, wanted: int) -> Tensor:
    rows = max(1, min(height, round((wanted * height / width) ** 0.5)))
    columns = max(1, min(width, round(wanted / rows)))
    down = torch.arange(height) * rows // height
    across = torch.arange(width) * columns // width
    labels: Tensor = down[:, None] * columns + across[None]
    return labels
