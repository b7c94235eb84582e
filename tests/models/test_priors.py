"""Codes of each prior: moments by quadrature, edges, and more codes never change the first ones."""

import numpy as np
import pytest
import torch
from scipy import stats

from ganexplain.models import priors

EXACT = {"normal": stats.norm(), "uniform": stats.uniform(-1, 2), "truncated": stats.truncnorm(-2, 2)}


@pytest.mark.parametrize("prior", EXACT)
def test_coordinates_follow_the_distribution(prior):
    codes = priors.drawn(prior, 500, 40, seed=3)
    assert codes.shape == (500, 40)
    assert codes.dtype == torch.float32
    assert stats.kstest(codes.flatten().double().numpy(), EXACT[prior].cdf).pvalue > 0.01
    assert priors.deviation(prior) == pytest.approx(EXACT[prior].std(), abs=1e-9)
    assert float(codes.abs().max()) <= priors.EDGES.get(prior, np.inf)


def test_the_sphere_has_one_radius_and_all_ways_are_alike():
    codes = priors.drawn("sphere", 2000, 30, seed=1)
    assert codes.norm(dim=1).numpy() == pytest.approx(30**0.5, rel=1e-5)
    assert torch.cov(codes.T).numpy() == pytest.approx(np.eye(30), abs=0.12)
    assert priors.deviation("sphere") == 1.0


@pytest.mark.parametrize("prior", priors.PRIORS)
def test_more_codes_continue_the_first_ones(prior):
    assert torch.equal(priors.drawn(prior, 9, 5, seed=2)[:4], priors.drawn(prior, 4, 5, seed=2))
    assert not torch.equal(priors.drawn(prior, 4, 5, seed=2), priors.drawn(prior, 4, 5, seed=3))


def test_an_unknown_prior_is_named():
    with pytest.raises(ValueError, match="unknown prior 'gaussian'"):
        priors.drawn("gaussian", 1, 1, seed=0)
