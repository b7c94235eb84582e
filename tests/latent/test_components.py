"""Principal components against scikit-learn, from covariance matrices and from sketches."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from ganexplain.latent import components
from ganexplain.latent.components import Components, tied, varimax
from ganexplain.tensors import rng


def data(n: int, d: int, seed: int = 0) -> Tensor:
    """Rows with a decaying spectrum, some noise, and a mean that is large beside their spread."""
    stream = rng(seed, "data", n, d)
    inner = min(n, d, 60)
    rows = stream.standard_normal((n, inner)) * np.exp(-np.arange(inner) / 12)
    mixed = rows @ stream.standard_normal((inner, d)) + 0.05 * stream.standard_normal((n, d))
    return torch.from_numpy(mixed + 1e3 * stream.standard_normal(d))


def pieces(rows: Tensor, size: int = 64) -> Callable[[], Iterator[Tensor]]:
    return lambda: iter(torch.split(rows, size))


@pytest.mark.parametrize(("n", "d"), [(500, 40), (30, 200), (300, 2500), (20, 2500)])
def test_equal_to_scikit_learns_exact_solver(n: int, d: int) -> None:
    from sklearn.decomposition import PCA

    rows = data(n, d)
    k = min(8, n - 1)
    found = Components.of(pieces(rows), k)
    # covariance_eigh forms the D x D matrix, too slow for the wide ones: there the SVD of the data is the oracle
    oracle = PCA(k, svd_solver="covariance_eigh" if d <= components.EXACT else "full").fit(rows.numpy())
    assert found.solver == ("covariance" if d <= components.EXACT else "krylov")
    np.testing.assert_allclose(found.variances, oracle.explained_variance_, rtol=1e-6)
    cosines = np.abs((found.vectors.numpy() * oracle.components_).sum(1))
    np.testing.assert_allclose(cosines, 1, atol=1e-6)
    assert found.total == pytest.approx(float(rows.var(0).sum()), rel=1e-9)
    scores = np.abs(found.scores(rows).numpy())
    np.testing.assert_allclose(
        scores, np.abs(oracle.transform(rows.numpy()) / oracle.explained_variance_**0.5), atol=1e-4
    )


def test_a_sketch_of_a_flat_spectrum_converges_too_and_is_compressed_on_the_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = torch.from_numpy(rng(0, "flat").standard_normal((150, 2100)))
    expected = torch.linalg.svdvals(rows - rows.mean(0)).square()[:6] / 149
    monkeypatch.setattr(components, "BLOCKS", 3)
    found = Components.of(pieces(rows), 6)
    assert found.solver == "krylov"
    assert found.residual <= components.TOLERANCE
    torch.testing.assert_close(found.variances, expected, rtol=1e-9, atol=0)


@pytest.mark.parametrize("d", [30, 2100])
def test_pieces_and_seed_change_no_component(d: int) -> None:
    rows = data(200, d)
    one, two = Components.of(pieces(rows, 7), 5), Components.of(pieces(rows, 200), 5, seed=1)
    torch.testing.assert_close(one.variances, two.variances, rtol=1e-9, atol=0)
    torch.testing.assert_close((one.vectors * two.vectors).sum(1).abs(), torch.ones(5).double(), rtol=0, atol=1e-9)
    assert torch.equal(Components.of(pieces(rows, 7), 5).vectors, one.vectors)


@pytest.mark.parametrize("d", [30, 2100])
def test_components_without_variance_are_left_out(d: int) -> None:
    rows = data(50, 3) @ torch.from_numpy(rng(1, "map").standard_normal((3, d)))
    assert len(Components.of(pieces(rows), 9).variances) == 3


def test_a_sketch_never_holds_the_matrix_nor_the_data() -> None:
    rows = data(100, 2100).float()
    largest = 0

    def watched() -> Iterator[Tensor]:
        nonlocal largest
        for piece in torch.split(rows, 10):
            largest = max(largest, len(piece))
            yield piece

    found = Components.of(watched, 4)
    assert largest == 10
    assert found.vectors.shape == (4, 2100)


def test_what_has_no_component_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 different vectors, got 5 with total variance 0"):
        Components.of(pieces(torch.ones(5, 3)), 1)
    with pytest.raises(ValueError, match="got 1 with"):
        Components.of(pieces(torch.ones(1, 3)), 1)


def test_variances_are_tied_that_other_data_do_not_tell_apart() -> None:
    rows = rng(0, "squares").standard_normal((400, 4)) * [3, 1, 1, 0.2]
    assert tied(torch.from_numpy(rows**2)).tolist() == [False, True, True, False]
    assert tied(torch.from_numpy(rows[:, 1:][:, ::-1].copy() ** 2)).tolist() == [True, True, True]  # in the wrong order
    assert tied(torch.ones(5, 1)).tolist() == [False]


def test_varimax_finds_sparse_loadings_again_and_ends_where_no_pair_can_be_turned() -> None:
    sparse = torch.block_diag(*(torch.from_numpy(rng(i, "block").uniform(1, 2, (6, 1))) for i in range(4)))
    mixed = sparse @ torch.linalg.qr(torch.from_numpy(rng(0, "mix").standard_normal((4, 4))))[0]
    rotation = varimax(mixed)
    torch.testing.assert_close(rotation @ rotation.T, torch.eye(4).double())
    # each column is one block's, up to sign and order
    match = (nn_normal(mixed @ rotation).T @ nn_normal(sparse)).abs()
    torch.testing.assert_close(match.max(1).values, torch.ones(4).double(), rtol=0, atol=1e-6)

    noisy = torch.from_numpy(rng(0, "loadings").standard_normal((40, 3)))
    best = criterion(noisy @ varimax(noisy))
    for i, j in ((0, 1), (0, 2), (1, 2)):
        for angle in (-0.05, 0.05):
            turn = torch.eye(3).double()
            turn[i, i] = turn[j, j] = np.cos(angle)
            turn[i, j], turn[j, i] = -np.sin(angle), np.sin(angle)
            assert criterion(noisy @ varimax(noisy) @ turn) < best


def nn_normal(columns: Tensor) -> Tensor:
    return columns / columns.norm(dim=0)


def criterion(loadings: Tensor) -> float:
    """Kaiser's: the variance of the squared loadings, summed over columns."""
    return float(loadings.square().var(0, correction=0).sum())
