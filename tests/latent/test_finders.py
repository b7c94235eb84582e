"""What every finder in the registry keeps, whatever it looks for."""

from __future__ import annotations

import inspect
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ganexplain.latent.directions import Directions
from ganexplain.latent.finders import FINDERS, Finder
from ganexplain.models.generator import Generator
from tests.latent._generators import Failing, OneLayer, TwoSpaces, spectrum, trained_like

# what keeps the suite short; a finder takes of it what its constructor has
SMALL: dict[str, Any] = {"n_samples": 24, "n_codes": 100, "batch_size": 16}
# arguments that a finder cannot do without
EXTRA: dict[str, dict[str, Any]] = {"boundary": {"attribute": lambda images: images.flatten(1).mean(1)}}

NAMES = FINDERS.names()
CASES: dict[str, tuple[Callable[[], Generator], str]] = {
    "batchnorm": (trained_like, "z"),
    "uniform": (lambda: OneLayer(spectrum(16, [0.5, 0.4, 0.3, 0.2]), tanh=True, prior="uniform"), "z"),
    "mapped": (TwoSpaces, "z"),
    "w": (TwoSpaces, "w"),
}


def made(name: str, **settings: Any) -> Finder:
    part = FINDERS.get(name)
    known = inspect.signature(part).parameters
    return part(**{k: v for k, v in {**SMALL, **EXTRA.get(name, {}), **settings}.items() if k in known})


def case(name: str) -> tuple[Generator, str]:
    build, space = CASES[name]
    return build(), space


def found(name: str, generator: Generator, space: str, seed: int = 0, **settings: Any) -> Directions:
    return made(name, space=space, **settings).fit(generator, seed=seed).directions_


def streams() -> tuple[Any, ...]:
    return random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # type: ignore[index]


def condition(generator: Generator) -> tuple[Any, ...]:
    """All of a generator that a finder could leave changed."""
    hooks = [(len(m._forward_hooks), len(m._forward_pre_hooks), len(m._backward_hooks)) for m in generator.modules()]
    modes = [m.training for m in generator.modules()]
    flags = [(p.requires_grad, p.grad is None) for p in generator.parameters()]
    state = {key: value.tolist() for key, value in generator.state_dict().items()}
    return hooks, modes, flags, state, sorted(vars(generator))


@pytest.fixture(params=CASES)
def subject(request: pytest.FixtureRequest) -> tuple[Generator, str]:
    return case(request.param)


@pytest.mark.parametrize("name", NAMES)
def test_directions_are_whole(name: str, subject: tuple[Generator, str]) -> None:
    generator, space = subject
    directions = found(name, generator, space, n_directions=3)
    d = generator.encode(generator.sample(1), space).shape[1]
    assert directions.vectors.shape[1] == d
    assert 1 <= len(directions) <= 3
    torch.testing.assert_close(directions.vectors.norm(dim=1), torch.ones(len(directions)))
    assert directions.vectors.dtype == directions.scale.dtype == torch.float32
    assert bool((directions.scale > 0).all())
    assert (directions.method, directions.space, directions.prior) == (name, space, generator.prior)
    directions.check(generator)
    if directions.strength is not None:
        assert bool(torch.isfinite(directions.strength).all())
    for key in FINDERS.get(name).columns:
        assert len(directions.params.get(key, directions)) == len(directions)


@pytest.mark.parametrize("name", NAMES)
def test_the_strongest_come_first_and_a_larger_number_adds_to_a_smaller(name: str) -> None:
    generator, space = case("mapped")
    few, many = (found(name, generator, space, n_directions=k) for k in (2, 4))
    if few.strength is not None and many.strength is not None:
        assert many.strength.tolist() == sorted(many.strength.tolist(), reverse=True)
    n = min(len(few), len(many))
    torch.testing.assert_close(few.vectors[:n], many.vectors[:n], atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", NAMES)
def test_no_more_directions_than_a_code_has_numbers(name: str, subject: tuple[Generator, str]) -> None:
    generator, space = subject
    directions = found(name, generator, space, n_directions=99)
    d = generator.encode(generator.sample(1), space).shape[1]
    assert len(directions) <= d
    assert int(torch.linalg.matrix_rank(directions.vectors.double(), atol=1e-6)) == len(directions)


@pytest.mark.parametrize("name", NAMES)
def test_an_amount_is_a_standard_deviation_of_the_codes_at_most(name: str, subject: tuple[Generator, str]) -> None:
    generator, space = subject
    directions = found(name, generator, space, n_directions=99)
    codes = generator.encode(generator.sample(4000, seed=5), space).detach()
    spread = (codes @ directions.vectors.T).std(0)
    assert bool((directions.scale <= 1.25 * spread).all())  # a regressed step is shorter where little is linear


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_bits(name: str, subject: tuple[Generator, str]) -> None:
    generator, space = subject
    torch.manual_seed(1)
    one = found(name, generator, space).to_bytes()
    torch.manual_seed(2)
    assert found(name, generator, space).to_bytes() == one


@pytest.mark.parametrize("name", [n for n in NAMES if "batch_size" in inspect.signature(FINDERS.get(n)).parameters])
def test_the_batch_size_decides_nothing(name: str, subject: tuple[Generator, str]) -> None:
    generator, space = subject
    one, two = (found(name, generator, space, batch_size=b, n_directions=3) for b in (5, 64))
    torch.testing.assert_close(one.vectors, two.vectors, atol=2e-6, rtol=0)
    torch.testing.assert_close(one.scale, two.scale, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(one.strength, two.strength, atol=0, rtol=1e-5)
    assert one.stands_out == two.stands_out


class Widest(OneLayer):
    """Remembers the largest batch."""

    seen: list[int]

    def forward(self, z: Tensor) -> Tensor:
        self.seen.append(len(z))
        return super().forward(z)


@pytest.mark.parametrize("name", [n for n in NAMES if "batch_size" in inspect.signature(FINDERS.get(n)).parameters])
def test_the_generator_never_sees_more_than_the_batch_size(name: str) -> None:
    generator = Widest(spectrum(16, [0.5, 0.4, 0.3, 0.2, 0.1]))
    Widest.seen = []  # of the class, which a private copy shares
    found(name, generator, "z", batch_size=3)
    assert 0 < max(Widest.seen) <= 3


@pytest.mark.parametrize("name", NAMES)
def test_the_callers_generator_and_random_streams_are_left_alone(name: str, subject: tuple[Generator, str]) -> None:
    generator, space = subject
    before, drawn = condition(generator), streams()
    found(name, generator, space)
    assert condition(generator) == before
    assert streams() == drawn


@pytest.mark.parametrize("good", [0, 1, 3])
@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_left_behind_after_an_exception(name: str, good: int) -> None:
    generator = Failing(good)
    before, drawn = condition(generator), streams()
    try:
        found(name, generator, "z")
    except FloatingPointError as error:
        assert str(error) == "on purpose"  # noqa: PT017 - a finder that runs nothing does not meet it
    assert condition(generator) == before
    assert streams() == drawn


@pytest.mark.parametrize("name", NAMES)
def test_a_file_comes_back_whole(name: str, subject: tuple[Generator, str], tmp_path: Path) -> None:
    generator, space = subject
    directions = found(name, generator, space)
    assert json.loads(json.dumps(directions.params, allow_nan=False)) == dict(directions.params)
    again = Directions.load(directions.save(tmp_path / "d.safetensors"), generator)
    assert again.to_bytes() == directions.to_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_wrong_words_are_refused(name: str) -> None:
    generator, _ = case("uniform")
    with pytest.raises(ValueError, match="unknown latent space 'w'"):
        found(name, generator, "w")
    with pytest.raises(ValueError, match="n_directions must be positive"):
        made(name, n_directions=0)
    with pytest.raises(ValueError, match=r"call fit\(generator\) first"):
        _ = made(name).directions_
    for setting in ("n_samples", "batch_size"):
        if setting in inspect.signature(FINDERS.get(name)).parameters:
            with pytest.raises(ValueError, match=f"{setting} must be positive"):
                made(name, **{setting: 0})


@pytest.mark.parametrize("name", NAMES)
def test_facts_are_said(name: str) -> None:
    part = FINDERS.get(name)
    assert part.facts
    assert part.measure
    assert (part.__doc__ or "").strip().partition("\n")[0].endswith(".")
