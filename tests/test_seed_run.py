"""The measured run: its clock stops where it says, its reader is repeatable, and its numbers are those of the page."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from benchmarks import seed
from benchmarks._reader import Reader, quality
from ganexplain.data.sets import DataSet, open_data
from ganexplain.data.splits import Split, split
from ganexplain.models.gan import GAN
from ganexplain.training.config import load

SMALL = ["model.widths=[16]", "model.critic_width=4", "model.z_dim=4", "run.batch=8"]


@pytest.fixture(scope="module")
def digits() -> tuple[DataSet, Split]:
    data = open_data("digits")
    return data, split(data)


@pytest.fixture(scope="module")
def large() -> tuple[DataSet, Split]:
    """The digits at the size that the reader is made for."""
    data = open_data("digits", resolution=28)
    return data, split(data)


@pytest.fixture(scope="module")
def reader(large: tuple[DataSet, Split]) -> Reader:
    data, parts = large
    assert data.labels is not None
    return Reader.fit(data.images[parts.train], data.labels[parts.train], epochs=3)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor clock that goes on by one second whenever it is read: each step takes one."""
    ticks: Iterator[int] = iter(range(10**6))
    monkeypatch.setattr(seed, "time", SimpleNamespace(process_time=lambda: next(ticks), perf_counter=lambda: 0.0))


@pytest.mark.usefixtures("clock")
def test_snapshots_are_taken_at_their_times_and_the_run_ends_with_the_budget(digits: tuple[DataSet, Split]) -> None:
    data, parts = digits
    found = list(seed.timed(load("seed-mnist", [*SMALL, "run.steps=200"]), data, parts, 70))
    assert [facts["cpu"] for _, facts in found] == [30, 60, 69]  # the step that reaches the budget is not counted
    assert [facts["step"] for _, facts in found] == [30, 60, 69]


@pytest.mark.usefixtures("clock")
def test_a_run_that_is_over_before_its_budget_keeps_its_last_step(digits: tuple[DataSet, Split]) -> None:
    data, parts = digits
    found = list(seed.timed(load("seed-mnist", [*SMALL, "run.steps=35"]), data, parts, 70))
    assert [facts["step"] for _, facts in found] == [30, 35]


@pytest.mark.usefixtures("clock")
def test_the_cost_of_a_step_is_that_of_the_clock(digits: tuple[DataSet, Split]) -> None:
    assert seed.seconds_a_step(load("seed-mnist", SMALL), *digits) == pytest.approx(1 / 30)  # 30 steps, one tick


def test_the_reader_is_repeatable_and_reads(large: tuple[DataSet, Split], reader: Reader) -> None:
    data, parts = large
    assert data.labels is not None
    again = Reader.fit(data.images[parts.train], data.labels[parts.train], epochs=3)
    assert again.fingerprint == reader.fingerprint
    assert reader.accuracy(data.images[parts.held_out], data.labels[parts.held_out]) > 0.8
    assert reader.features(data.images[:5]).shape == (5, 64)
    torch.testing.assert_close(reader.probabilities(data.images[:5]).sum(1), torch.ones(5))


def test_quality_of_the_reals_themselves_and_of_a_single_image(large: tuple[DataSet, Split], reader: Reader) -> None:
    data, parts = large
    real = data.images[parts.held_out]
    prior = torch.bincount(reader.probabilities(real).argmax(1), minlength=10).double() / len(real)
    same = quality(reader, real, [real, real], prior)
    assert same["fd"] == pytest.approx(0, abs=1e-4)
    assert (same["recall"], same["coverage"], same["present"]) == (1, 1, int((prior > 0.01).sum()))
    assert same["kl"] == pytest.approx(0, abs=1e-9)
    one = quality(reader, real, [real[:1].expand_as(real)], prior)
    seen = prior[reader.probabilities(real[:1]).argmax()]
    assert (one["present"], one["kl"]) == (1, pytest.approx(float(-seen.log())))
    assert one["fd"] > 1
    assert one["recall"] < 0.05


def test_the_tables_put_the_last_snapshots_between_their_limits() -> None:
    keys = ("fd", "fd_sd", "present", "kl", "confident", "recall", "coverage")

    def point(step: int, value: float) -> dict[str, Any]:
        return {"step": step, "cpu": 60.0 * step, **dict.fromkeys(keys, value)}

    found = {"a": {"points": [point(1, 0.5), point(2, 0.25)]}}
    ends, curves = seed.tables(found, {"training images": point(0, 0.0), "noise": point(0, 9.0)})
    assert [row["preset"] for row in ends] == ["training images", "noise", "`a`"]
    assert [row["preset"] for row in curves] == ["`a` after 1.0 min", "`a` after 2.0 min"]
    assert ends[2]["FD"] == curves[1]["FD"] == 0.25
    assert all(list(row) == list(ends[0]) for row in [*ends, *curves])


def test_the_networks_are_those_of_the_data(digits: tuple[DataSet, Split]) -> None:
    gan: GAN = seed.built(load("seed-mnist", SMALL), digits[0])
    images: Tensor = gan.samples(2)
    assert images.shape == (2, 1, 8, 8)
