"""Layers as people write them: each case has the map of a well-behaved twin as its truth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks._zoo import truths
from benchmarks._zoo.case import Call, Case, Question, near
from benchmarks._zoo.networks import Alone, Compares, Corner, Rectified, Smooth, black, corner_images, grid, rescaled
from tests._critics import Functional, Net, bare, images, warmed

# sums of absolute differences over the sum of the true map: sampling noise and quadrature need room, wrong maps are
# off by more
TOLERANCE = {"path": 0.15, "rescale": 0.01, "shapley": 0.25, "slopes": 0.2, "permutation": 0.2}
X = images(2)
BLACK, GRID = black(), grid(3)


def asked(network: nn.Module, ask: str, twin: nn.Module, **given: Any) -> Question:
    """The question whose truth comes from the twin."""
    function = truths.double(twin)
    made = {
        "gradient": lambda: truths.gradient(function, X),
        "path": lambda: truths.path(function, X, BLACK),
        "shapley": lambda: truths.shapley(function, X, BLACK, GRID),
        "permutation": lambda: truths.shapley(function, X, BLACK, GRID),
        "slopes": lambda: truths.slopes(function, X, BLACK, GRID),
        "rescale": lambda: rescaled(Net(), X, BLACK),
    }
    regions = ask in ("shapley", "permutation", "slopes")
    more = {"segments": GRID} if regions else {}
    options = {"budget": 2000} if ask == "shapley" else {}
    return Question(network, X, BLACK, made[ask](), **{"options": options, **more, **given})


def twins(
    name: str, issue: str, asks: str, build: Callable[[], nn.Module], twin: Callable[[], nn.Module]
) -> list[Case]:
    """One case for each kind of explanation."""
    return [
        Case(f"{name}: {ask}", issue, ask, lambda ask=ask: asked(build().eval(), ask, twin()), near(TOLERANCE[ask]))
        for ask in asks.split()
    ]


def by_sum(question: Question, answer: Any) -> str | None:
    """An oracle for rules without a twin: contributions sum to the change of the output."""
    function = truths.double(question.network)
    with torch.no_grad():
        change = function(question.images) - function(question.baseline)
    values = torch.as_tensor(answer).detach().double()
    if not bool(torch.isfinite(values).all()):
        return "values that are not finite"
    values = values.reshape(len(change), -1)
    gap = (values.sum(1) - change).abs() / values.abs().sum(1).clamp(min=1e-9)
    return None if float(gap.max()) <= 1e-3 else f"the sum is off by {float(gap.max()):.1%} of the map"


def layer(name: str, issue: str, build: Callable[[], nn.Module]) -> Case:
    """A layer without a rescale rule: the sum holds, or the error names the layer."""
    said = f"(?i){name}"
    return Case(f"{name}: rescale", issue, "rescale", lambda: Question(build().eval(), X, BLACK), by_sum, refusal=said)


def guided(style: str, issue: str) -> Case:
    """Guided backpropagation through ReLUs in some style."""

    def build() -> Question:
        net = Rectified().double().eval().requires_grad_(False)
        truth = truths.guided(net.first, net.second, lambda z: net.last(z.flatten(1)), X)
        return Question(Rectified(style).eval(), X, BLACK, truth)

    said = "(?i)relu|activation|modul|function"
    return Case(f"{style} ReLU: guided", issue, "guided", build, near(0.01), refusal=said)


def both(question: Question, call: Call) -> tuple[Tensor, Tensor]:
    """The map of the network, and that of its twin."""
    twin = Question(Net().eval(), question.images, question.baseline, segments=question.segments)
    return torch.as_tensor(call(question)).detach(), torch.as_tensor(call(twin)).detach()


def alike(question: Question, answer: tuple[Tensor, Tensor]) -> str | None:
    """The oracle of `both`: the same function, written in another way, has the same map."""
    one, two = (values.double() for values in answer)
    if one.shape != two.shape:
        return f"the shape {tuple(one.shape)} for one and {tuple(two.shape)} for its twin"
    if not bool(torch.isfinite(one).all()) or not bool(one.any()):
        return "a map of zeros, or not finite"
    off = float((one - two).abs().max() / two.abs().max())
    return None if off <= 1e-4 else f"off by {off:.0%} from the map of the same function written in another way"


def cam(name: str, issue: str, build: Callable[[], nn.Module], **given: Any) -> Case:
    """Class activation maps of a net like `Net` at its second convolution."""
    return Case(f"{name}: cam", issue, "cam", lambda: Question(build().eval(), X, BLACK, **given), alike, both)


def corner(name: str, weight: float, bias: float, sign: int = 1, **options: Any) -> Case:
    """A CAM of one bright corner that is all the evidence there is, of one sign."""

    def build() -> Question:
        more = {"sign": sign, **options}
        return Question(Corner(weight, bias).eval(), corner_images(), BLACK, options=more)

    issue = "grad-cam #428 #325 #410 #360 #108 #214; MONAI #5530"
    asked_why = ("ganexplain", "grad-cam") if "cam_target" in options else None  # captum knows no such target
    return Case(name, issue, "cam", build, pointed, only=asked_why)


def pointed(question: Question, answer: Any) -> str | None:
    """The oracle: the strongest value has the sign of the evidence and lies in the bright corner."""
    maps = torch.as_tensor(answer).detach().double().reshape(2, -1)
    if not bool(torch.isfinite(maps).all()):
        return "values that are not finite"
    if not bool(maps.any()):
        return "a map of zeros"
    side = question.images.shape[-1]
    place = maps.abs().argmax(1)
    wanted = (torch.stack([place[0] // side, place[0] % side]) < 4).all() and (
        torch.stack([place[1] // side, place[1] % side]) >= 4
    ).all()
    if not bool(wanted):
        return "the strongest value lies elsewhere"
    strongest = maps.gather(1, place[:, None]) * question.options.get("sign", 1)
    return None if bool((strongest > 0).all()) else "the strongest value has the wrong sign"


DEEP = "shap #3363 #3938 #3918; captum #578 #1082"
UNKNOWN = "shap #3438 #4251"
CASES: list[Case] = [
    *twins("plain", "none: the control", "path rescale shapley permutation slopes", Net, Net),
    *twins(
        "in-place activation", "shap #3565 #3466 #1479", "path rescale shapley slopes", lambda: Net(act="inplace"), Net
    ),
    cam("in-place activation", "shap #3565 #3466 #1479", lambda: Net(act="inplace")),
    *twins(
        "activation used twice", "shap #3725; captum #934 #199 #200", "path rescale", lambda: Net(act="reused"), Net
    ),
    *twins("functional activation", DEEP, "path rescale", lambda: Net(act="functional"), Net),
    *twins(
        "instance norm",
        UNKNOWN,
        "path shapley slopes",
        lambda: Net(norm="instance"),
        lambda: Functional(Net(norm="instance")),
    ),
    *twins(
        "minibatch deviation",
        "captum on minibatch deviation (checked on 0.9.0)",
        "path rescale shapley",
        Compares,
        lambda: Alone(Compares()),
    ),
    layer("InstanceNorm", UNKNOWN, lambda: Net(norm="instance")),
    layer("LayerNorm", UNKNOWN, lambda: Smooth(act=nn.LeakyReLU(0.2), norm=nn.LayerNorm)),
    layer("GELU", UNKNOWN, lambda: Smooth(act=nn.GELU())),
    layer("SiLU", UNKNOWN, lambda: Smooth(act=nn.SiLU())),
    layer("PReLU", UNKNOWN, lambda: Smooth(act=nn.PReLU(init=0.1))),
    *[
        case
        for kind in ("old_spectral", "new_spectral")
        for case in twins(
            f"{kind.replace('_', ' ')} norm",
            "torch #8208 #12737 #51800",
            "path shapley",
            lambda kind=kind: warmed(Net(norm=kind)),
            lambda kind=kind: bare(kind),
        )
    ],
    *[guided(style, "captum #199 #378") for style in ("module", "inplace", "functional", "reused")],
    corner("evidence for high: cam", 3.0, 0.0),
    corner("all evidence against: cam", -3.0, 0.0, -1),
    corner("why fake, of a low logit: cam", -3.0, -1.0, side="fake", cam_target=0),
    corner("why high, of a negative logit: cam", 3.0, -5.0),
]
