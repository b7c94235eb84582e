"""Directions against closed forms: edits, the coordinates that undo them, files, and strangers that are refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from ganexplain import GAN, store, tensors
from ganexplain.latent.directions import Directions, fingerprint, spread
from ganexplain.models.generator import Generator


def oblique(k: int = 3, d: int = 7) -> Tensor:
    return nn.functional.normalize(tensors.normal(3, "v", shape=(k, d)).double(), dim=1).float()


@pytest.fixture
def generator() -> Generator:
    return GAN.build("dcgan", resolution=8, z_dim=7, width=4, seed=1).generator.eval()


@pytest.fixture
def directions(generator: Generator) -> Directions:
    return Directions(
        oblique(),
        torch.tensor([0.5, 1.0, 2.0]),
        torch.tensor([9.0, 4.0, 1.0]),
        layers=("start",),
        names=("a", "b", "ü"),
        method="test",
        params={"rows": [1.5, None], "word": "x"},
        stands_out=(True, False, False),
        fingerprint=fingerprint(generator),
    )


def test_an_edit_adds_amount_times_scale_times_vector(directions: Directions) -> None:
    codes = tensors.normal(0, "z", shape=(4, 7))
    moved = directions.edit(codes, 2, torch.tensor([0.0, 1.0, -2.0, 0.5]))
    expected = codes + torch.tensor([0.0, 2.0, -4.0, 1.0])[:, None] * directions.vectors[2]
    torch.testing.assert_close(moved, expected)
    torch.testing.assert_close(directions.edit(codes, 2, 1.0)[1], expected[1])


def test_coordinates_undo_an_edit_also_off_the_right_angle(directions: Directions) -> None:
    codes = tensors.normal(0, "z", shape=(5, 7))
    assert float((directions.vectors[0] @ directions.vectors[1]).abs()) > 0.1  # else the test says nothing
    for i in range(3):
        change = directions.transform(directions.edit(codes, i, 1.7)) - directions.transform(codes)
        torch.testing.assert_close(change, 1.7 * torch.eye(3)[i].expand(5, 3), atol=1e-5, rtol=0)


def test_coordinates_along_orthogonal_directions_are_inner_products() -> None:
    basis = torch.linalg.qr(tensors.normal(1, "q", shape=(6, 6)).double())[0][:2].float()
    directions = Directions(basis, torch.tensor([0.5, 2.0]))
    codes = tensors.normal(0, "z", shape=(5, 6))
    torch.testing.assert_close(directions.transform(codes), codes @ basis.T / torch.tensor([0.5, 2.0]))


def test_a_traversal_is_the_images_of_the_edits(directions: Directions, generator: Generator) -> None:
    codes = generator.sample(3)
    panels = directions.traverse(generator, codes, 1, (-2.0, 0.0, 1.0), batch_size=2)
    assert panels.shape == (3, 3, 1, 8, 8)
    for a, amount in enumerate((-2.0, 0.0, 1.0)):
        torch.testing.assert_close(panels[:, a], generator.render(directions.edit(codes, 1, amount)))


@pytest.mark.parametrize("prior", ["normal", "uniform"])
def test_the_scale_is_the_spread_of_codes_along_a_vector(prior: str) -> None:
    class Plain(Generator):
        z_dim, resolution, channels = 7, 1, 1

    generator = Plain()
    generator.prior = prior
    vectors = oblique()
    measured = (generator.sample(40_000).double() @ vectors.double().T).std(0)
    torch.testing.assert_close(spread(generator, vectors, "z").double(), measured, atol=0.01, rtol=0)


def test_a_uniform_prior_is_left_without_clipping() -> None:
    directions = Directions(torch.eye(4)[:1], torch.tensor([0.5]), prior="uniform")
    codes = torch.full((2, 4), 0.9)
    moved = directions.edit(codes, 0, 3.0)
    assert moved[0, 0] == pytest.approx(2.4)
    assert directions.outside_prior(codes) == 0
    assert directions.outside_prior(moved) == 0.25
    assert replace(directions, prior="normal").outside_prior(moved) == 0


def test_a_file_comes_back_whole(directions: Directions, generator: Generator, tmp_path: Path) -> None:
    again = Directions.load(directions.save(tmp_path / "d.safetensors"), generator)
    for name, value in vars(directions).items():
        other = getattr(again, name)
        assert torch.equal(value, other) if isinstance(value, Tensor) else value == other, name
    bare = replace(directions, strength=None, stands_out=None, fingerprint=None)
    again = Directions.load(bare.save(tmp_path / "bare.safetensors"))
    assert again.strength is None
    assert again.stands_out is None


def test_another_generator_is_refused(directions: Directions, generator: Generator, tmp_path: Path) -> None:
    file = directions.save(tmp_path / "d.safetensors")
    other = GAN.build("dcgan", resolution=8, z_dim=7, width=4, seed=2).generator
    with pytest.raises(ValueError, match="other weights"):
        Directions.load(file, other)
    with pytest.raises(ValueError, match="other weights"):
        directions.traverse(other, other.sample(1), 0)
    replace(directions, fingerprint=None).traverse(other, other.sample(1), 0)
    narrow = GAN.build("dcgan", resolution=8, z_dim=5, width=4).generator
    with pytest.raises(ValueError, match="7 numbers, the generator's codes 5"):
        directions.check(narrow)
    with pytest.raises(ValueError, match="live in 'w'"):
        replace(directions, space="w").check(generator)


def test_other_files_are_refused(directions: Directions, tmp_path: Path) -> None:
    other = store.save_tensors(tmp_path / "x.safetensors", {"vectors": torch.eye(2)}, {"kind": "gan", "schema": 1})
    with pytest.raises(ValueError, match="holds no directions"):
        Directions.load(other)
    state, rest = store.load_tensors(directions.save(tmp_path / "d.safetensors"))
    newer = store.save_tensors(tmp_path / "newer.safetensors", state, {**rest, "schema": 99})
    with pytest.raises(ValueError, match="upgrade"):
        Directions.load(newer)


BAD = {
    "length 1": {"vectors": 2 * torch.eye(2)},
    r"shape \(K, D\)": {"vectors": torch.ones(3)},
    "finite": {"vectors": torch.full((1, 2), torch.nan), "scale": torch.ones(1)},
    "positive numbers": {"scale": torch.tensor([1.0, 0.0])},
    "strength must": {"strength": torch.ones(3)},
    "names must": {"names": ("a",)},
    "stands_out must": {"stands_out": (True,)},
    "unknown prior": {"prior": "cauchy"},
}


@pytest.mark.parametrize("message", BAD)
def test_what_is_no_direction_is_refused(message: str) -> None:
    good = {"vectors": torch.eye(2), "scale": torch.ones(2)}
    Directions(**good)
    with pytest.raises(ValueError, match=message):
        Directions(**{**good, **BAD[message]})


def test_codes_of_another_kind_are_refused(directions: Directions) -> None:
    with pytest.raises(ValueError, match=r"\(N, 7\)"):
        directions.edit(torch.zeros(2, 6), 0, 1.0)
    with pytest.raises(ValueError, match="0 to 2"):
        directions.edit(torch.zeros(2, 7), 3, 1.0)
    with pytest.raises(TypeError, match="float"):
        directions.transform(torch.zeros(2, 7, dtype=torch.int64))


def test_repr_says_what_there_is(directions: Directions) -> None:
    assert repr(directions) == "Directions(3 of 7 in z by test, 1 stand out)"
    assert Directions(torch.eye(2), torch.ones(2)).names == ("direction 0", "direction 1")


def test_a_plot_has_a_panel_an_edit(directions: Directions, generator: Generator) -> None:
    codes = generator.sample(2)
    assert len(directions.plot(generator, codes, 1, (-1, 0, 1)).axes[0].images) == 2 * 3
    assert len(directions.plot(generator, codes, amounts=(-1, 0, 1, 2)).axes[0].images) == 3 * 4
