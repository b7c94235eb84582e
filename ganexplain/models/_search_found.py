"""What a search in codes finds, and how hard it may try."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

from torch import Tensor


class Effort(TypedDict, total=False):
    """How hard to search.

    Attributes:
        n_restarts: starts for each input, from the best of `POOL` random samples.
        steps: gradients a start at most.
        seed: of the samples.
        batch_size: the largest batch that generator and critic see.
    """

    n_restarts: int
    steps: int
    seed: int
    batch_size: int


@dataclass(frozen=True)
class Inversion:
    """Codes whose images are as near as could be found to N given ones.

    Attributes:
        codes: (N, D) in ``space``.
        images: (N, C, H, W) what the generator makes of them, or rows or signals.
        error: (N,) root mean square difference, for images in units of [-1, 1], else in the form's scaled units.
        psnr: (N,) peak signal-to-noise ratio in dB; the peak is the range of images, or that of the samples.
        quality: N words: "good" where at most 5 % of the variance of the generator's samples is left unexplained;
            "fair" up to 15 %, where the sort is met and not the piece; else "poor", and "poor" also where the search
            came hardly nearer than the nearest random sample: do not read such a code as the image's.
        unexplained: (N,) squared error over the mean squared distance of samples from their mean.
        sampled: (N,) error of the nearest of the random samples.
        agreement: (N,) share of the best restarts that found the same code; low where many codes make one image.
        plausible: (N,) share of the prior whose codes have a length as unusual, or more so; near 0, the code is none
            that the generator was trained on.
        space: latent space of the codes.
        evaluations: forward passes an image, a gradient counting as one.
    """

    codes: Tensor
    images: Tensor
    error: Tensor
    psnr: Tensor
    quality: tuple[str, ...]
    unexplained: Tensor
    sampled: Tensor
    agreement: Tensor
    plausible: Tensor
    space: str
    evaluations: int

    def __len__(self) -> int:
        return len(self.codes)

    def __repr__(self) -> str:
        words = ", ".join(f"{self.quality.count(w)} {w}" for w in ("good", "fair", "poor") if w in self.quality)
        return f"Inversion({len(self)} in {self.space}: {words}, rms {float(self.error.mean()):.3g})"


@dataclass(frozen=True)
class Crossing:
    """Codes on the other side of a critic's verdict, as near as could be found.

    Attributes:
        codes: (N, D) in ``space``.
        images: (N, C, H, W) what the generator makes of them, or rows or signals.
        logits: (N,) the critic's, higher is more real.
        distance: (N,) in ``unit``, to the code or the image that was given.
        flipped: (N,) bool, whether the critic judges them for the side that was asked for.
        plausible: see `Inversion`.
        agreement: (N,) share of the restarts that end within a tenth of the shortest distance.
        space: latent space of the codes.
        unit: "standard deviations" of the prior, as a Euclidean distance of codes, or "rms" of images.
        evaluations: forward passes an input, a gradient counting as one.
    """

    codes: Tensor
    images: Tensor
    logits: Tensor
    distance: Tensor
    flipped: Tensor
    plausible: Tensor
    agreement: Tensor
    space: str
    unit: str
    evaluations: int

    def __len__(self) -> int:
        return len(self.codes)


@dataclass(frozen=True)
class Ending:
    """What a search for the other side says of itself; see `Crossing`."""

    side: str
    distance: Tensor
    agreement: Tensor
    unit: str
    evaluations: int
