"""Eight narrow Gaussians on a ring, radius 2, standard deviation .02 (Metz et al. 2017, Unrolled GAN, appendix A).

The ring of Srivastava et al. (2017, VEEGAN) and Lin et al. (2018, PacGAN), radius 1 and .01, is the same at half the
scale, and a GAN that standardises its rows sees no difference.
"""

from __future__ import annotations

from pathlib import Path

from ganexplain.data.sets._dataset import DataSet, Wish
from ganexplain.data.sets._gaussians import gaussians, ring

__all__ = ["ring_8"]

SIGMA = 0.02


def ring_8(path: Path | None, wish: Wish) -> DataSet:
    """50,000 rows with ``modes`` (8, 2)."""
    if path is not None:
        raise ValueError(f"ring-8 is drawn and read from no folder, got {path}; write only ring-8")
    return gaussians(ring(), SIGMA, name="ring-8")
