"""Sampled and enumerated values: how many passes they take, how wrong they may be, and what happens at the edges."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks._zoo import truths
from benchmarks._zoo.case import Call, Case, Question, near, truth_of
from benchmarks._zoo.networks import Spied, black, grid, weights
from benchmarks._zoo.wirings import BLACK, GRID, X
from tests._critics import Dead, Linear, Net, Wrapped, images

MOST = 4096  # evaluations for 9 regions: eight times the number of their coalitions


class Game(nn.Module):
    """Sixteen cells, each with a part of its own, and pairs of them that only count together."""

    def __init__(self) -> None:
        super().__init__()
        made = torch.Generator().manual_seed(3)
        self.own = nn.Parameter(torch.randn(16, generator=made))
        self.pairs = nn.Parameter(torch.randn(16, 16, generator=made).triu(1))

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, 8, 8) to (N, 1)."""
        cells = (nn.functional.avg_pool2d(x, 2).flatten(1) + 1) / 2
        return (cells @ self.own + ((cells @ self.pairs) * cells).sum(1))[:, None]


def game() -> Question:
    """Closed form: a pair's part is shared evenly (Harsanyi 1963)."""
    net = Game().eval()
    cells = (nn.functional.avg_pool2d(X, 2).flatten(1).double() + 1) / 2
    pairs = net.pairs.detach().double()
    both = pairs + pairs.T
    truth = cells * net.own.detach().double() + 0.5 * cells * (cells @ both)
    return Question(net, X, BLACK, truth, segments=grid(4))


def honest(question: Question, answer: tuple[Tensor, Tensor | None]) -> str | None:
    """The oracle: values lie within four of their standard errors; without errors, within 5 % of the largest."""
    truth = truth_of(question)
    values, error = torch.as_tensor(answer[0]).double().reshape(truth.shape), answer[1]
    off, largest = (values - truth).abs(), float(truth.abs().max())
    if error is None:
        worst = float(off.max()) / largest
        return None if worst <= 0.05 else f"off by {worst:.0%} of the largest value, and no error is given"
    if float(error.max()) > 0.5 * largest:
        return "standard errors as large as the values"
    worst = float((off / error.double().clamp(min=1e-6 * largest)).max())
    return None if worst <= 4 else f"off by {worst:.1f} standard errors"


class StoppedError(Exception):
    """A network that has been asked often enough."""


class Limited(Spied):
    """Gives up where a method would take hours."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, 8, 8) to (N, 1)."""
        if self.seen.rows > MOST:
            raise StoppedError(f"stopped by the benchmark after {MOST:,} evaluations; 9 regions have 512 coalitions")
        return super().forward(x)


def enumerated() -> Case:
    """Exact Shapley values of 9 regions: 512 coalitions."""

    def build() -> Question:
        x = X[:1]
        return Question(Limited().eval(), x, BLACK, truths.shapley(truths.double(Net()), x, BLACK, GRID), segments=GRID)

    return Case("exact values of 9 regions", "captum PR #297 (n! orders)", "exact", build, near(1e-4))


def promised(ask: str) -> Case:
    """As many passes as were asked for."""

    def act(question: Question, call: Call) -> int:
        call(question)
        return int(question.network.seen.rows)

    def right(question: Question, answer: int) -> str | None:
        wanted = question.options["budget"]
        return None if 0.85 * wanted <= answer <= 1.1 * wanted else f"{answer} passes where {wanted} were asked for"

    return Case(
        f"500 evaluations promised: {ask}",
        "shap #4433 #1835",
        ask,
        lambda: Question(Spied().eval(), X[:1], BLACK, segments=grid(4), options={"budget": 500}),
        right,
        act,
        only=("ganexplain", "captum", "shap") if ask == "shapley" else ("ganexplain", "shap"),
    )


def nothing(ask: str) -> Case:
    """A critic that says the same of every image: no evidence, no NaN, no error."""

    def right(question: Question, answer: Any) -> str | None:
        values = torch.as_tensor(answer).detach().double()
        if not bool(torch.isfinite(values).all()):
            return "values that are not finite"
        largest = float(values.abs().max())
        return None if largest <= 1e-6 else f"evidence of {largest:.2g} where there is none"

    regions = {"segments": GRID} if ask in ("shapley", "slopes", "permutation") else {}
    return Case(
        f"a constant critic: {ask}",
        "captum #959 #944 #393, PR #1853; grad-cam #108",
        ask,
        lambda: Question(Dead().eval(), X, BLACK, layer="net.second", **regions),
        right,
    )


def drawn(name: str, issue: str, build: Callable[[], nn.Module]) -> Case:
    """A picture that can be saved without a screen or a notebook."""

    def right(question: Question, answer: bytes) -> str | None:
        return None if answer[:8] == b"\x89PNG\r\n\x1a\n" and len(answer) > 1000 else "no picture"

    return Case(f"picture of {name}", issue, "picture", lambda: Question(build().eval(), X[:1], BLACK), right)


def scale_free() -> Case:
    """A map and ten times that map order the pixels alike, and must be scored alike."""

    def right(question: Question, answer: Tensor) -> str | None:
        one, ten = (float(value) for value in answer)
        same = abs(one - ten) <= 1e-6 * max(abs(one), abs(ten))
        return None if same else f"scores {one:.2g} and {ten:.2g}"

    return Case(
        "score of a map and of ten times that map",
        "captum #613 #1018",
        "score",
        lambda: Question(Net().eval(), X[:1], BLACK, segments=GRID),
        right,
    )


def segments(name: str, picture: Callable[[], Tensor]) -> Case:
    """28 pixels a side and the default regions: enough of them to tell anything apart."""

    def build() -> Question:
        x = picture()
        inner = Wrapped(Linear(torch.ones(1, 1, 28, 28) / 784), None, lambda out: out[:, None])
        return Question(inner, x, black(side=28))

    def right(question: Question, answer: Any) -> str | None:
        values = torch.as_tensor(answer)
        if not bool(values.any()):
            return f"{values.shape[1]} region, and a weight of zero"
        return None if values.shape[1] >= 8 else f"{values.shape[1]} regions"

    return Case(f"default regions of {name}", "lime #386 #214 #595", "slopes", build, right)


def stroke() -> Tensor:
    """A written stroke on black, 28 x 28."""
    x = torch.full((1, 1, 28, 28), -1.0)
    for i in range(5, 23):
        x[..., i, 10 + i // 4 : 13 + i // 4] = 1.0
    return x


def one_region(ask: str) -> Case:
    """A mask of one region tells nothing apart: all of the change, or an error that says so."""

    def right(question: Question, answer: Any) -> str | None:
        function = truths.double(question.network)
        with torch.no_grad():
            change = function(question.images) - function(question.baseline)
        values = torch.as_tensor(answer).double().reshape(-1)
        off = float((values - change).abs().max() / change.abs().max())
        return None if off < 0.05 else f"{float(values[0]):.2g} where the whole change is {float(change[0]):.2g}"

    return Case(
        f"one region: {ask}",
        "lime #386",
        ask,
        lambda: Question(Net().eval(), X, BLACK, segments=torch.zeros(8, 8, dtype=torch.long)),
        right,
        refusal="one region",
    )


def halves(name: str, out: tuple[int, ...], channels: int = 1, *, issue: str) -> Case:
    """Owen values of a linear critic are its pixels' own parts, summed here over quarters of the image."""

    def build() -> Question:
        w = weights(channels=channels)
        net = Wrapped(Linear(w), None, lambda y: y.view(len(y), *out))
        x = images(2, channels=channels)
        base = black(channels)
        return Question(net, x, base, (w * (x - base)).double(), segments=grid(8), options={"budget": 500})

    def right(question: Question, answer: Any) -> str | None:
        values = torch.as_tensor(answer).double()
        truth = truth_of(question).sum(1).flatten(1)
        values = values if values.ndim == 2 else values.sum(1).flatten(1)
        pooled = [t.view(2, 2, 4, 2, 4).sum((2, 4)).flatten(1) for t in (values, truth)]
        off = float(((pooled[0] - pooled[1]).abs().sum(1) / pooled[1].abs().sum(1)).max())
        return None if off <= 0.02 else f"off by {off:.0%} of the true map"

    return Case(f"{name}: partition", issue, "partition", build, right)


MASKER = "shap #2376 #1773 #2755"
CASES: list[Case] = [
    Case("few samples: default budget, 16 regions", "captum KernelShap (checked on 0.9.0)", "error", game, honest),
    enumerated(),
    promised("shapley"),
    promised("permutation"),
    *[nothing(ask) for ask in ("path", "rescale", "shapley", "slopes", "cam")],
    drawn("a map", "captum #1056 #1057 #1130 #225", Net),
    drawn("a map without evidence", "captum #959 #944 #393, PR #1853", Dead),
    scale_free(),
    segments("noise", lambda: torch.rand(1, 1, 28, 28, generator=torch.Generator().manual_seed(0)) * 2 - 1),
    segments("a stroke", stroke),
    one_region("shapley"),
    one_region("slopes"),
    halves("grey images", (1,), issue=MASKER),
    halves("colour images", (1,), 3, issue=MASKER),
    halves("output (N,)", (), issue="shap #2801"),
    halves("output (N, 1, 1, 1)", (1, 1, 1), issue="shap #2801"),
]
