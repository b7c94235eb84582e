"""The end of a run: calibrated critics, held-out reals, a card of how the GAN was made and how good it is, one file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import ganexplain
from ganexplain import tensors
from ganexplain.data.recorded import record
from ganexplain.data.sets import DataSet
from ganexplain.data.splits import Split
from ganexplain.models.gan import GAN
from ganexplain.models.private import private_copy, settled
from ganexplain.training.building import with_classes
from ganexplain.training.config import Config
from ganexplain.training.judge import calibrate
from ganexplain.training.metrics import measure

REALS = 300  # held-out images that a GAN carries: baselines and the range of real logits
PROBES = 2  # codes that the networks are run on
LEAST_HELD_OUT = 60  # 20 to fit a calibration's halves on, twice, and a third to carry


def finish(
    gan: GAN, data: DataSet, split: Split, config: Config, *, steps: int, quality: dict[str, Any] | None = None
) -> GAN:
    """Complete a trained GAN in place: reals, classes, calibration, card.

    The reals that it carries are held-out images too, but others than those that calibrate its critics.

    Args:
        gan: trained, with or without a judge.
        data: what it was trained on.
        split: which rows it was trained on.
        config: how.
        steps: how many steps were taken.
        quality: what `ganexplain.training.metrics.measure` gave; None measures now.

    Raises:
        ValueError: fewer held-out images than a calibration needs, a conditional GAN of images without labels, or a
            network that does not stand still.
    """
    check_held_out(split)
    labels = data.labels if gan.generator.num_classes else None
    if labels is not None:
        with_classes(gan, data, split)
    held_out = split.held_out
    carried = balanced(held_out, data.labels, min(REALS, len(held_out) // 3))
    others = held_out[~torch.isin(held_out, carried)]
    gan.reals, gan.real_labels = data.images[carried].contiguous(), None if labels is None else labels[carried]
    check_still(gan)
    seed = config.run.seed
    critics = calibrate(gan, data.images[others], labels=None if labels is None else labels[others], seed=seed)
    gan.card = {
        "name": f"{gan.family} on {data.name}",
        "config": config.as_dict(),
        "seed": seed,
        "steps": steps,
        "images_seen": steps * config.run.batch,
        "data": record(data, split),
        "reals": {
            "n": len(carried),
            "rows": carried.tolist(),
            "from": "held out; used by neither training nor calibration",
        },
        "critics": critics,
        "quality": measure(gan, data, split, seed=seed) if quality is None else quality,
        "versions": {"ganexplain": ganexplain.__version__, "torch": str(torch.__version__)},
    }
    return gan


def check_held_out(split: Split) -> None:
    """Raise if too few images are held out to calibrate critics: better said before the training than after it."""
    n = len(split.held_out)
    if n < LEAST_HELD_OUT:
        raise ValueError(
            f"at least {LEAST_HELD_OUT} held-out images are needed to calibrate the critics, got {n}; add some"
        )


def check_still(gan: GAN) -> None:
    """Raise if a network of ``gan`` changes when it is used, as no saved one may: its next answer would be another.

    Training moves buffers, the statistics of BatchNorm and the vectors of spectral norm; in eval mode all must rest.

    Raises:
        ValueError: a buffer changed in a pass.
    """
    labels = gan.labels(PROBES) if gan.generator.num_classes else None
    codes = gan.generator.sample(PROBES)
    with torch.no_grad(), tensors.isolated():
        made = settled(gan.generator).raw(codes, None if labels is None else labels.to(codes.device))
        for name, given in (("generator", codes), ("discriminator", made), ("judge", made)):
            network = getattr(gan, name)
            if network is None:
                continue
            twin = private_copy(network)
            place = next(twin.parameters()).device
            before = {path: value.clone() for path, value in twin.named_buffers()}
            twin(given.to(place), *(() if labels is None else (labels.to(place),)))
            moved = [path for path, value in twin.named_buffers() if not torch.equal(value, before[path])]
            if moved:
                raise ValueError(
                    f"the {name} changes its buffer {moved[0]!r} whenever it is used, so that it would judge the same "
                    "image otherwise the next time; change buffers in train mode alone"
                )


def balanced(rows: Tensor, labels: Tensor | None, n: int) -> Tensor:
    """The first ``n`` of ``rows``, as evenly over the classes as their numbers allow; without labels simply the first.

    Args:
        rows: (M,) int64 row numbers, in random order.
        labels: (N,) labels of all rows, or None.
        n: how many.
    """
    if labels is None:
        return rows[:n]
    own = labels[rows]
    turn = torch.empty(len(rows), dtype=torch.int64)  # place within the class: all first ones go before any second
    for c in range(int(own.max()) + 1):
        members = own == c
        turn[members] = torch.arange(int(members.sum()))
    order = torch.argsort(turn * (int(own.max()) + 1) + own, stable=True)
    return rows[order[:n]]


def save(gan: GAN, folder: str | Path) -> Path:
    """Write ``gan.safetensors`` into the run's folder, whole or not at all."""
    return gan.save(Path(folder) / "gan.safetensors")
