"""What tells one PatchGAN from another, and what it sees of an image."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganexplain.models.checkpoints import Weights
from ganexplain.models.foreign._blocks import Block, blocks_of
from ganexplain.models.foreign._parts import Part
from ganexplain.models.preprocess import resized

ROOTS = {"model", "netD", "patch", "patchgan"}  # under which pix2pix and its descendants keep their layers
TOLD = 0.8  # score of a chain that a DCGAN's discriminator might be, but for its name
GIVEN = (1, 3)  # channels of one image
NAMED = re.compile(  # CycleGAN has a critic for each of two kinds of images
    r"(^|[^a-z])(net)?_?d(isc(riminator)?)?_?[abxy]([^a-z]|$)|patch|cycle_?gan|pix2?pix", re.IGNORECASE
)


@dataclass(frozen=True)
class Style:
    """How one author's PatchGAN is built, as far as the file shows it.

    Attributes:
        score: how sure that it is a PatchGAN at all, 0 to 1.
        hidden: a norm without weights stands after each convolution but the first and the last; None is not shown.
        corner: a row and a column of zeros are added before the last convolution.
        reflect: borders are reflected.
        halving: the last but one convolution halves too.
        padding: of each convolution.
        condition_first: in a pair of images the condition comes first.
    """

    score: float
    hidden: bool | None
    corner: bool = False
    reflect: bool = False
    halving: bool = False
    padding: int = 1
    condition_first: bool = True


def named(weights: Weights) -> bool:
    """Whether a network's or a file's name is one that PatchGANs have, such as netD_A.

    >>> [named(Weights(name, {})) for name in ("netD_A", "D_B", "patchgan", "netD", "display")]
    [True, True, True, False, False]
    """
    return bool(NAMED.search(weights.name) or NAMED.search(weights.stem))


def style_of(parts: Sequence[Part], scaled: bool, *, told: bool = False) -> Style | None:
    """The style of one chain of convolutions, or None where it gives no verdict a patch.

    Args:
        parts: in the file's order.
        scaled: the file holds the same chain for several scales.
        told: names say that it does, see `named`.
    """
    if any(part.kind not in ("conv", "norm") for part in parts) or not parts[0].mixes:
        return None
    blocks = blocks_of(parts)
    convs = [block.layer for block in blocks]
    kernels = {conv.kernel for conv in convs}
    chained = all(a.out == b.into for a, b in zip(convs, convs[1:], strict=False))
    if len(kernels) > 1 or len(convs) < 3 or not chained or convs[-1].out != 1 or len(blocks[-1].parts) > 1:
        return None
    kernel = convs[0].kernel[0]
    if convs[0].kernel != (kernel, kernel) or kernel not in (1, 3, 4, 5):
        return None
    rooms = [block.room for block in blocks[:-1]]
    bare = all(len(block.parts) == 1 for block in blocks)
    hidden = None if None in rooms else bare and rooms[0] == 0 and all(room or 0 for room in rooms[1:])
    hidden = hidden if bare else False
    corner = rooms[-1] == 1 + bool(hidden) and rooms[0] == 0 and len(set(rooms[1:-1])) == 1
    course = bool(re.search(r"(^|\.)initial\.0$", convs[0].name)) and convs[1].name.endswith(".conv.0")
    return Style(
        score=max(_score(blocks, kernel, corner, bool(hidden), course, scaled), TOLD if told else 0.0),
        hidden=(True if course or scaled else None) if hidden is None else hidden,
        corner=corner,
        reflect=course,
        halving=corner or not (len(convs) == 5 or scaled or _signed(blocks)),
        padding=kernel // 2 if scaled and kernel == 4 else (kernel - 1) // 2,
        condition_first=not (corner or course),
    )


def _score(blocks: Sequence[Block], kernel: int, corner: bool, hidden: bool, course: bool, scaled: bool) -> float:
    """Least where a DCGAN's discriminator has the same shapes: only names and biases tell one from the other."""
    convs = [block.layer for block in blocks]
    if kernel == 1 or corner or scaled:
        return 0.95
    if course:
        return 0.9
    biased = all(conv.bias is not None for conv in convs)
    if _signed(blocks) or (_rooted(convs[0]) and hidden and biased):
        return 0.9
    if convs[0].into not in GIVEN or (hidden and biased):
        return 0.7
    return 0.45 if _rooted(convs[0]) or kernel == 3 else 0.25


def _rooted(first: Part) -> bool:
    """Whether layers are numbered under a name that pix2pix's have."""
    home, _, leaf = first.name.rpartition(".")
    return leaf.isdecimal() and home.rpartition(".")[2] in ROOTS


def _signed(blocks: Sequence[Block]) -> bool:
    """Whether there are pix2pix's names and biases: at both ends, and none before a BatchNorm."""
    convs = [block.layer for block in blocks]
    normed = all(len(block.parts) > 1 for block in blocks[1:-1])
    ends = convs[0].bias is not None and convs[-1].bias is not None
    return _rooted(convs[0]) and normed and ends and all(conv.bias is None for conv in convs[1:-1])


def field(kernels: Sequence[int], strides: Sequence[int]) -> int:
    """The side in pixels of the patch behind one verdict.

    >>> field([4, 4, 4, 4, 4], [2, 2, 2, 1, 1]), field([4, 4, 4, 4], [2, 2, 1, 1]), field([1, 1, 1], [1, 1, 1])
    (70, 34, 1)
    """
    side = 1
    for kernel, stride in zip(reversed(kernels), reversed(strides), strict=True):
        side = (side - 1) * stride + kernel
    return side


class Scales(nn.Module):
    """The same kind of PatchGAN at several scales; an image's score is the mean over scales of the mean over patches.

    Args:
        networks: the first sees the image, each further one the image halved once more.
    """

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self.smaller = nn.AvgPool2d(3, 2, 1, count_include_pad=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N,) scores of images (N, C, H, W)."""
        total = x.new_zeros(len(x))
        for i, network in enumerate(self.networks):
            x = self.smaller(x) if i else x
            total = total + network(x).flatten(1).mean(1)
        return total / len(self.networks)


class Beside(nn.Module):
    """A critic of pairs of images, one of which stays the same.

    Args:
        network: reads (N, channels, H, W).
        condition: (1, D, h, w), resized to each image; None where the caller gives both images of a pair.
        first: whether the condition comes before the image.
        channels: of both together.
    """

    def __init__(self, network: nn.Module, condition: Tensor | None, first: bool, channels: int) -> None:
        super().__init__()
        self.network, self.first, self.channels = network, first, channels
        self.condition: Tensor | None
        self.register_buffer("condition", condition)

    def forward(self, x: Tensor) -> Tensor:
        """What the network returns for images (N, C, H, W) beside the condition, or for whole pairs.

        Raises:
            ValueError: an image alone, where no condition was named.
        """
        fixed = self.condition
        if fixed is not None:
            if fixed.shape[-2:] != x.shape[-2:]:
                fixed = resized(fixed, (x.shape[-2], x.shape[-1]))
            pair = [fixed.expand(len(x), -1, -1, -1), x]
            x = torch.cat(pair if self.first else pair[::-1], 1)
        if x.shape[1] != self.channels:
            raise ValueError(
                f"this critic reads a pair of images of {self.channels} channels together, got {x.shape[1]}; name the "
                'file of the image that is given in a spec, [architecture] condition = "input.png"'
            )
        found: Tensor = self.network(x)
        return found
