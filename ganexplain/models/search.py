"""Search in a generator's codes: the code of an image, the smallest change that turns a verdict, the nearest sample.

All three run many restarts at once, keep codes where the prior has them, and say in numbers how well it went.
"""

from __future__ import annotations

from typing import Unpack

import torch
from torch import Tensor

from ganexplain import checks, tensors
from ganexplain.models._search_boundary import Boundary, crossed
from ganexplain.models._search_descent import Judged, Nearness, descend
from ganexplain.models._search_found import Crossing, Effort, Ending, Inversion
from ganexplain.models._search_newton import COST, refined
from ganexplain.models._search_support import Support
from ganexplain.models.critic import Critic
from ganexplain.models.generator import Generator

__all__ = ["Crossing", "Effort", "Inversion", "cross", "invert", "nearest_judged"]

GOOD, FAIR = 0.05, 0.15  # shares of the samples' variance that an inversion may leave
NEAR = 0.25  # of the median distance of two samples' codes, below which two restarts found the same code
NO_NEARER = 0.8  # of the nearest random sample's distance: a search that ends above found nothing of its own
NOTHING = 0.01  # share of variance below which it does not matter
FEW = 4  # restarts of a search that is part of another
CLOSE = 1.1  # times the shortest distance, within which a restart agrees


def invert(generator: Generator, images: Tensor, *, space: str | None = None, **effort: Unpack[Effort]) -> Inversion:
    """The codes of images (N, C, H, W) in [-1, 1], or of rows or signals, by least squares.

    Args:
        generator: a conditional one draws its own class, see `Generator.given`.
        images: of the generator's size.
        space: latent space to search; None takes z. Outside z the search stays within the samples' own spread.
        **effort: ``n_restarts`` 16, ``steps`` 200, ``seed`` 0, ``batch_size`` 64. A quarter of the steps is descent;
            the better quarter of the restarts, at least four, then takes a tenth of them damped Gauss-Newton steps.

    Raises:
        ValueError: images of a shape that the generator does not make.
    """
    n_restarts, steps, seed, batch_size = _settled(effort, n_restarts=16, steps=200)
    with tensors.isolated(seed), torch.enable_grad():
        support = Support(generator, space or "z", seed=seed, batch_size=batch_size)
        near = Nearness(support, images)
        sampled, start = near.nearest(n_restarts)
        codes, loss = _fitted(near, start, steps)
        best = loss.argmin(1)
        code = codes[torch.arange(len(codes), device=codes.device), best]
        made = support.render(code)
    error = loss.min(1).values.double().sqrt()
    left = error.square() / near.variance
    apart = (codes - code[:, None]).double().norm(dim=2) / support.typical
    return Inversion(
        codes=code.to(images.device),
        images=made.to(images),
        error=error.cpu(),
        psnr=(20 * torch.log10(near.peak / error.clamp(min=1e-12))).cpu(),
        quality=tuple(map(_word, left.tolist(), (error / sampled.clamp(min=1e-12)).tolist())),
        unexplained=left.cpu(),
        sampled=sampled.cpu(),
        agreement=(((apart <= NEAR).double().sum(1) - 1) / max(loss.shape[1] - 1, 1)).cpu(),
        plausible=support.plausible(code).cpu(),
        space=support.space,
        evaluations=n_restarts * (_descents(steps) + 1) + loss.shape[1] * (COST * _refinements(steps) + 1),
    )


def cross(
    generator: Generator,
    critic: Critic,
    codes: Tensor,
    *,
    side: str,
    space: str | None = None,
    **effort: Unpack[Effort],
) -> Crossing:
    """The smallest change of codes (N, D) after which the critic judges their images for ``side``.

    Smallest in Euclidean length, in standard deviations of the prior: what structural reliability calls the most
    probable point of failure. From the code itself, random ones about it and where the ways to the nearest samples of
    that side cross the boundary, a minimum-norm descent (Pintor et al. 2021) and then the iteration of Hasofer and Lind
    (1974) and Rackwitz and Fiessler (1978) with a merit function (Zhang and Der Kiureghian 1995) come nearer, and a
    bisection ends just across. For a linear critic of a linear generator the distance is
    |logit - threshold| / |gradient|. Codes leave no cube or sphere of the prior.

    Args:
        generator: what the codes belong to.
        critic: whose verdict is to turn.
        codes: in ``space``.
        side: "real" or "fake", what the verdict is to become.
        space: of the codes; None is z.
        **effort: ``n_restarts`` 6, ``steps`` 20 of the iteration, after twice as many of the descent, ``seed`` 0,
            ``batch_size`` 64.

    Raises:
        ValueError: codes of another width.
    """
    n_restarts, steps, seed, batch_size = _settled(effort, n_restarts=6, steps=20)
    sign = checks.side(side)
    with tensors.isolated(seed), torch.enable_grad():
        support = Support(generator, space or "z", seed=seed, batch_size=batch_size)
        width = support.codes.shape[1]
        if codes.ndim != 2 or codes.shape[1] != width or not len(codes):
            raise ValueError(f"codes in {support.space} must have the shape (N, {width}), got {tuple(codes.shape)}")
        start = checks.finite(codes, "codes").detach().to(support.codes)
        boundary = Boundary(support, critic, sign, start)
        found, ways = crossed(boundary, n_restarts, steps)
    distance = (found - start).double().norm(dim=1) / support.deviation
    agree = (ways <= CLOSE * distance[:, None] + 1e-9).double().mean(1)
    used = -(-boundary.evaluations // len(codes))
    return _crossing(support, critic, found, Ending(side, distance, agree, "standard deviations", used))


def nearest_judged(
    generator: Generator, critic: Critic, images: Tensor, *, side: str = "real", **effort: Unpack[Effort]
) -> Crossing:
    """The sample nearest to each image, by root mean square, that the critic judges for ``side``.

    Descent of the squared error under the constraint, whose weight rises while it is broken and falls while it is kept
    (a method of multipliers): from the image's own code, from where the verdict turns beside it, and from those samples
    of that side that are nearest.

    Args:
        generator: what makes the samples.
        critic: who judges them.
        images: (N, C, H, W) in [-1, 1] of the generator's size, or rows or signals.
        side: "real" or "fake".
        **effort: ``n_restarts`` 4 nearest samples, ``steps`` 100, ``seed`` 0, ``batch_size`` 64.

    Raises:
        ValueError: images of a shape that the generator does not make.
    """
    n_restarts, steps, seed, batch_size = _settled(effort, n_restarts=4, steps=100)
    sign = checks.side(side)
    with tensors.isolated(seed), torch.enable_grad():
        support = Support(generator, "z", seed=seed, batch_size=batch_size)
        near = Nearness(support, images)
        own, spent = _own_and_across(near, critic, sign, 3 * steps // 2)
        judged = Judged(near, critic, sign, n_restarts + 2)
        start = torch.cat([own, near.nearest(n_restarts, judged.allowed)[1]], 1)
        rows = torch.arange(start.shape[0] * start.shape[1], device=start.device)
        codes, rank = descend(support, start.flatten(0, 1), rows, judged, steps)
        codes, rank = codes.view(start.shape), rank.view(start.shape[:2])
        index = torch.arange(len(codes), device=codes.device)
        code = codes[index, rank.argmin(1)]
        distance = near(support.render(code), index).double().sqrt()
    agree = (rank.double().sqrt() <= CLOSE * distance[:, None]).double().mean(1)
    used = spent + start.shape[1] * (steps + 1)
    return _crossing(support, critic, code, Ending(side, distance, agree, "rms", used))


def _own_and_across(near: Nearness, critic: Critic, sign: int, steps: int) -> tuple[Tensor, int]:
    """(N, 2, D) the codes of the targets, and those where the critic's verdict turns beside them; and what it took."""
    codes, loss = _fitted(near, near.nearest(3 * FEW)[1], steps)
    code = codes[torch.arange(len(codes), device=codes.device), loss.argmin(1)]
    boundary = Boundary(near.support, critic, sign, code)
    found, _ = crossed(boundary, FEW, _refinements(steps))
    spent = FEW * (3 * _descents(steps) + COST * _refinements(steps) + 2) - (-boundary.evaluations // len(code))
    return torch.stack([code, found], 1), spent


def _crossing(support: Support, critic: Critic, codes: Tensor, end: Ending) -> Crossing:
    made = support.render(codes)
    verdict = critic.judge(made, batch_size=support.batch_size)
    return Crossing(
        codes=codes,
        images=made,
        logits=verdict.logit,
        distance=end.distance,
        flipped=verdict.is_fake if end.side == "fake" else ~verdict.is_fake,
        plausible=support.plausible(codes),
        agreement=end.agreement,
        space=support.space,
        unit=end.unit,
        evaluations=end.evaluations,
    )


def _fitted(near: Nearness, start: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """Codes (N, K, D) and squared errors (N, K) of the K restarts that went all the way."""
    n, each, width = start.shape
    rows = torch.arange(n, device=start.device)

    def objective(piece: Tensor, which: Tensor, step: int) -> tuple[Tensor, Tensor]:
        loss = near(near.support.draw(piece), which)
        return loss, loss

    flat = start.flatten(0, 1)
    codes, loss = descend(near.support, flat, rows.repeat_interleave(each), objective, _descents(steps))
    kept = _finalists(each)
    index = loss.view(n, each).topk(kept, dim=1, largest=False).indices
    codes = codes.view(start.shape).gather(1, index[..., None].expand(-1, -1, width))
    codes, loss = refined(near, codes.flatten(0, 1), rows.repeat_interleave(kept), _refinements(steps))
    return codes.view(n, kept, width), loss.view(n, kept)


def _descents(steps: int) -> int:
    return max(1, steps // 4)


def _refinements(steps: int) -> int:
    return max(1, steps // 10)


def _finalists(n_restarts: int) -> int:
    return min(max(4, n_restarts // 4), n_restarts)


def _word(left: float, gain: float) -> str:
    """The word for a share of variance that is left and for the error over that of the nearest random sample."""
    if left > FAIR or (gain > NO_NEARER and left > NOTHING):
        return "poor"
    return "good" if left <= GOOD else "fair"


def _settled(effort: Effort, *, n_restarts: int, steps: int) -> tuple[int, int, int, int]:
    for word in effort:
        if word not in Effort.__annotations__:
            raise TypeError(f"a search has no argument {word!r}; it takes {', '.join(Effort.__annotations__)}")
    found = n_restarts, steps, 0, 64
    names = ("n_restarts", "steps", "seed", "batch_size")
    made = [int(effort.get(name, default)) for name, default in zip(names, found, strict=True)]  # type: ignore[call-overload]
    for name, value in zip(names, made, strict=True):
        if name != "seed":
            checks.positive(value, name)
    return made[0], made[1], made[2], made[3]
