"""Counterfactuals against closed forms, brute force and scipy: in values, parts and codes."""

from __future__ import annotations

import functools
import itertools
from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import linprog, minimize
from torch import Tensor, nn

from ganexplain import Frequency, Generator, Region, tensors
from ganexplain.attribution.counterfactuals import latent_change
from ganexplain.attribution.counterfactuals._visibility import threshold, visible
from ganexplain.attribution.counterfactuals.bands import Bands
from ganexplain.attribution.counterfactuals.latent_change import LatentChange
from ganexplain.attribution.counterfactuals.pixel_l1 import PixelL1
from ganexplain.attribution.counterfactuals.pixel_l2 import PixelL2
from ganexplain.attribution.counterfactuals.regions import Regions
from ganexplain.models import search
from ganexplain.models.critic import Critic
from ganexplain.models.forms import IMAGES
from tests._critics import SIGNAL, TABLE, Linear, critic_of_form, inputs
from tests.attribution._nets import Quadratic

CLOSE = 1e-3


def pair(gap: float, seed: int = 0, side: int = 6) -> tuple[Tensor, Tensor, Critic]:
    """An image (1, 1, side, side), a weight, and their linear critic that calls it fake by ``gap``."""
    image = tensors.rng(seed, "x").uniform(-0.95, 0.95, (1, 1, side, side))
    weight = tensors.rng(seed, "w").standard_normal((1, 1, side, side))
    x, w = torch.from_numpy(image), torch.from_numpy(weight)
    return x, w, Critic(Linear(w, -float((w * x).sum()) - gap)).double()


def boxed_l2(x: Tensor, w: Tensor, gap: float) -> float:
    """Distance of x to {w . (y - x) >= gap} in the box: the price of clip(x + price * w) by bisection."""
    low, high = 0.0, 1e6
    for _ in range(200):
        price = (low + high) / 2
        reached = float((w * ((x + price * w).clamp(-1, 1) - x)).sum()) >= gap
        low, high = (low, price) if reached else (price, high)
    return float(((x + high * w).clamp(-1, 1) - x).norm())


def boxed_l1(x: Tensor, w: Tensor, gap: float) -> tuple[float, int]:
    """The same in L1 by linear programming, and how many values change."""
    a, point = w.flatten().numpy(), x.flatten().numpy()
    bounds = [(0, 1 - v) for v in point] + [(0, 1 + v) for v in point]
    found = linprog(np.ones(2 * len(a)), A_ub=-np.r_[a, -a][None], b_ub=[-gap], bounds=bounds)
    return float(found.fun), int((found.x > 1e-9).sum())


@pytest.mark.parametrize("gap", [0.01, 1.0, 9.0, 20.0])
def test_a_linear_critic_is_turned_in_l2_as_the_closed_form_says(gap: float) -> None:
    x, w, critic = pair(gap)
    found = PixelL2(critic).find(x)
    assert found.flipped
    assert found.distance["l2"] == pytest.approx(boxed_l2(x, w, gap), rel=CLOSE)
    if gap < 1:  # far from the box, along w exactly
        change = (found.changed - x).flatten()
        assert float(torch.cosine_similarity(change, w.flatten(), dim=0)) > 1 - 1e-9
        assert found.distance["l2"] == pytest.approx(gap / float(w.norm()), rel=CLOSE)


@pytest.mark.parametrize("gap", [0.01, 1.0, 9.0, 20.0])
def test_a_linear_critic_is_turned_in_l1_as_a_linear_programme_says(gap: float) -> None:
    x, w, critic = pair(gap)
    found = PixelL1(critic).find(x)
    total, changed = boxed_l1(x, w, gap)
    assert found.flipped
    assert found.distance["l1"] == pytest.approx(total, rel=CLOSE)
    assert found.distance["share"] * x.numel() == pytest.approx(changed)


def test_what_the_box_does_not_allow_is_not_said_to_flip() -> None:
    x, _, critic = pair(1e3)
    for kind in (PixelL2, PixelL1):
        found = kind(critic).find(x)
        assert not found.flipped
        assert found.logit[1] > found.logit[0]
        assert "did not turn" in found.notes[-1]


@pytest.mark.parametrize("strength", [1.0, 3.0])
def test_a_quadratic_critic_is_turned_as_scipy_finds(strength: float) -> None:
    net = Quadratic(9)
    with torch.no_grad():
        net.a.mul_(strength)
    x = torch.from_numpy(tensors.rng(1, "x").uniform(-0.9, 0.9, (1, 1, 3, 3)))
    level = float(net(x).detach()) + 2.0
    critic = Critic(lambda images: net(images) - level)
    a, b, start = net.a.detach().numpy(), net.b.detach().numpy(), x.flatten().numpy()

    def value(v: Any) -> float:
        return float(0.5 * v @ a @ v + b @ v - level)

    split = np.r_[np.eye(9), -np.eye(9)].T  # v = start + split @ (ups, downs)
    two = {"type": "ineq", "fun": value, "jac": lambda v: a @ v + b}
    one = {
        "type": "ineq",
        "fun": lambda u: value(start + split @ u),
        "jac": lambda u: split.T @ (a @ (start + split @ u) + b),
    }
    bounds = [(0, 1 - v) for v in start] + [(0, 1 + v) for v in start]
    best = {"l2": np.inf, "l1": np.inf}
    for seed in range(12):
        draw = tensors.rng(seed, "start").uniform(0, 0.3, 18)
        l2 = minimize(lambda v: ((v - start) ** 2).sum(), np.clip(start + split @ draw, -1, 1), bounds=[(-1, 1)] * 9,
                      jac=lambda v: 2 * (v - start), constraints=[two], method="SLSQP")  # fmt: skip
        l1 = minimize(np.sum, np.minimum(draw, [high for _, high in bounds]), bounds=bounds, jac=np.ones_like,
                      constraints=[one], method="SLSQP")  # fmt: skip
        if l2.success and value(l2.x) > -1e-6:
            best["l2"] = min(best["l2"], l2.fun**0.5)
        if l1.success and value(start + split @ l1.x) > -1e-6:
            best["l1"] = min(best["l1"], l1.fun)
    for norm, kind in (("l2", PixelL2), ("l1", PixelL1)):
        found = kind(critic).find(x)
        assert found.flipped
        assert found.distance[norm] == pytest.approx(best[norm], rel=2 * CLOSE)


def blocks(side: int = 6) -> Tensor:
    """(side, side) labels of nine blocks."""
    at = torch.arange(side) * 3 // side
    return at[:, None] * 3 + at[None]


@pytest.mark.parametrize("seed", range(4))
def test_greedy_repair_of_an_additive_critic_is_the_smallest_one(seed: int) -> None:
    x, w, _ = pair(0.0, seed)
    baseline = torch.from_numpy(tensors.rng(seed, "b").uniform(-0.9, 0.9, tuple(x.shape)))
    gains = torch.zeros(9, dtype=torch.float64).scatter_add(0, blocks().flatten(), (w * (baseline - x)).flatten())
    gap = 0.7 * float(gains.clamp(min=0).sum())
    critic = Critic(Linear(w, -float((w * x).sum()) - gap)).double()
    need = next(
        k for k in range(1, 10) if any(float(gains[list(s)].sum()) > gap for s in itertools.combinations(range(9), k))
    )
    found = Regions(critic, domain=Region(mask=blocks()), baseline=baseline).find(x)
    order = [row["label"] for row in found.facts["order"]]
    assert found.flipped
    assert len(order) == need
    assert order == gains.argsort(descending=True)[:need].tolist()
    assert [logit for _, logit in found.steps] == pytest.approx((gains[order].cumsum(0) - gap).tolist())
    assert found.distance["share"] == need / 9
    inside = torch.isin(blocks(), torch.tensor(order))
    assert torch.equal(found.changed, torch.where(inside, baseline, x))
    energy = ((baseline - x) ** 2 * inside).sum() / ((baseline - x) ** 2).sum()
    assert found.distance["energy"] == pytest.approx(float(energy))


def test_a_repair_goes_on_where_only_two_parts_together_help_and_drops_what_was_not_needed() -> None:
    def network(images: Tensor) -> Tensor:
        first, second, third = images[:, 0, 0, 0], images[:, 0, 0, 3], images[:, 0, 5, 0]
        return first + 2.2 * second * third - 2

    x, ones = torch.zeros(1, 1, 6, 6), torch.ones(1, 1, 6, 6)
    found = Regions(Critic(network), domain=Region(mask=blocks()), baseline=ones).find(x)
    assert found.flipped
    assert found.facts["tried"] >= 3
    assert {row["label"] for row in found.facts["order"]} == {1, 6}
    assert [name for name, _ in found.steps] == ["region 2 (upper centre)", "region 7 (lower left)"]


def test_one_band_turns_a_critic_that_reads_one_band() -> None:
    domain = Frequency(bands=4)
    labels = domain.bands(12, 12).labels
    critic = Critic(nn.Flatten())  # only for its form
    x = torch.from_numpy(tensors.rng(0, "x").uniform(-0.3, 0.3, (1, 1, 12, 12)))
    other = torch.from_numpy(tensors.rng(0, "y").uniform(-0.3, 0.3, (1, 1, 12, 12)))
    chart = domain.bind(critic, x, other)
    rows, mask = torch.zeros(1, dtype=torch.long), (labels == 2).double()
    assert chart.image is not None
    weight = chart.image((chart.origin - chart.point) * mask, rows)
    net = Linear(weight, -float((weight * x).sum() + 0.9 * (weight * (other - x)).sum()))
    found = Bands(Critic(net).double(), domain=domain, baseline=other).find(x)
    assert found.flipped
    assert [row["label"] for row in found.facts["order"]] == [2]
    assert found.steps[0][0] == chart.names[2]


def test_the_measures_are_what_they_say() -> None:
    x, _, critic = pair(3.0)
    reals = torch.from_numpy(tensors.rng(0, "reals").uniform(-1, 1, (5, 1, 6, 6)))
    known = critic.with_reference(torch.cat([reals, x]))
    found = PixelL2(known).find(x)
    change = found.changed - x
    assert found.distance["rms"] == pytest.approx(float(change.square().mean().sqrt()))
    assert found.distance["max"] == pytest.approx(float(change.abs().max()))
    near = [min(float((y - r).square().mean().sqrt()) for r in reals) for y in (x[0], found.changed[0])]
    assert found.realism == pytest.approx(near[1] / near[0])
    again = tensors.from_uint8(tensors.to_uint8(found.changed)).double()
    assert found.facts["survives_8bit"] == (float(critic(again)) >= 0)
    assert len(found.path) == 21
    assert found.path[0][1] == pytest.approx(found.logit[0]) == pytest.approx(-3)
    assert found.path[-1][1] == pytest.approx(found.logit[1])
    assert found.path[10][1] == pytest.approx(-1.5, abs=1e-3)
    assert "turns the verdict to real: the logit goes from −3.00 to 0.0" in found.sentence
    assert f"{found.distance['rms'] * 50:.1f} % of the range" in found.sentence


def test_an_adversarial_example_is_called_one() -> None:
    x, _, critic = pair(1e-3)
    found = PixelL2(critic).find(x)
    assert found.flipped
    assert found.visible == "none"
    assert any("adversarial example" in note for note in found.notes)
    assert found.facts["survives_8bit"] is False
    assert found.facts["factor_8bit"] is None
    assert any("8 bits" in note for note in found.notes)
    assert "No eye sees it; rounded to 8 bits it is lost" in found.sentence


def test_thresholds_of_visibility_follow_the_ground() -> None:
    flat = torch.zeros(1, 12, 12)
    assert float(threshold(flat).max()) == pytest.approx(17 * 0 + 3 + 0.5 * 3 / 128, abs=1e-6)  # grey level 127.5
    assert float(threshold(flat - 1).min()) == 8.0  # dark: 20 in the study, 8 here
    assert float(threshold(flat + 1).min()) == pytest.approx(3 + 3)  # white
    textured = tensors.normal(0, "texture", shape=(3, 12, 12)).clamp(-1, 1)
    assert float(threshold(textured).mean()) > float(threshold(flat).mean())
    steps = {1.0: "none", 3.5: "faint", 14.0: "plain"}
    for step, word in steps.items():
        grid = torch.zeros(1, 1, 12, 12)
        grid[..., ::4, ::4] = step / 127.5  # a sixteenth of the pixels
        assert visible(IMAGES, flat[None], flat[None] + grid) == word


class Flat(nn.Module):
    """A linear generator of 4 x 4 images."""

    def __init__(self) -> None:
        super().__init__()
        self.made = nn.Linear(5, 16)
        with torch.no_grad():
            self.made.weight.copy_(0.03 * tensors.normal(0, "g", shape=(16, 5)))
            self.made.bias.zero_()

    def forward(self, codes: Tensor) -> Tensor:
        """(N, 5) to (N, 1, 4, 4)."""
        return self.made(codes).view(-1, 1, 4, 4)


class Axes:
    """The axes of the code as directions."""

    vectors, scale, space = torch.eye(5), torch.full((5,), 0.5), "z"
    names = tuple(f"factor {i}" for i in range(5))


def planted() -> tuple[Generator, Critic, Tensor, Tensor]:
    """A linear generator, a linear critic that is 0.8 standard deviations from turning, a code, and their gradient."""
    generator = Generator.wrap(Flat(), z_dim=5)
    weight = tensors.normal(3, "w", shape=(1, 1, 4, 4))
    code = generator.sample(1, seed=4)
    inner = generator.network.made.weight.detach()  # type: ignore[union-attr]
    slope = (weight.flatten() @ inner).detach()
    image = generator.render(code)
    critic = Critic(Linear(weight, -float((weight * image).sum()) - 0.8 * float(slope.norm())))
    return generator, critic.with_generator(generator), code, slope


def test_the_smallest_change_of_a_code_is_the_closed_form() -> None:
    generator, critic, code, _ = planted()
    found = LatentChange(critic, code=code).find(generator.render(code))
    assert found.flipped
    assert found.distance["code"] == pytest.approx(0.8, rel=0.01)
    moved = torch.tensor(found.facts["changed_code"])[None]
    assert torch.allclose(generator.render(moved), found.changed, atol=1e-6)
    assert found.path[0][1] == pytest.approx(found.logit[0])


def test_the_direction_with_the_smallest_step_is_named() -> None:
    generator, critic, code, slope = planted()
    found = LatentChange(critic, code=code, directions=Axes()).find(generator.render(code))
    need = 0.8 * slope.norm() / slope.abs()
    best = int(need.argmin())
    reach = [i for i in range(5) if float(need[i]) / 0.5 <= 4]
    assert found.flipped
    assert found.facts["direction"] == f"factor {best}"
    assert found.distance["code"] == pytest.approx(float(need[best]), rel=0.01)
    assert found.facts["amount"] == pytest.approx(float(need[best] / 0.5 * slope[best].sign()), rel=0.01)
    flips = {row["name"]: row["distance"] for row in found.facts["directions"] if row["flipped"]}
    assert flips == pytest.approx({f"factor {i}": float(need[i]) for i in reach}, rel=0.02)
    assert found.facts["free_distance"] == pytest.approx(0.8, rel=0.01)


def test_directions_need_calls_alone() -> None:
    generator, critic, code, slope = planted()
    net = critic.network

    def blind(x: Tensor) -> Tensor:
        with torch.no_grad():
            out: Tensor = net(x)
        return out

    shut = Critic(blind).with_generator(generator)
    found = LatentChange(shut, code=code, directions=Axes()).find(generator.render(code))
    assert found.distance["code"] == pytest.approx(float(0.8 * slope.norm() / slope.abs().max()), rel=0.01)
    assert "free_distance" not in found.facts
    with pytest.raises(ValueError, match="bands or regions, or give directions"):
        LatentChange(shut, code=code).find(generator.render(code))


def test_a_code_is_searched_for_and_its_quality_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latent_change, "invert", functools.partial(search.invert, n_restarts=4, steps=20))
    generator, critic, code, _ = planted()
    found = LatentChange(critic).find(generator.render(code))
    assert found.facts["inversion"]["quality"] == "good"
    assert any("rebuilding of the image, a good one" in note for note in found.notes)
    with pytest.raises(ValueError, match="the code makes another image"):
        LatentChange(critic, code=code + 3).find(generator.render(code))
    with pytest.raises(ValueError, match="needs the generator"):
        LatentChange(Critic(Linear(torch.ones(1, 1, 4, 4)))).find(generator.render(code))


def test_a_row_changes_in_standard_deviations_and_keeps_its_words() -> None:
    row = inputs("table", 1)
    weight = tensors.normal(1, "w", shape=(7,))
    base = float((TABLE.scaled(row) * weight).sum())
    critic = critic_of_form("table", Linear(weight, -base - 0.5))
    free = torch.tensor([i not in (2, 3, 4) for i in range(7)])
    found = PixelL2(critic).find(row)
    change = (TABLE.scaled(found.changed) - TABLE.scaled(row))[0]
    assert found.flipped
    assert found.distance["l2"] == pytest.approx(0.5 / float(weight[free].norm()), rel=1e-2)
    assert torch.equal(found.changed[:, ~free], row[:, ~free])
    assert torch.allclose(change[free], 0.5 * weight[free] / weight[free].square().sum(), rtol=0.02, atol=1e-4)
    assert "standard deviations (root mean square)" in found.sentence
    sparse = PixelL1(critic).find(row)
    assert sparse.distance["l1"] == pytest.approx(0.5 / float(weight[free].abs().max()), rel=1e-2)
    assert round(sparse.distance["share"] * 7) == 1


def test_features_and_spans_are_repaired_by_their_names() -> None:
    for form, known in (("table", set(TABLE.players)), ("signal", None)):
        made = inputs(form, 2)
        plain = critic_of_form(form)
        logits = plain(made)
        first = int(logits.argmin())
        between = float(logits.mean())
        shifted = critic_of_form(form, _Shifted(plain.network, between))
        found = Regions(shifted, baseline=made[1 - first][None]).find(made[first][None])
        assert found.flipped
        names = {name for name, _ in found.steps}
        assert names <= known if known else all(n.startswith(tuple(SIGNAL.channels)) for n in names)


class _Shifted(nn.Module):
    def __init__(self, net: nn.Module, by: float) -> None:
        super().__init__()
        self.net, self.by = net, by

    def forward(self, x: Tensor) -> Tensor:
        """The logits, lower by a constant."""
        out: Tensor = self.net(x) - self.by
        return out
