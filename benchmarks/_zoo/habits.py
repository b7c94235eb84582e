"""What an explainer does to the world around it: the caller's model, gradients, random streams, memory, screen."""

from __future__ import annotations

import contextlib
import copy
import io
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks._zoo.case import Call, Case, Question, near
from benchmarks._zoo.networks import Spied, grid
from benchmarks._zoo.wirings import BLACK, GRID, TOLERANCE, X, asked
from tests._critics import Net, bare, folded, images, warmed

HYGIENE = "captum PR #979 #837, #661; shap and grad-cam (checked on 0.51.0, read in source)"
BOUND = 64  # images in one batch


def modules(network: nn.Module) -> dict[str, Any]:
    """Flags, hooks and attributes of every module, as values."""
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return {
        name: (m.training, getattr(m, "inplace", None), *(len(getattr(m, h)) for h in hooks), sorted(vars(m)))
        for name, m in network.named_modules()
    }


def tensors_of(network: nn.Module) -> dict[str, Tensor]:
    """Weights, buffers and their gradients, copied."""
    found = {name: value.detach().clone() for name, value in network.state_dict().items()}
    gradients = {f"{n}.grad": p.grad.clone() for n, p in network.named_parameters() if p.grad is not None}
    return {**found, **gradients}


def left_as_it_was(question: Question, call: Call) -> list[str]:
    """What is different afterwards, whether the call succeeds or its network fails."""
    net, x = question.network, question.images
    before, values, kept = modules(net), tensors_of(net), x.detach().clone()
    wanted = {name: p.requires_grad for name, p in net.named_parameters()}
    with contextlib.suppress(RuntimeError) if net.seen.fail_at else contextlib.nullcontext():
        call(question)
    after, now = modules(net), tensors_of(net)
    changed = []
    if any(a[0] != b[0] for a, b in zip(before.values(), after.values(), strict=True)):
        changed.append("training flags")
    if any(a[2:6] != b[2:6] for a, b in zip(before.values(), after.values(), strict=True)):
        changed.append("hooks")
    if any(a[6] != b[6] for a, b in zip(before.values(), after.values(), strict=True)):
        changed.append("attributes")
    if wanted != {name: p.requires_grad for name, p in net.named_parameters()}:
        changed.append("requires_grad")
    if {n for n in values if n.endswith(".grad")} != {n for n in now if n.endswith(".grad")}:
        changed.append("which gradients there are")
    if any(n in now and not torch.equal(v, now[n]) for n, v in values.items()):
        changed.append("weights or gradients")
    if not torch.equal(kept, x.detach()):
        changed.append("the images")
    if x.requires_grad:
        changed.append("the images' requires_grad")
    if x.grad is not None:
        changed.append("the images' gradient")
    return changed


def nothing_changed(question: Question, answer: list[str]) -> str | None:
    """The oracle of `left_as_it_was`."""
    return f"changes {', '.join(answer)}" if answer else None


def world(ask: str, fail_at: int) -> Case:
    """A network in training, with gradients that its owner still needs."""

    def build() -> Question:
        net = Spied()
        net(images(4)).sum().backward()
        net.first.bias.requires_grad_(False)
        net.seen.batches.clear()
        net.seen.fail_at = fail_at
        return Question(net, images(2), BLACK, segments=GRID, options={"budget": 200})

    when = f"it fails at call {fail_at}" if fail_at else "all succeeds"
    return Case(f"the caller's model when {when}: {ask}", HYGIENE, ask, build, nothing_changed, left_as_it_was)


def reseeded(question: Question, call: Call) -> list[bool]:
    """For each global stream: whether it goes on the same after two different seeds of the caller's."""
    drawn = []
    saved = random.getstate(), np.random.get_state()
    for seed in (1, 2):
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        call(question)
        drawn.append((random.random(), float(np.random.rand()), float(torch.rand(()))))
    random.setstate(saved[0])
    np.random.set_state(saved[1])
    return [a == b for a, b in zip(*drawn, strict=True)]


def streams_are_the_callers(question: Question, answer: list[bool]) -> str | None:
    """The oracle of `reseeded`."""
    names = [name for name, same in zip(("Python", "NumPy", "torch"), answer, strict=True) if same]
    return f"reseeds the global stream of {', '.join(names)}" if names else None


def twice(question: Question, call: Call) -> tuple[Tensor, Tensor]:
    """Two answers, one after the other, from one explainer where there is one to keep."""
    if call.words.startswith("LimeImageExplainer"):
        from lime.lime_image import LimeImageExplainer

        from benchmarks._zoo.ask_lime import slopes

        kept = LimeImageExplainer(random_state=question.seed)
        return slopes(question, kept), slopes(question, kept)
    first = call(question)
    return torch.as_tensor(first), torch.as_tensor(call(question))


def same_bits(question: Question, answer: tuple[Tensor, Tensor]) -> str | None:
    """The oracle of `twice`."""
    one, two = answer
    if one.shape == two.shape and torch.equal(one, two):
        return None
    return f"two runs with one seed differ by {float((one - two).abs().max() / one.abs().max()):.1%}"


def seeds(ask: str, libraries: tuple[str, ...]) -> Case:
    """One seed given twice."""
    return Case(
        f"one seed, twice: {ask}",
        "shap #1010 #4862 #2095; lime #477 #231 #67",
        ask,
        lambda: _sampled(ask),
        same_bits,
        twice,
        only=libraries,
    )


def _sampled(ask: str) -> Question:
    """Sixteen cells for methods that remove regions: more than anybody enumerates."""
    cells = grid(4) if ask in ("shapley", "permutation", "slopes") else None
    return Question(Net().eval(), X, BLACK, segments=cells, options={"budget": 200})


def printed(question: Question, call: Call) -> str:
    """What a call writes to the screen."""
    screen = io.StringIO()
    with contextlib.redirect_stdout(screen), contextlib.redirect_stderr(screen):
        call(question)
    return screen.getvalue()


def silent(question: Question, answer: str) -> str | None:
    """The oracle of `printed`."""
    return f"writes {len(answer)} characters to the screen" if answer.strip() else None


def quiet(ask: str) -> Case:
    """No progress bar that was not asked for."""
    return Case(f"silence: {ask}", "lime #255 #361", ask, lambda: _sampled(ask), silent, printed)


def largest(question: Question, call: Call) -> int:
    """The largest batch that the network saw."""
    call(question)
    return int(max(question.network.seen.batches))


def bounded(question: Question, answer: int) -> str | None:
    """The oracle of `largest`."""
    return None if answer <= BOUND else f"a batch of {answer} images where {len(question.images)} were given"


def memory(ask: str) -> Case:
    """Four images; nobody may hand the network hundreds at once."""
    return Case(
        f"largest batch: {ask}",
        "captum #538 #245 #632 #1350",
        ask,
        lambda: Question(Spied().eval(), images(4), BLACK, segments=GRID, options={"budget": 200, "batch": BOUND}),
        bounded,
        largest,
        only=("ganexplain", "captum") if ask == "shapley" else None,  # shap asks a function that its user writes
    )


def trained(name: str, ask: str, build: Callable[[], nn.Module], twin: Callable[[], nn.Module]) -> Case:
    """A critic as a training loop leaves it: in train mode."""
    issue = "torch #8208 #12737, PR #62293; train mode left on (checked on captum 0.9.0)"
    return Case(
        f"{name} left in train mode: {ask}",
        issue,
        ask,
        lambda: asked(build().train(), ask, twin()),
        near(TOLERANCE[ask]),
    )


def unmoved(ask: str) -> Case:
    """Old spectral norm in train mode takes a step with every forward: explaining must not change the critic."""

    def act(question: Question, call: Call) -> float:
        net = question.network
        before = copy.deepcopy(net.state_dict())
        call(question)
        return max(float((v - before[k]).abs().max()) for k, v in net.state_dict().items())

    def right(question: Question, answer: float) -> str | None:
        return f"explaining moves the weights by {answer:.2g}" if answer else None

    return Case(
        f"old spectral norm, the critic afterwards: {ask}",
        "torch #8208, PR #62293",
        ask,
        lambda: Question(warmed(Net(norm="old_spectral")).train(), X, BLACK, segments=GRID, options={"budget": 200}),
        right,
        act,
    )


def noise() -> Case:
    """SmoothGrad's noise is a tenth to a fifth of the range (Smilkov et al. 2017)."""

    def act(question: Question, call: Call) -> float:
        call(question)
        seen = torch.cat([x for x in question.network.inputs if len(x)])
        offs = (seen[:, None] - question.images[None]).flatten(2).std(2)
        near_ = offs.amin(1)
        return float(near_[near_ > 1e-4].median())

    def right(question: Question, answer: float) -> str | None:
        low, high = float(question.images.amin()), float(question.images.amax())
        share = answer / (high - low)
        return None if 0.08 <= share <= 0.25 else f"noise of {share:.0%} of the images' range"

    return Case(
        "width of the noise: smooth",
        "captum NoiseTunnel; zennit #201; ExplainableAI.jl #179",
        "smooth",
        lambda: Question(Spied(keep=True).eval(), images(1), BLACK),
        right,
        act,
    )


WORLDS = ("path", "rescale", "cam", "guided", "shapley")
CASES: list[Case] = [
    *[world(ask, 0) for ask in WORLDS],
    *[world(ask, 2) for ask in ("path", "rescale", "cam", "shapley")],
    *[
        Case(
            f"global random streams: {ask}",
            "shap GradientExplainer (checked on 0.51.0)",
            ask,
            lambda ask=ask: _sampled(ask),
            streams_are_the_callers,
            reseeded,
        )
        for ask in ("expected", "shapley", "slopes")
    ],
    seeds("expected", ("ganexplain", "shap")),
    seeds("slopes", ("ganexplain", "lime")),
    seeds("permutation", ("ganexplain",)),
    *[quiet(ask) for ask in ("path", "shapley", "slopes")],
    *[memory(ask) for ask in ("path", "expected", "rescale", "shapley")],
    *[
        trained("BatchNorm", ask, lambda: warmed(Net(norm="batch")), lambda: folded(warmed(Net(norm="batch"))))
        for ask in ("path", "shapley")
    ],
    trained("old spectral norm", "path", lambda: warmed(Net(norm="old_spectral")), lambda: bare("old_spectral")),
    unmoved("path"),
    unmoved("shapley"),
    noise(),
]
