"""Every case of the zoo can fail: shams of each kind are caught, and the written result is what ganexplain does."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks import zoo
from benchmarks._zoo import CASES
from benchmarks._zoo.case import ABSENT, RAISES, RIGHT, WRONG, Call, Case, Question, outcome

pytestmark = pytest.mark.zoo
BY_NAME = {case.name: case for case in CASES}
ZEROS = Call("a sham", lambda q: torch.zeros_like(q.images if q.truth is None else q.truth))
WITH_TRUTH = [case for case in CASES if case.act.__name__ in ("once", "act") and case.build().truth is not None]


def put(name: str, answer: Callable[[Question], Any]) -> str:
    return outcome(BY_NAME[name], Call("a sham", answer)).kind


@pytest.mark.parametrize("case", WITH_TRUTH, ids=lambda case: case.name)
def test_a_map_of_zeros_the_negative_and_a_shuffled_map_are_wrong(case: Case) -> None:
    question = case.build()
    truth = question.truth.double()
    assert case.right(question, wrapped(case, truth)) is None
    turned = truth.flatten(1).roll(3, 1).view(truth.shape)
    unsigned = "saturated sigmoid: gradient"
    for sham in (torch.zeros_like(truth), turned, *([] if case.name == unsigned else [-truth])):
        if not torch.allclose(sham, truth):
            assert case.right(question, wrapped(case, sham)) is not None


def wrapped(case: Case, values: Tensor) -> Any:
    return (values, None) if case.ask == "error" else values


def test_values_that_are_half_a_percent_off_are_told_from_five_percent_where_nothing_is_drawn() -> None:
    case = BY_NAME["in-place activation: rescale"]
    question = case.build()
    assert case.right(question, 1.005 * question.truth) is None
    assert case.right(question, 1.05 * question.truth) is not None


def test_an_error_counts_as_right_only_where_it_names_the_cause() -> None:
    def refuse(text: str) -> Callable[[Question], Any]:
        def put_(question: Question) -> Any:
            raise ValueError(text)

        return put_

    assert put("GELU: rescale", refuse("there is no rule for GELU")) == RIGHT
    assert put("GELU: rescale", refuse("tuple index out of range")) == RAISES
    assert put("plain: path", refuse("there is no rule for GELU")) == RAISES


def leaves_eval(q: Question) -> None:
    q.network.eval()


def leaves_a_hook(q: Question) -> None:
    q.network.first.register_forward_hook(lambda *_: None)


def fills_gradients(q: Question) -> None:
    q.network(q.images).sum().backward()


def writes_into_the_images(q: Question) -> None:
    q.images.zero_()


def asks_for_gradients_of_the_images(q: Question) -> None:
    q.images.requires_grad_()


def thaws(q: Question) -> None:
    q.network.requires_grad_(True)


@pytest.mark.parametrize(
    "name", ["the caller's model when all succeeds: path", "the caller's model when it fails at call 2: path"]
)
@pytest.mark.parametrize(
    "sham",
    [leaves_eval, leaves_a_hook, fills_gradients, writes_into_the_images, asks_for_gradients_of_the_images, thaws],
)
def test_what_is_left_behind_is_seen(name: str, sham: Callable[[Question], Any]) -> None:
    assert put(name, sham) == WRONG
    assert put(name, lambda q: None) == RIGHT


@pytest.mark.parametrize("seed", [random.seed, np.random.seed, torch.manual_seed])
def test_reseeding_is_seen(seed: Callable[[int], Any]) -> None:
    assert put("global random streams: expected", lambda q: seed(0)) == WRONG
    assert put("global random streams: expected", lambda q: torch.rand(3)) == RIGHT


SHAMS: list[tuple[str, Callable[[Question], Any], Callable[[Question], Any]]] = [
    ("one seed, twice: permutation", lambda q: torch.rand(4), lambda q: torch.ones(4)),
    ("silence: path", lambda q: print("working"), lambda q: None),
    ("largest batch: path", lambda q: q.network(q.images.repeat(50, 1, 1, 1)), lambda q: q.network(q.images)),
    (
        "old spectral norm, the critic afterwards: path",
        lambda q: q.network(q.images),
        lambda q: q.network.eval()(q.images),
    ),
    (
        "width of the noise: smooth",
        lambda q: q.network(q.images + torch.randn(20, 1, 8, 8)),
        lambda q: q.network(q.images + 0.3 * torch.randn(20, 1, 8, 8)),
    ),
    ("exact values of 9 regions", ZEROS.put, lambda q: q.truth),
    (
        "500 evaluations promised: shapley",
        lambda q: q.network(q.images.repeat(200, 1, 1, 1)),
        lambda q: q.network(q.images.repeat(500, 1, 1, 1)),
    ),
    ("a constant critic: path", lambda q: q.images, ZEROS.put),
    ("a constant critic: path", lambda q: q.images * torch.nan, ZEROS.put),
    ("picture of a map", lambda q: b"", lambda q: b"\x89PNG\r\n\x1a\n" + bytes(2000)),
    (
        "score of a map and of ten times that map",
        lambda q: torch.tensor([1.0, 100.0]),
        lambda q: torch.tensor([1.0, 1.0]),
    ),
    ("default regions of noise", lambda q: torch.ones(1, 2), lambda q: torch.ones(1, 16)),
    ("default regions of noise", lambda q: torch.zeros(1, 16), lambda q: torch.ones(1, 16)),
    ("shape of the answer: path", lambda q: q.images[..., None], lambda q: q.images),
    ("InstanceNorm: rescale", lambda q: q.images, lambda q: change(q)),
    ("in-place activation: cam", lambda q: q.images * (1 if q.network.one.inplace else 2), lambda q: q.images),
    ("all evidence against: cam", ZEROS.put, lambda q: -q.images),
    ("all evidence against: cam", lambda q: q.images, lambda q: -q.images),
    ("why fake, of a low logit: cam", lambda q: q.images.flip(0), lambda q: q.images),
    (
        "few samples: default budget, 16 regions",
        lambda q: (1.2 * q.truth, 0.001 * q.truth.abs()),
        lambda q: (q.truth, None),
    ),
    (
        "few samples: default budget, 16 regions",
        lambda q: (0 * q.truth, 9 * q.truth.abs()),
        lambda q: (1.2 * q.truth, 0.1 * q.truth.abs()),
    ),
    ("one region: slopes", lambda q: torch.zeros(2, 1), lambda q: change(q).flatten(1).sum(1, keepdim=True)),
    ("patch map, cells and their mean: gradient", lambda q: q.images * (2 if q.reduce else 1), lambda q: q.images),
]


def change(q: Question) -> Tensor:
    with torch.no_grad():
        net = copy.deepcopy(q.network)
        return (net(q.images) - net(q.baseline)).view(-1, 1, 1, 1).expand(q.images.shape) / q.images[0].numel()


@pytest.mark.parametrize(("name", "sham", "good"), SHAMS)
def test_a_law_is_kept_or_broken(name: str, sham: Callable[[Question], Any], good: Callable[[Question], Any]) -> None:
    assert put(name, sham) == WRONG
    assert put(name, good) == RIGHT


def test_whoever_asks_too_often_is_stopped() -> None:
    assert put("exact values of 9 regions", lambda q: [q.network(q.images) for _ in range(5000)]) == RAISES


def test_absent_parts_are_neither_right_nor_wrong() -> None:
    from benchmarks._zoo.case import AbsentError, Outcome

    def gone(question: Question) -> Any:
        raise AbsentError("not installed")

    found = outcome(BY_NAME["plain: path"], Call("a sham", gone))
    assert found.kind == ABSENT
    assert zoo.row("nobody", {"a": found}) == {
        "library": "nobody",
        "cases": "not run",
        "right": "-",
        "wrong, in silence": "-",
        "raises": "not installed",
    }
    counted = zoo.row("somebody", {"a": Outcome(RIGHT), "b": Outcome(WRONG), "c": Outcome(RAISES), "d": found})
    assert list(counted.values()) == ["somebody", 3, 1, 1, 1]
