"""Ranges, seeded streams, bounded batches and isolated randomness."""

from __future__ import annotations

import hashlib
import random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor

from ganexplain.tensors import batched, from_uint8, isolated, normal, rng, to_uint8


def states() -> tuple[object, bytes, bytes]:
    """The states of the three global generators."""
    return random.getstate(), repr(np.random.get_state(legacy=False)).encode(), torch.get_rng_state().numpy().tobytes()


def draws() -> tuple[float, float, float]:
    return random.random(), float(np.random.rand()), float(torch.rand(()))


def test_bytes_survive_the_way_there_and_back() -> None:
    pixels = torch.arange(256, dtype=torch.uint8)
    images = from_uint8(pixels)
    assert (float(images.min()), float(images.max())) == (-1.0, 1.0)
    assert torch.equal(to_uint8(images), pixels)
    assert torch.equal(to_uint8(torch.tensor([-9.0, 9.0])), torch.tensor([0, 255], dtype=torch.uint8))
    with pytest.raises(TypeError, match="pixels must be uint8, got torch.float32"):
        from_uint8(images)


def test_a_stream_depends_on_nothing_but_its_keys() -> None:
    first = rng(3, "noise", 1).random(5)
    draws()
    rng(3, "other").random(100)
    assert np.array_equal(first, rng(3, "noise", 1).random(5))


def test_a_stream_is_the_same_on_every_machine() -> None:
    # Philox keyed by the first 16 bytes of sha256("(0, 'noise')"), from numpy's documentation of its bit stream
    key = int.from_bytes(hashlib.sha256(b"(0, 'noise')").digest()[:16], "little")
    assert np.array_equal(
        rng(0, "noise").integers(2**32, size=4), np.random.Generator(np.random.Philox(key)).integers(2**32, size=4)
    )


@given(
    st.lists(st.tuples(st.integers(0, 50), st.sampled_from(["a", "b", 1, "1"])), min_size=2, max_size=2, unique=True)
)
def test_streams_of_different_keys_are_independent(keys: list[tuple[int, int | str]]) -> None:
    one, two = (rng(seed, key).standard_normal(2000) for seed, key in keys)
    assert abs(np.corrcoef(one, two)[0, 1]) < 0.12  # 5.4 standard errors


@pytest.mark.parametrize(
    "pair", [((0, "a"), (0, "a", "a")), ((1, 2), (12,)), ((0, "1"), (0, 1)), ((0, "a", "b"), (0, "ab"))]
)
def test_keys_are_not_confused(pair: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    assert rng(*pair[0]).random() != rng(*pair[1]).random()


def test_noise_is_standard_normal() -> None:
    noise = normal(0, "codes", shape=(200, 50))
    assert noise.dtype == torch.float32
    assert noise.shape == (200, 50)
    assert stats.kstest(noise.flatten().numpy(), "norm").pvalue > 0.01


@given(st.integers(0, 2**31), st.integers(1, 9), st.integers(0, 40), st.integers(1, 7))
def test_more_rows_continue_the_first_ones(seed: int, rows: int, more: int, width: int) -> None:
    few, many = normal(seed, "z", shape=(rows, width)), normal(seed, "z", shape=(rows + more, width))
    assert torch.equal(many[:rows], few)


@pytest.mark.parametrize("batch_size", [1, 3, 4, 7, 100])
def test_batches_are_bounded_and_in_order(batch_size: int) -> None:
    seen = []

    def double(a: Tensor, b: Tensor) -> Tensor:
        seen.append(len(a))
        return a + b

    rows = torch.arange(7.0)
    assert torch.equal(batched(double, batch_size, rows, rows), 2 * rows)
    assert max(seen) <= batch_size
    assert sum(seen) == 7


def allocation(error: str) -> Exception:
    """An error as a device or a library raises it."""
    return torch.OutOfMemoryError("CUDA out of memory") if error == "class" else RuntimeError(error)


SAID = (
    "class",
    "[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.",
    "DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes.",
    "MPS backend out of memory (MPS allocated: 9 GB)",
    "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
)


@pytest.mark.parametrize("said", SAID)
def test_a_batch_for_which_memory_runs_out_is_halved(said: str) -> None:
    seen = []

    def double(a: Tensor) -> Tensor:
        seen.append(len(a))
        if len(a) > 5:
            raise allocation(said)
        return 2 * a

    rows = torch.arange(21.0)
    assert torch.equal(batched(double, 16, rows), 2 * rows)
    assert seen == [16, 8, 4, 4, 4, 4, 4, 1]  # nothing is computed twice, and what did not fit is not tried again
    seen.clear()
    assert torch.equal(batched(double, 64, rows[:7]), 2 * rows[:7])
    assert seen == [7, 4, 3]  # as with batches of 4


def test_memory_of_this_machine_is_asked_for_in_vain() -> None:
    def large(a: Tensor) -> Tensor:
        return torch.empty(2**50 if len(a) > 2 else 1).new_zeros(len(a))

    assert len(batched(large, 4, torch.arange(4.0))) == 4


@pytest.mark.parametrize("said", [*SAID, "shapes do not fit"])
def test_an_error_that_halving_cannot_help_is_raised_as_it_is(said: str) -> None:
    seen = []

    def fails(a: Tensor) -> Tensor:
        seen.append(len(a))
        raise allocation(said)

    with pytest.raises(RuntimeError, match="memory|ALLOC_FAILED|shapes do not fit"):
        batched(fails, 8, torch.arange(9.0))
    assert seen == ([8] if said == "shapes do not fit" else [8, 4, 2, 1])


def test_isolated_gives_the_same_draws_and_puts_all_states_back() -> None:
    before = states()
    with isolated(5):
        first = draws()
    assert states() == before
    draws()
    with isolated(5):
        assert draws() == first
    with isolated(6):
        assert draws() != first


def test_isolated_puts_all_states_back_after_an_exception() -> None:
    before = states()
    with pytest.raises(ZeroDivisionError), isolated(5):
        draws()[0] / 0
    assert states() == before


def test_isolated_can_be_nested() -> None:
    with isolated(1):
        draws()
        middle = states()
        with isolated(2):
            draws()
        assert states() == middle


@pytest.mark.parametrize("seed", [0, 2**32 - 1, 2**32, 2**63 - 1])
def test_isolated_takes_large_seeds(seed: int) -> None:
    with isolated(seed):
        first = draws()
    with isolated(seed):
        assert draws() == first
