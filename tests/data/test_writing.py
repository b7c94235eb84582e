"""What is written is read back to the byte."""

import pytest
import torch

from ganexplain import tensors
from ganexplain.data.images import read_folder
from ganexplain.data.writing import write_images


@pytest.mark.parametrize("channels", [1, 3])
def test_images_come_back(tmp_path, channels):
    images = tensors.from_uint8(torch.randint(0, 256, (12, channels, 5, 7), dtype=torch.uint8))
    paths = write_images(images, tmp_path / "new", prefix="real-")
    assert [p.name for p in paths[:2]] == ["real-000.png", "real-001.png"]
    assert torch.equal(read_folder(tmp_path / "new"), images)


def test_what_cannot_be_written_is_said(tmp_path):
    with pytest.raises(ValueError, match="1 or 3 channels, got 2"):
        write_images(torch.zeros(1, 2, 4, 4), tmp_path)
    with pytest.raises(ValueError, match="part of a file's name"):
        write_images(torch.zeros(1, 1, 4, 4), tmp_path, prefix="../x")
    with pytest.raises(ValueError, match=r"must lie in \[-1, 1\]"):
        write_images(torch.full((1, 1, 4, 4), 2.0), tmp_path)
    assert list(tmp_path.iterdir()) == []
