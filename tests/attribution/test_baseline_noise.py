"""Noise as a baseline: its values, its spectrum, and what it is drawn from."""

from __future__ import annotations

import pytest
import torch

from ganexplain.attribution.baselines import origin_of
from ganexplain.attribution.baselines.noise import Noise, surrogates
from tests._critics import critic, critic_of_form, images, inputs

X = images(2, channels=3, side=16).double()


def made(noise: Noise, x: torch.Tensor = X) -> torch.Tensor:
    many = origin_of(critic("plain"), x, noise).many
    assert many is not None
    return many


def power(x: torch.Tensor) -> torch.Tensor:
    return torch.fft.rfft2(x).abs()


def test_phase_noise_has_the_values_and_nearly_the_spectrum_of_the_image() -> None:
    many = made(Noise(4))
    for row in range(2):
        for noise in many[row]:
            assert torch.allclose(noise.flatten(1).sort().values, X[row].flatten(1).sort().values)
            off = (power(noise) - power(X[row])).norm() / power(X[row]).norm()
            white = (power(noise.flatten(1)[:, torch.randperm(256)].view(3, 16, 16)) - power(X[row])).norm()
            assert float(off) < 0.1
            assert float(off) < 0.3 * float(white / power(X[row]).norm())
            layout = torch.corrcoef(torch.stack([noise.flatten(), (X[row] - 0).flatten()]))[0, 1]
            assert abs(float(layout)) < 0.8


def test_the_layout_is_gone_on_average() -> None:
    x = X - X.mean((2, 3), keepdim=True)
    many = surrogates(x, torch.randn(40, 3, 16, 16, generator=torch.Generator().manual_seed(0)).double())
    along = (many * x[:, None]).flatten(2).sum(2) / x.square().flatten(1).sum(1)[:, None]
    assert float(along.mean(1).abs().max()) < 4 * float(along.std() / 40**0.5)
    assert not torch.allclose(many[:, 0], many[:, 1])


def test_grey_stays_grey_and_plain_stays_plain() -> None:
    grey = X[:, :1].expand(-1, 3, -1, -1)
    many = made(Noise(2), grey.contiguous())
    assert torch.allclose(many[:, :, 0], many[:, :, 2])
    plain = torch.full((1, 1, 8, 8), 0.3)
    assert torch.allclose(made(Noise(2), plain), plain[:, None])


def test_gaussian_and_uniform() -> None:
    many = made(Noise(200, kind="gaussian"), X * 0.2)
    assert torch.allclose(many.mean((1, 3, 4)), 0.2 * X.mean((2, 3)), atol=0.01)
    assert torch.allclose(many.std((1, 3, 4)), 0.2 * X.std((2, 3)), rtol=0.03)
    flat = made(Noise(50, kind="uniform"))
    assert len(flat) == 1  # the same for all images
    assert float(flat.std()) == pytest.approx(2 / 12**0.5, rel=0.02)
    assert float(flat.mean()) == pytest.approx(0, abs=0.02)
    line = inputs("signal", 2)
    ranged = origin_of(critic_of_form("signal"), line, Noise(8, kind="uniform")).many
    assert ranged is not None
    assert bool((ranged >= line.amin(2, keepdim=True)[:, None] - 1e-4).all())
    assert bool((ranged <= line.amax(2, keepdim=True)[:, None] + 1e-4).all())
    assert origin_of(critic_of_form("signal"), line, Noise(8)).many.shape == (2, 8, *line.shape[1:])  # type: ignore[union-attr]


def test_more_members_continue_the_first_ones_and_a_seed_changes_them() -> None:
    assert torch.equal(made(Noise(2)), made(Noise(5))[:, :2])
    assert not torch.equal(made(Noise(2)), made(Noise(2, seed=1)))
    with pytest.raises(ValueError, match="unknown kind of noise 'pink'"):
        Noise(kind="pink")
    with pytest.raises(ValueError, match="n must be positive"):
        Noise(0)
