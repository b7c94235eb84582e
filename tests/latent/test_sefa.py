"""SeFa against matrices that are built by running the layers on unit codes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ganexplain import GAN, tensors
from ganexplain.latent import listing
from ganexplain.latent.finders import FINDERS
from ganexplain.latent.finders.sefa import SeFa
from ganexplain.models.generator import Generator

D = 6


class Wide(nn.Module):
    """A first layer, perhaps a BatchNorm, and a 1 x 1 convolution to an image."""

    def __init__(self, kind: str, norm: bool) -> None:
        super().__init__()
        self.first = nn.ConvTranspose2d(D, 8, 4) if kind == "transposed" else nn.Linear(D, 8 * 16)
        self.shape = nn.Identity() if kind == "transposed" else nn.Unflatten(1, (8, 4, 4))
        if norm:
            norms = nn.BatchNorm2d(8) if kind == "transposed" else nn.BatchNorm1d(8 * 16)
            gains = tensors.rng(0, "gain").uniform(0.2, 3, (3, norms.num_features))
            with torch.no_grad():
                norms.weight.copy_(torch.from_numpy(gains[0]))
                norms.running_var.copy_(torch.from_numpy(gains[1]))
                norms.running_mean.copy_(torch.from_numpy(gains[2]))
            self.norm: nn.Module = norms
        else:
            self.norm = nn.Identity()
        self.out = nn.Conv2d(8, 1, 1)

    def head(self, codes: Tensor, norm: bool) -> Tensor:
        raw = self.first(codes)
        return (self.norm(raw) if norm else raw).flatten(1)

    def forward(self, codes: Tensor) -> Tensor:
        first = self.norm(self.first(codes))
        return torch.tanh(self.out(torch.relu(self.shape(first))))


def network(kind: str, norm: bool) -> Wide:
    with tensors.isolated(4):
        return Wide(kind, norm).double().eval()


def wrapped(net: nn.Module, kind: str) -> Generator:
    return Generator.wrap(net.float(), z_dim=D, code_shape=(D, 1, 1) if kind == "transposed" else (D,))


def by_running(net: Wide, kind: str, norm: bool) -> np.ndarray:
    """(outputs, D): what each unit code adds to the head's output."""
    unit = torch.eye(D, dtype=torch.double)
    codes = unit.reshape(D, D, 1, 1) if kind == "transposed" else unit
    with torch.no_grad():
        return (net.head(codes, norm) - net.head(torch.zeros_like(codes), norm)).T.numpy()


@pytest.mark.parametrize("normalize", ["none", "rows", "batchnorm"])
@pytest.mark.parametrize("kind", ["linear", "transposed"])
def test_directions_are_the_singular_vectors_of_the_layer_as_it_runs(kind: str, normalize: str) -> None:
    net = network(kind, norm=True)
    A = by_running(net, kind, norm=normalize == "batchnorm")
    if normalize == "rows":
        A = A / np.linalg.norm(A, axis=1, keepdims=True)
    _, values, rows = np.linalg.svd(A, full_matrices=False)
    finder = SeFa(normalize=normalize, n_directions=D).fit(wrapped(net, kind))
    np.testing.assert_allclose(finder.eigenvalues_.numpy(), values**2, rtol=1e-5)
    cosines = np.abs((finder.directions_.vectors.numpy() * rows).sum(1))
    np.testing.assert_allclose(cosines, 1, atol=1e-4)
    np.testing.assert_allclose(finder.directions_.strength, values**2, rtol=1e-5)


def test_the_three_normalisations_differ() -> None:
    net = network("transposed", norm=True)
    generator = wrapped(net, "transposed")
    tops = {n: SeFa(normalize=n).fit(generator).eigenvalues_[0].item() for n in ("none", "rows", "batchnorm")}
    assert len({round(v, 3) for v in tops.values()}) == 3


@pytest.mark.parametrize(("norm", "expected"), [(True, "batchnorm"), (False, "none")])
def test_auto_folds_a_batchnorm_where_one_follows(norm: bool, expected: str) -> None:
    generator = wrapped(network("linear", norm), "linear")
    auto, named = SeFa().fit(generator), SeFa(normalize=expected).fit(generator)
    assert auto.normalize_ == auto.directions_.params["normalize"] == expected
    assert torch.equal(auto.directions_.vectors, named.directions_.vectors)


def test_batchnorm_without_one_is_refused() -> None:
    with pytest.raises(ValueError, match="no BatchNorm follows the first layer 'network.first'"):
        SeFa(normalize="batchnorm").fit(wrapped(network("linear", norm=False), "linear"))


class FromMatrix(Generator):
    """A generator whose first layer is a given matrix (outputs, d)."""

    resolution, channels = 4, 1

    def __init__(self, A: Tensor) -> None:
        super().__init__()
        self.z_dim = A.shape[1]
        self.first = nn.Linear(A.shape[1], len(A), bias=False)
        self.first.weight = nn.Parameter(A.float())

    def forward(self, z: Tensor) -> Tensor:
        return torch.tanh(self.first(z)[:, :16]).reshape(-1, 1, 4, 4)


def planted(n_axes: int, strength: float) -> tuple[Tensor, Tensor]:
    """Noise (400, 20) plus ``n_axes`` orthonormal directions, and these."""
    axes = torch.linalg.qr(tensors.normal(0, "axes", shape=(20, n_axes)).double())[0].T
    load = tensors.normal(0, "load", shape=(400, n_axes)).double() * strength * torch.arange(n_axes, 0, -1).sqrt()
    return tensors.normal(0, "noise", shape=(400, 20)).double() + load @ axes, axes


def test_planted_axes_are_found_counted_and_flagged() -> None:
    A, axes = planted(3, strength=5.0)
    finder = SeFa(n_directions=6).fit(FromMatrix(A))
    found = finder.directions_
    assert float((found.vectors[:3].double() * axes).sum(1).abs().min()) > 0.98
    assert found.stands_out == (True, True, True, False, False, False)
    assert found.params["n_standing_out"] == 3


def test_noise_has_no_outstanding_direction() -> None:
    A, _ = planted(1, strength=0.0)
    assert not any(SeFa().fit(FromMatrix(A)).directions_.stands_out or ())


@pytest.mark.parametrize("flip", [1.0, -1.0])
def test_the_largest_component_is_positive(flip: float) -> None:
    A, _ = planted(3, strength=5.0)
    vectors = SeFa(n_directions=20).fit(FromMatrix(flip * A)).directions_.vectors
    largest = vectors.gather(1, vectors.abs().argmax(1, keepdim=True))
    assert bool((largest > 0).all())


def test_vectors_are_orthonormal_and_no_more_than_the_code_has_numbers() -> None:
    found = SeFa(n_directions=99).fit(FromMatrix(planted(2, 3.0)[0])).directions_
    assert found.vectors.shape == (20, 20)
    torch.testing.assert_close(found.vectors @ found.vectors.T, torch.eye(20), atol=1e-5, rtol=0)


def test_fitting_changes_nothing_and_repeats_bit_for_bit() -> None:
    generator = GAN.build("dcgan", resolution=8, z_dim=5, width=4).generator
    before, state = {k: v.clone() for k, v in generator.state_dict().items()}, torch.get_rng_state()
    one, two = (SeFa().fit(generator).directions_ for _ in range(2))
    assert torch.equal(one.vectors, two.vectors)
    assert torch.equal(torch.get_rng_state(), state)
    assert generator.training
    assert all(torch.equal(v, before[k]) for k, v in generator.state_dict().items())


def test_zero_weights_and_wrong_words_are_refused() -> None:
    with pytest.raises(ValueError, match="all zero"):
        SeFa().fit(FromMatrix(torch.zeros(30, 4)))
    with pytest.raises(ValueError, match="did you mean 'rows'"):
        SeFa(normalize="row")
    with pytest.raises(ValueError, match="unknown latent space 'w'"):
        SeFa(space="w").fit(FromMatrix(planted(1, 1.0)[0]))
    with pytest.raises(ValueError, match="n_directions must be positive"):
        SeFa(n_directions=0)
    with pytest.raises(ValueError, match=r"call fit\(generator\) first"):
        _ = SeFa().directions_


def test_every_finder_is_listed_with_its_summary() -> None:
    rows = listing()["direction finders"]
    assert set(rows) == set(FINDERS.names()) >= {"sefa"}
    assert all(row["summary"].endswith(".") and row["facts"] for row in rows.values())
