"""Generators: the bundled one and other people's, right and broken."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

import ganexplain as ge
from benchmarks._doctor.critics import faces
from benchmarks._doctor.wiring import Subject, Wiring, gan, reals
from ganexplain.models.generator import Generator, WrappedGenerator


class Bundled(nn.Module):
    """The bundled generator as somebody's network."""

    def __init__(self, *, low: float = -1.0, same: bool = False, noisy: float = 0.0) -> None:
        super().__init__()
        self.inner = copy.deepcopy(gan().generator)
        self.low, self.same, self.noisy = low, same, noisy

    def forward(self, z: Tensor) -> Tensor:
        """Images of codes in [low, 1]."""
        z = z * 0 + self.inner.sample(1, seed=3) + 1e-3 * z if self.same else z
        images: Tensor = self.inner(z)
        images = images + self.noisy * torch.randn_like(images)
        return images if self.low == -1 else (images + 1) / 2


def wrapped(network: nn.Module, *, z_dim: int = 64, **said: object) -> Subject:
    """Anybody's generator beside the bundled reals."""
    return Subject(Generator.wrap(network, z_dim=z_dim, **said), reals())  # type: ignore[arg-type]


def colour_faces(prior: str) -> Subject:
    real, maker = faces()
    if not isinstance(maker, WrappedGenerator):
        raise TypeError("the example wraps its generator")
    return Subject(Generator.wrap(maker.network, z_dim=100, prior=prior, code_shape=(100, 1, 1)), real)


def noise() -> nn.Module:
    """Weights that were never trained: every pixel by itself."""
    return nn.Sequential(nn.Linear(64, 784), nn.Tanh(), nn.Unflatten(1, (1, 28, 28)))


def fresh() -> Generator:
    return ge.GAN.build("dcgan", resolution=28, width=8, z_dim=16, norm="batch").generator


RIGHT = (
    Wiring("the bundled generator", lambda: Subject(gan().generator, reals())),
    Wiring("a generator of [0, 1], and said so", lambda: wrapped(Bundled(low=0.0), value_range=(0, 1))),
    Wiring("colour faces with uniform codes", lambda: colour_faces("uniform"), assets=True),
)
BROKEN = (
    Wiring("normal codes where uniform were trained", lambda: colour_faces("normal"), ("prior",), "uniform", True),
    Wiring(
        "one image for every code", lambda: wrapped(Bundled(same=True)), ("diversity",), "alike|few images|collapsed"
    ),
    Wiring("a generator of [0, 1], nothing said", lambda: wrapped(Bundled(low=0.0)), ("image range",), r"\(0, 1\)"),
    Wiring("noise in place of pictures", lambda: wrapped(noise()), ("pictures",), "noise"),
    Wiring(
        "a generator that draws random numbers", lambda: wrapped(Bundled(noisy=0.1)), ("repeats",), "random numbers"
    ),
    Wiring(
        "a generator whose statistics were not loaded",
        lambda: Subject(fresh(), None),
        ("batch statistics",),
        "never seen data",
    ),
    Wiring("black and white exchanged", lambda: Subject(gan().generator, -reals()), ("tones",), "exchanged"),
)
GENERATORS = (*RIGHT, *BROKEN)
