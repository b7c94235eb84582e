"""Does the verdict go when what the explanation names is taken away, and stay when anything else is?

    GANEXPLAIN_ASSETS=FOLDER python -m benchmarks.removal [--seed 0] [--write]

A small detector is trained on one half of 64 real CIFAR-10 images and 64 DCGAN fakes
(csinva/gan-vae-pretrained-pytorch) and judges the other half. Each fake that it catches is explained in bands of
frequencies against real images of the training half. The bands that speak most for fake are then replaced by those of
real images of the other half, which no explanation has seen, and so are as many bands at random: the mean over every
combination of them, those with the named bands included. What returns is the share of the way from the fake's logit to
the mean logit of held-out reals.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import ganexplain as ge
from benchmarks._subjects import hardware
from ganexplain import tensors
from ganexplain.attribution.baselines.reals import Reals
from ganexplain.models.verdict import auc

RESULT = Path(__file__).parent / "results" / "removal.json"
FILES = {"real": "real_samples.png", "fake": "fake_samples_epoch_199.png"}
STEPS, FILTERS = 200, 12
TAKEN = {1: "one", 2: "two", 3: "three"}  # bands that are replaced
DONORS = 8  # real images whose bands take their place


class Textures(nn.Module):
    """Learned filters on brightness and two colour differences, their log energy over the image, one linear layer."""

    def __init__(self) -> None:
        super().__init__()
        third = 1 / 3
        opponent = torch.tensor([[third, third, third], [4.0, -4.0, 0.0], [0.0, -4.0, 4.0]])
        self.register_buffer("opponent", opponent[:, :, None, None])
        self.filters = nn.Conv2d(3, FILTERS, 3, bias=False)
        self.norm, self.out = nn.BatchNorm1d(FILTERS, affine=False), nn.Linear(FILTERS, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1) logits, high for real, of (N, 3, H, W) in [-1, 1]."""
        found = self.filters(nn.functional.conv2d(x, self.opponent)).square().mean((2, 3))
        logit: Tensor = self.out(self.norm((found + 1e-4).log()))
        return logit


def trained(real: Tensor, fake: Tensor, seed: int) -> ge.Critic:
    """The detector, from images (N, 3, H, W) and their mirror images."""
    with tensors.isolated(seed):
        network = Textures()
        optimiser = torch.optim.AdamW(network.parameters(), 1e-2, weight_decay=1e-2)
        x, y = torch.cat([real, fake]), torch.cat([torch.ones(len(real)), torch.zeros(len(fake))])
        for step in range(STEPS):
            logit = network(x if step % 2 else x.flip(3))[:, 0]
            loss = nn.functional.binary_cross_entropy_with_logits(logit, y)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return ge.Critic(network.eval(), preprocess=ge.Preprocess(size=x.shape[-1], channels=3)).with_reference(real)


def cells(path: Path) -> Tensor:
    """(64, 3, 32, 32) from a grid of 8 x 8 with 2 pixels between."""
    grid = ge.read_image(path, channels=3)[0]
    corners = [2 + 34 * i for i in range(8)]
    return torch.stack([grid[:, y : y + 32, x : x + 32] for y in corners for x in corners])


class Removal:
    """One fake with the logits of every way to replace a few of its bands by those of reals.

    Args:
        critic: the detector.
        fake: (1, 3, H, W).
        donors: (D, 3, H, W) reals that no explanation has seen.
    """

    def __init__(self, critic: ge.Critic, fake: Tensor, donors: Tensor) -> None:
        chart = ge.Frequency().bind(critic, fake, donors[None])
        self.charts, self.count = chart.members(), len(chart.names)

    def logit(self, taken: tuple[int, ...]) -> float:
        """The mean logit over the donors with the bands ``taken`` replaced."""
        keep = torch.ones(1, self.count, dtype=torch.bool)
        keep[0, list(taken)] = False
        return float(torch.stack([chart.coalitions(keep, 0, 64)[0] for chart in self.charts]).mean())


def measured(seed: int) -> dict[str, Any]:
    """Figures of one split."""
    folder = Path(os.environ["GANEXPLAIN_ASSETS"]) / "cifar10-dcgan-samples"
    images = {kind: cells(folder / name) for kind, name in FILES.items()}
    order = torch.from_numpy(tensors.rng(seed, "halves").permutation(64))
    seen, held = order[:32], order[32:]
    critic = trained(images["real"][seen], images["fake"][seen], seed)
    real, fake = images["real"][held], images["fake"][held]
    logits = critic.logits(real), critic.logits(fake)
    goal, caught = float(logits[0].mean()), fake[logits[1] < 0]
    explain = ge.KernelShap(critic, domain=ge.Frequency(), baseline=Reals(16))
    found = explain.attribute(caught, side="fake")
    returned: dict[tuple[str, int], list[float]] = {}
    turned: dict[tuple[str, int], list[float]] = {}
    for row, (image, totals) in enumerate(zip(caught, found.totals(), strict=True)):
        case, start = Removal(critic, image[None], real[:DONORS]), float(found.verdict.logit[row])
        best = totals.argsort(descending=True).tolist()
        for k in TAKEN:
            chosen = {"named": [tuple(best[:k])], "least": [tuple(best[-k:])]}
            chosen["random"] = list(itertools.combinations(range(case.count), k))
            for kind, sets in chosen.items():
                after = [case.logit(taken) for taken in sets]
                returned.setdefault((kind, k), []).append(sum((a - start) / (goal - start) for a in after) / len(after))
                turned.setdefault((kind, k), []).append(sum(a > 0 for a in after) / len(after))
    names = [found.names[int(i)] for i in found.totals().argmax(1)]
    return {
        "auc": auc(*logits),
        "caught": len(caught),
        "top": {name: names.count(name) for name in dict.fromkeys(sorted(names))},
        "returned": {" ".join(map(str, key)): mean(values) for key, values in returned.items()},
        "turned": {" ".join(map(str, key)): mean(values) for key, values in turned.items()},
    }


def mean(values: list[float]) -> list[float]:
    """Mean and standard error."""
    of = torch.tensor(values, dtype=torch.float64)
    return [float(of.mean()), float(of.std() / len(values) ** 0.5)]


def rows(found: dict[str, Any]) -> list[dict[str, Any]]:
    """The table of the README."""
    made = []
    for k in TAKEN:
        row: dict[str, Any] = {"bands replaced": TAKEN[k]}
        for kind, word in (("named", "named"), ("random", "at random"), ("least", "speaking least")):
            row[f"{word}: way back to real"] = found["returned"][f"{kind} {k}"][0]
            row[f"{word}: judged real"] = found["turned"][f"{kind} {k}"][0]
        made.append(row)
    return made


def main() -> None:
    """Measure, print, and write with ``--write``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    if not os.environ.get("GANEXPLAIN_ASSETS"):
        parser.error("GANEXPLAIN_ASSETS names no folder with cifar10-dcgan-samples; set it")
    found = measured(asked.seed)
    document = {"seed": asked.seed, "hardware": hardware(), **found, "rows": rows(found)}
    print(json.dumps(document, indent=2))
    if asked.write:
        RESULT.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
