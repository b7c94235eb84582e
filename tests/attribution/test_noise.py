"""SmoothGrad and VarGrad on known draws, against captum, and with errors that hold."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor

from ganexplain import Critic, IntegratedGradients, KernelShap, Pixel, Saliency, SmoothGrad, VarGrad
from ganexplain.attribution import players as groups
from ganexplain.tensors import normal
from tests._critics import SIDE, Linear, Spy, critic, images
from tests.attribution._nets import Quadratic

QUIET = pytest.mark.filterwarnings("ignore:vargrad has no sign")


def drawn(x: Tensor, n: int, seed: int = 0) -> Tensor:
    """(n, 1, C, H, W) what is added to every image."""
    noise = torch.stack([normal(seed, "noise", k, shape=tuple(x.shape[1:])) for k in range(n)])
    return 0.3 * noise.to(x)[:, None]


@QUIET
@pytest.mark.parametrize("n", [3, 50])
def test_mean_and_variance_are_those_of_numpy_on_the_same_draws(n: int) -> None:
    on, x = critic("plain", double=True), images(2).double()
    noisy = x + drawn(x, n)
    maps = Saliency(on, baseline="black").attribute(noisy.flatten(0, 1).clamp(-1, 1)).values  # its check of the range
    chart = Pixel().bind(on, x, "black")
    rows = torch.arange(2)
    maps = np.stack([chart.gradient(one, rows).numpy() for one in noisy])
    smooth = SmoothGrad(on, baseline="black", n_samples=n).attribute(x, side="real")
    varied = VarGrad(on, baseline="black", n_samples=n).attribute(x, side="real")
    assert np.allclose(smooth.values.numpy(), maps.mean(0), atol=1e-14)
    assert np.allclose(varied.values.numpy(), maps.var(0, ddof=1), atol=1e-14)
    totals = groups.totals(torch.from_numpy(maps).flatten(0, 1), chart.players).view(n, 2, -1).numpy()
    assert np.allclose(smooth.error.numpy(), totals.std(0, ddof=1) / n**0.5, atol=1e-14)


def test_smoothgrad_is_that_of_captum_up_to_the_draws() -> None:
    from captum.attr import NoiseTunnel
    from captum.attr import Saliency as Theirs

    on, x = critic("plain", double=True), images(2).double()
    found = SmoothGrad(on, baseline="black", n_samples=400).attribute(x, side="real")
    torch.manual_seed(0)
    tunnel = NoiseTunnel(Theirs(on))
    theirs = tunnel.attribute(x.clone(), nt_samples=400, nt_samples_batch_size=50, stdevs=0.3, abs=False)
    off = groups.totals(found.values - theirs, found.players) / (2**0.5 * found.error)
    assert float((off.abs() < 1.96).double().mean()) == pytest.approx(0.95, abs=0.05)  # as the draws are independent
    assert float(off.abs().max()) < 5


@QUIET
def test_a_quadratic_critic_has_a_closed_form() -> None:
    net, x = Quadratic(), images(2).double()
    smooth = SmoothGrad(Critic(net), baseline="black", n_samples=20).attribute(x, side="real")
    assert torch.allclose(smooth.values, net.slope(x + drawn(x, 20).mean(0)), atol=1e-12)
    varied = VarGrad(Critic(net), baseline="black", n_samples=2000).attribute(x, side="real")
    exact = 0.09 * net.a.detach().square().sum(0).view(1, 1, SIDE, SIDE)
    off = groups.totals(varied.values - exact, varied.players) / varied.error
    assert float(off.abs().max()) < 4.5


@QUIET
@pytest.mark.parametrize("kind", [SmoothGrad, VarGrad])
def test_standard_errors_cover_the_truth(kind: type[SmoothGrad]) -> None:
    net, x = Quadratic(), images(1).double()
    exact = net.slope(x) if kind is SmoothGrad else 0.09 * net.a.detach().square().sum(0).view(1, 1, SIDE, SIDE)
    covered = []
    for seed in range(40):
        found = kind(Critic(net), baseline="black", n_samples=100).attribute(x, side="real", seed=seed)
        covered.append(groups.totals(found.values - exact, found.players).abs() <= 1.96 * found.error)
    assert 0.92 < float(torch.cat(covered).double().mean()) < 0.97  # 2,560 intervals; those of a variance are skewed


@QUIET
def test_the_variance_has_no_side_and_no_sign() -> None:
    on, x = critic("plain"), images(2)
    fake, real = (VarGrad(on, baseline="black").attribute(x, side=side) for side in ("fake", "real"))
    assert torch.equal(fake.values, real.values)
    assert bool((fake.values >= 0).all())
    assert fake.unit == "(logit per unit)^2"
    assert any("no sign" in note for note in fake.notes)


@QUIET
def test_the_gradient_of_a_linear_critic_never_varies() -> None:
    weight = torch.randn(1, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    on, x = Critic(Linear(weight)), images(2)
    assert not VarGrad(on, baseline="black").attribute(x).values.any()
    smooth = SmoothGrad(on, baseline="black").attribute(x, side="real")
    assert torch.equal(smooth.values, weight.expand(x.shape))
    assert not smooth.error.any()


@pytest.mark.parametrize(
    "method",
    [
        "integrated_gradients",
        IntegratedGradients,
        partial(IntegratedGradients, max_evaluations=30),
        "expected-gradients",
    ],
)
def test_any_method_of_gradients_can_be_wrapped(method: object) -> None:
    weight = torch.randn(1, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(1)).double()
    spied, x, base = Spy(Linear(weight)), images(2).double(), images(1, seed=4).double()
    run = SmoothGrad(Critic(spied), method=method, baseline=base, n_samples=10)
    run.critic.fast(x)
    spied.seen.batches.clear()
    found = run.attribute(x, side="real")
    exact = weight * (x + drawn(x, 10).mean(0) - base)
    assert torch.allclose(found.values, exact, atol=1e-10)
    assert found.unit == "logit"
    assert found.gap is None
    assert found.converged.tolist() == [True, True]
    assert found.evaluations.tolist() == [int(found.evaluations[0])] * 2
    assert spied.seen.rows <= int(found.evaluations.sum()) <= 2 * run.planned(64)
    assert found.params["method"] in ("integrated_gradients", "expected_gradients")


def test_less_noise_is_a_variant() -> None:
    on, x = critic("plain", double=True), images(1).double()
    run = SmoothGrad(on, baseline="black", n_samples=10)
    plain = Saliency(on, baseline="black").attribute(x).values
    assert torch.allclose(run.variant(noise=1e-9).attribute(x).values, plain, atol=1e-6)
    assert not torch.allclose(run.attribute(x).values, plain, atol=1e-3)
    assert run.attribute(x).params["noise"] == 0.15


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"method": "kernel_shap"}, "wraps a method of gradients, got 'kernel_shap', which needs calls"),
        ({"method": KernelShap}, "which needs calls"),
        ({"method": "guided_backprop"}, "negative of that for 'real', got 'guided_backprop'"),
        ({"method": "vargrad"}, "negative of that for 'real', got 'vargrad'"),
        ({"method": "salincy"}, "did you mean 'saliency'"),
        ({"n_samples": 2}, "n_samples must be at least 3, got 2"),
    ],
)
def test_what_cannot_be_wrapped_is_named(given: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        SmoothGrad(critic("plain"), **given)
