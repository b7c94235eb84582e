"""What "without" means: each baseline against its definition, and the warning that goes with it."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter1d

from ganexplain import Calibration, Critic, IntegratedGradients, Pixel, Preprocess
from ganexplain.attribution.baselines import origin_of
from tests._critics import Linear, Net, critic, images

BRIGHT = Linear(torch.full((1, 1, 8, 8), 1 / 64), bias=0.0)  # the logit is the mean brightness


def flat(*levels: float) -> torch.Tensor:
    return torch.tensor(levels).view(-1, 1, 1, 1).expand(-1, 1, 8, 8).contiguous()


@pytest.mark.parametrize("value_range", [(-1.0, 1.0), (0.0, 1.0), (0.0, 255.0)])
def test_black_is_black_whatever_the_network_reads(value_range: tuple[float, float]) -> None:
    origin = origin_of(Critic(Net(), preprocess=Preprocess(value_range=value_range)), images(2), "black")
    assert origin.name == "black"
    assert bool((origin.images == -1).all())


def test_blur_is_a_gaussian_of_an_eighth_of_the_width() -> None:
    x = images(2, channels=3, side=16)
    expected = x.double().numpy()
    for axis in (2, 3):  # the separable filter, one axis at a time
        expected = gaussian_filter1d(expected, 2.0, axis=axis, mode="nearest")
    assert np.allclose(origin_of(critic("plain"), x, "blur").images.numpy(), expected, atol=1e-6)


def test_mean_is_the_mean_of_the_reals() -> None:
    reals = images(7, seed=2)
    origin = origin_of(critic("plain").with_reference(reals), images(2), "mean")
    assert torch.allclose(origin.images, reals.mean(0, keepdim=True), atol=1e-7)


def test_the_nearest_real_is_nearest_and_never_the_image_itself() -> None:
    x, reals = images(3), images(40, seed=2)
    known = torch.cat([reals[:20], x, reals[20:]])
    on = critic("plain").with_reference(known).with_calibration(Calibration(-1e9, 1.0, 0.9))
    found = origin_of(on, x, "nearest-real")
    assert found.name == "nearest_real"
    for row in range(3):
        distance = (known - x[row]).double().square().sum((1, 2, 3))
        distance[20 + row] = torch.inf
        assert torch.equal(found.images[row], known[distance.argmin()])


def test_the_image_is_known_again_at_any_size() -> None:
    # |a|^2 - 2 a.b + |b|^2 in single precision puts this image 2e-3 away from itself
    x = torch.full((1, 3, 160, 160), 0.9) + 0.05 * images(1, channels=3, side=160)
    reals = torch.cat([x, -x.expand(30, -1, -1, -1)])
    on = Critic(lambda v: v.flatten(1).mean(1) + 5).with_reference(reals)
    assert torch.equal(origin_of(on, x, "nearest_real").images, -x)


def test_only_reals_that_are_believed_are_used() -> None:
    x = flat(-0.5)
    on = Critic(BRIGHT).with_reference(flat(-0.4, 0.3, 0.9))
    assert torch.equal(origin_of(on, x, None).images, flat(0.3))  # -0.4 is nearer, and judged fake
    strict = on.with_calibration(Calibration(0.5, 1.0, 0.9))
    assert torch.equal(origin_of(strict, x, None).images, flat(0.9))
    none = on.with_calibration(Calibration(2.0, 1.0, 0.9))
    assert torch.equal(origin_of(none, x, None).images, flat(-0.4))


def test_one_real_is_not_enough_to_explain_itself() -> None:
    with pytest.raises(ValueError, match="give more reals"):
        origin_of(Critic(BRIGHT).with_reference(flat(0.3)), flat(0.3), "nearest_real")


def test_reals_of_another_size_are_fitted_and_of_other_channels_refused() -> None:
    on = Critic(lambda v: v.flatten(1).mean(1)).with_reference(images(4, side=16))
    assert origin_of(on, images(2), "nearest_real").images.shape == (2, 1, 8, 8)
    with pytest.raises(ValueError, match="the reals have 1 channels and the images 3"):
        origin_of(on, images(2, channels=3), "mean")


def test_the_default_is_the_nearest_real_where_reals_are_known() -> None:
    assert origin_of(critic("plain"), images(1), None).name == "blur"
    assert origin_of(critic("plain").with_reference(images(4, seed=3)), images(1), None).name == "nearest_real"


def test_a_callable_may_name_itself() -> None:
    def half(on: Critic, x: torch.Tensor) -> torch.Tensor:
        return x / 2

    assert origin_of(critic("plain"), images(1), half).name == "given"
    half.name = "half"
    assert origin_of(critic("plain"), images(1), half).name == "half"


def test_a_baseline_that_no_real_resembles_is_noted() -> None:
    on = Critic(BRIGHT).with_reference(flat(0.1, 0.2, 0.4))
    with pytest.warns(
        UserWarning, match=r"'black' has a logit outside the range of the reals, 0.10 to 0.40, for 2 of 2"
    ):
        found = IntegratedGradients(on, domain=Pixel(), baseline="black").attribute(flat(-0.5, 0.2))
    assert len(found.notes) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert IntegratedGradients(on, domain=Pixel(), baseline="mean").attribute(flat(-0.5)).notes == ()
