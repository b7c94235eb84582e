"""Twenty-five Gaussians on a 5x5 grid at -4, -2 .. 4, standard deviation .05.

Srivastava et al. (2017, VEEGAN) and Lin et al. (2018, PacGAN).
"""

from __future__ import annotations

from pathlib import Path

from ganexplain.data.sets._dataset import DataSet, Wish
from ganexplain.data.sets._gaussians import gaussians, grid

__all__ = ["grid_25"]

SIGMA = 0.05


def grid_25(path: Path | None, wish: Wish) -> DataSet:
    """50,000 rows with ``modes`` (25, 2)."""
    if path is not None:
        raise ValueError(f"grid-25 is drawn and read from no folder, got {path}; write only grid-25")
    return gaussians(grid(), SIGMA, name="grid-25")
