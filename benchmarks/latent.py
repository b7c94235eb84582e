"""Which method says best what a latent direction does: predicted against measured effects on the bundled GAN.

    python -m benchmarks.latent [--codes 200] [--seed 0] [--write]

The measured effect of a direction on a code is the judge's logit minus its mean when the code's amount of that
direction alone is drawn anew from the prior. A method predicts it by the direction's value. Both are compared over
codes and directions (Pearson), with a 95 % interval from a bootstrap over codes. The default is the method that
predicts best on the first half of the codes, of those whose values sum to the change; the second half is held out, and
is what is published. Occlusion over random codes measures the same thing on other draws, so that it says how far
anything could come; it shares nothing out, and stands beside the default. The amounts that are drawn for the
measurement are none of those that any method starts from. Random directions are the control.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import ganexplain as ge
from ganexplain import tensors
from ganexplain.attribution import METHODS
from ganexplain.attribution.domains._codes import Basis
from ganexplain.latent.finders import FINDERS

RESULT = Path(__file__).parent / "results" / "latent.json"
N_DIRECTIONS, N_DRAWS, BOOTSTRAPS, BATCH = 10, 24, 1000, 64
MEASURED = 10_007  # seed of the amounts that are drawn anew
CODES = 20_011


@dataclass(frozen=True)
class Rule:
    """A method with a rule for its origins.

    Attributes:
        method: its name.
        origins: how many random codes it starts from; 0 is zero, the mean of the prior.
        settings: of the method.
    """

    method: str
    origins: int
    settings: dict[str, Any]


RULES = [
    Rule("integrated_gradients", 0, {"max_evaluations": 90}),
    Rule("integrated_gradients", 1, {"max_evaluations": 90}),
    Rule("integrated_gradients", 8, {"max_evaluations": 10}),
    Rule("integrated_gradients", 32, {"max_evaluations": 10}),
    Rule("expected_gradients", 32, {"max_evaluations": 200, "tol": 1e-9}),
    Rule("input_x_gradient", 32, {}),
    Rule("kernel_shap", 1, {"max_evaluations": 300}),
    Rule("permutation_shapley", 8, {"max_evaluations": 300}),
    Rule("permutation_shapley", 32, {"max_evaluations": 300}),
    Rule("occlusion", 32, {}),
]
CONTROLS = [rule for rule in RULES if rule.origins == 32 and rule.method in ("expected_gradients", "occlusion")]


def measured(gan: ge.GAN, directions: Any, codes: Tensor) -> Tensor:
    """(N, K) float64 logit minus its mean over amounts of one direction that are drawn anew."""
    generator, critic = gan.generator, gan.critic()
    basis = Basis.of(directions.vectors.double(), directions.names)
    drawn = basis.coordinates(generator.sample(N_DRAWS, seed=MEASURED))
    point, count = basis.coordinates(codes), len(directions.vectors)
    effects = []
    for row in point:
        changed = row.expand(count, N_DRAWS, -1).clone()
        for k in range(count):
            changed[k, :, k] = drawn[:, k]
        every = torch.cat([row[None], changed.flatten(0, 1)])
        images = generator.render(basis.codes(every), batch_size=BATCH)
        logits = critic.logits(images, batch_size=BATCH).double()
        effects.append(logits[0] - logits[1:].view(count, N_DRAWS).mean(1))
    return torch.stack(effects)


def predicted(rule: Rule, gan: ge.GAN, directions: Any, codes: Tensor) -> tuple[Tensor, float]:
    """(N, K) float64 values of the directions for "real", and forward passes a code."""
    generator, critic = gan.generator, gan.critic()
    domain = ge.Latent(generator, directions, n_origins=max(rule.origins, 1))
    baseline = torch.zeros(1, generator.z_dim) if rule.origins == 0 else None
    method = METHODS.get(rule.method)(critic, domain=domain, baseline=baseline, batch_size=BATCH)
    found = method.variant(**rule.settings).attribute(codes, side="real")
    return found.totals()[:, : len(directions.vectors)].double(), float(found.evaluations.double().mean())


def pearson(a: Tensor, b: Tensor) -> float:
    """Correlation of all entries."""
    return float(torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1])


def by_direction(a: Tensor, b: Tensor) -> float:
    """Mean over directions of the correlation over codes."""
    return sum(pearson(a[:, k], b[:, k]) for k in range(a.shape[1])) / a.shape[1]


def interval(statistic: Callable[[Tensor, Tensor], float], a: Tensor, b: Tensor, seed: int) -> list[float]:
    """95 % interval by a bootstrap over the codes."""
    drawn = torch.from_numpy(tensors.rng(seed, "bootstrap").integers(len(a), size=(BOOTSTRAPS, len(a))))
    found = torch.tensor([statistic(a[index], b[index]) for index in drawn], dtype=torch.float64)
    ends = torch.quantile(found, torch.tensor([0.025, 0.975], dtype=torch.float64))
    return [round(float(end), 3) for end in ends]


def row_of(rule: Rule, found: tuple[Tensor, float], truth: Tensor, seed: int) -> dict[str, Any]:
    """One line of the table, from the second half of the codes, with the choice made on the first."""
    values, passes = found
    half = len(truth) // 2
    low, high = interval(pearson, values[half:], truth[half:], seed)
    return {
        "method": rule.method,
        "random codes": rule.origins,
        "passes a code": round(passes),
        "r, first half": round(pearson(values[:half], truth[:half]), 3),
        "r, held out": round(pearson(values[half:], truth[half:]), 3),
        "low": round(low, 2),
        "high": round(high, 2),
        "mean r of a direction": round(by_direction(values[half:], truth[half:]), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--codes", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true", help="write the result that the README quotes")
    chosen = parser.parse_args()
    warnings.simplefilter("ignore", UserWarning)
    began = time.time()
    gan = ge.bundled("fashion")
    generator = gan.generator
    codes = generator.sample(chosen.codes, seed=CODES + chosen.seed)
    sets = {
        name: FINDERS.get(name)(n_directions=N_DIRECTIONS).fit(generator, seed=chosen.seed).directions_
        for name in ("sefa", "random")
    }
    truths = {name: measured(gan, found, codes) for name, found in sets.items()}
    rows, controls = [], []
    for rule in RULES:
        rows.append(row_of(rule, predicted(rule, gan, sets["sefa"], codes), truths["sefa"], chosen.seed))
        print(json.dumps(rows[-1]), f"{time.time() - began:.0f} s", flush=True)
    for rule in CONTROLS:
        found = predicted(rule, gan, sets["random"], codes)
        controls.append(row_of(rule, found, truths["random"], chosen.seed))
        print("random directions", json.dumps(controls[-1]), f"{time.time() - began:.0f} s", flush=True)
    best = max((row for row in rows if METHODS.get(row["method"]).complete), key=lambda row: row["r, first half"])
    result = {
        "gan": "fashion",
        "critic": "judge",
        "directions": f"{N_DIRECTIONS} by sefa",
        "codes": chosen.codes,
        "draws": N_DRAWS,
        "seed": chosen.seed,
        "machine": f"{platform.machine()}, {torch.get_num_threads()} thread(s)",
        "seconds": round(time.time() - began),
        "default": {"method": best["method"], "random codes": best["random codes"]},
        "effect": {name: round(float(truth.abs().mean()), 4) for name, truth in truths.items()},
        "rows": rows,
        "controls": controls,
    }
    print(json.dumps(result, indent=2))
    if chosen.write:
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
