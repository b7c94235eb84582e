"""What an image costs: counted by hand for networks of a few layers."""

import pytest
import torch
from torch import nn

from ganexplain import Critic
from ganexplain.models.footprint import fitting, per_image

IMAGE = torch.zeros(1, 3, 16, 16)
MAP = 3 * 16 * 16 * 4  # bytes of an image


class Summed(nn.Module):
    def __init__(self, *layers):
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        return self.layers(x).sum((1, 2, 3))


def critic(*layers):
    return Critic(Summed(*layers))


@pytest.mark.parametrize("count", [1, 3])
def test_each_squashing_keeps_its_result(count):
    assert per_image(critic(*[nn.Tanh() for _ in range(count)]), IMAGE) == count * MAP


def test_weights_do_not_count_and_more_pixels_do():
    wide = critic(nn.Conv2d(3, 3, 15, padding=7), nn.Tanh())  # 8,100 bytes of weights
    few, many = per_image(wide, IMAGE), per_image(wide, torch.zeros(1, 3, 32, 32))
    assert many == 4 * few
    assert few in (MAP, 2 * MAP, 3 * MAP)  # a convolution may keep its input


def test_a_batch_that_fits():
    three = critic(*[nn.Tanh() for _ in range(3)])
    assert fitting(three, IMAGE, 64) == 64
    assert fitting(three, IMAGE, 64, budget=30 * MAP) == 10
    assert fitting(three, IMAGE, 4, budget=30 * MAP) == 4
    assert fitting(three, IMAGE, 64, budget=1) == 1
    with pytest.raises(ValueError, match="must be at least 1, got 0 and"):
        fitting(three, IMAGE, 0)


def test_nothing_of_the_callers_changes():
    image = IMAGE.clone().requires_grad_(True)
    before = torch.get_rng_state()
    with torch.no_grad():
        per_image(critic(nn.Dropout(), nn.Tanh()), image)
    assert image.grad is None
    assert torch.equal(before, torch.get_rng_state())
