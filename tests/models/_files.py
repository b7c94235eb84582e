"""Files of weights for tests: small networks, archives with other parts, and objects that would run code."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn


class Net(nn.Module):
    """A small discriminator with what whole modules carry: a function, settings, a buffer that is not saved."""

    def __init__(self, slope: float = 0.2) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(1, 4, 4, 2, 1, bias=False), nn.BatchNorm2d(4), nn.LeakyReLU(slope, inplace=True), nn.Flatten(1)
        )
        self.head = nn.utils.spectral_norm(nn.Linear(64, 1))
        self.squash = torch.sigmoid
        self.size = (8, 8)
        self.register_buffer("passing", torch.ones(3), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.main(x))[:, 0]


class Script(nn.Module):
    """A network that compiles."""

    def __init__(self) -> None:
        super().__init__()
        self.main = nn.Sequential(nn.Conv2d(1, 4, 4, 2, 1), nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(64, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.main(x)[:, 0]


class Runs:
    """Pickled, it asks its reader to call ``function(*args)``."""

    def __init__(self, function: Callable[..., Any], *args: Any) -> None:
        self.reduced = function, args

    def __reduce__(self) -> Any:
        return self.reduced


class Canary:
    """A class in nobody's standard library whose making leaves a file behind."""

    def __init__(self, path: str) -> None:
        Path(path).touch()


def seeded(make: Callable[[], nn.Module]) -> nn.Module:
    """A network with weights and statistics of its own, the same at every call."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = make()
        for name, buffer in net.named_buffers():
            if name.endswith(("running_mean", "running_var")):
                buffer.uniform_(0.5, 1.5)
    return net.eval()


def save(value: Any, path: Path, *, legacy: bool = False, protocol: int = 2) -> Path:
    """torch.save in either format."""
    torch.save(value, path, _use_new_zipfile_serialization=not legacy, pickle_protocol=protocol)
    return path


def rewritten(source: Path, target: Path, parts: Mapping[str, bytes], compress: int = zipfile.ZIP_STORED) -> Path:
    """A copy of an archive with other parts, found by their names without the folder."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", compress) as new:
        for name in old.namelist():
            new.writestr(name, parts.get(name.partition("/")[2], old.read(name)))
    return target


def part(source: Path, name: str) -> bytes:
    """The bytes of one part of an archive."""
    with zipfile.ZipFile(source) as file:
        return next(file.read(n) for n in file.namelist() if n.partition("/")[2] == name)
