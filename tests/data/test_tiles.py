"""Sheets of samples, cut; the oracle is the sheet's own making."""

import pytest
import torch

from ganexplain import tensors
from ganexplain.data.tiles import cut


def sheet(tiles, columns, padding, *, border, fill=-1.0):
    n, channels, size, _ = tiles.shape
    rows, edge = -(-n // columns), padding if border else 0
    pitch = size + padding
    made = torch.full((1, channels, rows * pitch - padding + 2 * edge, columns * pitch - padding + 2 * edge), fill)
    for i, tile in enumerate(tiles):
        y, x = edge + i // columns * pitch, edge + i % columns * pitch
        made[0, :, y : y + size, x : x + size] = tile
    return made


@pytest.mark.parametrize("border", [True, False])
@pytest.mark.parametrize(("padding", "columns", "n"), [(2, 4, 12), (2, 4, 10), (0, 3, 9), (1, 5, 5), (3, 1, 2)])
def test_cutting_undoes_the_sheet(border, padding, columns, n):
    tiles = tensors.normal(0, "tiles", shape=(n, 3, 7, 7)).clamp(-1, 1)
    assert torch.equal(cut(sheet(tiles, columns, padding, border=border), 7, padding), tiles)


def test_what_does_not_fit_is_refused():
    made = sheet(torch.rand(4, 1, 7, 7), 2, 2, border=True)
    with pytest.raises(ValueError, match="20x20 pixels does not consist of tiles of 8 pixels with 2 between"):
        cut(made, 8, 2)
    with pytest.raises(ValueError, match="got 0 and 2"):
        cut(made, 0, 2)
    with pytest.raises(ValueError, match="does not consist"):
        cut(made, 70, 2)


def test_a_plain_first_tile_is_kept():
    assert len(cut(torch.zeros(1, 1, 4, 8), 4, 0)) == 1
