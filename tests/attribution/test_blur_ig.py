"""Integrated gradients along blurs against closed forms, another library's blur and a fine sum."""

from __future__ import annotations

import pytest
import torch
from scipy.fft import dctn
from scipy.ndimage import gaussian_filter
from torch import Tensor

from ganexplain import BlurIntegratedGradients, Critic, Frequency, Pixel, Region, Window
from ganexplain.attribution.methods.blur_integrated_gradients import POWER, Sharpening, cosines
from tests._critics import Linear, Spy, critic, critic_of_form, images, inputs
from tests.attribution._nets import Quadratic
from tests.attribution.test_integrated_gradients import smooth


def test_cosines_are_those_of_scipy() -> None:
    x = images(1, side=12).double()[0, 0, :7]
    ours = cosines(7) @ x @ cosines(12).T
    assert torch.allclose(ours, torch.from_numpy(dctn(x.numpy(), norm="ortho")), atol=1e-12)


@pytest.mark.parametrize("sigma", [1.5, 2.0, 5.0])
def test_the_blur_is_scipys_gaussian_with_mirrored_edges(sigma: float) -> None:
    x = images(2, side=20, channels=3).double()
    at = 1 - (sigma / 9) ** (1 / POWER)
    ours, _ = Sharpening(x, 9.0).at(torch.tensor([at, at], dtype=torch.float64), torch.tensor([0, 1]))
    theirs = gaussian_filter(x.numpy(), (0, 0, sigma, sigma), mode="reflect", truncate=9)
    assert torch.allclose(ours, torch.from_numpy(theirs), atol=1e-4)  # sampled and continuous Gaussians differ so much


@pytest.mark.parametrize("like", [images(2).double(), inputs("signal", 2).double()], ids=["images", "signals"])
def test_the_way_ends_at_the_input_and_its_velocity_is_its_derivative(like: Tensor) -> None:
    way, rows = Sharpening(like, 6.0), torch.tensor([0, 1])

    def at(t: float) -> tuple[Tensor, Tensor]:
        return way.at(torch.full((2,), t, dtype=torch.float64), rows)

    assert torch.allclose(at(1.0)[0], like, atol=1e-12)
    assert torch.allclose(at(0.0)[0], way.blurred(), atol=1e-12)
    assert torch.allclose(way.blurred().mean(-1), at(0.7)[0].mean(-1), atol=1e-12) or like.ndim == 4
    assert torch.allclose(way.blurred().flatten(2).mean(2), like.flatten(2).mean(2), atol=1e-12)  # nothing is lost
    for t in (0.0, 0.3, 0.9, 1.0):
        step = 1e-5
        slope = (at(min(t + step, 1))[0] - at(max(t - step, 0))[0]) / (min(t + step, 1) - max(t - step, 0))
        assert torch.allclose(at(t)[1], slope, atol=1e-3 * float(at(0.5)[1].abs().max()))


def test_linear_critics_get_what_the_blur_takes_away() -> None:
    weight = torch.randn(1, 3, 10, 10, generator=torch.Generator().manual_seed(0)).double()
    x = images(2, side=10, channels=3).double()
    found = BlurIntegratedGradients(Critic(Linear(weight)).double()).attribute(x, side="real")
    away = gaussian_filter(x.numpy(), (0, 0, 10, 10), mode="reflect", truncate=9)
    assert torch.allclose(found.values, weight * (x - torch.from_numpy(away)), atol=1e-6)
    assert torch.allclose(found.values, weight * (x - found.origins), atol=1e-12)
    assert float(found.gap.abs().max()) < 1e-12
    assert found.baseline == "full_blur"
    assert found.params["max_sigma"] == 10
    assert found.evaluations.tolist() == [33, 33]


@pytest.mark.parametrize("net", [smooth(), Quadratic()])
def test_values_are_those_of_a_fine_sum(net: torch.nn.Module) -> None:
    x = images(2).double()
    run = BlurIntegratedGradients(Critic(net), tol=1e-4)
    found = run.attribute(x, side="real")
    sigmas = torch.linspace(0, 8, 2001, dtype=torch.float64)  # another rule, and sigma itself as the parameter
    t, expected = 1 - (sigmas / 8) ** (1 / POWER), torch.zeros_like(x)
    for row in range(2):
        points, _ = Sharpening(x, 8.0).at(t, torch.full_like(t, row).long())
        leaf = points.clone().requires_grad_(True)
        (slope,) = torch.autograd.grad(net(leaf).sum(), leaf)
        expected[row] = -((slope[1:] + slope[:-1]) / 2 * (points[1:] - points[:-1])).sum(0)
    assert torch.allclose(found.values, expected, atol=1e-3 * float(expected.abs().max()))
    assert bool(found.converged.all())
    assert float(found.gap.abs().max()) <= 1e-4 * float(found.change.abs().max())


def test_points_are_reused() -> None:
    spy = Spy(smooth())
    run = BlurIntegratedGradients(Critic(spy), tol=1e-12, max_evaluations=90, batch_size=16)
    run.critic.fast(images(1).double())  # once for a critic
    spy.seen.batches.clear()
    found = run.attribute(images(2).double())
    assert spy.seen.rows == 2 * (90 + 3)
    assert found.evaluations.tolist() == [93, 93]
    assert max(spy.seen.batches) <= 16


def test_a_baseline_that_is_given_changes_nothing() -> None:
    x = images(2)
    one, two = (BlurIntegratedGradients(critic("plain"), baseline=b).attribute(x) for b in (None, "black"))
    assert torch.equal(one.values, two.values)
    assert torch.equal(one.origins, two.origins)
    many = BlurIntegratedGradients(critic("plain"), baseline=images(3, seed=4)[None])
    assert many.passes(64) == many.planned(64)
    assert torch.equal(many.attribute(x).values, one.values)


def test_the_domain_decides_what_is_a_neighbour() -> None:
    x = images(1)
    pixel, region = (BlurIntegratedGradients(critic("plain"), domain=d()).attribute(x) for d in (Pixel, Region))
    assert torch.equal(pixel.values, region.values)
    heard = inputs("signal", 1)
    signal = BlurIntegratedGradients(critic_of_form("signal"), domain=Window(n_windows=4)).attribute(heard)
    assert signal.values.shape == heard.shape
    for made in (
        BlurIntegratedGradients(critic("plain"), domain=Frequency()),
        BlurIntegratedGradients(critic_of_form("table")),
    ):
        with pytest.raises(ValueError, match="blurs what has neighbours in space or time, and the domain"):
            made.attribute(x if made.critic.form.ndim == 4 else inputs("table", 1))


def test_the_widest_blur_is_a_setting() -> None:
    run = BlurIntegratedGradients(critic("plain")).variant(max_sigma=2.5)
    found = run.attribute(images(1))
    assert found.params["max_sigma"] == 2.5
    assert float(found.origins.std()) > 0.05
    with pytest.raises(ValueError, match="max_sigma must be positive"):
        run.variant(max_sigma=0).attribute(images(1))
