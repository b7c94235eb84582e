"""DiffAugment: every policy against its closed form, and the discriminator's view of it in training."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ganexplain import tensors
from ganexplain.training import augment

SIDE = 8


def images(n: int = 5, channels: int = 3) -> Tensor:
    return tensors.normal(0, "images", shape=(n, channels, SIDE, SIDE)).clamp(-2, 2) / 2


def test_brightness_moves_and_saturation_and_contrast_stretch() -> None:
    x = images(1)
    level = x.mean()
    middle = torch.tensor([[0.5, 0.5, 0.5]])  # no brightness, factors 1 and 1
    torch.testing.assert_close(augment.color(x, middle), x)
    torch.testing.assert_close(augment.color(x, torch.tensor([[0.9, 0.5, 0.5]])), x + 0.4)
    torch.testing.assert_close(augment.color(x, torch.tensor([[0.5, 0.5, 1.0]])), level + 1.5 * (x - level))
    grey = x.mean(1, keepdim=True).expand_as(x)
    torch.testing.assert_close(augment.color(x, torch.tensor([[0.5, 0.0, 0.5]])), grey)  # all colour taken away
    torch.testing.assert_close(augment.color(grey, torch.tensor([[0.5, 1.0, 0.5]])), grey)  # grey has none


def test_a_shift_moves_by_whole_pixels_and_brings_in_grey() -> None:
    x = images(9)
    u = torch.tensor([[i / 3 + 0.01, j / 3 + 0.01] for i in range(3) for j in range(3)])  # shifts of -1, 0, 1 each way
    moved = augment.translation(x, u)
    for n in range(9):
        down, right = n // 3 - 1, n % 3 - 1  # where the window begins, so that the picture goes the other way
        expected = torch.zeros_like(x[n])
        for row in range(SIDE):
            for column in range(SIDE):
                if 0 <= row + down < SIDE and 0 <= column + right < SIDE:
                    expected[:, row, column] = x[n, :, row + down, column + right]
        assert torch.equal(moved[n], expected)


def test_a_hole_is_half_the_side_and_grey() -> None:
    x = torch.ones(3, 1, SIDE, SIDE)
    cut = augment.cutout(x, torch.tensor([[0.5, 0.5], [0.0, 0.0], [0.999, 0.5]]))
    holes = (cut == 0).flatten(1).sum(1)
    assert holes.tolist() == [16, 4, 8]  # whole; a quarter of it in the corner; half of it over the lower border
    assert (cut[0, 0, 2:6, 2:6] == 0).all()
    assert (cut[1, 0, :2, :2] == 0).all()
    assert (cut[2, 0, 6:, 2:6] == 0).all()


@pytest.mark.parametrize("name", sorted(augment.POLICIES))
def test_every_policy_is_linear_in_the_image_but_for_brightness_so_that_gradients_pass(name: str) -> None:
    x = images().double().requires_grad_(True)
    draw = augment.drawn(tensors.rng(0, name), len(x))
    draw["color"][:, 0] = 0.5

    def changed(value: Tensor) -> Tensor:
        return augment.augmented(value, draw, (name,))

    found = torch.autograd.functional.jvp(changed, x, torch.ones_like(x))[1]
    torch.testing.assert_close(found, changed(torch.ones_like(x)))
    torch.testing.assert_close(changed(2 * x), 2 * changed(x))


def test_the_shifts_and_holes_are_spread_evenly() -> None:
    draw = augment.drawn(tensors.rng(0, "many"), 4000)
    spot = torch.zeros(4000, 1, SIDE, SIDE)
    spot[:, :, 4, 4] = 1
    places = augment.translation(spot, draw["translation"]).sum((0, 1))[3:6, 3:6] / 4000
    torch.testing.assert_close(places, torch.full((3, 3), 1 / 9), atol=0.02, rtol=0)


def test_policies_come_in_the_order_asked_for_and_share_no_numbers() -> None:
    x, draw = images(), augment.drawn(tensors.rng(0, "both"), 5)
    both = augment.augmented(x, draw, ("cutout", "color"))
    torch.testing.assert_close(both, augment.color(augment.cutout(x, draw["cutout"]), draw["color"]))
    assert augment.augmented(x, draw, ()) is x
