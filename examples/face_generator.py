"""A face generator made by others: the 64 x 64 DCGAN of the package gan-face-generate 1.1.1 (MIT), weights only.

    ganexplain directions examples/face_generator.py:generator

The weights are a torch archive inside that package, and none of its code is run. Either install it with
``pip install --no-deps gan-face-generate==1.1.1``, or put its wheel (``pip download`` with the same arguments) into the
folder ``gan-face-generate`` of the folder that GANEXPLAIN_ASSETS names.
"""

from __future__ import annotations

import importlib.util
import io
import os
import zipfile
from pathlib import Path

import torch
from torch import nn

from ganexplain import Generator

INSIDE = "gan_face_generate/weights.tar"


class Network(nn.Module):
    """Codes (N, 100, 1, 1) to images (N, 3, 64, 64) in [-1, 1]."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.ConvTranspose2d(100, 512, 4, 1, 0, bias=False), nn.BatchNorm2d(512), nn.ReLU()]
        for width in (512, 256, 128):
            layers += [
                nn.ConvTranspose2d(width, width // 2, 4, 2, 1, bias=False),
                nn.BatchNorm2d(width // 2),
                nn.ReLU(),
            ]
        self.main = nn.Sequential(*layers, nn.ConvTranspose2d(64, 3, 4, 2, 1, bias=False), nn.Tanh())

    def forward(self, codes: torch.Tensor) -> torch.Tensor:
        """Images of codes."""
        return self.main(codes)


def generator() -> Generator:
    """The trained generator."""
    network = Network()
    state = torch.load(io.BytesIO(weights()), map_location="cpu", weights_only=True)
    network.load_state_dict(state["netG_state_dict"])
    return Generator.wrap(network, z_dim=100, code_shape=(100, 1, 1))


def weights() -> bytes:
    """The archive, from the folder of assets or from the installed package."""
    folders = [Path(os.environ["GANEXPLAIN_ASSETS"], "gan-face-generate")] if "GANEXPLAIN_ASSETS" in os.environ else []
    installed = importlib.util.find_spec("gan_face_generate")  # finds the folder without running the package
    folders += [Path(p) for p in (installed.submodule_search_locations or [])] if installed else []
    for folder in folders:
        for file in (folder / "weights.tar", folder / INSIDE):
            if file.is_file():
                return file.read_bytes()
        for wheel in sorted(folder.glob("gan_face_generate-*.whl")):
            return zipfile.ZipFile(wheel).read(INSIDE)
    looked = ", ".join(map(str, folders)) or "no folder, since GANEXPLAIN_ASSETS is not set"
    raise FileNotFoundError(f"no weights of gan-face-generate; looked in {looked}; {__file__} says how to get them")
