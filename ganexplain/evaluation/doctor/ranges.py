"""What models are commonly trained on: ranges, means and deviations, sizes, ways of resizing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ganexplain.models.preprocess import RESIZES, Preprocess

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # means and deviations of [0, 1] pixels of ImageNet
MNIST = ((0.1307,), (0.3081,))  # and of MNIST, in torch's own examples
LARGEST = 512  # pixels a side

Proposal = dict[str, Any]
Size = tuple[int, int]


def ranges(declared: Preprocess, channels: int) -> dict[str, Preprocess]:
    """Common ranges, means and deviations other than the declared ones, for so many channels, the commoner first."""
    common = {"[-1, 1]": (-1.0, 1.0), "[0, 1]": (0.0, 1.0)}
    found = {word: replace(declared, value_range=r, mean=None, std=None) for word, r in common.items()}
    known = {3: ("ImageNet", IMAGENET), 1: ("MNIST", MNIST)}.get(declared.channels or channels)
    if known is not None:
        name, (mean, std) = known
        found[f"{name} mean and std"] = replace(declared, value_range=(0.0, 1.0), mean=mean, std=std)
    found["[0, 255]"] = replace(declared, value_range=(0.0, 255.0), mean=None, std=None)
    return {word: reads for word, reads in found.items() if reads != declared}


def orders(declared: Preprocess) -> dict[str, Preprocess]:
    """Red and blue exchanged."""
    other = "rgb" if declared.order == "bgr" else "bgr"
    return {other: replace(declared, order=other)}


def resizes(declared: Preprocess) -> dict[str, Preprocess]:
    """The other ways of resizing."""
    return {mode: replace(declared, resize=mode) for mode in RESIZES if mode != declared.resize}


def sizes(declared: Preprocess, own: Size, given: Sequence[Size]) -> dict[str, Preprocess]:
    """The sizes that images come in, and half and twice the one that is read now."""
    near = [(side * own[0] // 2, side * own[1] // 2) for side in (1, 4)]
    found = [size for size in dict.fromkeys([*given, *near]) if size != own and max(size) <= LARGEST]
    return {f"{width}x{height}": replace(declared, size=(height, width)) for height, width in found}


def proposal(declared: Preprocess, other: Preprocess) -> Proposal:
    """What a spec would say to have ``other`` in place of ``declared``."""
    names = {"range": "value_range", "size": "size", "resize": "resize", "channels": "channels", "order": "order"}
    said: Proposal = {}
    for key, name in names.items():
        value = getattr(other, name)
        if value != getattr(declared, name):
            said[f"images.{key}"] = value
    for name, nothing in (("mean", 0.0), ("std", 1.0)):
        before, after = getattr(declared, name), getattr(other, name)
        if before != after:  # a spec cannot unsay a mean; zero says the same
            said[f"images.{name}"] = (nothing,) * len(before) if after is None else after
    return said


def reads(declared: Preprocess, said: Mapping[str, Any]) -> Preprocess:
    """``declared`` with what a proposal says of images; the inverse of `proposal`."""
    changes = {key.removeprefix("images."): value for key, value in said.items() if key.startswith("images.")}
    if "range" in changes:
        changes["value_range"] = changes.pop("range")
    return replace(declared, **changes)
