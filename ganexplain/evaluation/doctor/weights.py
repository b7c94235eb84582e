"""Are the weights those of a trained network? An initialisation leaves marks that training wipes out at once."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from ganexplain import tensors
from ganexplain.evaluation.doctor.case import Case
from ganexplain.evaluation.doctor.finding import Finding, Topic
from ganexplain.evaluation.doctor.fingerprint import BatchNorm

LEAST = 256  # numbers in a tensor below which its distribution says little
MOST = 20_000  # numbers of one tensor that are looked at
CHANCE = 1e-3  # of calling one initialised tensor trained, divided by the number of tensors
NORMAL, UNIFORM = "normal", "uniform"


def untrained(case: Case) -> Finding:
    """Whether all large weights still follow a common initialisation."""
    topic = Topic("weights", "share of weight tensors as at a common initialisation")
    if not isinstance(case.critic.network, nn.Module):
        return topic.skip("the model is a function, whose weights are not known")
    layers = [(name, w) for name, w in _weights(case.critic.network) if w.numel() >= LEAST]
    if not layers:
        return topic.skip(f"the model has no layer of {LEAST} or more weights")
    names = [initialisation(w, CHANCE / len(layers)) for _, w in layers]
    share = sum(name != "" for name in names) / len(names)
    if share < 1 or not _plain_norms(case.critic.network):
        return topic.ok(share, f"{len(names) - round(share * len(names))} of {len(names)} weight tensors were trained")
    words = " and ".join(dict.fromkeys(names))
    sentence = f"all {len(names)} large weight tensors are as at their start ({words}): this network was never trained"
    return topic.fail(share, sentence, "load the trained weights; load_state_dict(strict=True) says what is missing")


def initialisation(weight: Tensor, chance: float = CHANCE) -> str:
    """The common initialisation that a weight (out, in, ...) still follows; empty for none.

    Kolmogorov-Smirnov tests against torch's own uniform, those of Glorot and Bengio (2010) and He et al. (2015), and
    the DCGAN's normal of .02. So many numbers tell a standard deviation that is off by a per cent or two, and trained
    weights also leave the bounds of a uniform one.
    """
    fan_in = weight[0].numel()
    fan_out = weight.shape[0] * math.prod(weight.shape[2:])
    values = weight.detach().double().flatten()
    widest = float(values.abs().max())
    if len(values) > MOST:
        order = tensors.rng(0, "weights").permutation(len(values))[:MOST]
        values = values[torch.from_numpy(order)]
    values = values.sort().values
    limit = math.sqrt(-math.log(chance / 2) / 2) / math.sqrt(len(values))  # Kolmogorov's law for large samples
    for name, kind, scale in _known(fan_in, fan_out):
        if kind == UNIFORM and widest > scale * (1 + 1e-5):
            continue
        if _distance(values, kind, scale) < limit:
            return name
    return ""


def _known(fan_in: int, fan_out: int) -> Iterator[tuple[str, str, float]]:
    """Name, kind, and bound or standard deviation of common initialisations; of transposed weights too."""
    for n, m in ((fan_in, fan_out), (fan_out, fan_in)):
        yield "torch's default", UNIFORM, 1 / math.sqrt(n)
        yield "Kaiming uniform", UNIFORM, math.sqrt(6 / n)
        yield "Kaiming normal", NORMAL, math.sqrt(2 / n)
        yield "Glorot uniform", UNIFORM, math.sqrt(6 / (n + m))
        yield "Glorot normal", NORMAL, math.sqrt(2 / (n + m))
    yield "normal with deviation .02", NORMAL, 0.02


def _distance(values: Tensor, kind: str, scale: float) -> float:
    """Largest distance of the sorted values' distribution from a normal or uniform one."""
    law = values / scale if kind == UNIFORM else torch.erf(values / (scale * math.sqrt(2)))
    law = (law + 1) / 2
    steps = torch.arange(len(values) + 1, dtype=values.dtype) / len(values)
    return float(torch.maximum((steps[1:] - law).abs(), (law - steps[:-1]).abs()).max())


def _weights(network: nn.Module) -> Iterator[tuple[str, Tensor]]:
    for name, module in network.named_modules():
        if isinstance(module, (nn.Linear, nn.modules.conv._ConvNd)):
            yield name, module.weight


def _plain_norms(network: nn.Module) -> bool:
    """Whether every BatchNorm has a bias of zero still, as at its start."""
    norms = [m for m in network.modules() if isinstance(m, BatchNorm)]
    return all(m.bias is None or bool((m.bias == 0).all()) for m in norms)
