"""What each update sees: a function of seed, step and process alone, so that a run needs no saved random state.

Every process draws the numbers of the whole batch and takes its own rows, so that several see what one would.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ganexplain import tensors
from ganexplain.models.generator import Generator
from ganexplain.training import augment
from ganexplain.training.config import Config
from ganexplain.training.sampler import Sampler
from ganexplain.training.world import World


class Batches:
    """Reals, labels, codes and augmentations by number.

    Attributes:
        rows: reals are rows of a table, and no images.

    Args:
        images: (N, C, H, W) uint8, or (N, F) float32 rows in their own units.
        labels: (N,) int64, or None.
        generator: it says how rows are scaled, and how long a code is.
        config: ``run`` and ``optim.n_critic`` are read.
        world: which rows of a batch are this process's.
        device: where batches are put.
    """

    def __init__(
        self,
        images: Tensor,
        labels: Tensor | None,
        generator: Generator,
        config: Config,
        world: World,
        device: torch.device,
    ) -> None:
        self.run, self.device, self.z_dim = config.run, device, generator.z_dim
        self.rows = images.dtype != torch.uint8
        self.images = (generator.form.scaled(images) if self.rows else images).to(device)
        self.labels = None if labels is None else labels.to(device)
        self.own = world.share(self.run.batch)
        self.sampler = Sampler(len(images), self.run.batch, self.run.seed)

    def reals(self, draw: int) -> tuple[Tensor, Tensor | None]:
        """This process's part of draw ``number``: images in [-1, 1], or scaled rows, and their labels."""
        rows = self.sampler.draw(draw)[self.own].to(self.device)
        labels = None if self.labels is None else self.labels[rows]
        batch = self.images[rows]
        if self.rows:
            return batch, labels
        batch = tensors.from_uint8(batch)
        if not self.run.flip:
            return batch, labels
        heads = tensors.rng(self.run.seed, "flip", draw).random(self.run.batch)[self.own] < 0.5
        mirrored = torch.from_numpy(heads).to(self.device)[:, None, None, None]
        return torch.where(mirrored, batch.flip(-1), batch), labels

    def noise(self, player: str, number: int, turn: int = 0) -> Tensor:
        """(n, z_dim) codes of a player's update; a discriminator with several a step has as many turns."""
        shape = (self.run.batch, self.z_dim)
        return tensors.normal(self.run.seed, "train", player, number, turn, shape=shape)[self.own].to(self.device)

    def between(self, number: int, turn: int) -> Tensor:
        """(n,) uniform shares of the way from a real to a fake, for the penalty between them."""
        drawn = tensors.rng(self.run.seed, "between", number, turn).random(self.run.batch, "float32")
        return torch.from_numpy(drawn)[self.own].to(self.device)

    def augmented(self, images: Tensor, *keys: int | str) -> Tensor:
        """``images`` under the run's augmentations, drawn anew for every (step, turn, player, kind)."""
        if not self.run.augment:
            return images
        drawn = augment.drawn(tensors.rng(self.run.seed, "augment", *keys), self.run.batch)
        own = {name: values[self.own].to(self.device) for name, values in drawn.items()}
        return augment.augmented(images, own, self.run.augment)
