"""Joint conditional projection against the formula, the pseudoinverse and planted factors at an angle."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from ganexplain import Boundary, Directions, tensors
from ganexplain.evaluation.selectivity import responses
from ganexplain.latent.projection import project, selective
from tests.latent._planted import FACTORS, Planted, attribute, axes, measured


def some(k: int, d: int = 12, seed: int = 0) -> torch.Tensor:
    return normalize(tensors.normal(seed, "vectors", shape=(k, d)).double(), dim=1)


def given(vectors: torch.Tensor, names: tuple[str, ...] = ()) -> Directions:
    return Directions(normalize(vectors, dim=1).float(), torch.ones(len(vectors)), names=names)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_projection_is_the_formula_and_orthogonal_to_every_condition(count: int) -> None:
    n, C = some(3), some(count, seed=1) * 2.5
    found, left = project(n, C)
    c = C.numpy()
    raw = n.numpy() - (c.T @ np.linalg.solve(c @ c.T, c @ n.numpy().T)).T
    np.testing.assert_allclose(left.numpy(), np.linalg.norm(raw, axis=1), atol=1e-12)
    np.testing.assert_allclose(found.numpy(), raw / np.linalg.norm(raw, axis=1, keepdims=True), atol=1e-12)
    assert float((found @ normalize(C, dim=1).T).abs().max()) < 1e-12


def test_dependent_and_repeated_conditions_take_out_their_span_once() -> None:
    n, C = some(2), some(3, seed=1)
    twice = torch.cat([C, C[:1] + C[1:2], 1e-9 * C[2:]])
    torch.testing.assert_close(project(n, twice)[0], project(n, C)[0], atol=1e-10, rtol=0)
    nearly = torch.cat([C, C + 1e-3 * some(3, seed=2)])  # independent all the same, if barely
    assert float((project(n, nearly)[0] @ normalize(nearly, dim=1).T).abs().max()) < 1e-6


def test_one_after_the_other_would_not_be_orthogonal_to_all() -> None:
    n, C = some(1), normalize(some(2, seed=1) + 1.0, dim=1)
    step = project(project(n, C[:1])[0], C[1:])[0]
    assert float((step @ C[0]).abs()) > 0.05
    assert float((project(n, C)[0] @ C.T).abs().max()) < 1e-12


def test_selective_directions_are_the_columns_of_the_pseudoinverse() -> None:
    n = normalize(some(5) + 0.4, dim=1)
    found, left = selective(n)
    columns = np.linalg.pinv(n.numpy()).T
    np.testing.assert_allclose(found.numpy(), columns / np.linalg.norm(columns, axis=1, keepdims=True), atol=1e-10)
    np.testing.assert_allclose(left.numpy(), 1 / np.linalg.norm(columns, axis=1), atol=1e-10)
    product = found @ n.T
    assert float((product - product.diag().diag()).abs().max()) < 1e-6
    assert float(product.diag().min()) > 0  # up is still more of the attribute
    alone, whole = selective(n[:1])
    torch.testing.assert_close(alone, n[:1])
    assert whole.tolist() == [1.0]


def test_what_cannot_be_separated_is_named_with_its_number() -> None:
    a = torch.tensor([[1.0, 0.0, 0.0]])
    b = torch.tensor([[0.98, 0.2, 0.0]])
    left = float(project(a, b)[1])
    with pytest.warns(UserWarning, match=rf"'smile' cannot be separated from 'mouth': only {left:.2f} of its length"):
        given(a, ("smile",)).without(given(b, ("mouth",)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kept = given(torch.tensor([[1.0, 1.0, 0.0]]), ("smile",)).without(torch.tensor([[0.0, 1.0, 0.0]]))
    assert kept.params["residual"] == [pytest.approx(0.5**0.5, rel=1e-5)]
    torch.testing.assert_close(kept.vectors, a)
    with pytest.raises(ValueError, match="nothing is left of direction 0"):
        given(a).without(a)
    with pytest.raises(ValueError, match="3 directions span only 2 dimensions"):
        given(torch.cat([a, b, a + b])).selective()
    with pytest.raises(ValueError, match=r"conditions must have the shape \(C, 3\), got \(1, 4\)"):
        given(a).without(torch.ones(1, 4))


def test_conditions_of_another_space_or_generator_are_refused() -> None:
    one, other = given(some(2)), given(some(2, seed=1))
    with pytest.raises(ValueError, match="live in 'w', the directions in 'z'"):
        one.without(replace(other, space="w"))
    with pytest.raises(ValueError, match="found in another generator"):
        replace(one, fingerprint="0" * 16).without(replace(other, fingerprint="1" * 16))
    with pytest.raises(ValueError, match="hand in the generator as well"):
        replace(one, space="w").selective()


def test_outside_z_the_scale_is_measured_anew() -> None:
    class Stretched(Planted):
        spaces = ("z", "w")

        def encode(self, codes: torch.Tensor, to: str, **_: object) -> torch.Tensor:
            return codes * torch.linspace(1, 4, self.z_dim) if to == "w" else codes

    generator = Stretched(0.0)
    d = generator.z_dim
    vectors = normalize(torch.eye(d)[[0, d - 1]] + 0.5 * torch.eye(d)[[d - 1, 0]], dim=1)
    alone = Directions(vectors, torch.ones(2), space="w").selective(generator)
    # orthogonal to (1, .5) is (-.5, 1), whose codes vary by sqrt(.2 * 1 + .8 * 16)
    assert alone.scale.tolist() == pytest.approx([(0.8 * 1 + 0.2 * 16) ** 0.5, (0.2 * 1 + 0.8 * 16) ** 0.5], rel=0.05)


def test_a_projected_set_forgets_what_was_measured_on_the_old_vectors() -> None:
    before = Directions(
        some(2).float(), torch.ones(2), torch.tensor([0.9, 0.8]), params={"auc": [0.9, 0.8]}, stands_out=(True, True)
    )
    after = before.selective()
    assert (after.strength, after.stands_out) == (None, None)
    assert "auc" not in after.params
    assert after.params["before"] == {"auc": [0.9, 0.8]}
    assert after.names == before.names


@pytest.fixture(scope="module")
def oblique() -> Planted:
    return Planted(0.5)


def test_the_planted_factors_are_what_they_are_said_to_be(oblique: Planted) -> None:
    codes = oblique.sample(400, seed=7)
    read, true = measured(oblique.render(codes)), oblique.factors(codes).double()
    for k, name in enumerate(FACTORS):
        assert float(torch.corrcoef(torch.stack([read[:, k], true[:, k]]))[0, 1]) > 0.98, name
    gram = axes(0.5) @ axes(0.5).T
    assert float(gram[0, 1]) == pytest.approx(0.5)


def test_joint_projection_moves_one_planted_factor_alone_where_the_boundary_does_not(oblique: Planted) -> None:
    raw = Boundary({name: attribute(name) for name in FACTORS}, n_codes=2000).fit(oblique).directions_
    joint = raw.selective()
    codes = oblique.sample(64, seed=99)
    before, after = (responses(d, oblique, measured, codes) for d in (raw, joint))
    assert float((raw.vectors.double() @ axes(0.5).T).diag().abs().min()) > 0.98  # the gradients, as they should be
    assert 0.5 < before.score < 0.75
    assert after.score >= 0.95
    assert after.matched()[0].tolist() == list(range(len(FACTORS)))


def test_orthogonal_factors_need_no_projection() -> None:
    generator = Planted(0.0)
    raw = Boundary({name: attribute(name) for name in FACTORS}, n_codes=2000).fit(generator).directions_
    assert responses(raw, generator, measured, generator.sample(64, seed=99)).score > 0.9
