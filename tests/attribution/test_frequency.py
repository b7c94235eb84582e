"""Frequencies: transforms against scipy, attributions against closed forms, planted artefacts that must be found."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import scipy.fft
import torch
from torch import Tensor, nn

from ganexplain import (
    Critic,
    Frequency,
    GradCam,
    IntegratedGradients,
    KernelShap,
    Occlusion,
    Owen,
    Pixel,
    Region,
    Saliency,
    bundled,
    tensors,
)
from ganexplain.attribution import players as groups
from ganexplain.attribution.baselines import Origin
from ganexplain.attribution.domains._spectra import KINDS, Transform
from ganexplain.attribution.domains.frequency import in_order, spectrum_of
from ganexplain.attribution.methods._hierarchy import Hierarchy
from tests._critics import SIDE, Linear, critic, images
from tests.attribution._nets import Quadratic

EXAMPLES = Path(__file__).parents[2] / "examples"


def pictures(n: int, *shape: int, seed: int = 0) -> Tensor:
    """(n, C, H, W) float64 noise in [-1, 1]."""
    return torch.from_numpy(tensors.rng(seed, "pictures").uniform(-1, 1, (n, *shape)))


def expected(kind: str, x: Tensor, block: int = 8) -> Tensor:
    """The transform by scipy, block by block."""
    values = x.numpy()
    if kind == "fft":
        made = scipy.fft.fft2(values, norm="ortho")
        return torch.from_numpy(np.stack([made.real, made.imag], -3))
    if kind == "dct":
        return torch.from_numpy(scipy.fft.dctn(values, axes=(-2, -1), norm="ortho"))
    out = np.empty_like(values)
    for i in range(0, values.shape[-2], block):
        for j in range(0, values.shape[-1], block):
            piece = values[..., i : i + block, j : j + block]
            out[..., i : i + block, j : j + block] = scipy.fft.dctn(piece, axes=(-2, -1), norm="ortho")
    return torch.from_numpy(out)


def wave(size: tuple[int, int], down: float, across: float, phase: float = 0.3) -> Tensor:
    """(1, 1, H, W) of a cosine, in cycles per pixel."""
    rows, columns = torch.arange(size[0]).double()[:, None], torch.arange(size[1]).double()
    return torch.cos(2 * torch.pi * (down * rows + across * columns) + phase)[None, None]


def strongest(domain: Frequency, image: Tensor) -> dict[str, object]:
    """Facts of the band that holds most of an image's energy."""
    bands = domain.bands(*image.shape[-2:])
    energy = domain.transform.forward(image).square()
    total = groups.totals(energy, bands.labels.expand(energy.shape))[0]
    return bands.facts[int(total.argmax())]


@pytest.mark.parametrize("block", [2, 5, 8, 64])
@pytest.mark.parametrize("size", [(1, 7), (12, 12), (13, 22)])
@pytest.mark.parametrize("kind", KINDS)
def test_transforms_are_those_of_scipy_and_go_back(kind: str, size: tuple[int, int], block: int) -> None:
    x, transform = pictures(2, 3, *size), Transform(kind, block)
    made = transform.forward(x)
    assert torch.allclose(made, expected(kind, x, block), atol=1e-13)
    assert torch.allclose(transform.inverse(made), x, atol=1e-13)
    assert torch.allclose(made.square().sum(), x.square().sum())
    single = transform.forward(x.float())
    assert single.dtype == torch.float32
    assert float((transform.inverse(single) - x.float()).abs().max()) < 3e-7


@pytest.mark.parametrize("domain", [Frequency(), Frequency("block_dct", block=3), Frequency("fft")])
def test_a_linear_critic_gives_the_product_of_both_spectra(domain: Frequency) -> None:
    weight, x, baseline = pictures(1, 2, 8, 6, seed=1), pictures(2, 2, 8, 6), pictures(1, 2, 8, 6, seed=2)
    found = IntegratedGradients(Critic(Linear(weight)).double(), domain=domain, baseline=baseline).attribute(
        x, side="real"
    )
    kind, block = domain.transform.kind, domain.transform.block
    exact = expected(kind, weight, block) * expected(kind, x - baseline, block)
    assert torch.allclose(found.values, exact, atol=1e-12)
    assert float(found.gap.abs().max()) < 1e-10


@pytest.mark.parametrize("kind", KINDS)
def test_a_quadratic_critic_has_a_closed_form(kind: str) -> None:
    net, x, baseline = Quadratic(), pictures(2, 1, 8, 8), pictures(1, 1, 8, 8, seed=2)
    found = IntegratedGradients(Critic(net).double(), domain=Frequency(kind), baseline=baseline).attribute(
        x, side="real"
    )
    exact = expected(kind, net.slope((x + baseline) / 2)) * expected(kind, x - baseline)
    assert torch.allclose(found.values, exact, atol=1e-12)


def test_fourier_attributions_are_the_real_part_of_conjugate_products() -> None:
    on, x, baseline = critic("plain").double(), images(2).double(), images(1, seed=4).double()
    gradient = Saliency(on, domain=Pixel(), baseline=baseline).attribute(x, side="real").values.numpy()
    chart = Frequency("fft").bind(on, x, baseline)
    rows = torch.arange(2)
    values = chart.gradient(chart.point, rows) * (chart.point - chart.origin)
    fft = np.fft.fft2
    exact = (np.conj(fft(gradient, norm="ortho")) * fft((x - baseline).numpy(), norm="ortho")).real
    assert np.allclose(values.sum(2).numpy(), exact, atol=1e-12)


class Additive(nn.Module):
    """The sum over bands of a tanh of each band's energy, bands given as (P, H, W) masks of DCT coefficients."""

    def __init__(self, masks: Tensor) -> None:
        super().__init__()
        self.masks = masks
        # columns are images of single coefficients
        self.basis = torch.from_numpy(scipy.fft.idctn(np.eye(64).reshape(64, 8, 8), axes=(1, 2), norm="ortho"))

    def parts(self, x: Tensor) -> Tensor:
        """(N, P)."""
        energy = torch.einsum("nhw,khw->nk", x[:, 0], self.basis.to(x)).square()
        return torch.tanh(energy @ self.masks.flatten(1).T.to(x)) * torch.arange(1, len(self.masks) + 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, 8, 8) to (N,)."""
        return self.parts(x).sum(1)


@pytest.mark.parametrize("method", [KernelShap, Occlusion, Owen])
def test_bands_that_add_up_get_their_own_change(method: type) -> None:
    domain = Frequency(bands=5)
    labels = domain.bands(8, 8).labels
    net = Additive(torch.stack([(labels == i).double() for i in range(int(labels.max()) + 1)]))
    x, baseline = 0.4 * pictures(3, 1, 8, 8), 0.2 * pictures(1, 1, 8, 8, seed=5)
    found = method(Critic(net).double(), domain=domain, baseline=baseline).attribute(x, side="real")
    assert torch.allclose(found.totals(), net.parts(x) - net.parts(baseline), atol=1e-10)


DOMAINS = [Pixel(), Region(), Frequency(), Frequency("block_dct"), Frequency("fft", orientations=2)]


@pytest.mark.parametrize("double", [True, False])
def test_sums_over_domains_agree_on_one_baseline(double: bool) -> None:
    on, x, baseline = critic("plain", double=double), images(4), images(1, seed=4)
    x, baseline = (x.double(), baseline.double()) if double else (x, baseline)
    found = [
        IntegratedGradients(on, domain=d, baseline=baseline, tol=1e-9, max_evaluations=30).attribute(x) for d in DOMAINS
    ]
    assert len({tuple(f.evaluations.tolist()) for f in found}) == 1  # the same points of the same line
    off = max(float(((f.net - found[0].net).abs() / f.values.abs().flatten(1).sum(1)).max()) for f in found)
    assert off < (1e-12 if double else 1.6e-4)


def test_removing_all_bands_leaves_the_baseline_and_each_leaves_the_others() -> None:
    on, x, baseline = (
        Critic(Linear(pictures(1, 1, 12, 10))).double(),
        pictures(1, 1, 12, 10),
        pictures(1, 1, 12, 10, seed=3),
    )
    for domain in (Frequency("dct", bands=3), Frequency("fft", bands=3, orientations=4)):
        chart = domain.bind(on, x, baseline)
        rows = torch.zeros(len(chart.names), dtype=torch.long)
        without = chart.image(chart.without(0), rows)
        assert len(without) == len(chart.names)
        gone = (x - without).sum(0)  # the bands of the difference add up to the difference
        assert torch.allclose(gone, (x - baseline)[0], atol=1e-12)
        assert torch.allclose(chart.image(chart.origin, rows[:1]), baseline, atol=1e-13)


@pytest.mark.parametrize("size", [(16, 16), (15, 15), (12, 20), (9, 4)])
@pytest.mark.parametrize("orientations", [1, 2, 3, 4, 5])
def test_fourier_bands_are_symmetric_and_every_label_is_used(size: tuple[int, int], orientations: int) -> None:
    bands = Frequency("fft", bands=3, orientations=orientations).bands(*size)
    labels = bands.labels
    mirrored = labels[-torch.arange(size[0]) % size[0]][:, -torch.arange(size[1]) % size[1]]
    assert torch.equal(labels, mirrored)
    assert torch.equal(groups.canonical(labels[None])[0], labels)
    assert torch.unique(labels).tolist() == list(range(len(bands.facts)))
    assert len({fact["name"] for fact in bands.facts}) == len(bands.facts)
    assert int((labels == labels[0, 0]).sum()) == 1  # DC is alone


@pytest.mark.parametrize("spacing", ["linear", "octave"])
@pytest.mark.parametrize("kind", KINDS)
def test_bands_hold_the_frequencies_that_they_name(kind: str, spacing: str) -> None:
    domain, size = Frequency(kind, bands=6, spacing=spacing), (28, 20)
    bands, side = domain.bands(*size), 28
    down, across = (domain.transform.frequencies(n).numpy() for n in size)
    cycles = side * np.hypot(down[:, None], across[None])
    for label, fact in enumerate(bands.facts):
        own = cycles[bands.labels.numpy() == label]
        assert own.min() >= fact["low"] - 1e-9
        assert own.max() <= fact["high"] + 1e-9
        assert fact["period_low"] is None or fact["period_low"] == pytest.approx(side / fact["high"])
        assert fact["period_high"] is None or fact["period_high"] == pytest.approx(side / fact["low"])
    assert "per 28 px" in bands.facts[1]["name"]
    assert [bands.facts[i]["low"] for i in in_order(bands.facts)] == sorted(f["low"] for f in bands.facts)


def test_indices_are_half_cycles_of_the_dct_and_cycles_of_the_fft() -> None:
    k, n = 5, 32
    half = torch.cos(torch.pi / n * (torch.arange(n).double() + 0.5) * k).expand(1, 1, n, n)  # 2.5 cycles
    assert float(Frequency().transform.forward(half)[0, 0, 0].abs().argmax()) == k
    assert strongest(Frequency(bands=16), half)["low"] == 2
    assert strongest(Frequency(bands=16), half)["high"] == 3
    whole = strongest(Frequency("fft", bands=16), wave((n, n), 0, k / n))
    assert (whole["low"], whole["high"]) == (4, 5)
    for period in (3, 5, 11):  # a period is one in pixels at any size and aspect ratio
        for size in ((33, 55), (110, 66)):
            fact = strongest(Frequency("fft", bands=8), wave(size, 0, 1 / period))
            assert fact["period_low"] <= period <= (fact["period_high"] or np.inf)


@pytest.mark.parametrize(
    ("down", "across", "fft", "dct"),
    [
        (0, 0.25, "vertical stripes |", "vertical stripes |"),
        (0.25, 0, "horizontal stripes -", "horizontal stripes -"),
        (0.25, 0.25, "diagonal stripes /", "diagonal stripes / or \\"),  # the same one row up and one column right
        (0.25, -0.25, "diagonal stripes \\", "diagonal stripes / or \\"),
    ],
)
def test_stripes_run_as_their_name_says(down: float, across: float, fft: str, dct: str) -> None:
    image = wave((16, 16), down, across)
    assert strongest(Frequency("fft", orientations=4), image)["orientation"] == fft
    assert strongest(Frequency("dct", orientations=3), image)["orientation"] == dct
    assert strongest(Frequency("fft", orientations=4), image)["name"].endswith(fft)
    bright = image[0, 0] > 0.9
    if fft.endswith("/"):
        assert torch.equal(bright[1:, :-1], bright[:-1, 1:])


def test_other_angles_are_named_by_their_slope() -> None:
    names = {fact["orientation"] for fact in Frequency("fft", bands=1, orientations=6).bands(32, 32).facts}
    assert {"stripes 60 degrees steep /", "stripes 30 degrees steep \\", "vertical stripes |"} <= names
    steep = strongest(Frequency("fft", bands=2, orientations=6), wave((32, 32), 4 / 32, 7 / 32))  # 7 up for 4 right
    assert steep["orientation"] == "stripes 60 degrees steep /"


@pytest.mark.parametrize("size", [(16, 16), (8, 24)])
def test_peaks_are_the_exact_bins_of_repeating_patterns(size: tuple[int, int]) -> None:
    domain = Frequency("fft", bands=4, peaks=(8, 2, 4))
    bands = domain.bands(*size)
    for period in (2, 4, 8):
        tile = pictures(1, 1, period, period, seed=period)
        image = tile.repeat(1, 1, size[0] // period, size[1] // period)
        energy = domain.transform.forward(image).square()
        total = groups.totals(energy, bands.labels.expand(energy.shape))[0]
        held = {bands.facts[i]["peak"] for i in range(len(total)) if total[i] > 1e-12}
        assert held == {None, *(p for p in (2, 4, 8) if p <= period)}
        assert int((total > 1e-12).sum()) == len(held)  # no ring holds any of it
    counts = {f["peak"]: int((bands.labels == i).sum()) for i, f in enumerate(bands.facts) if f["peak"]}
    assert counts == {2: 3, 4: 12, 8: 48}


class Grid(nn.Module):
    """Speaks for fake by the energy of a pattern of one period beyond that of half of it, found by folding."""

    def __init__(self, period: int, weight: Tensor) -> None:
        super().__init__()
        self.period, self.weight = period, weight

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, H, W) to (N,)."""
        finer = folded(x, self.period // 2) if self.period > 2 else x.mean((2, 3), keepdim=True).expand(x.shape)
        grid = (folded(x, self.period) - finer).square().flatten(1).sum(1)
        return (x * self.weight).flatten(1).sum(1) - grid


def folded(x: Tensor, period: int) -> Tensor:
    """The mean over all shifts by the period, at the image's size."""
    n, c, h, w = x.shape
    tiles = x.view(n, c, h // period, period, w // period, period).mean((2, 4))
    return tiles.repeat(1, 1, h // period, w // period)


class Ring(nn.Module):
    """Speaks for fake by the energy of one band of the DCT."""

    def __init__(self, kept: Tensor, weight: Tensor) -> None:
        super().__init__()
        side = kept.shape[-1]
        cosines = torch.from_numpy(scipy.fft.dct(np.eye(side), axis=0, norm="ortho"))
        self.kept, self.weight, self.cosines = kept, weight, cosines

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, S, S) to (N,)."""
        energy = (self.cosines.to(x) @ x @ self.cosines.T.to(x)).square() * self.kept
        return (x * self.weight).flatten(1).sum(1) - energy.flatten(1).sum(1)


def smooth(n: int, side: int) -> Tensor:
    """(n, 1, S, S) images with the 1/f spectrum of natural ones."""
    noise = tensors.normal(0, "natural", shape=(n, 1, side, side))
    radius = torch.hypot(torch.fft.fftfreq(side)[:, None], torch.fft.fftfreq(side)[None]).clamp(min=1 / side)
    made = torch.fft.ifft2(torch.fft.fft2(noise) / radius).real
    return 0.6 * made / made.flatten(1).abs().amax(1).view(-1, 1, 1, 1)


def blamed(method: str, on: Critic, domain: Frequency, x: Tensor) -> list[dict[str, object]]:
    kind = {"kernel_shap": KernelShap, "occlusion": Occlusion, "integrated_gradients": IntegratedGradients}[method]
    found = kind(on, domain=domain, baseline="blur", batch_size=512).attribute(x, side="fake")
    top = found.totals().argmax(1).tolist()
    return [found.params["bands"][i] for i in top]


@pytest.mark.parametrize("method", ["occlusion", "integrated_gradients", "kernel_shap"])
def test_a_planted_band_is_blamed(method: str) -> None:
    side, each, hits = 16, 50, 0
    x, weight = smooth(4 * each, side), 0.05 * tensors.normal(1, "distraction", shape=(1, 1, side, side))
    index = np.arange(side) / (2 * side)
    radius = np.hypot(index[:, None], index[None])
    for k, low in enumerate((0, 0.125, 0.25, 0.375)):
        inside = (radius > low) & ((radius <= low + 0.125) | (low == 0.375))
        kept = torch.from_numpy(inside).float()
        noise = tensors.normal(k, "artefact", shape=(each, 1, side, side)).numpy() * inside
        mark = torch.from_numpy(scipy.fft.idctn(noise, axes=(2, 3), norm="ortho")).float()
        fake = (x[k * each : (k + 1) * each] + 0.1 * mark).clamp(-1, 1)
        told = blamed(method, Critic(Ring(kept, weight)), Frequency(bands=4), fake)
        hits += sum(abs(fact["low"] - low * side) < 1e-6 and fact["high"] > 0 for fact in told)
    assert hits >= 190


@pytest.mark.parametrize("method", ["occlusion", "integrated_gradients", "kernel_shap"])
def test_a_planted_grid_is_blamed_on_its_period(method: str) -> None:
    side, hits = 16, 0
    x, weight = smooth(201, side), 0.05 * tensors.normal(2, "distraction", shape=(1, 1, side, side))
    for k, period in enumerate((2, 4, 8)):
        tile = tensors.normal(k, "tile", shape=(67, 1, period, period))
        mark = tile.repeat(1, 1, side // period, side // period)
        fake = (x[k::3] + 0.15 * mark).clamp(-1, 1)
        told = blamed(method, Critic(Grid(period, weight)), Frequency("fft", bands=3, peaks=(2, 4, 8)), fake)
        hits += sum(fact["peak"] == period for fact in told)
    assert hits >= 0.95 * 201


@pytest.mark.parametrize("kind", KINDS)
def test_noise_on_coefficients_is_noise_of_the_same_size_on_pixels(kind: str) -> None:
    count = 2 * 48 if kind == "fft" else 48
    units = torch.eye(count, dtype=torch.float64).view(count, 1, *((2, 6, 8) if kind == "fft" else (6, 8)))
    mixed = Transform(kind, 4).inverse(units).flatten(1)  # pixels of each coordinate, so noise n becomes n @ mixed
    assert torch.allclose(mixed.T @ mixed, torch.eye(48, dtype=torch.float64), atol=1e-13)


def test_neighbouring_bands_stay_together_in_a_hierarchy() -> None:
    for domain in (Frequency(bands=8), Frequency("fft", bands=8, peaks=(2, 4))):
        bands = domain.bands(32, 32)
        tree = Hierarchy(bands.labels, bands.places)
        cut = tree.cut(0, len(tree.order))
        low, high = (max, min)
        ring = bands.places[:, 0].numpy()
        assert low(ring[tree.order[:cut]]) < high(ring[tree.order[cut:]])


def test_baselines_of_a_set_and_those_that_fill() -> None:
    on, x, many = critic("plain").double(), images(2).double(), images(3, seed=7).double()[None]
    run = IntegratedGradients(on, domain=Frequency("fft"), baseline=many)
    alone = [run.variant(baseline=one[None]).attribute(x).values for one in many[0]]
    assert torch.allclose(run.attribute(x).values, torch.stack(alone).mean(0), atol=1e-12)

    def filling(critic: Critic, inputs: Tensor) -> Origin:
        return Origin(torch.zeros_like(inputs), "filled", fill=lambda points, keep: points * keep)

    chart = Frequency("fft").bind(on, x, filling)
    assert chart.fill is None
    assert torch.equal(chart.origin, torch.zeros_like(chart.point))


def test_methods_of_layers_refuse_even_an_image_of_zeros() -> None:
    with pytest.raises(ValueError, match="domain 'frequency' has other coordinates"):
        GradCam(critic("plain"), domain=Frequency(), baseline="black").attribute(torch.zeros(1, 1, SIDE, SIDE))


def test_coefficients_are_no_map_of_pixels() -> None:
    found = Saliency(critic("plain"), domain=Frequency()).attribute(images(1))
    with pytest.raises(ValueError, match="'frequency' has no map of pixels"):
        found.heatmap()
    assert len(found.plot().axes) == 4  # map, two axes of periods, colour bar


def test_names_and_facts_survive_a_file(tmp_path: Path) -> None:
    found = Occlusion(critic("plain"), domain=Frequency("fft", peaks=(2,)), baseline="blur").attribute(images(1))
    again = type(found).load(found.save(tmp_path / "bands.safetensors"))
    assert again.names == found.names
    assert again.params["bands"] == found.params["bands"]
    assert found.top(1)[0].name in found.names
    assert [fact["name"] for fact in found.params["bands"]] == list(found.names)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Frequency("dtc"), "unknown transform 'dtc'; did you mean 'dct'"),
        (lambda: Frequency(bands=0), "bands must be a whole number of at least 1, got 0"),
        (lambda: Frequency(orientations=1.5), "orientations must be a whole number"),
        (lambda: Frequency("block_dct", block=1), "block must be a whole number of at least 2"),
        (lambda: Frequency("fft", peaks=(4, 1)), "a peak's period must be a whole number of at least 2, got 1"),
        (lambda: Frequency(peaks=(2,)), r"got transform='dct'; use Frequency\('fft', peaks=...\)"),
        (lambda: Frequency(spacing="mel"), "unknown spacing 'mel'"),
        (lambda: Frequency("fft", peaks=(8,)).bands(28, 28), "multiples of 8, got 28 x 28; .* fit are 2, 4, 7, 14, 28"),
        (lambda: Frequency().bands(1, 1), "1 x 1 pixels has no frequency but its mean"),
        (lambda: spectrum_of(Saliency(critic("plain")).attribute(images(1))), "got an attribution in 'pixel'"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(make: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        make()  # type: ignore[operator]


def test_the_bundled_judge_in_pixels_and_frequencies() -> None:
    gan = bundled("fashion")
    on = gan.critic("judge")
    x = gan.generator.render(gan.generator.sample(2, seed=0))
    runs = [
        IntegratedGradients(on, domain=domain, tol=1e-9, max_evaluations=30).attribute(x)
        for domain in (Pixel(), Frequency(), Frequency("fft", peaks=(2, 4)))
    ]
    for found in runs[1:]:
        gross = found.values.abs().flatten(1).sum(1)
        assert float(((found.net - runs[0].net).abs() / gross).max()) < 1.6e-4
        assert len(found.names) == len(found.params["bands"]) == found.totals().shape[1]


@pytest.mark.skipif("GANEXPLAIN_ASSETS" not in os.environ, reason="GANEXPLAIN_ASSETS names no folder of weights")
def test_a_critic_of_faces_made_by_others() -> None:
    from ganexplain.models.resolve import critic_of, generator_of

    path = f"{EXAMPLES / 'celeba32_dcgan.py'}"
    on, maker = critic_of(f"{path}:critic"), generator_of(f"{path}:generator")
    x = maker.render(maker.sample(2, seed=0))
    pixel, fourier = (
        IntegratedGradients(on, domain=domain, baseline="black", tol=1e-9, max_evaluations=30).attribute(x)
        for domain in (Pixel(), Frequency("fft", peaks=(2, 4, 8), orientations=2))
    )
    assert float(((fourier.net - pixel.net).abs() / fourier.values.abs().flatten(1).sum(1)).max()) < 1.6e-4
    bars = KernelShap(on, domain=Frequency(bands=4), baseline="black").attribute(x)
    assert torch.allclose(bars.net.double(), bars.change.double(), atol=1e-4)
