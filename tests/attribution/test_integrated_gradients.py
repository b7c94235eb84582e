"""Integrated gradients against captum, closed forms, and counts of what is computed."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from ganexplain import Critic, IntegratedGradients, Pixel
from tests._critics import Spy, critic, images
from tests.attribution._nets import Quadratic


def smooth() -> nn.Module:
    made = torch.Generator().manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 5, 3, 2, 1), nn.Softplus(), nn.Flatten(), nn.Linear(80, 1)).double()
    for parameter in net.parameters():
        parameter.data = torch.randn(parameter.shape, generator=made, dtype=torch.float64) * 0.4
    return net


class Jagged(nn.Module):
    """Steep steps that no number of points in the budget resolves."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, ...) to (N,)."""
        return torch.tanh(4000 * (x.flatten(1).mean(1) - 0.1234))


def test_values_are_those_of_captum() -> None:
    from captum.attr import IntegratedGradients as Theirs

    net, x, base = smooth(), images(3).double(), images(3, seed=3).double()
    found = IntegratedGradients(Critic(net), baseline=base).attribute(x, side="real")
    for row in range(3):
        n = int(found.evaluations[row]) - 3
        theirs = Theirs(net).attribute(
            x[row : row + 1], base[row : row + 1], target=0, n_steps=n, method="riemann_middle"
        )
        assert torch.allclose(found.values[row], theirs[0], atol=1e-12)


@pytest.mark.parametrize("budget", [10, 29, 30, 89, 90])
def test_quadratic_critics_have_a_closed_form(budget: int) -> None:
    net, x, base = Quadratic(), images(2).double(), images(1, seed=3).double()
    found = IntegratedGradients(Critic(net), baseline=base, max_evaluations=budget).attribute(x, side="real")
    middle = ((x + base) / 2).flatten(1)
    exact = (x - base).flatten(1) * (middle @ net.a + net.b)
    assert torch.allclose(found.values.flatten(1), exact, atol=1e-12)
    assert float(found.gap.abs().max()) < 1e-12


def test_refinement_reuses_its_points() -> None:
    spy = Spy(smooth())
    run = IntegratedGradients(Critic(spy), baseline="black", tol=1e-9, max_evaluations=270, batch_size=32)
    run.critic.fast(images(1).double())  # once for a critic
    spy.seen.batches.clear()
    found = run.attribute(images(2).double(), side="real")
    assert spy.seen.rows == 2 * (270 + 3) - 1  # and not 10 + 30 + 90 + 270 of each; they share the baseline
    assert found.evaluations.tolist() == [273, 273]
    assert run.planned(64) == 273


def test_images_stop_one_by_one() -> None:
    net = Jagged()
    x = torch.cat([images(1).double() * 0, torch.full((1, 1, 8, 8), 0.5).double()])  # only the second crosses the step
    spy = Spy(net)
    run = IntegratedGradients(Critic(spy), baseline=x[:1] - 0.2)
    run.critic.fast(x)  # once for a critic
    spy.seen.batches.clear()
    found = run.attribute(x, side="real")
    assert found.converged.tolist() == [True, False]
    assert found.evaluations.tolist() == [33, 813]
    assert spy.seen.rows == 846 - 1  # they share the baseline
    assert float(found.gap[1].abs()) > 0.05 * 2


def test_the_gap_is_judged_against_the_spread_of_the_reals() -> None:
    net, x, base = Jagged(), torch.full((1, 1, 8, 8), 0.5).double(), torch.full((1, 1, 8, 8), 0.0).double()
    on = Critic(net)
    assert not bool(IntegratedGradients(on, baseline=base).attribute(x).converged)
    chart = Pixel().bind(on, x, base)
    assert chart.scale == 0.0
    now = torch.full((1, 1, 8, 8), 0.01)
    run = IntegratedGradients(on, tol=0.05)
    change = now.sum() - 0.3  # a gap of 0.3
    assert not bool(run._close(now, now, change[None], 0.0))
    assert bool(run._close(now, now, change[None], 6.1))  # 5 % of 6.1 is more
    assert not bool(run._close(now, now * 1.06, change[None], 6.1))  # but the map still moves


def test_the_scale_is_the_interquartile_range_of_the_reals() -> None:
    on = critic("plain").with_reference(images(40, seed=2))
    q1, q3 = torch.quantile(on.logits(images(40, seed=2)).double(), torch.tensor([0.25, 0.75]).double())
    assert Pixel().bind(on, images(1), "blur").scale == pytest.approx(float(q3 - q1))


def test_a_path_needs_points() -> None:
    with pytest.raises(ValueError, match="max_evaluations must be at least 10, got 9"):
        IntegratedGradients(critic("plain"), max_evaluations=9)
    with pytest.raises(ValueError, match="tol must be positive, got 0"):
        IntegratedGradients(critic("plain"), tol=0)
