"""A tiny run on digits, made once: what the tests of the judge, the metrics and the export look at."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import pytest
import torch

from ganexplain.data.sets import DataSet, open_data
from ganexplain.data.splits import Split, split
from ganexplain.models.gan import GAN
from ganexplain.training.config import Config, load
from ganexplain.training.loop import train


@dataclass
class Run:
    """A trained GAN without a judge, and what it was made of."""

    gan: GAN
    data: DataSet
    split: Split
    config: Config

    @property
    def images(self) -> torch.Tensor:
        return self.data.images[self.split.train]


@pytest.fixture(scope="session")
def trained() -> Run:
    changes = ["model.width=8", "model.depth=0", "run.steps=120", "run.batch=32", "judge.steps=150", "judge.lr=2e-3"]
    changes += ["loss.gamma=0.3", "optim.lr=1.5e-3"]  # the preset is made for longer runs
    config = load("dcgan", changes)
    data = open_data("digits")
    parts = split(data)
    gan = GAN.build("dcgan", resolution=8, channels=1, **config.options)
    list(train(gan, data.images[parts.train], config))
    return Run(gan, data, parts, config)


@pytest.fixture
def run(trained: Run) -> Run:
    """A copy that a test may change."""
    return Run(copy.deepcopy(trained.gan), trained.data, trained.split, trained.config)
