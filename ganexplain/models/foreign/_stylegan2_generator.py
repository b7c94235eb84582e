"""The generator of StyleGAN2 (Karras et al. 2020), with and without classes, and its four latent spaces."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ganexplain import checks, tensors
from ganexplain.models.first_layer import FirstLayer
from ganexplain.models.foreign._stylegan2_parts import Assumed, Mapping, Supply
from ganexplain.models.foreign._stylegan2_synthesis import Synthesis
from ganexplain.models.generator import Generator

AVERAGED = 4096  # codes whose mean w stands in for an average that is not stored
MAPS = 2**25  # numbers in the maps of one layer, for all images of a batch, that a picture without gradients may need


class StyleGAN2Generator(Generator):
    """Images of codes in z, w, w+ or s.

    z is normalised and mapped to w, w is repeated for each layer (w+, flat), and each layer reads its style from its
    own w (s, flat: the factors of its input channels). Noise is the one that was stored, so that a code gives one
    image.

    Attributes:
        w_dim: length of w.
        num_ws: layers of w+.
        s_slices: path of each layer to its part of s.
        architecture: "skip", "resnet" or "orig".
        value_range: what the network's own numbers mean; they are mapped to [-1, 1] and cut there.
        w_avg: (w_dim,) where truncation leads: as stored, else the mean over `AVERAGED` codes.
    """

    spaces = ("z", "w", "w+", "s")
    w_avg: Tensor

    def __init__(self, supply: Supply, sizes: list[int], assumed: Assumed) -> None:
        super().__init__()
        self.mapping = Mapping(supply.at("mapping"), assumed)
        self.z_dim, self.w_dim, self.num_classes = self.mapping.z_dim, self.mapping.w_dim, self.mapping.num_classes
        self.w_avg_stored = supply.has("mapping.w_avg")
        average = supply.take("mapping.w_avg", (self.w_dim,)) if self.w_avg_stored else self._average()
        self.register_buffer("w_avg", average)
        self.synthesis = Synthesis(supply.at("synthesis"), sizes, self.w_dim, assumed)
        self.num_ws, self.s_slices = self.synthesis.num_ws, self.synthesis.s_slices
        self.resolution, self.channels = sizes[-1], self.synthesis.channels
        self.architecture = self.synthesis.architecture
        self.value_range = (-1.0, 1.0)

    def _average(self) -> Tensor:
        """(w_dim,) mean of w over codes, and over all classes where there are some."""
        codes = tensors.normal(0, "w_avg", shape=(AVERAGED, self.z_dim))
        labels = torch.arange(AVERAGED) % self.num_classes if self.num_classes else None
        with torch.no_grad():
            mapped: Tensor = self.mapping(codes, labels)
        return mapped.mean(0)

    def width(self, space: str) -> int:
        """How many numbers a code of ``space`` has."""
        checks.one_of("latent space", space, self.spaces)
        last = max(part.stop for part in self.s_slices.values())
        widths: dict[str, int] = {"z": self.z_dim, "w": self.w_dim, "w+": self.num_ws * self.w_dim, "s": last}
        return widths[space]

    def encode(
        self, codes: Tensor, to: str, *, source: str = "z", labels: Tensor | None = None, truncation_psi: float = 1.0
    ) -> Tensor:
        """Codes of the space ``source`` as codes of ``to``, which must not lie to the left of it.

        Args:
            codes: (N, d) of ``source``.
            to: a space.
            source: a space.
            labels: (N,) int64 classes of a conditional generator, read on the way from z; None takes ``label``.
            truncation_psi: what is left of the distance of w to its average, also for codes that are in w or w+.

        Raises:
            ValueError: the way leads to the left, or through no w although it is to be truncated.
        """
        self._check_codes(codes, source)
        if self.spaces.index(checks.one_of("latent space", to, self.spaces)) < self.spaces.index(source):
            raise ValueError(f"codes go from left to right through {self.spaces}, got from {source!r} to {to!r}")
        if truncation_psi != 1.0 and (to == "z" or source == "s"):
            raise ValueError(f"truncation_psi works in w, and there is none from {source!r} to {to!r}; leave it at 1")
        if source == "z" and to != "z":
            codes = self.mapping(codes, self.labels(len(codes), labels))
        if truncation_psi != 1.0:
            average = self.w_avg.repeat(codes.shape[1] // self.w_dim)
            codes = average + truncation_psi * (codes - average)
        if source in ("z", "w") and to in ("w+", "s"):
            codes = codes.repeat(1, self.num_ws)
        return self.synthesis.styles(codes) if to == "s" and source != "s" else codes

    def synthesize(self, codes: Tensor, space: str = "z", *, labels: Tensor | None = None) -> Tensor:
        """Images (N, C, H, W) in [-1, 1] of codes (N, d) in ``space``; labels are read on the way from z.

        Raises:
            ValueError: unknown space, wrong width, codes that are not finite, or a class that is not known.
        """
        raw = self.synthesis(self.encode(codes, "s", source=space, labels=labels))
        low, high = self.value_range
        scaled: Tensor = raw if (low, high) == (-1.0, 1.0) else (raw - low) * (2 / (high - low)) - 1
        return scaled.clamp(-1, 1)

    def render(self, codes: Tensor, space: str = "z", *, labels: Tensor | None = None, batch_size: int = 64) -> Tensor:
        """`synthesize` without gradients, at most ``batch_size`` codes at a time, fewer where maps are large."""
        fits = max(1, min(batch_size, MAPS // self.synthesis.largest))
        return super().render(codes, space, labels=labels, batch_size=fits)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images (N, C, H, W) in [-1, 1] of codes (N, z_dim)."""
        return self.synthesize(z, labels=labels)

    def _check_codes(self, codes: Tensor, space: str) -> None:
        if codes.ndim != 2 or codes.shape[1] != self.width(space):
            raise ValueError(
                f"codes in {space} must have the shape (N, {self.width(space)}), got {tuple(codes.shape)}; are they of "
                "another space?"
            )
        checks.finite(codes, "codes")

    def first_layer(self, space: str = "z") -> FirstLayer:
        """The linear map that a code meets first: in z that of the mapping, in w and w+ all styles at once.

        In w that is the affine layers one below the other; in w+ each reads a part of the code of its own.

        Raises:
            ValueError: the space is s, whose numbers multiply weights.
        """
        checks.one_of("latent space", space, self.spaces)
        if space == "s":
            raise ValueError(
                "a code in s meets no linear layer: its numbers multiply weights; use the finder 'ganspace' or "
                "'jacobian', or the space 'w'"
            )
        if space == "z":
            weight = self.mapping.get_submodule("fc0").get_parameter("weight").detach()
            return FirstLayer(weight[:, : self.z_dim], None, "mapping.fc0")
        affine = [(index, layer.affine.weight.detach()) for _, index, layer in self.synthesis.sites()]
        if space == "w":
            return FirstLayer(torch.cat([weight for _, weight in affine]), None, "synthesis.*.affine")
        rows = [F.pad(weight, (i * self.w_dim, (self.num_ws - 1 - i) * self.w_dim)) for i, weight in affine]
        return FirstLayer(torch.cat(rows), None, "synthesis.*.affine")
