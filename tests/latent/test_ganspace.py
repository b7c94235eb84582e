"""GANSpace against closed forms for linear generators, and against numpy's regression for others."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ganexplain import GAN, GanSpace, tensors
from ganexplain.latent import activations as reading
from ganexplain.latent.activations import activations, first_block, module_named
from ganexplain.latent.components import Components
from ganexplain.latent.finders import ganspace
from ganexplain.latent.finders.ganspace import R2_NEEDED, Judged, Regression
from ganexplain.models.generator import Generator
from tests.latent._generators import OneLayer, TwoSpaces, linear, matrix, spectrum, trained_like

SINGULAR = [3.0, 2.0, 1.4, 0.9, 0.5, 0.3]


def cosines(one: Tensor, two: Tensor) -> list[float]:
    return (
        (nn.functional.normalize(one.double(), dim=1) * nn.functional.normalize(two.double(), dim=1))
        .sum(1)
        .abs()
        .tolist()
    )


@pytest.mark.parametrize(("prior", "std"), [("normal", 1.0), ("uniform", 3**-0.5)])
def test_a_linear_layers_components_and_the_way_back(prior: str, std: float) -> None:
    A = spectrum(40, SINGULAR)
    finder = GanSpace(n_directions=4, n_samples=3000).fit(OneLayer(A, prior=prior))
    found, components = finder.directions_, finder.components_
    mean = np.square(SINGULAR).mean() * std**2
    assert found.params["random_threshold"] == pytest.approx(mean * (1 + (6 / 3000) ** 0.5) ** 2, rel=0.1)
    # the score's gradient by the code is A^T v, whatever the samples
    assert cosines(found.vectors, components.vectors @ A) == pytest.approx([1] * 4, abs=1e-6)
    np.testing.assert_allclose(found.scale, std, rtol=1e-6)
    np.testing.assert_allclose(found.params["held_out_r2"], 1, atol=1e-6)
    # the true components up to sampling, and their variances
    right = torch.linalg.svd(A)[2][:4]
    assert min(cosines(found.vectors, right)) > 0.99
    np.testing.assert_allclose(found.strength, np.square(SINGULAR[:4]) * std**2, rtol=0.1)
    assert found.stands_out == (True, True, False, False)  # the others have less than the mean of all six
    ratio = np.square(SINGULAR)[:4] / np.square(SINGULAR).sum()
    np.testing.assert_allclose(found.params["explained_variance_ratio"], ratio, rtol=0.1)


def test_an_edit_by_one_moves_the_component_by_one_standard_deviation() -> None:
    A = spectrum(40, SINGULAR)
    generator = OneLayer(A)
    finder = GanSpace(n_directions=3, n_samples=3000).fit(generator)
    codes = generator.sample(2000, seed=9)
    before = finder.components_.scores(codes @ A.T.float())
    for i in range(3):
        change = finder.components_.scores(finder.directions_.edit(codes, i, 1.0) @ A.T.float()) - before
        assert float(change[:, i].abs().mean()) == pytest.approx(1, rel=0.05)
        assert float(change.abs().mean(0).sum()) < 1.15  # the sample's components are nearly uncorrelated


class Bent(Generator):
    """Activations that are linear in one number of the code, half linear in another, and even in a third."""

    z_dim, resolution, channels = 3, 2, 1

    def __init__(self) -> None:
        super().__init__()
        self.bend = nn.Identity()
        self.out = linear(matrix(4, 3))

    def forward(self, z: Tensor) -> Tensor:
        bent = torch.stack([3 * z[:, 0], 1.5 * (z[:, 1] + z[:, 1] ** 2 - 1), z[:, 2] ** 2 / 2], 1)
        return torch.tanh(self.out(self.bend(bent))).reshape(-1, 1, 2, 2)


def test_the_share_that_is_linear_is_measured_on_other_codes() -> None:
    found = GanSpace(layer="bend", n_samples=20_000, n_directions=3, batch_size=2000).fit(Bent()).directions_
    # variance of z is 1 and that of z^2 is 2: shares 1, 1/3 and 0
    np.testing.assert_allclose(found.params["held_out_r2"], [1, 1 / 3, 0], atol=0.02)
    assert found.stands_out == (True, False, False)
    assert found.params["r2_needed"] == R2_NEEDED
    # the mean code where the component is one standard deviation higher: sqrt(R^2) of one standard deviation
    np.testing.assert_allclose(found.scale[:2], [1, 3**-0.5], atol=0.02)
    assert cosines(found.vectors[:2], torch.eye(3)[:2]) == pytest.approx([1, 1], abs=1e-3)


def r2(fitted: Regression, codes: Tensor, scores: Tensor) -> Tensor:
    """Of scores that are their own components."""
    k = scores.shape[1]
    axes = torch.eye(k, dtype=torch.double)
    itself = Components(axes, torch.ones(k).double(), k, torch.zeros(k).double(), len(codes), "given", 0.0)
    found = Judged.of([(codes, scores)], itself, axes, fitted).r2
    assert found is not None
    return found


def test_noise_cannot_be_foreseen_on_other_codes() -> None:
    n, d = 60, 20
    stream = tensors.rng(0, "noise")
    codes, scores = (torch.from_numpy(stream.standard_normal((2 * n, k))) for k in (d, 1))
    fitted = Regression.of([(codes[:n], scores[:n])])
    assert float(r2(fitted, codes[:n], scores[:n])) > 0.15
    assert float(r2(fitted, codes[n:], scores[n:])) < 0


class Even(OneLayer):
    """Activations that no linear function of the code foresees."""

    def forward(self, z: Tensor) -> Tensor:
        return super().forward(z.square())


def test_the_fit_does_not_judge_itself() -> None:
    found = GanSpace(layer="first", n_samples=40, n_directions=5).fit(Even(matrix(16, 10))).directions_
    assert max(found.params["held_out_r2"]) < 0.2  # on the codes of the fit about d / n = 1/4
    assert found.stands_out == (False,) * 5


def test_the_regression_equals_numpys() -> None:
    stream = tensors.rng(0, "regression")
    codes = stream.standard_normal((500, 4)) @ stream.standard_normal((4, 4)) + 2
    scores = np.tanh(codes @ stream.standard_normal((4, 3))) + stream.standard_normal((500, 3))
    scores = (scores - scores.mean(0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(scores.T, bias=True))).T
    pairs = list(zip(torch.split(torch.from_numpy(codes), 90), torch.split(torch.from_numpy(scores), 90), strict=True))
    fitted = Regression.of(pairs)
    design = np.c_[codes, np.ones(500)]
    forward = np.linalg.lstsq(design, scores, rcond=None)[0]
    np.testing.assert_allclose(fitted.slopes, forward[:4], atol=1e-9)
    np.testing.assert_allclose(fitted.intercept, forward[4], atol=1e-9)
    residual = 1 - np.square(scores - design @ forward).sum(0) / np.square(scores - scores.mean(0)).sum(0)
    np.testing.assert_allclose(r2(fitted, torch.from_numpy(codes), torch.from_numpy(scores)), residual, atol=1e-9)
    # the way back, as the paper has it: codes by least squares from scores of unit variance (n - d - 1 for n apart)
    back = np.linalg.lstsq(scores, codes - codes.mean(0), rcond=None)[0]
    np.testing.assert_allclose(fitted.steps(None), back, rtol=0.01)


def test_codes_of_another_space_are_taken_themselves() -> None:
    from sklearn.decomposition import PCA

    generator = TwoSpaces()
    finder = GanSpace(space="w", n_directions=9, n_samples=2000).fit(generator)
    found = finder.directions_
    assert finder.layer_ is None
    assert found.layers == ()
    codes = torch.cat(list(finder._codes(generator, 2000, seed=0, stream="fit"))).double().numpy()
    oracle = PCA(5, svd_solver="covariance_eigh").fit(codes)
    np.testing.assert_allclose(found.strength, oracle.explained_variance_, rtol=1e-6)
    np.testing.assert_allclose(found.scale, oracle.explained_variance_**0.5, rtol=1e-6)
    assert cosines(found.vectors, torch.from_numpy(oracle.components_)) == pytest.approx([1] * 5, abs=1e-6)
    assert "held_out_r2" not in found.params


def test_a_layer_in_another_space_is_regressed_on_that_spaces_codes() -> None:
    generator = TwoSpaces()
    finder = GanSpace(space="w", n_directions=3, n_samples=4000, layer="synthesis.0").fit(generator)
    found = finder.directions_
    np.testing.assert_allclose(found.params["held_out_r2"], 1, atol=1e-6)
    codes = torch.cat(list(finder._codes(generator, 4000, seed=0, stream="fit"))).double()
    gradient = finder.components_.vectors @ generator.synthesis[0].weight.detach().double()
    assert cosines(found.vectors, gradient @ torch.cov(codes.T)) == pytest.approx([1] * 3, abs=1e-6)


def test_isotropic_codes_have_no_outstanding_direction() -> None:
    found = [GanSpace(n_samples=300).fit(OneLayer(spectrum(40, [1.0] * 6)), seed=s).directions_ for s in range(10)]
    assert sum(any(f.stands_out or ()) for f in found) <= 2  # each with a chance of 5 %
    assert sum(sum(f.params["tied"]) for f in found) >= 0.9 * 60


def test_ties_are_flagged() -> None:
    found = GanSpace(n_samples=2000, n_directions=3).fit(OneLayer(spectrum(40, [3, 2, 2, 1, 1, 0.5]))).directions_
    assert found.params["tied"] == [False, True, True]
    assert found.stands_out == (True, True, True)


def test_a_rotation_keeps_the_span_and_gathers_features() -> None:
    blocks = torch.block_diag(*(torch.linspace(1, 2, 5)[:, None] * s for s in (1.0, 1.02, 1.04)))  # nearly tied
    A = blocks @ torch.linalg.qr(matrix(3, 3).double())[0].float()
    plain, turned = (
        GanSpace(n_directions=3, n_samples=1000, rotation=r).fit(OneLayer(A[:12])) for r in ("none", "varimax")
    )
    one, two = plain.directions_, turned.directions_
    assert any(one.params["tied"])
    assert not any(two.params["tied"])
    rows = nn.functional.normalize(A[[2, 7, 11]], dim=1)
    assert (two.vectors @ rows.T).abs().max(1).values.tolist() == pytest.approx([1] * 3, abs=0.02)
    assert float((one.vectors @ rows.T).abs().max(1).values.min()) < 0.9
    assert float(two.strength.sum()) == pytest.approx(float(one.strength.sum()), rel=1e-5)  # type: ignore[union-attr]
    assert two.strength.tolist() == sorted(two.strength.tolist(), reverse=True)  # type: ignore[union-attr]


def test_activations_too_large_to_keep_are_computed_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = OneLayer(spectrum(40, SINGULAR), tanh=True)
    kept = GanSpace(n_samples=200, layer="end").fit(generator).directions_
    calls = 0
    run = reading.activations

    def counted(*arguments: object) -> Tensor:
        nonlocal calls
        calls += 1
        return run(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(ganspace, "activations", counted)
    assert GanSpace(n_samples=200, layer="end").fit(generator).directions_.to_bytes() == kept.to_bytes()
    once, calls = calls, 0
    monkeypatch.setattr(ganspace, "CACHE", 1000)
    assert GanSpace(n_samples=200, layer="end").fit(generator).directions_.to_bytes() == kept.to_bytes()
    assert calls == 2 * once  # mean, covariance and regression one pass each, and the held-out codes; else one and one


def test_the_first_block_ends_before_the_next_weights() -> None:
    assert first_block(trained_like()) == "layers.1"
    assert first_block(GAN.build("dcgan", resolution=8, z_dim=7, width=4).generator) == "layers.0"
    assert first_block(OneLayer(matrix(16, 3), tanh=True)) == "end"
    shared = nn.ReLU()
    network = nn.Sequential(shared, nn.Linear(3, 8), shared, nn.Linear(8, 16), nn.Unflatten(1, (1, 4, 4)), nn.Tanh())
    # the shared module's first call is before the layer, so that it would say something else
    assert first_block(Generator.wrap(network, z_dim=3)) == "network.1"


def test_what_a_layer_says_is_its_output_before_anything_changes_it_in_place() -> None:
    network = nn.Sequential(nn.Linear(3, 8), nn.ReLU(inplace=True), nn.Linear(8, 16), nn.Unflatten(1, (1, 4, 4)))
    generator = Generator.wrap(network, z_dim=3)
    codes = generator.sample(5)
    torch.testing.assert_close(activations(generator, "network.0", codes, "z"), network[0](codes).detach())
    assert not any(m._forward_hooks for m in generator.modules())


class Reusing(nn.Module):
    """Returns one and the same buffer from every call."""

    held = torch.zeros(2, 16)

    def forward(self, x: Tensor) -> Tensor:
        return self.held.copy_(x)


def test_what_a_layer_said_stays_when_its_memory_is_used_again() -> None:
    generator = OneLayer(matrix(16, 3))
    generator.end = Reusing()
    one, two = generator.sample(4).split(2)
    first = activations(generator, "end", one, "z")
    activations(generator, "end", two, "z")
    torch.testing.assert_close(first, generator.first(one).detach())


class Odd(OneLayer):
    """A module that is never used, one that returns no tensor, and one that forgets its batch."""

    class Pair(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return x, x

    class Total(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.sum()

    def __init__(self) -> None:
        super().__init__(matrix(16, 3))
        self.unused, self.pair, self.total = nn.Linear(2, 2), Odd.Pair(), Odd.Total()

    def forward(self, z: Tensor) -> Tensor:
        self.pair(z)
        self.total(z)
        return super().forward(z)


def test_layers_that_cannot_be_read_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"no layer 'unsued'; the nearest are: unused"):
        GanSpace(layer="unsued").fit(Odd())
    wrapped = Generator.wrap(nn.Sequential(nn.Linear(3, 16), nn.Unflatten(1, (1, 4, 4))), z_dim=3)
    with pytest.raises(ValueError, match=r"no layer '0'; the nearest are: network.0"):
        module_named(wrapped, "0")
    with pytest.raises(ValueError, match="'unused' does not run when images are made from z"):
        GanSpace(layer="unused").fit(Odd())
    with pytest.raises(TypeError, match="'pair' must return a tensor, got tuple"):
        GanSpace(layer="pair").fit(Odd())
    with pytest.raises(ValueError, match=r"'total' must return one row a code, \(64, ...\), got \(\)"):
        GanSpace(layer="total").fit(Odd())
    with pytest.raises(ValueError, match="at least twice the 3 numbers of a code in z, got 5"):
        GanSpace(n_samples=5).fit(Odd())
    with pytest.raises(ValueError, match="did you mean 'varimax'"):
        GanSpace(rotation="verimax")


def test_a_wide_layer_is_sketched_and_says_so() -> None:
    A = spectrum(2100, SINGULAR)
    finder = GanSpace(n_directions=4, n_samples=400).fit(OneLayer(A))
    assert finder.directions_.params["solver"] == "krylov"
    codes = torch.cat(list(finder._codes(OneLayer(A), 400, seed=0, stream="fit")))
    exact = Components.of(lambda: iter([codes.double()]), 4)  # of codes; A has orthogonal left vectors, so lift by it
    lifted = torch.linalg.svd((codes - exact.mean.float()).double() @ A.T, full_matrices=False)
    np.testing.assert_allclose(finder.directions_.strength, lifted[1][:4] ** 2 / 399, rtol=1e-5)
    assert cosines(finder.components_.vectors, lifted[2][:4]) == pytest.approx([1] * 4, abs=1e-6)
