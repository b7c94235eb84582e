"""What every test shares: one thread, no window, no network where it matters, and data that may be absent."""

from __future__ import annotations

import importlib.util
import os
import socket
from pathlib import Path

os.environ.setdefault("MPLBACKEND", "Agg")

import hypothesis
import pytest
import torch

FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")

torch.set_num_threads(1)
hypothesis.settings.register_profile("repeatable", deadline=None, derandomize=True, database=None, print_blob=True)
hypothesis.settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def assets() -> Path:
    """The folder of models made by others, named by GANEXPLAIN_ASSETS."""
    folder = os.environ.get("GANEXPLAIN_ASSETS")
    if not folder:
        pytest.skip("GANEXPLAIN_ASSETS names no folder of foreign models")
    if not Path(folder).is_dir():
        pytest.fail(f"GANEXPLAIN_ASSETS names {folder}, which is no folder")
    return Path(folder)


@pytest.fixture(scope="session")
def fashion_mnist() -> Path:
    """The folder of Debian's package dataset-fashion-mnist."""
    if not any(FASHION_MNIST.glob("*.gz")):
        pytest.skip(f"no Fashion-MNIST in {FASHION_MNIST}; Debian's package dataset-fashion-mnist brings it")
    return FASHION_MNIST


@pytest.fixture(scope="session")
def face_weights() -> Path:
    """The trained face generator inside the PyPI package gan-face-generate; the package itself is not imported."""
    spec = importlib.util.find_spec("gan_face_generate")
    roots = (spec.submodule_search_locations or ()) if spec else ()
    found = [file for root in roots for file in Path(root).rglob("weights.tar")]
    if not found:
        pytest.skip("no face generator; `pip install --no-deps gan-face-generate==1.1.1` brings it")
    return found[0]


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every attempt to reach the network raises."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError("this test runs without a network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
