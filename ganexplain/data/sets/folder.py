"""A folder of pictures of any size; where it has subfolders, their names are the classes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from ganexplain import tensors
from ganexplain.data.sets._dataset import MAX_BYTES, MAX_SIDE, DataSet, Wish

__all__ = ["folder"]


def folder(path: Path | None, wish: Wish) -> DataSet:
    """Every picture in the folder and its class folders, or in those of its folders ``train`` and ``test``.

    Pictures are decoded and brought to the resolution one at a time, so that no more than the bytes of the result and
    of one picture are held. Where some are in colour and none else is said, the grey ones become colour too.

    Raises:
        FileNotFoundError: there is no such folder, or no picture in it.
        ValueError: pictures of several sizes and no ``resolution``, a picture that cannot be read, or folders that
            could mean several things.
    """
    from ganexplain.data.sets._listing import listing

    if path is None or not path.is_dir():
        raise FileNotFoundError(f"no folder {path}")
    found = listing(path)
    rows = _Rows(len(found.files), wish)
    for file in found.files:
        rows.add(file)
    labels = None if found.labels is None else torch.tensor(found.labels, dtype=torch.int64)
    name = path.resolve().name
    source = "; ".join([f"{len(found.files)} pictures of the folder {name}", *found.notes, *rows.notes()])
    return DataSet(rows.images, labels, found.class_names, name, source, found.n_test)


@dataclass
class _Rows:
    """Bytes (N, C, H, W) that are filled row by row."""

    n: int
    wish: Wish
    done: int = 0
    images: Tensor = field(default_factory=lambda: torch.empty(0))
    first: str = ""
    counts: dict[str, int] = field(default_factory=lambda: {"changed": 0, "oblong": 0, "enlarged": 0, "grey": 0})

    def add(self, file: Path) -> None:
        from ganexplain.data._decode import open_image
        from ganexplain.data.images import from_picture

        picture = open_image(file)
        side, wanted = self.wish.resolution, self.wish.channels
        channels = wanted if wanted in (1, 3) else None
        row = tensors.to_uint8(from_picture(picture, str(file), channels=channels, size=side, fit=self.wish.fit))
        self._count(picture, row)
        if not self.done:
            self._start(row, file)
        elif row.shape[2:] != self.images.shape[2:]:
            sizes = " and ".join(f"{r.shape[3]}x{r.shape[2]}" for r in (self.images, row))
            raise ValueError(
                f"the pictures have several sizes, {sizes} ({self.first} and {file.name}); pass a resolution"
            )
        if row.shape[1] > self.images.shape[1]:
            self._check(3 * row[0, 0].numel(), row)
            self.images = self.images.expand(-1, 3, -1, -1).contiguous()
        self.images[self.done] = row[0]
        self.done += 1

    def _start(self, row: Tensor, file: Path) -> None:
        self._check(row.numel(), row)
        self.images, self.first = torch.zeros(self.n, *row.shape[1:], dtype=torch.uint8), file.name

    def _check(self, each: int, row: Tensor) -> None:
        if self.n * each > MAX_BYTES or max(row.shape[2:]) > MAX_SIDE:
            raise ValueError(
                f"{self.n} pictures of {row.shape[3]}x{row.shape[2]} are too large: a data set may hold {MAX_BYTES} "
                f"bytes and sides of {MAX_SIDE} pixels; pass a smaller resolution"
            )

    def _count(self, picture: Image.Image, row: Tensor) -> None:
        side, (width, height) = self.wish.resolution, picture.size
        self.counts["grey"] += row.shape[1] == 1
        self.counts["changed"] += side is not None and (height, width) != (side, side)
        self.counts["oblong"] += side is not None and height != width
        scale = min if self.wish.fit == "crop" else max
        self.counts["enlarged"] += side is not None and scale(height, width) < side

    def notes(self) -> list[str]:
        """What was done to the pictures, in words."""
        how = {"crop": "centre-cropped to squares", "stretch": "stretched to squares", "pad": "padded with black"}
        side, grey = self.wish.resolution, self.counts["grey"]
        words = {
            "oblong": f"{self.counts['oblong']} {how[self.wish.fit]}",
            "changed": f"{self.counts['changed']} resized to {side}x{side} (bilinear, smoothed)",
            "enlarged": f"{self.counts['enlarged']} of these enlarged, which adds no detail",
        }
        mixed = [f"{grey} grey ones made colour"] * (0 < grey < self.n and self.images.shape[1] == 3)
        return [text for name, text in words.items() if self.counts[name]] + mixed
