"""Guided integrated gradients against a transcription of the paper's algorithm, closed forms and counts."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ganexplain import Critic, GuidedIntegratedGradients, IntegratedGradients
from tests._critics import Spy, critic, images
from tests.attribution._nets import Quadratic
from tests.attribution.test_integrated_gradients import smooth

Array = np.ndarray[Any, np.dtype[np.float64]]


def way(
    image: Array, baseline: Array, slope: Callable[[Array], Array], steps: int, fraction: float, max_dist: float
) -> list[Array]:
    """Points of the way by algorithm 1 of Kapishnikov et al. (2021), one coordinate array at a time, as published."""
    points, x, total = [baseline], baseline.copy(), np.abs(image - baseline).sum()
    for step in range(steps):
        steep, alpha = np.abs(slope(x)), (step + 1) / steps
        nearest, farthest = max(alpha - max_dist, 0.0), min(alpha + max_dist, 1.0)
        x_min, x_max = (baseline + (image - baseline) * a for a in (nearest, farthest))
        gamma = np.inf
        while gamma > 1:
            behind = np.divide(x - baseline, image - baseline, out=np.ones_like(x), where=image != baseline) < nearest
            x[behind] = x_min[behind]
            current, target = np.abs(image - x).sum(), total * (1 - alpha)
            if math.isclose(current, target, rel_tol=1e-9, abs_tol=1e-9):
                break
            steep[np.isclose(x, x_max, rtol=0, atol=1e-15)] = np.inf
            chosen = (steep <= np.quantile(steep, fraction, method="lower")) & (steep < np.inf)
            room = np.abs(x - x_max)[chosen].sum()
            gamma = (current - target) / room if room > 0 else np.inf
            x[chosen] = x_max[chosen] if gamma > 1 else (x + gamma * (x_max - x))[chosen]
        points.append(x.copy())
    return points


def transcribed(net: nn.Module, image: Tensor, baseline: Tensor, steps: int, **given: Any) -> Tensor:
    """Values of one image, the gradient of a step being the mean over its ends."""

    def slope(x: Array) -> Array:
        leaf = torch.from_numpy(x).requires_grad_(True)
        return torch.autograd.grad(net(leaf[None]).sum(), leaf)[0].numpy()

    n, values = given.pop("n_anchors") + 1, np.zeros(image.shape)
    ends = [(baseline + (image - baseline) * i / n).numpy() for i in range(n + 1)]
    for start, end in zip(ends, ends[1:], strict=False):
        points = way(end, start, slope, steps, **given)
        points[-1] = end  # the published loop stops within 1e-9 of it
        for before, after in zip(points, points[1:], strict=False):
            values += (after - before) * (slope(before) + slope(after)) / 2
    return torch.from_numpy(values)


GIVEN = [
    {"fraction": 0.25, "n_anchors": 0, "max_dist": 1.0},
    {"fraction": 0.25, "n_anchors": 0, "max_dist": 0.1},
    {"fraction": 0.1, "n_anchors": 3, "max_dist": 1.0},
    {"fraction": 0.5, "n_anchors": 2, "max_dist": 0.3},
]


@pytest.mark.parametrize("given", GIVEN)
@pytest.mark.parametrize("rounds", [[1, 3], [1, 3, 9]])
def test_values_are_those_of_the_papers_algorithm(given: dict[str, Any], rounds: list[int]) -> None:
    net, x, base = smooth(), images(3).double(), images(3, seed=3).double()
    x[1, :, :3] = base[1, :, :3]  # coordinates that go nowhere
    budget = (given["n_anchors"] + 1) * (1 + sum(n - 1 for n in rounds)) + 1
    run = GuidedIntegratedGradients(Critic(net), baseline=base, tol=1e-12, max_evaluations=max(budget, 10), **given)
    run = run.variant(max_evaluations=budget)
    found = run.attribute(x, side="real")
    for row in range(3):
        expected = transcribed(net, x[row], base[row], rounds[-1], **given)
        assert torch.allclose(found.values[row], expected, atol=1e-9)
    assert found.evaluations.tolist() == [budget + 3] * 3


@pytest.mark.parametrize("given", GIVEN)
def test_the_sum_holds_exactly_for_quadratic_critics_at_any_budget(given: dict[str, Any]) -> None:
    net, x, base = Quadratic(), images(2).double(), images(1, seed=3).double()
    guided = GuidedIntegratedGradients(Critic(net), baseline=base, max_evaluations=40, **given).attribute(x)
    straight = IntegratedGradients(Critic(net), baseline=base, max_evaluations=40).attribute(x)
    assert float(guided.gap.abs().max()) < 1e-12
    assert float((guided.values - straight.values).abs().max()) > 1e-3 * float(straight.values.abs().max())


def test_a_way_that_may_not_leave_the_line_is_that_of_integrated_gradients() -> None:
    net, x, base = smooth(), images(2).double(), images(1, seed=3).double()
    run = GuidedIntegratedGradients(Critic(net), baseline=base, tol=1e-9, n_anchors=0, max_dist=1e-12)
    straight = IntegratedGradients(Critic(net), baseline=base, tol=1e-9)
    one, two = (method.attribute(x, side="real").values for method in (run, straight))
    assert torch.allclose(one, two, atol=1e-5 * float(two.abs().max()))


class Hill(nn.Module):
    """The left half's mean, and a hill in the way to which the right half's mean adds: none at the left's ends."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, H, W) to (N,)."""
        left, right = x[..., : x.shape[-1] // 2].flatten(1).mean(1), x[..., x.shape[-1] // 2 :].flatten(1).mean(1)
        return left + 40 * right * (left * (1 - left)).square()


def test_it_goes_round_what_is_steep() -> None:
    """From zeros to ones the evidence rises by 1, for the left half alone; the straight line crosses the hill."""
    x, base = torch.ones(1, 1, 8, 8).double(), torch.zeros(1, 1, 8, 8).double()
    guided, straight = (
        kind(Critic(Hill()), baseline=base, tol=1e-3, **given).attribute(x, side="real")
        for kind, given in ((Guided, {"n_anchors": 0}), (IntegratedGradients, {}))
    )
    assert float(straight.values[..., 4:].sum()) == pytest.approx(40 / 30, abs=0.01)  # of t^2 (1 - t)^2: 1 / 30
    assert float(guided.values[..., 4:].sum()) == pytest.approx(0, abs=0.01)
    assert float(guided.values[..., :4].sum()) == pytest.approx(1, abs=0.01)
    assert bool(guided.converged.all())


Guided = GuidedIntegratedGradients


def test_intervals_and_images_share_batches_and_anchors_are_computed_once() -> None:
    spy = Spy(smooth())
    run = Guided(Critic(spy), baseline="black", tol=1e-9, max_evaluations=64, batch_size=64)
    run.critic.fast(images(1).double())  # once for a critic
    spy.seen.batches.clear()
    found = run.attribute(images(3).double())
    assert found.evaluations.tolist() == [22 + 42 + 3] * 3
    assert spy.seen.rows == 3 * (22 + 42 + 3) - 2  # they share the baseline
    assert spy.seen.batches.count(63) == 2  # 21 intervals of three images, at two places inside each
    assert found.params["anchors"] == 20
    assert found.converged.tolist() == [False] * 3


def test_a_small_budget_has_fewer_anchors() -> None:
    run = Guided(critic("plain"), max_evaluations=30)
    found = run.attribute(images(1))
    assert found.params["anchors"] == 8
    assert int(found.evaluations) == run.planned(64) == 31


def test_bad_settings_get_one_sentence() -> None:
    for given, says in (
        ({"max_evaluations": 9}, "max_evaluations must be at least 10, got 9"),
        ({"fraction": 0.0}, "fraction must be a share above 0, at most 1, got 0.0"),
        ({"max_dist": 1.5}, "max_dist must be a share above 0, at most 1, got 1.5"),
        ({"n_anchors": -1}, "n_anchors must not be negative, got -1"),
        ({"anchors": 3}, "did you mean 'n_anchors'"),
    ):
        with pytest.raises(ValueError, match=says):
            Guided(critic("plain"), **given)
