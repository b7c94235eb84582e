"""What a network returns: shapes of one number, patch maps, classes, probabilities, ranges that it reads."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks._zoo.case import Case, Question, near, proportional
from benchmarks._zoo.networks import Classes, Corner, Sure, black, corner_images, weights
from benchmarks._zoo.wirings import BLACK, TOLERANCE, X, asked, cam, pointed
from ganexplain import Preprocess
from tests._critics import Linear, Net, Wrapped, images

FLAT = "shap #2801, PR #763; lime #156"
PATCH = "captum #119 #343 #377 #537 #962; grad-cam #177 #476 #241; pix2pix #49; CycleGAN #1177; PyTorch-GAN #111"


def shape(name: str, out: tuple[int, ...], target: Any) -> list[Case]:
    """One number an image in some shape, under every kind of explanation."""
    cases = []
    for ask in ("path", "rescale", "shapley", "slopes"):

        def build(ask: str = ask) -> Question:
            return asked(Net(out=out).eval(), ask, Net(), target=target)

        cases.append(Case(f"{name}: {ask}", FLAT, ask, build, near(TOLERANCE[ask])))
    return [*cases, cam(name, FLAT, lambda: Net(out=out), target=target)]


def squeezed(ask: str) -> Case:
    """``squeeze()`` at the end: one image alone loses the axis of the batch."""

    def build() -> Question:
        question = asked(Wrapped(Net(), None, torch.squeeze).eval(), ask, Net(), target=None)
        question.images, question.truth = X[:1], None if question.truth is None else question.truth[:1]
        return question

    return Case(f"output squeezed, one image: {ask}", FLAT, ask, build, near(TOLERANCE[ask]))


POOLS: dict[str, Callable[[Tensor], Tensor]] = {
    "mean": lambda out: out.mean((1, 2, 3)),
    "max": lambda out: out.amax((1, 2, 3)),
    "min": lambda out: out.amin((1, 2, 3)),
    "logsumexp": lambda out: out.flatten(1).logsumexp(1),
}


def patches(pool: str | tuple[int, int], ask: str) -> Case:
    """A patch map, pooled or one cell of it."""

    def reduce(out: Tensor) -> Tensor:
        return POOLS[pool](out) if isinstance(pool, str) else out[:, 0, pool[0], pool[1]]

    def build() -> Question:
        given: dict[str, Any] = {"declared": {"pool": pool}}
        given |= {"reduce": reduce} if isinstance(pool, str) else {"target": (0, *pool)}
        return asked(Net(patches=True).eval(), ask, Wrapped(Net(patches=True), None, reduce), **given)

    return Case(f"patch map, {pool}: {ask}", PATCH, ask, build, near(TOLERANCE[ask]))


def cells_sum_to_mean() -> Case:
    """The maps of the cells average to the map of the mean."""

    def build() -> Question:
        return Question(Net(patches=True).eval(), X, BLACK)

    def act(question: Question, call: Any) -> list[Tensor]:
        found = []
        for pool in ("mean", (0, 0), (0, 1), (1, 0), (1, 1)):
            one = copy.copy(question)
            one.declared = {"pool": pool}
            one.reduce = POOLS["mean"] if pool == "mean" else None
            one.target = 0 if pool == "mean" else (0, *pool)
            found.append(torch.as_tensor(call(one)).detach().double())
        return found

    def right(question: Question, answer: list[Tensor]) -> str | None:
        mean, cells = answer[0], torch.stack(answer[1:]).mean(0)
        off = float((mean - cells).abs().max() / mean.abs().max())
        return None if off <= 1e-5 else f"the mean of the cells' maps is off by {off:.1%}"

    return Case("patch map, cells and their mean: gradient", PATCH, "signed", build, right, act)


def linear(network: Callable[[Tensor], nn.Module], **given: Any) -> Question:
    """A network that decides by one linear function, whose contributions are known."""
    w = weights()
    return Question(network(w).eval(), X, BLACK, (w * (X - BLACK)).double(), **given)


def classes(ask: str) -> Case:
    """Two classes behind a softmax; the difference of their logits decides."""
    return Case(
        f"two classes, softmax: {ask}",
        "captum DeepLift on a softmax",
        ask,
        lambda: linear(Classes, declared={"output": "class_probabilities", "real_class": 1}, target=1),
        proportional(0.99),
    )


def saturated(ask: str) -> Case:
    """A sigmoid at a logit of 40: the probability has no gradient, the logit has."""

    def build() -> Question:
        question = linear(Sure, declared={"output": "probability"})
        question.truth = weights().double().expand(len(X), -1, -1, -1) if ask == "gradient" else question.truth
        return question

    right = proportional(0.99)
    return Case(
        f"saturated sigmoid: {ask}", "captum #91 #407", ask, build, _unsigned(right) if ask == "gradient" else right
    )


def _unsigned(right: Callable[[Question, Any], str | None]) -> Callable[[Question, Any], str | None]:
    """Signs are another case's matter."""

    def judge(question: Question, answer: Any) -> str | None:
        twin = copy.copy(question)
        twin.truth = None if question.truth is None else question.truth.abs()
        return right(twin, torch.as_tensor(answer).detach().abs())

    return judge


def signed() -> Case:
    """A pixel that speaks against the output has a negative gradient."""
    return Case(
        "all-negative weights, called as documented: gradient",
        "captum Saliency's default; gReLU PR #124",
        "gradient",
        lambda: Question(Linear(-torch.ones(1, 1, 8, 8)), X, BLACK, -torch.ones(2, 1, 8, 8), target=None),
        near(1e-6),
    )


def black_elsewhere() -> Case:
    """A network that reads normalised images: its zero is not black."""
    mean, std = 0.4, 0.3
    way = Preprocess(value_range=(0.0, 1.0), mean=(mean,), std=(std,))

    def build() -> Question:
        w = weights()
        inner = Wrapped(Linear(w), None, lambda out: out[:, None])
        truth = (w * (X - BLACK)).double() / (2 * std)
        options = {"default_baseline": True, "reads": way}
        return Question(inner.eval(), X, BLACK, truth, declared={"preprocess": way}, options=options)

    def act(question: Question, call: Any) -> Any:
        if not call.words.startswith("METHODS"):  # the libraries get what the network reads
            question.images = way(question.images)
        return call(question)

    return Case(
        "black, of a network that reads normalised images: path",
        "captum PR #428; ankurtaly #9",
        "path",
        build,
        near(0.01),
        act,
        only=("ganexplain", "captum"),
    )


def polarity() -> list[Case]:
    """A detector whose high output means fake, and the question why an image is fake."""

    def build(ask: str) -> Question:
        question = asked(Net().eval(), ask, Net())
        return Question(
            **{**vars(question), "declared": {"polarity": "fake"}, "options": {"side": "fake", "budget": 2000}}
        )

    issue = "captum #352 #475 #975"
    return [
        Case(f"high means fake, why fake: {ask}", issue, ask, lambda ask=ask: build(ask), near(TOLERANCE[ask]))
        for ask in ("path", "shapley")
    ]


def colour() -> Case:
    """Three channels, another height than width."""

    def build() -> Question:
        w = torch.randn(1, 3, 8, 12, generator=torch.Generator().manual_seed(2)) / 16
        x = torch.cat([images(2, channels=3), images(2, channels=3, seed=3)], 3)[..., :12]
        base = torch.full((1, 3, 8, 12), -1.0)
        return Question(Wrapped(Linear(w), None, lambda out: out[:, None]), x, base, (w * (x - base)).double())

    return Case("colour, not square: path", "shap #3716 #4139", "path", build, near(0.01))


def trailing(ask: str) -> Case:
    """The answer has the shape of the images."""

    def right(question: Question, answer: Any) -> str | None:
        found, wanted = tuple(answer.shape), tuple(question.images.shape)
        return None if found == wanted else f"values of the shape {found} for images {wanted}"

    return Case(
        f"shape of the answer: {ask}",
        "shap #4139 #524 #1060, PR #3318 #3549",
        ask,
        lambda: Question(Net().eval(), X, BLACK, options={"as_map": True}),
        right,
        only=("ganexplain", "captum") if ask == "permutation" else None,
    )


def saturated_cam() -> Case:
    """A class activation map behind a saturated sigmoid."""

    def build() -> Question:
        net = nn.Sequential(Corner(3.0, 40.0), nn.Sigmoid()).eval()
        return Question(net, corner_images(), black(), declared={"output": "probability"}, layer="0.second")

    return Case("saturated sigmoid: cam", "captum #91 #407", "cam", build, pointed)


CASES: list[Case] = [
    *shape("output (N,)", (), None),
    *shape("output (N, 1, 1, 1)", (1, 1, 1), (0, 0, 0)),
    *[squeezed(ask) for ask in ("path", "rescale", "shapley", "slopes")],
    *[patches(pool, "path") for pool in (*POOLS, (0, 1), (1, 1))],
    *[patches(pool, "shapley") for pool in ("mean", "max")],
    cells_sum_to_mean(),
    *[classes(ask) for ask in ("path", "rescale")],
    saturated("gradient"),
    saturated("path"),
    saturated_cam(),
    signed(),
    black_elsewhere(),
    *polarity(),
    colour(),
    trailing("path"),
    trailing("permutation"),
]
