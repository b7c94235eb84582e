"""Every check returns good input unchanged, and answers bad input with what was expected, what came and what to do."""

from __future__ import annotations

import math

import pytest
import torch

from ganexplain import checks

GOOD = torch.zeros(2, 3, 4, 4)


def test_unknown_names_the_nearest_and_all() -> None:
    message = str(checks.unknown("domain", "pixle", ["region", "pixel"]))
    assert message == "unknown domain 'pixle'; did you mean 'pixel'? (there are: region, pixel)"
    assert "did you mean" not in str(checks.unknown("domain", "zzzz", ["region", "pixel"]))


def test_one_of() -> None:
    assert checks.one_of("space", "w", ("z", "w")) == "w"
    with pytest.raises(ValueError, match="unknown space 'q'"):
        checks.one_of("space", "q", iter(("z", "w")))


@pytest.mark.parametrize("value", [GOOD, GOOD.double() + 1, GOOD.half() - 1, GOOD + 1 + checks.SLACK / 2])
def test_images_in_range_are_returned_as_they_are(value: torch.Tensor) -> None:
    assert checks.images(value) is value


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (GOOD.numpy(), TypeError, r"faces must be a tensor \(N, C, H, W\), got ndarray"),
        (
            GOOD.byte(),
            TypeError,
            r"faces must be float in \[-1, 1\], got torch.uint8; use ganexplain.tensors.from_uint8",
        ),
        (GOOD[0], ValueError, r"faces must have the shape \(N, C, H, W\), got \(3, 4, 4\)"),
        (GOOD[:0], ValueError, r"got \(0, 3, 4, 4\)"),
        (GOOD + 255, ValueError, r"faces must lie in \[-1, 1\], got \[255, 255\]; use ganexplain.tensors.from_uint8"),
        (GOOD - 1.01, ValueError, r"got \[-1.01, -1.01\]; scale them first"),
        (GOOD + math.nan, ValueError, "faces must be finite, got 96 NaN or infinite values of 96"),
    ],
    ids=["numpy", "bytes", "axes", "empty", "range", "below", "nan"],
)
def test_other_images_are_refused(value: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        checks.images(value, "faces")  # type: ignore[arg-type]


def test_finite_counts_what_is_wrong() -> None:
    value = torch.tensor([0.0, math.inf, -math.inf, math.nan])
    assert checks.finite(value[:1], "codes").tolist() == [0.0]
    with pytest.raises(ValueError, match="codes must be finite, got 3 NaN or infinite values of 4"):
        checks.finite(value, "codes")


@pytest.mark.parametrize("value", [0, -1, math.nan])
def test_positive(value: float) -> None:
    assert checks.positive(1e-9, "sigma") == 1e-9
    with pytest.raises(ValueError, match=f"sigma must be positive, got {value}"):
        checks.positive(value, "sigma")


def test_sides_are_opposite() -> None:
    assert (checks.side("real"), checks.side("fake")) == (1, -1)
    with pytest.raises(ValueError, match=r"unknown side 'fkae'; did you mean 'fake'\?"):
        checks.side("fkae")
