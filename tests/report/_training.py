"""Folders of trainings as they lie there while they go on, written by hand."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import torch

from ganexplain.figures.grid import grid_png
from ganexplain.models.gan import GAN
from ganexplain.models.health import DIAGNOSTICS

CLASSES = [str(i) for i in range(5)]
LIMITS: dict[str, tuple[Any, Any]] = {
    "non_finite": (1, 10),
    "discriminator_wins": (0.95, 0.995),
    "discriminator_loses": (0.55, None),
    "overfitting": (0.3, 0.6),
    "mode_collapse": (0.7, 0.3),
    "mode_imbalance": (0.1, 0.5),
    "oscillation": (0.2, 0.4),
    "penalty_balance": ([0.2, 5.0], None),
    "stagnation": (0.3, None),
}
UNITS = {
    "discriminator_wins": "share of pairs",
    "discriminator_loses": "share of pairs",
    "mode_collapse": "distance of fakes over that of reals",
    "mode_imbalance": "nats",
    "oscillation": "total variation",
    "penalty_balance": "R2 over R1",
}
CONFIG = {
    "model": {"family": "dcgan"},
    "loss": {"name": "relativistic", "gamma": 1.0, "penalties": ["r1", "r2"]},
    "run": {"steps": 400, "batch": 32, "seed": 0},
}
FACTS = {
    "config": CONFIG,
    "data": {"name": "digits", "source": "scikit-learn", "fingerprint": "ab12", "class_names": CLASSES},
    "seed": 0,
    "threads": 1,
    "device": "cpu",
    "versions": {"torch": "2.13.0"},
}


def steps_line(step: int, **more: Any) -> dict[str, Any]:
    t = step / 400
    line = {
        "kind": "steps",
        "step": step,
        "loss_d": 0.66 + 0.03 * math.sin(step / 37),
        "loss_g": 0.75 + 0.05 * math.sin(step / 23),
        "r1": 0.02 + 0.2 * t,
        "r2": 0.015 + 0.22 * t,
        "gp": None,
        "accuracy": 0.6 + 0.1 * t,
        "accuracy_min": 0.45 + 0.1 * t,
        "accuracy_max": 0.8 + 0.1 * t,
        "logit_real": 1 + t,
        "logit_fake": 0.6 + t,
        "grad_d": 1.0,
        "grad_g": 0.5 + t,
        "skipped": 0,
        "non_finite_in_a_row": 0,
        "lr": 5e-4 * (1 - 0.7 * t),
        "gamma": 1.0,
        "seen": 32 * step,
        "seconds": 0.04 * step,
    }
    return line | more


def evaluation_line(step: int, **more: Any) -> dict[str, Any]:
    t = step / 400
    shares = {name: 0.2 + (0.3 * (1 - t) if i == 0 else -0.075 * (1 - t)) for i, name in enumerate(CLASSES)}
    line = {
        "kind": "evaluation",
        "step": step,
        "fd": 30 / (0.1 + t),
        "fd_floor": 2.5,
        "fd_ceiling": 600.0,
        "fd_images": 300,
        "fd_space": "a bundled classifier",
        "kid": 0.2 / (0.1 + t),
        "kid_sd": 0.01,
        "precision": 0.5 + 0.2 * t,
        "recall": 0.5 * t,
        "density": 0.4 + 0.2 * t,
        "coverage": 0.6 * t,
        "diversity": 0.4 + 0.5 * t,
        "memorisation": 1.05,
        "classes": {
            "reader": "nearest centre",
            "reader_accuracy": 0.97,
            "shares": shares,
            "present": 5,
            "of": 5,
            "kl": 0.3 * (1 - t),
        },
        "logits": {"train": 1 + t, "held_out": 0.97 + t, "fake": 0.6 + t},
        "seconds": 0.5,
    }
    return line | more


def health(verdict: str = "HEALTHY", **levels: str) -> dict[str, Any]:
    rows = [
        {
            "name": name,
            "value": 0.8 if name == "mode_collapse" else 0.1,
            "unit": UNITS.get(name, "share of the gap"),
            "warn": LIMITS[name][0],
            "fail": LIMITS[name][1],
            "level": levels.get(name, "ok"),
            "words": f"what {name} found",
            "step": 400,
        }
        for name in DIAGNOSTICS
    ]
    return {"verdict": verdict, "words": "", "step": 400, "readings": rows}


LINES = [
    *(steps_line(step) for step in (1, *range(20, 401, 20))),
    *(evaluation_line(step) for step in range(100, 401, 100)),
    {"kind": "event", "step": 120, "event": "interrupt", "words": "SIGINT"},
    {"kind": "event", "step": 120, "event": "resume", "words": "from step 120"},
]
LINES.sort(key=lambda line: line["step"])


def write(
    folder: Path,
    lines: list[dict[str, Any]] | None = None,
    *,
    facts: Any = FACTS,
    ended: Any = None,
    sheets: tuple[int, ...] = (0, 100, 200, 300, 400),
    tail: bytes = b"",
) -> Path:
    """The folder of a run with these files."""
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(line) + "\n" for line in (LINES if lines is None else lines))
    (folder / "metrics.jsonl").write_bytes(text.encode() + tail)
    if facts is not None:
        (folder / "run.json").write_text(json.dumps(facts))
    if ended is not None:
        (folder / "health.json").write_text(json.dumps(ended))
    for step in sheets:
        noise = torch.rand(20, 1, 8, 8, generator=torch.Generator().manual_seed(step)) * 2 - 1
        (folder / f"samples-{step:06d}.png").write_bytes(grid_png(noise, 5, 4))
    return folder


def finished(folder: Path, **card: Any) -> Path:
    """The GAN that a finished run leaves."""
    gan = GAN.build("mlp", seed=0, resolution=8, channels=1, z_dim=4)
    gan.reals = torch.arange(12 * 64, dtype=torch.int64).remainder(256).to(torch.uint8).reshape(12, 1, 8, 8)
    gan.card = card
    return gan.save(folder / "gan.safetensors")
