"""The unit vector along which a score rises, by three estimators, and how well it tells codes that it never saw."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ganexplain import tensors
from ganexplain.latent.projection import project
from ganexplain.latent.scores import Scored

FOLDS = 5
SHARE = 0.1  # of the codes at either end that counts as extreme
PENALTIES = torch.logspace(-6, 4, 41, dtype=torch.double)  # of ridge, in units of the codes' mean variance times L
Z95 = 1.959963984540054
# folds share most of their training codes, so their errors are not independent: over random labels in 8 to 100
# dimensions the standard deviation of the accuracy was 1.21 to 1.31 times that of independent trials
SHARED = 1.3


@dataclass(frozen=True)
class Fit:
    """A linear predictor of the score: ``slope * (code @ vector) + offset``.

    Attributes:
        vector: (D,) of length 1, towards more of the attribute.
        slope: score per unit along the vector; None for estimators that predict no score.
        offset: score at the origin.
        penalty: what ridge chose.
    """

    vector: Tensor
    slope: float | None = None
    offset: float = 0.0
    penalty: float | None = None


Estimator = Callable[[Tensor, Tensor], Fit]
"""From codes (L, D) and their scores (L,), both float64, to a direction."""


@dataclass(frozen=True)
class Quality:
    """How well directions told codes apart that were not used to find them, over all folds.

    Attributes:
        accuracy: mean of the shares of codes with more and with less of the attribute that are told right; by chance
            it is one half.
        low: lower end of its 95 % interval.
        high: upper end.
        extremes: the same over the tenth of the codes with the most and the tenth with the least alone.
        auc: P(a code with more of the attribute lies further along the direction than one with less).
        r2: share of the score's variance that ridge predicts; None for other estimators, and where conditions were
            taken out of the direction.
        n: number of codes.
    """

    accuracy: float
    low: float
    high: float
    extremes: float
    auc: float
    r2: float | None
    n: int


def mean_difference(codes: Tensor, values: Tensor, *, share: float = SHARE) -> Fit:
    """From the mean of the codes with the least of the attribute to the mean of those with the most."""
    low, high = ends(values, share)
    return Fit(_unit(codes[high].mean(0) - codes[low].mean(0)))


def svm(codes: Tensor, values: Tensor, *, share: float = SHARE) -> Fit:
    """Normal of the linear support vector machine between the extremes (C = 1), as in InterFaceGAN."""
    from sklearn.svm import SVC

    low, high = ends(values, share)
    rows = torch.cat([low, high])
    side = torch.cat([torch.zeros(len(low)), torch.ones(len(high))])
    machine = SVC(kernel="linear", C=1.0).fit(codes[rows].numpy(), side.numpy())
    return Fit(_unit(torch.tensor(machine.coef_[0], dtype=torch.double)))


def ridge(codes: Tensor, values: Tensor) -> Fit:
    """Ridge regression of the score on all codes; the penalty has the least leave-one-out error.

    With centred codes X = U S V^T the weights are V (S^2 + p)^-1 S U^T y, and the leave-one-out residuals are the
    residuals over 1 - h, where h is the diagonal of the hat matrix with the mean's 1/L in it.
    """
    centre, middle = codes.mean(0), values.mean()
    U, S, Vh = torch.linalg.svd(codes - centre, full_matrices=False)
    along = U.T @ (values - middle)
    unit = float(S.square().sum()) / codes.shape[1]
    best, error = 0.0, math.inf
    for penalty in (unit * PENALTIES).tolist():
        shrink = S.square() / (S.square() + penalty)
        rest = values - middle - U @ (shrink * along)
        hat = U.square() @ shrink + 1 / len(values)
        left_out = float((rest / (1 - hat).clamp(min=1e-9)).square().mean())
        if left_out < error:
            best, error = penalty, left_out
    weight = Vh.T @ (S / (S.square() + best) * along)
    return Fit(_unit(weight), float(weight.norm()), float(middle - centre @ weight), best)


ESTIMATORS: dict[str, Estimator] = {"ridge": ridge, "svm": svm, "mean_difference": mean_difference}


def ends(values: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """Indices of the ``share`` of lowest and of highest values; of two-valued labels, all of either kind."""
    levels = sorted(set(values.tolist()))
    if len(levels) == 2:
        return (values == levels[0]).nonzero()[:, 0], (values == levels[1]).nonzero()[:, 0]
    order = values.argsort(stable=True)
    k = max(1, round(share * len(values)))
    return order[:k], order[-k:]


def more(values: Tensor) -> Tensor:
    """(L,) bool: above the median, so that halves are told apart; of two-valued labels, the higher one."""
    cut = values.median()
    return values > cut if bool((values > cut).any()) else values >= cut


def folds(values: Tensor, seed: int) -> Tensor:
    """(L,) fold of each code, from 0; low and high scores are spread evenly over the folds."""
    order = torch.from_numpy(tensors.rng(seed, "folds").permutation(len(values)))
    ranked = order[values[order].argsort(stable=True)]
    fold = torch.empty(len(ranked), dtype=torch.long)
    fold[ranked] = torch.arange(len(ranked)) % FOLDS
    return fold


def quality(scored: Scored, estimator: Estimator, seed: int, taken: Tensor | None = None) -> Quality:
    """Judge every code by a direction that was found without it.

    Args:
        scored: codes and their scores.
        estimator: finds the direction.
        seed: decides the folds.
        taken: (C, D) conditions that are taken out of each fold's direction. They come from all codes, which gives
            nothing away: they know no score of this attribute.
    """
    codes, values = scored.codes, scored.values
    fold = folds(values, seed)
    margins, predictions = torch.empty_like(values), torch.full_like(values, math.nan)
    for k in range(FOLDS):
        kept, held = fold != k, fold == k
        fit = estimator(codes[kept], values[kept])
        vector = fit.vector if taken is None else project(fit.vector[None], taken)[0][0]
        margins[held] = codes[held] @ vector - threshold(codes[kept] @ vector, more(values[kept]))
        if fit.slope is not None and taken is None:
            predictions[held] = fit.slope * (codes[held] @ vector) + fit.offset
    return judged(values, margins, predictions)


def judged(values: Tensor, margins: Tensor, predictions: Tensor) -> Quality:
    """The figures of held-out margins (L,) from the threshold and predictions (L,) of the score, NaN where none."""
    up, right = more(values), margins > 0
    accuracy, low, high = balanced(right[up], ~right[~up], SHARED)
    bottom, top = ends(values, SHARE)
    extremes = (right[top].double().mean() + (~right[bottom]).double().mean()) / 2
    difference = margins[up][:, None] - margins[~up][None]
    area = float((difference > 0).double().mean() + 0.5 * (difference == 0).double().mean())
    r2 = 1 - float((values - predictions).square().sum() / (values - values.mean()).square().sum())
    return Quality(accuracy, low, high, float(extremes), area, None if math.isnan(r2) else r2, len(values))


def balanced(up: Tensor, down: Tensor, widen: float = 1.0) -> tuple[float, float, float]:
    """Mean of two shares of rights, and its 95 % interval, ``widen`` times that of independent trials.

    The interval adds one success and one failure to either share (Agresti and Caffo 2000), which keeps its level where
    few are counted, or none is wrong.

    >>> few = torch.ones(10, dtype=torch.bool)
    >>> [round(x, 2) for x in balanced(few, few)]
    [1.0, 0.81, 1.0]
    """
    share = float(up.double().mean() + down.double().mean()) / 2
    padded = [((int(x.sum()) + 1) / (len(x) + 2), len(x) + 2) for x in (up, down)]
    centre = sum(p for p, _ in padded) / 2
    error = widen * math.sqrt(sum(p * (1 - p) / n for p, n in padded)) / 2
    return share, max(0.0, centre - Z95 * error), min(1.0, centre + Z95 * error)


def threshold(along: Tensor, up: Tensor) -> float:
    """Half-way between the mean positions of the codes with more and with less of the attribute."""
    return float(along[up].mean() + along[~up].mean()) / 2


def _unit(vector: Tensor) -> Tensor:
    length = float(vector.norm())
    if not length > 0:
        raise ValueError("the codes do not differ between more and less of the attribute; score other codes")
    return vector / length
