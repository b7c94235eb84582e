"""The random-matrix threshold against random matrices and against the closed form for equal rows."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ganexplain.latent.spectrum import Spectrum, random_edge
from ganexplain.tensors import rng


@pytest.mark.parametrize(("m", "d"), [(8192, 100), (300, 60), (50, 200)])
def test_equal_rows_give_the_edge_of_marchenko_and_pastur(m: int, d: int) -> None:
    edge = 2.0 * (1 + (m / d) ** 0.5) ** 2  # rows of squared length 2
    # Johnstone 2001: the largest eigenvalue fluctuates around it on this scale, of which the 95 % point is 0.98
    scale = 2.0 / d * (m**0.5 + d**0.5) * (m**-0.5 + d**-0.5) ** (1 / 3)
    assert random_edge(torch.full((m,), 2.0), d) == pytest.approx(edge + 0.9793 * scale, rel=1e-4)


@pytest.mark.parametrize("spread", [0.0, 0.3])
def test_few_random_matrices_exceed_the_threshold_and_most_come_near(spread: float) -> None:
    stream = rng(0, "matrices", str(spread))
    length = np.exp(spread * stream.standard_normal(400))
    threshold, tops = random_edge(torch.from_numpy(length**2), 40), []
    for _ in range(300):
        rows = stream.standard_normal((400, 40))
        rows *= (length / np.linalg.norm(rows, axis=1))[:, None]
        tops.append(np.linalg.eigvalsh(rows.T @ rows)[-1])
    # 95 % within the binomial error of 300 draws; unequal lengths in few dimensions only make it safer
    assert np.mean(np.array(tops) > threshold) < 0.09
    assert np.median(tops) > 0.9 * threshold
    assert np.max(tops) > 0.97 * threshold


def test_equal_eigenvalues_are_tied_and_distant_ones_are_not() -> None:
    def matrix(values: list[float]) -> torch.Tensor:
        rows = torch.linalg.qr(torch.from_numpy(rng(0, "q").standard_normal((400, 3))))[0]
        return rows * torch.tensor(values).double().sqrt()

    assert Spectrum.of(matrix([9.0, 9.0, 1.0]))[0].tied.tolist() == [True, True, False]
    assert Spectrum.of(matrix([9.0, 4.0, 1.0]))[0].tied.tolist() == [False, False, False]


def test_one_dimension_has_no_neighbour() -> None:
    found, vectors = Spectrum.of(torch.tensor([[3.0], [4.0]]))
    assert found.values.tolist() == [25.0]
    assert found.tied.tolist() == [False]
    assert vectors.tolist() == [[1.0]]
