"""How near sampled Shapley values come to the exact ones, per evaluation, here and in captum and shap.

    python -m benchmarks.shapley [--images 20] [--columns 4] [--seeds 2] [--seed 3] [--write]

Fakes of the bundled GAN, cut into a grid of regions in four rows, against the nearest real. All coalitions of an image
are judged once, 65,536 where there are 16 regions and 4,096 of 12; every estimator then plays on that table, so that
they differ in nothing but what they ask for and make of it. Errors are root mean squares over the regions, relative to
the largest exact value. Owen values are another division of the same sum: their distance from the Shapley values is no
error, and is printed for orientation.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import ganexplain as ge
from benchmarks._subjects import hardware
from ganexplain import tensors
from ganexplain.attribution import METHODS
from ganexplain.attribution.methods._shapley import coalitions, enumerated

RESULT = Path(__file__).parent / "results" / "shapley.json"
ROWS = 4
BUDGETS = (128, 256, 512)  # from 820 on, 12 players are exact here; the others are asked for captum's error at the last
Estimator = Callable[["Game", int, int], Tensor]  # game, evaluations, seed


def tables(count: int, columns: int, seed: int) -> Tensor:
    """(count, 2^players) evidence of every coalition of regions, for fakes that the bundled judge caught."""
    gan = ge.bundled("fashion")
    critic = gan.critic("judge")
    images = gan.samples(4 * count, seed=4000 + seed)
    images = images[critic.judge(images).is_fake][:count]
    height, width = images.shape[-2:]
    down, across = torch.arange(height) * ROWS // height, torch.arange(width) * columns // width
    chart = ge.Region(down[:, None] * columns + across[None]).bind(critic.fast(images), images)
    keep = coalitions(ROWS * columns)
    return torch.stack([chart.coalitions(keep, row, 256) for row in range(len(images))])


class Game:
    """Evidence of coalitions (M, players), bool or 0/1, looked up and counted: budgets are not always kept to."""

    def __init__(self, table: Tensor) -> None:
        self.table, self.asked = table, 0
        self.place = 2 ** torch.arange(players(table))

    def __call__(self, keep: Tensor) -> Tensor:
        """(M,) evidence."""
        self.asked += len(keep)
        return self.table[(keep.reshape(len(keep), len(self.place)).round().long() * self.place).sum(1)]


def players(table: Tensor) -> int:
    return len(table).bit_length() - 1


def here(name: str) -> Estimator:
    def estimate(play: Game, budget: int, seed: int) -> Tensor:
        # the indicators are the pixels, -1 absent and +1 present
        critic = ge.Critic(lambda x: play((x.flatten(1) + 1) / 2))
        run = METHODS.get(name)(critic, domain=ge.Pixel(), baseline="black", max_evaluations=budget)
        whole = torch.ones(1, 1, 1, len(play.place)).double()
        found: Tensor = run.attribute(whole, side="real", seed=seed).totals()[0]
        return found

    return estimate


def captum_kernel(play: Game, budget: int, seed: int) -> Tensor:
    from captum.attr import KernelShap

    with tensors.isolated(seed):
        ones = torch.ones(1, len(play.place)).double()
        found: Tensor = KernelShap(play).attribute(ones, n_samples=budget, perturbations_per_eval=64)[0]
    return found


def shap_with(kind: str) -> Estimator:
    def estimate(play: Game, budget: int, seed: int) -> Tensor:
        import shap

        def model(keep: np.ndarray) -> np.ndarray:
            return play(torch.from_numpy(np.asarray(keep, dtype=float))).numpy()

        with tensors.isolated(seed), contextlib.redirect_stderr(io.StringIO()):
            none, whole = np.zeros((1, len(play.place))), np.ones((1, len(play.place)))
            if kind == "kernel":
                found = shap.KernelExplainer(model, none).shap_values(whole, nsamples=budget, l1_reg=False, silent=True)
            else:
                masker = shap.maskers.Independent(none, max_samples=1)
                found = shap.explainers.Permutation(model, masker, seed=seed)(whole, max_evals=budget).values
        return torch.from_numpy(np.asarray(found, dtype=float).reshape(-1))

    return estimate


ESTIMATORS: dict[str, Estimator] = {
    "kernel_shap": here("kernel_shap"),
    "permutation_shapley": here("permutation_shapley"),
    "captum KernelShap": captum_kernel,
    "shap KernelExplainer": shap_with("kernel"),
    "shap PermutationExplainer": shap_with("permutation"),
}


def error_of(found: Tensor, exact: Tensor) -> float:
    return float((found.double() - exact).square().mean().sqrt() / exact.abs().max())


def curve(estimate: Estimator, worths: Tensor, exact: list[Tensor], seeds: int) -> list[tuple[int, float]]:
    """For each budget, the evaluations that were used and the root mean square error, over images and seeds."""
    out = []
    for budget in BUDGETS:
        games = [Game(table) for table in worths for _ in range(seeds)]
        squares = [error_of(estimate(game, budget, k), exact[k // seeds]) ** 2 for k, game in enumerate(games)]
        out.append((round(np.mean([game.asked for game in games])), round(float(np.mean(squares)) ** 0.5, 5)))
    return out


def needed(found: list[tuple[int, float]], wanted: float) -> float:
    """Evaluations that reach an error, by straight lines between the logarithms; at the ends, the end."""
    used, errors = np.log(np.maximum(np.array(found).T, 1e-9))
    order = np.argsort(errors)
    return float(np.exp(np.interp(np.log(wanted), errors[order], used[order])))


def measured(worths: Tensor, seeds: int) -> dict[str, Any]:
    every = coalitions(players(worths[0]))
    exact = [enumerated(every, table) for table in worths]
    errors = {}
    for name, estimate in ESTIMATORS.items():
        errors[name] = curve(estimate, worths, exact, seeds)
        print(name, errors[name], flush=True)
    reference, wanted = errors["captum KernelShap"][-1]
    rows = [
        {
            "estimator": name,
            "evaluations": [used for used, _ in found],
            "errors": [error for _, error in found],
            "needed": round(needed(found, wanted)),
            "ratio": round(needed(found, wanted) / reference, 3),
        }
        for name, found in errors.items()
    ]
    owen = [error_of(here("owen")(Game(t), 1000, 0), phi) for t, phi in zip(worths, exact, strict=True)]
    return {
        "hardware": hardware(),
        "images": len(worths),
        "seeds": seeds,
        "players": every.shape[1],
        "wanted error": wanted,
        "rows": rows,
        "owen values' distance from Shapley values": round(float(np.mean(owen)), 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=20)
    parser.add_argument("--columns", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="write the result that the README quotes")
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    result = measured(tables(chosen.images, chosen.columns, chosen.seed), chosen.seeds)
    print(json.dumps(result, indent=2))
    if chosen.write:
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
