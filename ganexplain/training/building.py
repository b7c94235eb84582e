"""A GAN for a data set: what the config says, and what the data say by themselves."""

from __future__ import annotations

from typing import Any

import torch

from ganexplain.data.sets import DataSet
from ganexplain.data.splits import Split
from ganexplain.models.gan import GAN
from ganexplain.models.table import Table
from ganexplain.training.config import Config

Options = dict[str, Any]


def build(config: Config, data: DataSet, split: Split) -> GAN:
    """An untrained GAN for the images or rows of a data set; the same seed gives the same weights.

    Args:
        config: ``model`` and ``run.seed`` are read.
        data: resolution and channels, or features and their scaling, and the classes of a conditional GAN.
        split: shares of the classes, and the scaling of rows, are those of its training part.

    Raises:
        ValueError: a conditional GAN of data without labels, rows for a family of images, or options of the config
            that contradict the data.
    """
    given = {**_form(data, split), **_classes(config, data)}
    for name, value in given.items():
        if config.options.get(name, value) != value:
            advice = f"use --{name}" if name in ("resolution", "channels") else "leave it out"
            raise ValueError(f"model.{name}={config.options[name]} does not fit images of {value}; {advice}")
    family = config.model["family"]
    try:
        gan = GAN.build(family, seed=config.run.seed, **{**config.options, **given})
    except ValueError as problem:
        if "'table'" not in str(problem):
            raise
        said = f"{data.name} holds rows of a table, which the family {family} does not make; set model.family=mlp"
        raise ValueError(said) from problem
    return with_classes(gan, data, split) if config.conditional else gan


def with_classes(gan: GAN, data: DataSet, split: Split) -> GAN:
    """A conditional GAN that knows what its classes are called and how often each comes; changed in place."""
    shares = class_shares(data, split) or {}
    gan.class_names, gan.class_shares = tuple(shares), tuple(shares.values())
    return gan


def _form(data: DataSet, split: Split) -> Options:
    """Options of the family that say what is made."""
    if not data.feature_names:
        return {"resolution": data.resolution, "channels": data.channels}
    form = Table.standardised(data.images[split.train], data.feature_names, units=data.units)
    table = {"names": list(form.names), "units": dict(form.units), "mean": list(form.mean), "std": list(form.std)}
    return {"table": table}


def _classes(config: Config, data: DataSet) -> Options:
    if not config.conditional:
        return {}
    if data.labels is None:
        raise ValueError(
            f"model.conditional needs labels, and {data.name} has none; put the images in one folder a class, "
            "or leave model.conditional out"
        )
    return {"num_classes": len(data.class_names)}


def class_shares(data: DataSet, split: Split) -> dict[str, float] | None:
    """How much of the training images is of each class, by its name; None without labels."""
    if data.labels is None:
        return None
    counts = torch.bincount(data.labels[split.train], minlength=len(data.class_names)).double()
    return dict(zip(data.class_names, (counts / counts.sum()).tolist(), strict=True))
