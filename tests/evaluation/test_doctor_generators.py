"""A generator as it was trained passes; broken in one known way, that way is named."""

import re

import pytest
import torch
from torch import Tensor, nn

from ganexplain.evaluation.doctor import examine_generator, fingerprint, rectifiers
from ganexplain.evaluation.doctor.maker import distance, smoothness, spread
from ganexplain.models import priors
from ganexplain.models.generator import Generator

SIDE = 12


class Blobs(nn.Module):
    """A blob whose place follows the code, through layers with BatchNorm."""

    def __init__(self, activations: tuple[nn.Module, ...]) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.first, self.norm1, self.act1 = nn.Linear(8, 32), nn.BatchNorm1d(32), activations[0]
        self.second, self.norm2, self.act2 = nn.Linear(32, 32), nn.BatchNorm1d(32), activations[1]
        self.last = nn.Linear(32, 2)

    def forward(self, z: Tensor) -> Tensor:
        x = self.act2(self.norm2(self.second(self.act1(self.norm1(self.first(z))))))
        place = 6 * torch.tanh(self.last(x)) + SIDE / 2
        grid = torch.arange(SIDE, dtype=torch.float32)
        near = (grid - place[:, :1])[:, None] ** 2 + (grid - place[:, 1:])[:, :, None] ** 2
        return torch.exp(-near / 8)[:, None] * 1.9 - 0.95


def trained(prior: str = "normal", activations: tuple[nn.Module, ...] = ()) -> Blobs:
    """BatchNorm has seen codes of ``prior`` through these activations."""
    network = Blobs(activations or (nn.LeakyReLU(0.2), nn.LeakyReLU(0.2)))
    for norm in (network.norm1, network.norm2):
        norm.momentum = None  # the mean over all batches
    with torch.no_grad():
        for seed in range(4):
            network.train()(priors.drawn(prior, 512, 8, seed=10 + seed))
    return network.eval()


def examined(network: nn.Module, **said: object):
    real = said.pop("real", None)
    return examine_generator(Generator.wrap(network, z_dim=8, **said), real=real)


def reals() -> Tensor:
    return trained()(priors.drawn("normal", 100, 8, seed=99)).detach()


def loud(result) -> set[str]:
    return {f.name for f in result.findings if f.status in ("warn", "fail")}


def test_a_right_one_passes():
    result = examined(trained(), real=reals())
    assert loud(result) == set()
    assert not any(f.accepted for f in result.findings)
    assert result.summary.startswith("This generator can be explained")
    assert "codes of 8 numbers, normal; images 1 x 12 x 12" in result.model


@pytest.mark.parametrize(("prior", "said"), [("uniform", "normal"), ("normal", "uniform"), ("truncated", "uniform")])
def test_the_prior_is_found(prior, said):
    finding = examined(trained(prior), prior=said)["prior"]
    assert finding.status == "fail"
    assert finding.accepted == {"generator.prior": prior}
    assert f"under {said} codes" in finding.sentence
    assert examined(trained(prior), prior=prior)["prior"].status == "ok"


def test_activations_are_found_place_by_place_whatever_the_prior():
    network = trained("uniform", (nn.Identity(), nn.LeakyReLU(0.2)))
    network.act1, network.act2 = nn.ReLU(), nn.ReLU()
    result = examined(network, prior="normal")
    assert result["prior"].accepted == {"generator.prior": "uniform"}
    finding = result["activations"]
    assert finding.status == "fail"
    assert "with none, ReLU, else" in finding.sentence  # nothing remembers what follows the last BatchNorm


def test_without_batchnorm_the_reals_tell():
    class Plain(nn.Module):
        def __init__(self, activation: nn.Module) -> None:
            super().__init__()
            torch.manual_seed(4)
            inner = [part for _ in range(3) for part in (nn.Linear(32, 32), activation)]
            self.layers = nn.Sequential(nn.Linear(8, 32), activation, *inner, nn.Linear(32, 64))
            for layer in self.layers:
                if isinstance(layer, nn.Linear):
                    nn.init.orthogonal_(layer.weight, gain=1.5)

        def forward(self, z: Tensor) -> Tensor:
            return torch.tanh(self.layers(z)).view(-1, 1, 8, 8)

    real = Plain(nn.LeakyReLU(0.2))(priors.drawn("uniform", 300, 8, seed=99)).detach()
    right = examined(Plain(nn.LeakyReLU(0.2)), prior="uniform", real=real)
    assert {right[name].status for name in ("prior", "activations", "last activation")} <= {"ok", "not applicable"}
    finding = examined(Plain(nn.LeakyReLU(0.2)), prior="normal", real=real)["prior"]
    assert finding.status == "warn"
    assert finding.proposal == {"generator.prior": "uniform"}
    wrong = examined(Plain(nn.LeakyReLU(0.9)), prior="uniform", real=real)
    assert wrong["prior"].status == "ok"
    assert "with LeakyReLU 0.2, as it is" in wrong["activations"].sentence
    nothing = examined(Plain(nn.Identity()), prior="uniform", real=real)["activations"]
    assert nothing.status == "not applicable"  # no place where a rectifier may have stood


def test_the_end_is_told_by_the_reals():
    class Ends(nn.Module):
        def __init__(self, end: nn.Module) -> None:
            super().__init__()
            torch.manual_seed(4)
            self.layers = nn.Sequential(nn.Linear(8, 32), nn.LeakyReLU(0.2), nn.Linear(32, 64), end)
            nn.init.orthogonal_(self.layers[2].weight, gain=4.0)

        def forward(self, z: Tensor) -> Tensor:
            return self.layers(z).view(-1, 1, 8, 8)

    codes = priors.drawn("normal", 300, 8, seed=99)
    real = Ends(nn.Sigmoid())(codes).detach() * 2 - 1
    finding = examined(Ends(nn.Tanh()), real=real)["last activation"]
    assert finding.status == "warn"
    assert "with a sigmoid at the end" in finding.sentence
    assert examined(Ends(nn.Tanh()), real=Ends(nn.Tanh())(codes).detach())["last activation"].status == "ok"


def test_the_last_place_follows_the_others():
    network = trained(activations=(nn.LeakyReLU(0.2), nn.LeakyReLU(0.2)))
    network.act1, network.act2 = nn.ReLU(), nn.ReLU()

    def fits(other: nn.Module) -> fingerprint.Fingerprint | None:
        with fingerprint.watching(other) as moments:
            other(priors.drawn("normal", 512, 8, seed=0))
        return fingerprint.fingerprint(other, {}, moments)

    found = rectifiers.calibrated(network, fits)
    assert found is not None
    assert found.choices == (("leaky_relu", 0.2), ("leaky_relu", 0.2))
    assert found.words == "LeakyReLU 0.2"
    mended = rectifiers.with_activations(network, dict(zip(("act1", "act2"), found.choices, strict=True)))
    codes = priors.drawn("normal", 9, 8, seed=5)
    assert torch.equal(mended(codes), trained()(codes))
    assert rectifiers.calibrated(trained(), fits) is None


class Broken(nn.Module):
    def __init__(self, how: str) -> None:
        super().__init__()
        self.network, self.how = trained(), how

    def forward(self, z: Tensor) -> Tensor:
        if self.how == "collapsed":
            z = z * 1e-3
        x = self.network(z)
        if self.how == "few":
            x = self.network(torch.where(z[:, :1] > 0, 1.0, -1.0).expand(-1, 8) + 1e-4 * z)
        return {
            "unit": (x + 1) / 2,
            "bytes": (x + 1) * 127.5,
            "large": 3 * x,
            "random": x * 0.8 + 0.1 * torch.rand_like(x),
            "inverted": -x,
            "noise": torch.sin(1e4 * x * (1 + z.sum(1).view(-1, 1, 1, 1))),
            "still": self.network(torch.ones_like(z) * 0.1) + 0 * x,
        }.get(self.how, x)


@pytest.mark.parametrize(
    ("how", "name", "said"),
    [
        ("collapsed", "diversity", "look alike|as two reals"),
        ("few", "diversity", "draws few images"),
        ("unit", "image range", r"value_range=\(0, 1\)"),
        ("bytes", "image range", r"value_range=\(0, 255\)"),
        ("large", "image range", "pixels are clipped"),
        ("random", "repeats", "draws random numbers"),
        ("inverted", "tones", "black and white may be exchanged"),
        ("noise", "pictures", "draws noise"),
        ("still", "code", "leave the image as it is"),
    ],
)
def test_a_fault_is_named(how, name, said):
    finding = examined(Broken(how), real=reals())[name]
    assert finding.status in ("warn", "fail")
    assert re.search(said, f"{finding.sentence} {finding.advice}")


def test_statistics_that_were_never_loaded():
    network = trained()
    network.norm2.reset_running_stats()
    assert "1 of 2 BatchNorm layers have never seen data" in examined(network)["batch statistics"].sentence
    network = trained()
    network.norm1.running_mean += 50
    assert examined(network)["batch statistics"].status == "fail"


def test_examining_changes_nothing():
    network = trained().train()
    made = Generator.wrap(network, z_dim=8)
    before = {k: v.clone() for k, v in made.state_dict().items()}
    state = torch.random.get_rng_state()
    examine_generator(made.train())
    assert all(torch.equal(v, before[k]) for k, v in made.state_dict().items())
    assert torch.equal(torch.random.get_rng_state(), state)


def test_measures_in_closed_form():
    rows = torch.arange(8.0).view(1, 1, 1, 8).expand(1, 1, 8, 8)
    assert smoothness(rows) == pytest.approx(smoothness(-3 * rows))
    board = ((torch.arange(8).view(-1, 1) + torch.arange(8)) % 2).float().view(1, 1, 8, 8)
    assert smoothness(board) == pytest.approx(-1)
    assert spread(torch.tensor([0.0, 0.0, 3.0, 3.0]).view(4, 1, 1, 1)) == pytest.approx(6**0.5)  # 4 of 6 pairs differ


def test_the_distance_is_that_of_two_normal_distributions():
    from scipy.linalg import sqrtm

    a, b = torch.randn(60, 1, 2, 3).double(), 2 * torch.randn(90, 1, 2, 3).double() + 1
    covs = [torch.cov(x.flatten(1).T).numpy() for x in (a, b)]
    means = (a.mean(0) - b.mean(0)).square().sum()
    wanted = float(means) + (covs[0] + covs[1] - 2 * sqrtm(covs[0] @ covs[1]).real).trace()
    assert distance(a, b) == pytest.approx(wanted, rel=1e-6)
    assert distance(b, b) == pytest.approx(0, abs=1e-9)


def test_samples_are_drawn_beside_reals(tmp_path):
    from ganexplain.evaluation.doctor import page

    result = examined(trained(), real=reals())
    assert torch.equal(result.evidence.seen[:8], reals()[:8].clamp(-1, 1))
    assert result.evidence.given == (8, 8)
    page.write(result, tmp_path / "out")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"samples.png", "readings.png", "index.html", "doctor.json"} <= names
    assert page.figures(examined(trained()))["samples.png"].startswith(b"\x89PNG")


def test_a_generator_of_rows_is_examined_as_far_as_rows_go():
    from ganexplain.models.table import Table

    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
    made = Generator.wrap(network, z_dim=4, form=Table(names=("a", "b", "c")))
    for real in (None, network(torch.randn(60, 4)).detach()):
        result = examine_generator(made, real=real)
        assert {result[name].status for name in ("pictures", "tones", "image range")} == {"not applicable"}
        assert not result.failed
        assert "rows 3" in result.model
