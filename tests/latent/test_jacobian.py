"""The averaged Jacobian Gram matrix against derivatives by hand, and planted axes that it must recover."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ganexplain import Jacobian, tensors
from ganexplain.latent import sensitivity
from ganexplain.latent.finders.jacobian import ROUNDING, STABLE, Eigen, Grams
from ganexplain.latent.sensitivity import Pushforward, gram
from ganexplain.models.generator import Generator
from tests.latent._generators import OneLayer, TwoSpaces, matrix, spectrum, trained_like

SINGULAR = [0.5, 0.4, 0.25, 0.2, 0.1]


def cosines(one: Tensor, two: Tensor) -> list[float]:
    return (one.double() * two.double()).sum(1).abs().tolist()


def pushed(generator: Generator, space: str = "z", batch_size: int = 64) -> Pushforward:
    return Pushforward(generator.eval(), space, batch_size=batch_size)


def test_a_linear_generator_gives_its_matrix() -> None:
    A = spectrum(16, SINGULAR) / 2
    finder = Jacobian(n_directions=5, n_samples=9).fit(OneLayer(A))
    np.testing.assert_allclose(finder.eigenvalues_, (np.array(SINGULAR) / 2) ** 2, rtol=1e-5)
    assert cosines(finder.directions_.vectors, torch.linalg.svd(A)[2]) == pytest.approx([1] * 5, abs=1e-6)
    np.testing.assert_allclose(finder.directions_.params["stability"], 1, atol=1e-6)
    assert finder.directions_.stands_out == (True, True, False, False, False)  # the others are below the mean


def test_tanh_by_hand() -> None:
    A = spectrum(16, SINGULAR) * 3
    generator = OneLayer(A, tanh=True)
    codes = generator.sample(30, seed=4)
    slope = 1 - torch.tanh(codes.double() @ A.float().double().T).square()  # (N, P)
    expected = torch.einsum("np,pi,pj->ij", slope.square(), A.float().double(), A.float().double()) / 30
    values, vectors = torch.linalg.eigh(expected)
    finder = Jacobian(n_directions=5).fit(generator, codes=codes)
    np.testing.assert_allclose(finder.eigenvalues_, values.flip(0), rtol=1e-5)
    assert cosines(finder.directions_.vectors, vectors.T.flip(0)) == pytest.approx([1] * 5, abs=1e-5)
    assert finder.directions_.params["n_samples"] == 30


def layers(kind: str) -> nn.Module:
    """Networks that read codes (N, 6) and use what generators are made of."""
    with tensors.isolated(3):
        start = [
            nn.Unflatten(1, (6, 1, 1)),
            nn.ConvTranspose2d(6, 8, 4),
            nn.BatchNorm2d(8),
            nn.LeakyReLU(0.2, inplace=True),
        ]
        ends = {
            "dcgan": [nn.ConvTranspose2d(8, 1, 4, 2, 1), nn.Tanh()],
            "upsample": [
                nn.Upsample(scale_factor=2),
                nn.Conv2d(8, 4, 3, padding=1),
                nn.InstanceNorm2d(4),
                nn.Conv2d(4, 1, 1),
            ],
            "group": [
                nn.GroupNorm(2, 8),
                nn.SiLU(),
                nn.Dropout(0.5),
                nn.PixelShuffle(2),
                nn.Conv2d(2, 1, 1),
                nn.Sigmoid(),
            ],
            "norm": [
                nn.Flatten(),
                nn.LayerNorm(128),
                nn.PReLU(),
                nn.Linear(128, 64),
                nn.Unflatten(1, (1, 8, 8)),
                nn.Hardtanh(),
            ],
        }
        network = nn.Sequential(*start, *ends[kind])
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.uniform_(-0.2, 0.2)
                module.running_var.uniform_(0.05, 0.2)
                module.weight.data.uniform_(0.5, 1.5)
    return network


@pytest.mark.parametrize("kind", ["dcgan", "upsample", "group", "norm"])
def test_forward_mode_equals_reverse_mode(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sensitivity, "PIXELS", 50)  # of 64 or more
    generator = Generator.wrap(layers(kind), z_dim=6, value_range=(-0.5, 0.5))
    code = generator.sample(1, seed=2)
    J = torch.autograd.functional.jacobian(generator.synthesize, code).reshape(-1, 6).double()
    found = pushed(generator, batch_size=4)(code[0], torch.eye(6)).double()
    torch.testing.assert_close(found, J.T, rtol=1e-4, atol=1e-4 * float(J.abs().max()))
    torch.testing.assert_close(
        gram(pushed(generator), code[0]), J.T @ J, rtol=1e-4, atol=1e-4 * float(J.square().sum())
    )


class Scaled(torch.autograd.Function):
    """Twice its input, in the style that `torch.func` refuses."""

    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        return x * 2

    @staticmethod
    def backward(ctx: object, grad: Tensor) -> Tensor:
        return grad * 2

    @staticmethod
    def jvp(ctx: object, tangent: Tensor) -> Tensor:
        return tangent * 2


class Stylish(OneLayer):
    def forward(self, z: Tensor) -> Tensor:
        doubled: Tensor = Scaled.apply(super().forward(z))
        return doubled


def test_what_vmap_cannot_run_runs_on_copies() -> None:
    A = spectrum(16, SINGULAR) / 2
    push = pushed(Stylish(A), batch_size=2)
    torch.testing.assert_close(push(torch.zeros(5), torch.eye(5)), 2 * A.T.float())
    assert push._how == push._copied
    direct = pushed(OneLayer(A))
    torch.testing.assert_close(direct(torch.zeros(5), torch.eye(5)), A.T.float())
    assert direct._how == direct._mapped


class NoForward(torch.autograd.Function):
    """Has a backward pass alone."""

    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        return x * 2

    @staticmethod
    def backward(ctx: object, grad: Tensor) -> Tensor:
        return grad * 2


class Backward(OneLayer):
    def forward(self, z: Tensor) -> Tensor:
        doubled: Tensor = NoForward.apply(super().forward(z))
        return doubled


def test_a_part_without_forward_derivative_is_named() -> None:
    with pytest.raises(ValueError, match="no derivative in forward mode .* use the finder 'ganspace'"):
        Jacobian(n_samples=2).fit(Backward(spectrum(16, SINGULAR)))


def test_clamped_pixels_do_not_move_and_are_counted() -> None:
    A = torch.zeros(16, 2)
    A[:8, 0], A[8:, 1] = 100.0, 0.2  # the upper half is nearly always beyond the range, the lower never
    network = nn.Sequential(nn.Linear(2, 16, bias=False), nn.Unflatten(1, (1, 4, 4)))
    network[0].weight = nn.Parameter(A)
    found = Jacobian(n_samples=200).fit(Generator.wrap(network, z_dim=2)).directions_
    assert found.params["saturated"] == pytest.approx(0.5, abs=0.02)
    # |z| < 0.01 has the probability .008: 8 pixels of slope 100 each
    codes = torch.cat(
        list(Jacobian(n_samples=200)._codes(Generator.wrap(network, z_dim=2), 200, seed=0, stream="jacobian"))
    )
    share = float((codes[:, 0].abs() <= 0.01).float().mean())
    expected = sorted([8 * 100**2 * share, 8 * 0.2**2], reverse=True)
    np.testing.assert_allclose(found.strength, expected, rtol=1e-5)
    network[0].weight = nn.Parameter(torch.full((16, 2), 1e6))
    with pytest.raises(ValueError, match=r"do not change with the code in z \(100 % of the pixels"):
        Jacobian(n_samples=3).fit(Generator.wrap(network, z_dim=2))


SIDE = 12
GRID = torch.stack(torch.meshgrid(torch.linspace(-1, 1, SIDE), torch.linspace(-1, 1, SIDE), indexing="ij"))
GAINS = torch.tensor([0.8, 0.55, 0.22, 0.2, 0.3])


class Disc(Generator):
    """Render(gains * sigmoid(B z)), B orthonormal rows hidden in the code: a soft disc's place across and down and its
    size in red, the ground's light in green, the contrast of stripes in blue."""

    z_dim, resolution, channels = 12, SIDE, 3

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("B", torch.linalg.qr(matrix(12, 5).double())[0].T.float())

    def forward(self, z: Tensor) -> Tensor:
        factors = GAINS * (torch.sigmoid(2 * z @ self.B.T) - 0.5)  # type: ignore[operator]
        x, y, size, light, contrast = (f[:, None, None] for f in factors.unbind(1))
        far = ((GRID[1] - x).square() + (GRID[0] - y).square()).sqrt()
        disc = torch.sigmoid((0.4 + size - far) * 8) - 0.5
        stripes = contrast * torch.tensor([1.0, -1.0]).repeat(SIDE // 2).expand(SIDE, SIDE)
        return torch.stack([disc, light.expand_as(disc), stripes.expand_as(disc)], 1)


def test_planted_axes_are_recovered_and_counted() -> None:
    generator = Disc()
    finder = Jacobian(n_samples=150, n_directions=7).fit(generator)
    found = finder.directions_
    match = (found.vectors[:5] @ generator.B.T).abs()  # type: ignore[operator]
    assert sorted(match.argmax(1).tolist()) == [0, 1, 2, 3, 4]
    assert float(match.max(1).values.min()) >= 0.98
    assert float(finder.eigenvalues_[5] / finder.eigenvalues_[0]) < 1e-5
    assert (found.stands_out or ())[5:] == (False, False)


def test_one_code_has_its_own_directions() -> None:
    generator = trained_like()
    code = generator.sample(1, seed=3)
    finder = Jacobian(n_directions=3).fit(generator, codes=code)
    J = torch.autograd.functional.jacobian(generator.eval().synthesize, code).reshape(-1, 7).double()
    _, sizes, right = torch.linalg.svd(J, full_matrices=False)
    np.testing.assert_allclose(finder.eigenvalues_, sizes**2, rtol=1e-4)
    assert cosines(finder.directions_.vectors, right[:3]) == pytest.approx([1] * 3, abs=1e-5)
    assert finder.directions_.params["local"] is True
    assert "stability" not in finder.directions_.params
    assert finder.directions_.stands_out is not None


def test_codes_of_another_space_are_followed_there() -> None:
    generator = TwoSpaces()
    codes = generator.encode(generator.sample(4), "w").detach()
    finder = Jacobian(space="w", n_directions=5).fit(generator, codes=codes)
    rows = [
        torch.autograd.functional.jacobian(lambda w: generator.synthesize(w, "w"), c[None]).reshape(-1, 5).double()
        for c in codes
    ]
    expected = torch.stack([J.T @ J for J in rows]).mean(0)
    np.testing.assert_allclose(finder.eigenvalues_, torch.linalg.eigvalsh(expected).flip(0), rtol=1e-4)
    with pytest.raises(ValueError, match=r"codes in z must have the shape \(N, 6\), got \(4, 5\)"):
        Jacobian().fit(generator, codes=codes)


def test_equal_eigenvalues_are_tied_and_stand_out_only_above_the_mean() -> None:
    found = Jacobian(n_samples=4, n_directions=5).fit(OneLayer(spectrum(16, [0.5, 0.5, 0.3, 0.1, 0.1]))).directions_
    assert found.params["tied"] == [True, True, False, True, True]
    alike = Jacobian(n_samples=4).fit(OneLayer(spectrum(16, [0.4] * 5))).directions_
    assert alike.params["tied"] == [True] * 5
    assert alike.stands_out == (False,) * 5


def sampled(values: list[float], n: int, noise: float, seed: int) -> Grams:
    """``n`` random Gram matrices whose mean is diagonal, in eight groups."""
    d = len(values)
    rows = tensors.normal(seed, "grams", shape=(n, d, d)).double()
    each = torch.diag(torch.tensor(values).double()) + noise * (rows + rows.mT) / 2
    return Grams(torch.stack([each[g::8].sum(0) for g in range(8)]), torch.tensor([len(each[g::8]) for g in range(8)]))


def test_stability_says_how_near_the_truth_is() -> None:
    truth, agreed = [], []
    for seed in range(300):
        eigen = Eigen.of(sampled([3.0, 2.0, 1.0, 0.5], 32, 2.0, seed))
        assert eigen.stability is not None
        truth.append(eigen.vectors[:, :].diagonal().abs()[:1])
        agreed.append(eigen.stability[:1])
        strong = eigen.values > eigen.values.mean()
        assert torch.equal(eigen.stands_out, strong & (eigen.stability >= STABLE))
    near, stable = torch.cat(truth), torch.cat(agreed) >= STABLE
    assert 0.1 < float(stable.double().mean()) < 0.98  # else the test says nothing
    assert float(near[stable].mean()) > 0.95
    assert float(near[~stable].mean()) < float(near[stable].mean())


def test_equal_means_are_tied_though_samples_differ() -> None:
    found = [Eigen.of(sampled([3.0, 3.0, 1.0], 64, 1.0, seed)) for seed in range(60)]
    assert sum(bool(e.tied[2]) for e in found) == 0
    assert sum(not bool(e.tied[0]) for e in found) <= 9  # judged by the codes of their own half: one in four
    apart = [Eigen.of(sampled([3.0, 2.0, 1.0], 64, 1.0, seed)) for seed in range(60)]
    assert sum(bool(e.tied.any()) for e in apart) <= 6
    assert ROUNDING < 1e-3
