"""A bad wiring: a question with an oracle, put in the same words to ganexplain and to the libraries beside it."""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

RIGHT, WRONG, RAISES, ABSENT = "right", "wrong", "raises", "absent"


@dataclass
class Question:
    """What is asked of an explainer.

    Attributes:
        network: as its author wrote it; a high output is what the explanation is for, unless the case says otherwise.
        images: (N, C, H, W) in [-1, 1], as the network reads them unless ``declared`` says otherwise.
        baseline: (1, C, H, W) what stands for "nothing".
        truth: what the oracle knows: (N, C, H, W) contributions, or (N, P) of the segments; None where it knows a law.
        declared: how the network is described to `ganexplain.Critic`.
        segments: (H, W) integer labels, or None.
        target: what the libraries are told to explain: a column, a cell of a patch map, or None for one number.
        reduce: how the network's own makers turn its output into one number an image, where a library's documentation
            asks for such a function.
        layer: the convolution that class activation maps look at.
        seed: of sampled methods.
        options: anything else that a case tells the calls.
    """

    network: Any
    images: Tensor
    baseline: Tensor
    truth: Tensor | None = None
    declared: Mapping[str, Any] = field(default_factory=dict)
    segments: Tensor | None = None
    target: Any = 0
    reduce: Callable[[Tensor], Tensor] | None = None
    layer: str = "second"
    seed: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Call:
    """How a library is asked: the words of its documentation, and a function that says them.

    Attributes:
        words: the call as its user would write it.
        put: from a question to the values that the library returns, as it returns them.
    """

    words: str
    put: Callable[[Question], Any]

    def __call__(self, question: Question) -> Any:
        """What the library returns."""
        return self.put(question)


Calls = Mapping[str, Call]


def once(question: Question, call: Call) -> Any:
    """The plain way to ask."""
    return call(question)


@dataclass(frozen=True)
class Case:
    """One bad wiring.

    Attributes:
        name: what is wired badly; unique.
        issue: the threads in which people met it.
        ask: the kind of explanation asked for, a key of the libraries' calls.
        build: makes the question, anew each time.
        right: the oracle: None, or what is wrong with an answer.
        act: how the question is put, where once is not enough.
        refusal: a regular expression; an error that says so is a right answer too, from anybody.
        only: the libraries to which the case applies; None for all that can be asked.
    """

    name: str
    issue: str
    ask: str
    build: Callable[[], Question]
    right: Callable[[Question, Any], str | None]
    act: Callable[[Question, Call], Any] = once
    refusal: str | None = None
    only: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of a question: "right", "wrong" (in silence), "raises", or "absent" (the part does not exist)."""

    kind: str
    says: str = ""


class AbsentError(Exception):
    """The part that would answer is not there; no answer, and no fault."""


def outcome(case: Case, call: Call) -> Outcome:
    """Put the case to a library, and let the oracle judge."""
    question = case.build()
    question.images = question.images.clone()  # some libraries leave marks on what they are given
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()), torch.random.fork_rng():
            warnings.simplefilter("ignore")
            answer = case.act(question, call)
    except AbsentError as gone:
        return Outcome(ABSENT, str(gone))
    except Exception as error:  # whatever a library throws is its answer; nothing is hidden, it is in the table
        text = (str(error).strip() or type(error).__name__).splitlines()[0]
        if case.refusal and re.search(case.refusal, str(error)):
            return Outcome(RIGHT, f"refused: {text}")
        return Outcome(RAISES, f"{type(error).__name__}: {text}")
    with torch.no_grad():
        wrong = case.right(question, answer)
    return Outcome(WRONG, wrong) if wrong else Outcome(RIGHT)


def applies(case: Case, library: str, calls: Calls) -> bool:
    """Whether a library can be asked at all."""
    return case.ask in calls and (case.only is None or library in case.only)


def truth_of(question: Question) -> Tensor:
    """The truth, in float64.

    Raises:
        ValueError: the case has none.
    """
    if question.truth is None:
        raise ValueError("this oracle needs a truth; give the question one")
    return question.truth.double()


def segments_of(question: Question) -> Tensor:
    """The labels of the regions.

    Raises:
        ValueError: the case has none.
    """
    if question.segments is None:
        raise ValueError("this call needs regions; give the question segments")
    return question.segments


def near(tol: float) -> Callable[[Question, Any], str | None]:
    """An oracle: for each image the sum of absolute differences from the truth is at most ``tol`` of its own sum."""

    def right(question: Question, answer: Any) -> str | None:
        truth = truth_of(question)
        values = torch.as_tensor(answer).detach().cpu().double()
        if values.numel() != truth.numel():
            return f"the answer has the shape {tuple(values.shape)} instead of {tuple(truth.shape)}"
        if not bool(torch.isfinite(values).all()):
            return "values that are not finite"
        off = (values.reshape(truth.shape) - truth).flatten(1).abs().sum(1) / truth.flatten(1).abs().sum(1)
        return None if float(off.max()) <= tol else f"off by {float(off.max()):.0%} of the true map"

    return right


def proportional(least: float) -> Callable[[Question, Any], str | None]:
    """An oracle: the cosine of answer and truth is at least ``least``, for maps in units of their own."""

    def right(question: Question, answer: Any) -> str | None:
        truth = truth_of(question)
        values = torch.as_tensor(answer).detach().cpu().double()
        if values.numel() != truth.numel():
            return f"the answer has the shape {tuple(values.shape)} instead of {tuple(truth.shape)}"
        if not bool(values.flatten(1).any()):
            return "a map of zeros"
        cosine = nn.functional.cosine_similarity(values.reshape(truth.shape).flatten(1), truth.flatten(1), 1)
        return None if float(cosine.min()) >= least else f"cosine {float(cosine.min()):.2f} with the true map"

    return right
