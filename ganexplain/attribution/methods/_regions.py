"""Overlapping candidates for regions of an image at several scales, and a partition that the strongest of them make."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganexplain.attribution.domains.region import segments

AREA = 224**2  # pixels of the images for which Kapishnikov et al. give sizes
SCALES = (50, 100, 150, 250, 500, 1200)  # of Felzenszwalb and Huttenlocher (2004), as there
MIN_AREA = 150 / AREA
DILATION = 5 / 224
SIGMA = 0.8 / 224
LEAST = 9  # pixels in a region, but a sixteenth of an image of less than 144
SLIC = (16, 49)  # segments that are cut as well: Felzenszwalb's graph joins what is flat into one

Array = np.ndarray[Any, np.dtype[Any]]


def candidates(image: Tensor) -> Tensor:
    """(M, H * W) bool segments of an image (C, H, W) in [-1, 1], which overlap.

    Sizes are shares of the area of the image: Felzenszwalb's segments at six scales, each once as it is and once grown
    across its edge, at which attributions lie, and SLIC's of two sizes.
    """
    from skimage.segmentation import felzenszwalb

    height, width = image.shape[-2:]
    share = height * width / AREA
    pixels = image.detach().cpu().double().clamp(-1, 1).permute(1, 2, 0).numpy()
    least = smallest((height, width))
    reach = round(DILATION * min(height, width))
    found: list[Tensor] = []
    for scale in SCALES:
        labels = felzenszwalb(pixels, scale * share, SIGMA * min(height, width), least, channel_axis=-1)
        masks = labels[None] == np.arange(labels.max() + 1)[:, None, None]
        found.append(torch.from_numpy(masks))
        if reach:
            found.append(torch.from_numpy(grown(labels, reach)))
    for count in SLIC:
        slic = segments(image[None], count)[0].cpu()
        found.append(slic[None] == torch.unique(slic)[:, None, None])
    masks_of_all = torch.cat(found).flatten(1)
    kept = masks_of_all[masks_of_all.any(1)]
    first = np.unique(np.packbits(kept.numpy(), axis=1), axis=0, return_index=True)[1]
    return kept[torch.from_numpy(np.sort(first))]


def smallest(size: tuple[int, int]) -> int:
    """Pixels of the smallest region of an image of this height and width."""
    area = size[0] * size[1]
    return max(1, min(LEAST, area // 16), round(MIN_AREA * area))


def grown(labels: Array, reach: int) -> Array:
    """(P, H, W) bool each segment of (H, W) labels with all that is within ``reach`` pixels of it."""
    from scipy.ndimage import binary_dilation, find_objects

    masks: Array = np.zeros((labels.max() + 1, *labels.shape), dtype=bool)
    for i, box in enumerate(find_objects(labels + 1)):
        near = tuple(slice(max(0, part.start - reach), part.stop + reach) for part in box)
        masks[i][near] = binary_dilation(labels[near] == i, disk(reach))
    return masks


def disk(radius: int) -> Array:
    """(2 * radius + 1, 2 * radius + 1) a filled circle."""
    place = np.arange(-radius, radius + 1)
    made: Array = np.hypot(place[:, None], place) <= radius
    return made


def greedy(mass: Tensor, masks: Tensor, size: tuple[int, int], least: int) -> Tensor:
    """(H * W) labels in the order in which segments were taken: always that with the largest |mass| per new pixel.

    A segment that would add fewer than ``least`` pixels is not taken. What no segment adds, and crumbs of less than
    that which the others leave of one, go to the region next to them.

    Args:
        mass: (H * W) signed float64.
        masks: (M, H * W) bool.
        size: H and W.
        least: pixels.
    """
    area, total = masks.sum(1), torch.stack([mass[inside].sum() for inside in masks])
    labels = torch.full((masks.shape[1],), -1)
    taken = 0
    while True:
        open_ = area >= max(least, 1)
        if not open_.any():
            break
        gain = torch.where(open_, total.abs() / area.clamp(min=1), -torch.inf)
        new = masks[int(gain.argmax())] & (labels < 0)
        labels[new] = taken
        taken += 1
        covered = masks[:, new]
        area, total = area - covered.sum(1), total - covered.double() @ mass[new]
    return _filled(_without_crumbs(labels, size, least), size) if taken else torch.zeros_like(labels)


def _without_crumbs(labels: Tensor, size: tuple[int, int], least: int) -> Tensor:
    """Labels (H * W) where connected pixels of one are fewer than ``least``, unless they are all of it, become -1."""
    from skimage.measure import label

    pieces = torch.from_numpy(label(labels.view(size).numpy(), background=-1, connectivity=1)).long().flatten()
    area = torch.bincount(pieces)[pieces]
    whole = torch.zeros(int(labels.max()) + 1, dtype=torch.long)
    whole.scatter_reduce_(0, labels.clamp(min=0), area, "amax")  # the largest piece of each stays
    kept = (area >= least) | (area == whole[labels.clamp(min=0)])
    return torch.where(kept & (labels >= 0), labels, -1)


def _filled(labels: Tensor, size: tuple[int, int]) -> Tensor:
    """Each pixel without a label gets that of the nearest one with."""
    from scipy.ndimage import distance_transform_edt

    free = (labels < 0).view(size).numpy()
    if not free.any():
        return labels
    where = distance_transform_edt(free, return_distances=False, return_indices=True)
    down, across = (torch.from_numpy(axis).long() for axis in where)
    return labels.view(size)[down, across].flatten()
