"""Which eigenvalues of a Gram matrix stand out from those of a random matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

TRACY_WIDOM_95 = 0.9793  # 95 % point of the Tracy-Widom law of order 1: the fluctuation of a real largest eigenvalue


@dataclass(frozen=True)
class Spectrum:
    """Eigenvalues of A^T A beside what chance gives.

    Attributes:
        values: (d,) eigenvalues, descending.
        threshold: what the largest eigenvalue of a random matrix with the same row lengths exceeds in at most 5 % of
            cases. The outstanding directions add to these lengths, so the comparison is on the safe side.
        rows: effective number of rows, (sum of squared lengths)^2 / sum of fourth powers.
    """

    values: Tensor
    threshold: float
    rows: float

    @classmethod
    def of(cls, matrix: Tensor) -> tuple[Spectrum, Tensor]:
        """The spectrum of A^T A for A (m, d), and its eigenvectors (d, d) as rows, largest |component| positive.

        Raises:
            ValueError: the matrix is zero.
        """
        A = matrix.detach().double().cpu()
        energy = A.square().sum(1)
        if not float(energy.sum()) > 0:
            raise ValueError(
                "the first layer's weights are all zero, so no direction differs from another; load a trained generator"
            )
        values, vectors = torch.linalg.eigh(A.T @ A)
        values, vectors = values.flip(0).clamp(min=0), vectors.T.flip(0)
        largest = vectors.gather(1, vectors.abs().argmax(1, keepdim=True))
        rows = float(energy.sum() ** 2 / energy.square().sum())
        return cls(values, random_edge(energy, A.shape[1]), rows), vectors * largest.sign()

    @property
    def stands_out(self) -> Tensor:
        """(d,) bool: above the threshold."""
        return self.values > self.threshold

    @property
    def tied(self) -> Tensor:
        """(d,) bool: so close to a neighbour that the two directions may be any rotation of one another.

        The rule of North et al. (1982): the sampling error of an eigenvalue, ``value * sqrt(2 / rows)``, reaches its
        distance from the next one.
        """
        gap = (self.values[:-1] - self.values[1:]).abs()
        far = self.values.new_full((1,), torch.inf)
        nearest = torch.minimum(torch.cat([gap, far]), torch.cat([far, gap]))
        close: Tensor = nearest <= self.values * (2 / self.rows) ** 0.5
        return close

    def to_json(self) -> dict[str, Any]:
        """Plain numbers for a file."""
        return {
            "eigenvalues": [float(f"{v:.6g}") for v in self.values.tolist()],
            "median": float(f"{float(self.values.median()):.6g}"),
            "random_threshold": float(f"{self.threshold:.6g}"),
            "n_standing_out": int(self.stands_out.sum()),
        }


def random_edge(energy: Tensor, d: int) -> float:
    """95 % point of the largest eigenvalue of A^T A for rows of random direction in d dimensions.

    The upper edge is the minimum over -1/max(t) < s < 0 of the inverse Stieltjes transform
    ``z(s) = -1/s + sum_i t_i / (1 + s t_i) / d`` (Marchenko and Pastur 1967; Silverstein and Choi 1995), which for
    equal t is ``t (1 + sqrt(m/d))^2``. Around it the largest eigenvalue fluctuates on the scale ``(z'' / 2d^2)^(1/3)``
    (El Karoui 2007).

    Args:
        energy: (m,) squared lengths t_i of the rows.
        d: number of columns.
    """
    from scipy.optimize import minimize_scalar

    top = float(energy.max())
    t = energy.double()[energy > 0] / top

    def inverse_stieltjes(s: float) -> float:
        return float(-1 / s + (t / (1 + s * t)).sum() / d)

    least = minimize_scalar(inverse_stieltjes, bounds=(-1 + 1e-9, -1e-9), method="bounded", options={"xatol": 1e-10})
    s = float(least.x)
    curvature = float(-2 / s**3 + 2 * (t / (1 + s * t)).pow(3).sum() / d)
    scale = float((curvature / (2 * d * d)) ** (1 / 3))
    return top * (float(least.fun) + TRACY_WIDOM_95 * scale)
