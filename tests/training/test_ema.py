"""The moving average against its closed form, and the sampler against what a shuffle must do."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ganexplain.training import ema
from ganexplain.training.sampler import Sampler


def linear(value: float) -> nn.Linear:
    layer = nn.Linear(2, 1)
    nn.init.constant_(layer.weight, value)
    nn.init.constant_(layer.bias, value)
    return layer


def test_the_average_is_the_geometric_sum() -> None:
    average, keep, seen = linear(8.0), 0.75, [1.0, -2.0, 4.0]
    for value in seen:
        ema.update(average, linear(value), keep)
    expected = 8.0 * keep**3 + sum((1 - keep) * keep ** (2 - i) * v for i, v in enumerate(seen))
    assert average.weight.detach().flatten().tolist() == pytest.approx([expected] * 2)
    assert average.bias.item() == pytest.approx(expected)


def test_buffers_are_copied_and_the_network_is_left_alone() -> None:
    average, network = nn.BatchNorm1d(2), nn.BatchNorm1d(2)
    network(torch.randn(8, 2))
    before = network.running_mean.clone()
    ema.update(average, network, 0.9)
    assert torch.equal(average.running_mean, before)
    assert torch.equal(network.running_mean, before)
    assert average.num_batches_tracked == 1


def test_half_of_the_past_is_left_after_a_half_life() -> None:
    keep = ema.decay(10**9, 50, 1000.0)
    assert keep ** (1000 / 50) == pytest.approx(0.5)


def test_early_on_the_half_life_is_a_twentieth_of_what_was_seen() -> None:
    assert ema.decay(2000, 100, 1e6) == pytest.approx(0.5)
    assert ema.decay(100, 100, 0.0) == 0.0


def test_every_image_comes_once_a_pass_whatever_the_batch() -> None:
    sampler = Sampler(7, 3, seed=0)
    drawn = torch.cat([sampler.draw(i) for i in range(7)])
    for start in (0, 7, 14):
        assert sorted(drawn[start : start + 7].tolist()) == list(range(7))
    assert drawn[:7].tolist() != drawn[7:14].tolist()


def test_a_draw_depends_on_its_number_alone() -> None:
    forward, backward = Sampler(5, 4, seed=1), Sampler(5, 4, seed=1)
    ahead = [forward.draw(i) for i in range(6)]
    behind = [backward.draw(i) for i in reversed(range(6))][::-1]
    assert all(torch.equal(a, b) for a, b in zip(ahead, behind, strict=True))
    assert not torch.equal(Sampler(500, 4, seed=2).draw(0), Sampler(500, 4, seed=1).draw(0))


def test_a_batch_above_the_number_of_images_spans_passes() -> None:
    assert torch.bincount(Sampler(3, 9, seed=0).draw(1)).tolist() == [3, 3, 3]


def test_nothing_to_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one image"):
        Sampler(0, 4, seed=0)
