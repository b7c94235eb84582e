"""What each cell of a patch map sees of the image, found by trying: true for any network and any preprocessing.

Walking through kernels and strides knows nothing of resizing, reflected borders and functions without a module; and the
usual formula of centre and stride is wrong at the borders. Here the gradients of a row of cells say which rows of
pixels it sees, exactly: in float64 what is not seen has a gradient of zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ganexplain import checks, tensors
from ganexplain.models._holding import Holding
from ganexplain.models.critic import Critic
from ganexplain.models.forms import Images
from ganexplain.models.private import private_copy

FEW = 8  # lines of cells that are all tried; of more, some are, and the others follow from their regularity
MOST = 10  # probes: the image alone where lines are regular, else with noise until two in a row show nothing new
ROUNDING = 1e-12  # of the largest gradient: above what float64 leaves of a sum that is zero

Lines = tuple[Tensor, Tensor]  # (h, 2) first and last + 1 row of pixels by row of cells, and (w, 2) by column
Scan = Callable[[Tensor, Sequence[int], Sequence[int]], Lines]


@dataclass(frozen=True)
class Fields:
    """The receptive fields of the cells of a patch map, for images of one size.

    Attributes:
        boxes: (h, w, 4) int64 top, left, bottom, right in pixels of the image, bottom and right excluded, cut at its
            edge; all zero for a cell that sees nothing. Where norms over the whole map were held, what is seen beside.
        size: (height, width) of the largest.
        whole: every cell sees the whole image.
        inside: mean share of a cell's squared gradient inside its box where it sees the whole image through a norm or
            another statistic of the whole map; None where nothing is seen outside.
        held: the functions that spread the whole image into every cell, such as "instance_norm".
    """

    boxes: Tensor
    size: tuple[int, int]
    whole: bool
    inside: float | None = None
    held: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know, one sentence each."""
        if self.held and self.whole:
            by = " and ".join(self.held).replace("_", " ")
            share = f"{100 * self.inside:.0f} % of" if self.inside is not None else "part of"
            return (
                f"every cell sees the whole image through {by}; the fields are those of the convolutions alone, which "
                f"hold {share} the squared gradient",
            )
        if self.whole:
            return ("every cell sees the whole image, so a place means nothing",)
        return ()


def fields(critic: Critic, image: Tensor, *, batch_size: int = 64, seed: int = 0) -> Fields:
    """The receptive fields of a critic's cells for images as large as ``image``.

    Args:
        critic: a critic of images; one without a patch map has one cell.
        image: (1, C, H, W) in [-1, 1].
        batch_size: most images at a time, where gradients do not tell and pixels are changed instead.
        seed: of the noise that is tried beside the image.

    Raises:
        ValueError: the critic reads no images, or several were given.
    """
    if not isinstance(critic.form, Images) or len(checks.images(image, "image")) != 1:
        raise ValueError(f"receptive fields are found for one image (1, C, H, W), got {tuple(image.shape)}")
    exact, x = _in_double(critic, image.detach())
    shape = (*exact.cells(x).shape[1:], *x.shape[-2:])
    boxes, inside, held = None, None, frozenset[str]()
    if critic.differentiable:
        boxes, inside, held = _by_gradients(exact, x, shape, seed)
    if boxes is None:
        boxes = _boxes(_settled(_changes(exact, seed, batch_size), x, shape, seed))
    sizes = (boxes[..., 2:] - boxes[..., :2]).reshape(-1, 2).amax(0).tolist()
    whole = inside is not None or bool((boxes == boxes.new_tensor([0, 0, *shape[2:]])).all())
    return Fields(boxes, (sizes[0], sizes[1]), whole, inside, tuple(sorted(held)))


def _by_gradients(
    critic: Critic, image: Tensor, shape: tuple[int, ...], seed: int
) -> tuple[Tensor | None, float | None, frozenset[str]]:
    """Boxes, the share inside them, and what was held; no boxes where no gradient reaches the image."""
    holding = Holding()
    lines = _settled(_gradients(critic, seed, holding), image, shape, seed)
    if holding.held and _seen(lines):
        boxes = _boxes(lines)
        inside = _inside(critic, image, boxes)
        if inside is not None:
            return boxes, inside, frozenset(holding.held)
    if holding.held:
        lines = _settled(_gradients(critic, seed, nullcontext()), image, shape, seed)
    boxes = _boxes(lines)
    return boxes if _seen(lines) and _blind_outside(critic, image, boxes, seed) else None, None, frozenset()


def _blind_outside(critic: Critic, image: Tensor, boxes: Tensor, seed: int) -> bool:
    """Whether five cells stay as they are when all is changed that they do not see; not where a gradient was cut."""
    other = tensors.normal(seed, "outside", shape=tuple(image.shape)).to(image).clamp(-1, 1)
    changed = other.repeat(len(_five(boxes)), 1, 1, 1)
    for one, cell in zip(changed, _five(boxes), strict=True):
        top, left, bottom, right = boxes[cell].tolist()
        one[:, top:bottom, left:right] = image[0, :, top:bottom, left:right]
    before = _cells(critic, image)
    return not any(
        bool(_differ(before, _cells(critic, one[None]))[0][cell])
        for one, cell in zip(changed, _five(boxes), strict=True)
    )


def _five(boxes: Tensor) -> list[tuple[int, int]]:
    """The cell in the middle and those in the corners."""
    h, w = boxes.shape[:2]
    return sorted({(0, 0), (0, w - 1), (h // 2, w // 2), (h - 1, 0), (h - 1, w - 1)})


def _in_double(critic: Critic, image: Tensor) -> tuple[Critic, Tensor]:
    """The critic on a copy in float64, or as it is where it cannot be."""
    with torch.no_grad(), tensors.isolated():
        critic.cells(image)  # settles its tail
        twin = critic._variant(_fast=None)
        try:
            if isinstance(twin.network, nn.Module):
                twin.network = private_copy(twin.network).double()
            twin.cells(image.double())
        except (RuntimeError, TypeError):  # a program with constants of its own, or a device without float64
            return critic, image
    return twin, image.double()


def _gradients(critic: Critic, seed: int, holding: AbstractContextManager[Any]) -> Scan:
    """A scan by the gradients of whole lines of cells, each weighted at random so that nothing cancels."""

    def scan(probe: Tensor, rows: Sequence[int], columns: Sequence[int]) -> Lines:
        leaf = probe.clone().requires_grad_(True)
        with torch.enable_grad(), tensors.isolated(), holding:
            cells = critic.cells(leaf)[0]
        found = []
        for axis, tried in ((0, rows), (1, columns)):
            weights = tensors.normal(seed, "fields", shape=tuple(cells.shape)).to(cells)
            lines = _unseen(cells.shape[axis], probe.shape[2 + axis])
            for i in tried:
                place = i if axis == 0 else (slice(None), i)
                lines[i] = _ends(_slope((cells * weights)[place].sum(), leaf).amax(1 - axis), lines[i])
            found.append(lines)
        return found[0], found[1]

    return scan


def _changes(critic: Critic, seed: int, batch_size: int) -> Scan:
    """A scan by changing each line of pixels in turn, which needs no gradients."""

    def scan(probe: Tensor, rows: Sequence[int], columns: Sequence[int]) -> Lines:
        other = tensors.normal(seed, "changes", shape=tuple(probe.shape)).to(probe).clamp(-1, 1)
        found = []
        for axis in (0, 1):
            n = probe.shape[2 + axis]
            kept = torch.eye(n, dtype=torch.bool, device=probe.device).view(n, 1, *((n, 1) if axis == 0 else (1, n)))
            seen = [
                _differ(
                    _cells(critic, probe.expand(len(part), -1, -1, -1).clone()),
                    _cells(critic, torch.where(part, other, probe)),
                ).any(2 - axis)
                for part in torch.split(kept, max(1, batch_size))
            ]
            touched = torch.cat(seen).T.double()  # (cells, pixels)
            lines = _unseen(len(touched), n)
            for i in range(len(touched)):
                lines[i] = _ends(touched[i], lines[i])
            found.append(lines)
        return found[0], found[1]

    return scan


def _cells(critic: Critic, images: Tensor) -> Tensor:
    with torch.no_grad(), tensors.isolated():
        return critic.cells(images)


def _differ(before: Tensor, after: Tensor) -> Tensor:
    """(N, h, w) cells that changed; both were computed in the same place of a batch: same kernels, same noise."""
    found: Tensor = (after - before).abs() > 16 * torch.finfo(before.dtype).eps * before.abs().max()
    return found


def _settled(scan: Scan, image: Tensor, shape: tuple[int, ...], seed: int) -> Lines:
    """The lines that the image shows where they are regular, else those that any probe shows."""
    tried = [_some(shape[0]), _some(shape[1])]
    rows, columns = (
        _regular(lines, some, n) for lines, some, n in zip(scan(image, *tried), tried, shape[2:], strict=True)
    )
    if rows is not None and columns is not None:
        return rows, columns
    every = _united(scan, image, [list(range(n)) for n in shape[:2]], seed)
    return every[0] if rows is None else rows, every[1] if columns is None else columns


def _united(scan: Scan, image: Tensor, tried: list[list[int]], seed: int) -> Lines:
    """What any of the probes shows, until two in a row show nothing new: a dead unit hides what lies behind it."""
    rows, columns = scan(image, *tried)
    idle = 0
    for k in range(MOST - 1):
        probe = tensors.normal(seed, "probe", k, shape=tuple(image.shape)).to(image).clamp(-1, 1)
        more = [_union(a, b) for a, b in zip((rows, columns), scan(probe, *tried), strict=True)]
        same = torch.equal(more[0], rows) and torch.equal(more[1], columns)
        rows, columns = more
        idle = idle + 1 if same else 0
        if idle == 2:
            break
    return rows, columns


def _union(a: Tensor, b: Tensor) -> Tensor:
    return torch.stack([torch.minimum(a[:, 0], b[:, 0]), torch.maximum(a[:, 1], b[:, 1])], 1)


def _some(n: int) -> list[int]:
    """The lines of cells that are tried: two at each end and in the middle, and one at random."""
    if n <= FEW:
        return list(range(n))
    middle, drawn = n // 2, int(tensors.rng(0, "lines", n).integers(n))
    return sorted({0, 1, middle, middle + 1, n - 2, n - 1, drawn})


def _regular(lines: Tensor, tried: Sequence[int], length: int) -> Tensor | None:
    """All lines by one step, if every line that was tried lies where that says, cut at the edges; else None."""
    n, ends, steps = len(lines), [], set()
    for end, edge in ((0, 0), (1, length)):
        free = [i for i in tried if i + 1 in tried and edge not in lines[i : i + 2, end].tolist()]
        if not free:
            return None
        start = lines[free[0], end]
        step = lines[free[0] + 1, end] - start
        steps.add(int(step))
        ends.append((start + step * (torch.arange(n) - free[0])).clamp(0, length))
    said, some = torch.stack(ends, 1), list(tried)
    return said if len(steps) == 1 and torch.equal(said[some], lines[some]) else None


def _unseen(n: int, length: int) -> Tensor:
    """(n, 2) of lines that see nothing: they begin behind the end, and end before the start."""
    return torch.tensor([[length, 0]]).repeat(n, 1)


def _seen(lines: Lines) -> bool:
    return all(bool((part[:, 0] < part[:, 1]).any()) for part in lines)


def _ends(strength: Tensor, unseen: Tensor) -> Tensor:
    """First and last + 1 of what is seen in a line of (n,) strengths, or ``unseen``."""
    places = (strength > ROUNDING * strength.max()).nonzero()[:, 0]
    return torch.stack([places[0], places[-1] + 1]).cpu() if len(places) else unseen


def _slope(value: Tensor, leaf: Tensor) -> Tensor:
    """(H, W) largest absolute gradient of a channel."""
    if not value.requires_grad:
        return torch.zeros_like(leaf[0, 0])
    (gradient,) = torch.autograd.grad(value, leaf, retain_graph=True, allow_unused=True)
    return torch.zeros_like(leaf[0, 0]) if gradient is None else gradient[0].abs().amax(0)


def _boxes(lines: Lines) -> Tensor:
    rows, columns = lines
    top, bottom = rows[:, None].expand(-1, len(columns), -1).unbind(2)
    left, right = columns[None].expand(len(rows), -1, -1).unbind(2)
    boxes = torch.stack([top, left, bottom, right], 2)
    return boxes * ((top < bottom) & (left < right))[..., None]


def _inside(critic: Critic, image: Tensor, boxes: Tensor) -> float | None:
    """Mean share of squared gradient inside the boxes of five cells, or None unless they see the whole image."""
    leaf = image.clone().requires_grad_(True)
    with torch.enable_grad(), tensors.isolated():
        cells = critic.cells(leaf)[0]
    shares = []
    for i, j in _five(boxes):
        slope = _slope(cells[i, j], leaf)
        seen = slope > ROUNDING * slope.max()
        if not all(bool(edge.any()) for edge in (seen[0], seen[-1], seen[:, 0], seen[:, -1])):
            return None
        top, left, bottom, right = boxes[i, j].tolist()
        shares.append(float((slope[top:bottom, left:right] ** 2).sum() / (slope**2).sum()))
    return sum(shares) / len(shares)
