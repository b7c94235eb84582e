"""What the attribution benchmark explains: the bundled judge at 28 pixels, and a wide discriminator at 64."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import ganexplain as ge
from ganexplain import tensors
from ganexplain.attribution.baselines import origin_of
from ganexplain.attribution.domains.region import segments
from ganexplain.models.families.dcgan import DCGAN

WIDTH, SIDE = 64, 64
N_REALS = 64


class Counted(nn.Module):
    """A network (N, C, H, W) -> (N, 1) that counts the rows it has run; copies share the count."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network, self.count = network, Count()

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1) logits."""
        self.count.rows += len(x)
        self.count.largest = max(self.count.largest, len(x))
        logit: Tensor = self.network(x)
        return logit.reshape(len(x), 1)


class Count:
    """Rows seen, and the largest batch."""

    def __init__(self) -> None:
        self.rows = self.largest = 0

    def __deepcopy__(self, memo: dict[int, Any]) -> Count:
        return self


@dataclass(frozen=True)
class Subject:
    """One critic with images to explain.

    Attributes:
        name: "small" or "wide".
        about: what it is, for the table.
        network: (N, C, H, W) -> (N, 1), counted.
        images: (N, C, H, W) in [-1, 1].
        baseline: (N, C, H, W).
        reals: (R, C, H, W), a distribution of baselines.
        labels: (N, H, W) regions.
    """

    name: str
    about: str
    network: Counted
    images: Tensor
    baseline: Tensor
    reals: Tensor
    labels: Tensor

    def critic(self) -> ge.Critic:
        """The product's view of the network."""
        return ge.Critic(self.network)


def small(n: int) -> Subject:
    """The bundled judge and ``n`` fakes that it judges fake."""
    gan = ge.bundled("fashion")
    judge, fakes = gan.critic("judge"), gan.samples(4 * n, seed=50)
    fakes = fakes[judge.judge(fakes).is_fake][:n]
    grain = tensors.normal(0, "grain", shape=tuple(fakes.shape)).abs() / 255
    fakes = (fakes - grain.copysign(fakes)).clamp(-1, 1)  # as a camera's: no pixel equals the baseline's, at which some
    # methods here would save evaluations that the libraries make
    baseline = origin_of(judge, fakes, "nearest_real").images
    network = Counted(judge.network)
    reals = judge.reference.images[:N_REALS]  # type: ignore[union-attr]
    return Subject("small", "bundled judge, 1 x 28 x 28", network, fakes, baseline, reals, segments(fakes, 25))


def wide(n: int, width: int = WIDTH) -> Subject:
    """A DCGAN discriminator with BatchNorm at 3 x 64 x 64: random weights, calibrated statistics."""
    with tensors.isolated(0):
        network = DCGAN.discriminator(resolution=SIDE, channels=3, width=width, norm="batch")
        smooth = nn.functional.interpolate(torch.randn(n + N_REALS, 3, 8, 8), size=SIDE, mode="bicubic")
        images = (smooth + 0.2 * torch.randn(len(smooth), 3, SIDE, SIDE)).tanh()
        with torch.no_grad():
            for module in network.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.momentum = None
            network.train()(images)
    network.eval().requires_grad_(False)
    fakes, reals = images[:n], images[n:]
    labels = segments(fakes, 64)
    about = f"DCGAN of width {width} with BatchNorm, 3 x {SIDE} x {SIDE}"
    return Subject("wide", about, Counted(network), fakes, reals[:n].clone(), reals, labels)


def hardware() -> str:
    """The machine in words."""
    info = Path("/proc/cpuinfo")
    names = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    where = names[0] if names else platform.processor() or platform.machine()
    return f"{where}, {torch.get_num_threads()} threads, torch {torch.__version__}"
