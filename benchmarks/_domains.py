"""Further parts of the attribution benchmark: every domain, every form of a network, and a whole explanation.

The cost of an evaluation in a domain is compared with its floor: one evaluation of the same network (for latent codes,
of generator and critic) in a full batch of 64, the coordinates given.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

import ganexplain as ge
from benchmarks._peers import BATCH
from benchmarks._subjects import WIDTH, Subject
from ganexplain import tensors
from ganexplain.attribution import METHODS
from ganexplain.attribution.chart import Domain
from ganexplain.latent.finders.random import Random
from ganexplain.models.families.dcgan import DCGAN
from ganexplain.models.fast import _folded, _pairs

METHOD_OF = {"kernel_shap": "forward", "occlusion": "forward", "integrated_gradients": "gradient"}
SAMPLES, STEPS, BANDS, DIRECTIONS, ORIGINS = 1000, 90, 8, 8, 4
THREADS = 2  # of the explanations


def domains(subject: Subject) -> dict[str, tuple[Domain, Tensor, Any]]:
    """Domain, inputs and baseline by name, for the first image of a subject; codes are of its generator."""
    maker = generator(subject)
    directions = Random(n_directions=DIRECTIONS).fit(maker, seed=0).directions_
    image, base = subject.images[:1], subject.baseline[:1]
    return {
        "pixel": (ge.Pixel(), image, base),
        "region": (ge.Region(subject.labels[:1]), image, base),
        "frequency": (ge.Frequency(bands=BANDS), image, base),
        "latent": (ge.Latent(maker, directions, n_origins=ORIGINS), maker.sample(1, seed=3), None),
    }


def generator(subject: Subject) -> ge.Generator:
    """The bundled generator, or a DCGAN of random weights for the wide critic."""
    if subject.name == "small":
        return ge.bundled("fashion").generator
    with tensors.isolated(1):
        made = DCGAN.generator(resolution=subject.images.shape[-1], channels=3, width=WIDTH)
    return made.eval().requires_grad_(False)


def in_domains(subject: Subject, repeats: int) -> list[dict[str, Any]]:
    """Seconds, evaluations and time over the floor of three methods in each domain, one image or code."""
    out = []
    for name, (domain, inputs, base) in domains(subject).items():
        for method, kind in METHOD_OF.items():
            if name == "pixel" and method == "kernel_shap":
                continue  # a pixel is no player of Shapley values; they are sampled over regions
            critic = subject.critic()
            given = {"max_evaluations": SAMPLES} if method == "kernel_shap" else {}
            given = {"max_evaluations": STEPS, "tol": 1e-9} if kind == "gradient" else given
            run = METHODS.get(method)(critic, domain=domain, baseline=base, batch_size=BATCH, **given)
            run.attribute(inputs, side="real")  # once for a critic, and to warm up
            floor, before = floor_of(critic, domain, inputs, base, kind), subject.network.count.rows
            found = run.attribute(inputs, side="real")
            evaluations = subject.network.count.rows - before
            costs, times = [], []
            for _ in range(repeats):  # in turns, so that a slow moment of the machine meets both
                costs.append(seconds(floor) / BATCH)
                times.append(seconds(lambda: run.attribute(inputs, side="real")))  # noqa: B023 - called at once
            out.append(
                {
                    "domain": name,
                    "method": method,
                    "critic": subject.name,
                    "players": 0 if found.players is None else int(found.players.max()) + 1,
                    "evaluations": evaluations,
                    "seconds": median(times),
                    "per_evaluation_ms": 1e3 * median(times) / evaluations,
                    "over_floor": median(times) / evaluations / median(costs),
                }
            )
    return out


def floor_of(critic: ge.Critic, domain: Domain, inputs: Tensor, base: Any, kind: str) -> Callable[[], None]:
    """One full batch of the network in the form that the product runs, forward or with its gradient."""
    seen = domain.seen(critic, inputs)
    fast = critic.fast(seen)
    coded = isinstance(domain, ge.Latent)
    x = inputs if coded else seen
    x = x.expand(BATCH, *x.shape[1:]).contiguous()
    maker = domain.of(critic) if coded else None

    def logits(values: Tensor) -> Tensor:
        out: Tensor = fast(values if maker is None else maker.synthesize(values, domain.space))  # type: ignore[attr-defined]
        return out

    def forward() -> None:
        with torch.no_grad():
            logits(x)

    def gradient() -> None:
        leaf = x.clone().requires_grad_(True)
        torch.autograd.grad(logits(leaf).sum(), leaf)

    return forward if kind == "forward" else gradient


def seconds(run: Callable[[], Any]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def forms(subject: Subject, repeats: int) -> list[dict[str, Any]]:
    """What each form of the network costs for an image of a full batch, forward and with its gradient."""
    network = subject.network.network
    x = subject.images[:1].expand(BATCH, *subject.images.shape[1:]).contiguous()
    made: dict[str, nn.Module] = {"as given": copy.deepcopy(network)}
    pairs = _pairs(network, x[:1])
    made["BatchNorm folded"] = _folded(network, pairs) if pairs else made["as given"]
    made["channels-last"] = copy.deepcopy(network).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    made["both"] = copy.deepcopy(made["BatchNorm folded"]).to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(form: nn.Module) -> None:
        with torch.no_grad():
            form(x)

    def gradient(form: nn.Module) -> None:
        leaf = x.clone().requires_grad_(True)
        torch.autograd.grad(form(leaf).sum(), leaf)

    times: dict[str, dict[str, list[float]]] = {name: {"forward": [], "gradient": []} for name in made}
    for _ in range(2 * repeats + 1):
        for name, form in made.items():
            for kind, run in (("forward", forward), ("gradient", gradient)):
                times[name][kind].append(seconds(partial(run, form)))
    best = {name: {kind: median(t[1:]) for kind, t in kinds.items()} for name, kinds in times.items()}
    return [
        {
            "critic": subject.name,
            "form": name,
            "BatchNorm layers folded": len(pairs) if name in ("BatchNorm folded", "both") else 0,
            **{f"{kind}_ms": 1e3 * t / BATCH for kind, t in kinds.items()},
            **{f"{kind}: times as fast": best["as given"][kind] / t for kind, t in kinds.items()},
        }
        for name, kinds in best.items()
    ]


def explanations(subject: Subject, repeats: int) -> list[dict[str, Any]]:
    """Wall time of `ganexplain.explain` at its standard budget, of one fake whose critic knows reals."""
    threads = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    try:
        known = subject.name == "small"  # with its reals, its calibration and its generator
        critic = ge.bundled("fashion").critic("judge") if known else subject.critic().with_reference(subject.reals)
        times = []
        for _ in range(min(repeats, 3)):
            fresh = critic._variant(_fast=None, _found={})  # as a new process would meet it
            times.append(seconds(lambda: ge.explain(fresh, subject.images[:1], budget="standard")))  # noqa: B023
    finally:
        torch.set_num_threads(threads)
    return [{"critic": subject.about, "budget": "standard", "threads": THREADS, "seconds": median(times)}]
