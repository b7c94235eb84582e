"""A network for which memory runs out above some batch is explained all the same, by every method."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganexplain import Critic
from ganexplain.attribution import METHODS
from ganexplain.attribution.methods._noise import NoiseMethod
from tests._critics import Net, images
from tests.test_conformance import CAUTIONS, made

pytestmark = [pytest.mark.filterwarnings(f"ignore:{caution}") for caution in CAUTIONS]
FITS = 4


class Scarce(nn.Module):
    """A network that takes no more than some rows; copies share what they saw."""

    def __init__(self, rows: int) -> None:
        super().__init__()
        self.net, self.rows, self.seen = Net(), rows, Seen()

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, H, W) to (N, 1)."""
        self.seen.append(len(x))
        if len(x) > self.rows:
            raise torch.OutOfMemoryError(f"CUDA out of memory with {len(x)} rows")
        return self.net(x)


class Seen(list[int]):
    """Batch sizes, shared by copies."""

    def __deepcopy__(self, memo: dict[int, Any]) -> Seen:
        return self


def run(method: str, network: nn.Module, domain: str, batch_size: int) -> Any:
    return made(method, Critic(network), domain, baseline="black", batch_size=batch_size)


@pytest.mark.parametrize("method", METHODS.names())
def test_the_result_is_that_of_the_batch_that_fits(method: str) -> None:
    domain = "region" if METHODS.get(method).needs == "calls" else "pixel"
    x, scarce = images(5), Scarce(FITS)
    found = run(method, scarce, domain, 16).attribute(x)
    expected = run(method, Net(), domain, FITS).attribute(x)
    assert max(scarce.seen) > FITS  # it was asked for more
    same = (found.values - expected.values).abs().max() / expected.values.abs().max()
    # samples under noise are grouped by the batch that was asked for
    assert float(same) <= (1e-6 if issubclass(METHODS.get(method), NoiseMethod) else 0)
    assert torch.equal(found.evaluations, expected.evaluations)


def test_a_network_that_never_fits_raises_its_own_error_once() -> None:
    scarce = Scarce(0)
    with pytest.raises(torch.OutOfMemoryError, match="with 1 rows"):
        Critic(scarce).logits(images(5), batch_size=4)
    assert len(scarce.seen) <= 3  # 4, 2 and 1
