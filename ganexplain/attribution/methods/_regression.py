"""Weighted least squares with standard errors that hold when the model is not linear."""

from __future__ import annotations

from torch import Tensor


def sandwich(design: Tensor, residual: Tensor, weight: Tensor, bread: Tensor) -> Tensor:
    """(P,) standard errors of weighted least squares coefficients, robust to lack of fit.

    A coalition game is no linear model: the residuals are misfit, not noise of one variance, so the textbook error is
    wrong. This is White's estimator with the leverage correction HC3 of MacKinnon and White (1985).

    Args:
        design: (M, P).
        residual: (M,).
        weight: (M,).
        bread: (P, P) inverse of the design's weighted Gram matrix, with the ridge where there is one.
    """
    moved = design @ bread
    leverage = weight * (moved * design).sum(1)
    # bounded, so that a saturated design cannot explode
    influence = moved * (weight * residual / (1 - leverage.clamp(max=0.9)))[:, None]
    return influence.square().sum(0).sqrt()
