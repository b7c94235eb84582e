"""The same verdict in other coordinates: sums on one baseline, the planted band, the planted direction, the budget."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import pytest
import torch
from torch import Tensor

from ganexplain import Critic, Directions, Explainer, Explanation, Generator, Plan, explain
from ganexplain.attribution import COUNTERFACTUALS
from ganexplain.attribution.domains.frequency import Frequency
from ganexplain.explanation import Facet
from tests._critics import Linear, Net, Spy, critic, critic_of_form, images, inputs

SMALL: dict[str, Any] = {"max_evaluations": 60, "n_orders": 20, "n_randomised": 2, "n_others": 3, "light": 50}
BANDS, Z = 6, 14


def small(**given: Any) -> Plan:
    return Plan(**{**SMALL, "readings": (), **given})


def band(k: int, side: int = 16) -> Tensor:
    """(1, 1, side, side) a pattern of one band alone."""
    chart = Frequency(bands=BANDS).bind(critic("plain"), images(1, side=side), "blur")
    random = torch.randn(chart.point.shape, generator=torch.Generator().manual_seed(k))
    assert chart.players is not None
    assert chart.image is not None
    return chart.image(random * (chart.players == k), torch.zeros(1, dtype=torch.long))


@lru_cache
def planted(k: int) -> Explanation:
    """A fake that lacks what a linear critic looks for, in one band alone."""
    weight = band(k)
    reals = images(24, seed=9, side=16) * 0.5
    fake = images(1, seed=3, side=16) * 0.5
    fake = fake - weight * ((fake * weight).sum() + 3) / weight.square().sum()
    known = Critic(Linear(weight, 0.0)).with_reference(reals)
    plan = Plan(frequency={"bands": BANDS}, readings=(), n_randomised=5)
    return explain(known, fake.clamp(-1, 1), plan=plan)


@pytest.mark.parametrize("k", [1, BANDS])
def test_a_planted_band_is_named_and_the_word_is_reliable(k: int) -> None:
    found = planted(k)
    facet = found.facets["frequency"]
    assert found.side == "fake"
    for method in ("kernel_shap", "integrated_gradients"):
        totals = facet.totals(method)
        others = torch.cat([totals[:k], totals[k + 1 :]])
        assert int(totals.argmax()) == k
        assert float(others.abs().max()) < 1e-4 * float(totals.max())
    assert facet.word == "RELIABLE", facet.trusts["kernel_shap"]
    assert {c.name for c in facet.trusts["kernel_shap"].checks if c.status == "pass"} >= {"deletion", "specificity"}
    # without the planted band the image is judged as its baseline, without another as it is
    base, own = float(facet.primary.origin_logit[0]), float(found.verdict.logit[0])
    wanted = torch.full_like(facet.logits, own)
    wanted[k] = base
    assert torch.allclose(facet.logits, wanted, atol=1e-3)
    assert torch.allclose(Critic(Linear(band(k), 0.0)).logits(facet.images), facet.logits, atol=1e-3)


def test_the_sums_of_places_and_frequencies_agree_on_one_baseline() -> None:
    known = Critic(Net().double()).with_reference(images(6, seed=50).double())
    for plan in (small(), small(baseline="reals", settings={})):
        found = explain(known.double(), images(1).double(), plan=plan)
        facet = found.facets["frequency"]
        for method in ("kernel_shap", "integrated_gradients"):
            place, other = found.attributions[method], facet.attributions[method]
            assert place.baseline == other.baseline
            assert torch.allclose(place.origin_logit, other.origin_logit, rtol=1e-12)
            assert place.gap is not None
            assert other.gap is not None
            lack = abs(float(place.net[0] - other.net[0])) - float(place.gap.abs() + other.gap.abs())
            assert lack <= 1e-9 * float(place.gross[0])


def test_every_random_critic_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from ganexplain.explanation import case

    made = []
    known = case.randomised
    monkeypatch.setattr(case, "randomised", lambda *a, **k: made.append(k["seed"]) or known(*a, **k))
    explain(critic("batchnorm").with_reference(images(6, seed=50)), images(1), plan=small())
    assert made == [0, 1]


class Sheet(Generator):
    """An image that is a sum of orthogonal patterns, one for each number of the code."""

    z_dim, resolution, channels = Z, 8, 1

    def __init__(self) -> None:
        super().__init__()
        patterns = torch.linalg.qr(torch.randn(64, Z, generator=torch.Generator().manual_seed(1)))[0].T
        self.patterns = torch.nn.Parameter(0.3 * patterns, requires_grad=False)

    def forward(self, z: Tensor) -> Tensor:
        """(N, Z) to (N, 1, 8, 8)."""
        return (z @ self.patterns).view(-1, 1, 8, 8).clamp(-1, 1)


NAMES = tuple(f"pattern {i}" for i in range(Z - 2))
AXES = Directions(torch.eye(Z)[: Z - 2], torch.ones(Z - 2), names=NAMES)


def judged(reads: int = 2) -> tuple[Critic, Sheet]:
    """A critic that reads one pattern alone."""
    made = Sheet()
    known = Critic(Linear(20 * made.patterns[reads].view(1, 1, 8, 8), 0.0))
    return known.with_generator(made), made


def test_the_direction_that_the_critic_reads_is_blamed_alone() -> None:
    known, made = judged()
    code = torch.zeros(1, Z)
    code[0, :4] = torch.tensor([0.5, -0.4, -1.2, 0.3])
    plan = small(code=code, directions=AXES, domains=("latent",), n_randomised=3)
    found = explain(known, made.synthesize(code), plan=plan)
    facet = found.facets["latent"]
    totals = facet.totals()
    assert facet.names == (*NAMES, "the rest")
    assert found.side == "fake"
    assert facet.names[int(totals.argmax())] == "pattern 2"
    gain = 20 * 0.09
    codes = Explainer(known, plan).codes
    origins, word = codes.counterparts(fake=True)
    assert word == "real"
    assert not known.judge(made.synthesize(origins)).is_fake.any()
    assert 4 <= len(origins) <= codes.domain.n_origins
    assert facet.primary.baseline == f"{len(origins)} random codes judged real"
    exact = -gain * (code[0, 2] - origins[:, 2].mean())
    assert float(totals[2]) == pytest.approx(float(exact), rel=1e-3)
    assert float(totals.abs().sum() - totals[2].abs()) < 0.1 * float(totals[2])
    assert facet.facts["rest"] < 0.05
    assert facet.facts["inverted"] is False
    assert facet.facts["directions"] == list(NAMES)
    assert not facet.doubted
    assert facet.word != "NOT RELIABLE"
    assert facet.images.shape == (Z - 1, 1, 8, 8)
    assert int(facet.logits.argmax()) == 2


def test_a_code_of_another_image_makes_the_word_at_best_check() -> None:
    known, made = judged()
    code = -torch.ones(1, Z) * 0.5
    plan = small(code=code, directions=AXES, domains=("latent",), max_evaluations=50)
    facet = explain(known, images(1), plan=plan).facets["latent"]
    assert facet.doubted
    assert any("differs from the image that was judged" in note for note in facet.notes)
    assert facet.word != "RELIABLE"
    assert torch.allclose(facet.primary.images, made.synthesize(code))


def test_the_budget_decides_what_is_looked_at() -> None:
    plain = critic("plain").with_reference(images(6, seed=50))
    quick = explain(plain, images(1), plan=Plan(**SMALL), budget="quick")
    assert (quick.facets, quick.counterfactuals, quick.dependence, quick.patches, quick.labels) == (
        {},
        (),
        None,
        None,
        None,
    )
    standard = explain(plain, images(1), plan=Plan(**SMALL))
    assert list(standard.facets) == ["frequency"]
    assert standard.dependence is not None
    assert standard.patches is None
    for name, one in quick.attributions.items():  # places are the same whatever else is looked at
        assert torch.equal(one.values, standard.attributions[name].values)
    known, _ = judged()
    domains = {
        budget: [n for n, _ in Explainer(known, Plan(budget=budget)).domains(code)]
        for budget, code in (("quick", torch.zeros(1, Z)), ("standard", None), ("thorough", None))
    }
    assert domains == {"quick": [], "standard": ["frequency"], "thorough": ["frequency", "latent"]}
    assert [n for n, _ in Explainer(known).domains(torch.zeros(1, Z))] == ["frequency", "latent"]
    assert Explainer(critic_of_form("table"), Plan(budget="thorough")).domains(None) == []


def test_a_patch_critic_is_read_by_its_patches() -> None:
    found = explain(critic("patches"), images(1), plan=Plan(**{**SMALL, "domains": ()}))
    assert found.patches is not None
    assert float(found.patches.logits.mean()) == pytest.approx(float(found.verdict.logit[0]), abs=1e-5)


def test_what_is_named_must_be_possible_and_what_the_budget_chose_may_be_left_out() -> None:
    with pytest.raises(ValueError, match="the critic knows none"):
        explain(critic("plain"), images(1), plan=small(domains=("latent",)))
    with pytest.raises(ValueError, match="no map of patches"):
        explain(critic("plain"), images(1), plan=small(domains=(), readings=("patches",)))
    rows = explain(critic_of_form("table"), inputs("table", 1), plan=Plan(**SMALL))
    assert rows.facets == {}
    with pytest.raises(ValueError, match="unknown budget 'fast'"):
        Plan(budget="fast")
    with pytest.raises(TypeError, match=r"write \('frequency',\)"):
        Plan(domains="frequency")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"code must have the shape \(1, D\)"):
        Plan(code=torch.zeros(4))
    with pytest.raises(TypeError, match="without .*scale"):
        Plan(directions=torch.zeros(2, 3))


def test_an_interrupt_keeps_the_facet_as_far_as_it_is_finished() -> None:
    def stopped(at: str) -> Explanation:
        def progress(what: str, done: float) -> None:
            assert 0 <= done <= 1
            if what == at:
                raise KeyboardInterrupt

        return Explainer(critic("plain"), small()).explain(images(1), progress=progress)

    none = stopped("kernel_shap in frequency")
    assert none.interrupted
    assert none.facets == {}
    assert len(none.trusts) == 2
    part = stopped("integrated_gradients in frequency").facets["frequency"]
    assert list(part.attributions) == ["kernel_shap"]
    assert part.word == "CHECK"
    assert part.trusts == {}
    late = stopped("checks of integrated_gradients in frequency").facets["frequency"]
    assert list(late.trusts) == ["kernel_shap"]


def test_the_cost_of_a_code_is_known_before() -> None:
    made = Sheet()
    spy = Spy(Net())
    known = Critic(spy).with_generator(made)
    code = made.sample(1, seed=3)
    run = Explainer(known, small(directions=AXES))
    image = made.synthesize(code)
    spy.seen.batches.clear()
    promised = run.planned(image, code)
    assert not spy.seen.batches
    found = run.explain(image, code=code)
    assert list(found.facets) == ["frequency", "latent"]
    assert spy.seen.rows <= promised <= 1.5 * spy.seen.rows


def test_methods_that_have_places_alone_are_left_out_elsewhere() -> None:
    found = explain(critic("plain"), images(1), plan=small(methods=("grad_cam", "kernel_shap"), settings={}))
    assert list(found.attributions) == ["grad_cam", "kernel_shap"]
    assert list(found.facets["frequency"].attributions) == ["kernel_shap"]


def test_spectra_are_of_the_image_its_baseline_and_the_reals() -> None:
    facet: Facet = planted(BANDS).facets["frequency"]
    n = len(facet.arrays["frequency"])
    assert facet.arrays["radial"].shape == facet.arrays["radial_baseline"].shape == (n,)
    reals = facet.arrays["radial_reals"]
    assert reals.shape[1:] == (n,)
    assert len(reals) > 1
    assert [b["name"] for b in facet.facts["bands"]] == list(facet.names)
    assert "frequency" in repr(facet)


def test_a_thorough_explanation_turns_the_verdict() -> None:
    known, made = judged()
    code = made.sample(1, seed=4)
    code[0, 2] = -0.9
    given = {**SMALL, "n_orders": 4, "n_randomised": 1, "n_others": 1, "directions": AXES, "latent": {"n_origins": 2}}
    plan = Plan(**given, budget="thorough", methods=("kernel_shap",), code=code)
    found = explain(known, made.synthesize(code), plan=plan)
    assert list(found.facets) == ["frequency", "latent"]
    changes = {one.kind: one for one in found.counterfactuals}
    assert set(changes) == set(COUNTERFACTUALS.names())
    for one in changes.values():
        assert one.flipped, one
        assert float(known.logits(one.changed)) == pytest.approx(one.logit[1], abs=1e-4)
    text = found._repr_html_()
    assert "is judged <b>fake</b>" in text
    assert text.count("data:image/png;base64,") == 4
    assert "pixel_l2 turns it" in repr(found)


def test_a_code_is_searched_where_none_is_given() -> None:
    known, made = judged()
    code = made.sample(1, seed=4)
    given: dict[str, Any] = {"directions": AXES, "latent": {"n_origins": 2}, "n_others": 1, "n_randomised": 1}
    plan = small(methods=("kernel_shap",), domains=("latent",), **given)
    facet = explain(known, made.synthesize(code), plan=plan).facets["latent"]
    assert facet.facts["inverted"] is True
    assert facet.facts["quality"] == "good"
    assert torch.allclose(facet.arrays["code"], code, atol=0.05)
    assert not facet.doubted
    other = explain(known, images(1), plan=plan).facets["latent"]  # no sum of the patterns
    assert other.facts["quality"] == "poor"
    assert other.doubted
    assert other.word in ("CHECK", "NOT RELIABLE")
    assert any("is poor" in note for note in other.notes)


def test_changes_that_are_named_are_made_and_no_others() -> None:
    plan = small(domains=(), counterfactuals=("regions",), budget="quick")
    found = explain(critic("plain"), images(1), plan=plan)
    assert [one.kind for one in found.counterfactuals] == ["regions"]
    blind = Critic(lambda x: x.detach().mean((1, 2, 3)))
    blind.differentiable = False
    asked = small(methods=("kernel_shap",), domains=(), counterfactuals=("pixel_l2",), budget="quick")
    with pytest.raises(ValueError, match="gradient"):
        explain(blind, images(1), plan=asked)
    left = explain(blind, images(1), plan=small(methods=("kernel_shap",), domains=(), budget="thorough"))
    assert {one.kind for one in left.counterfactuals} == {"regions", "bands"}


def test_a_row_shows_itself_and_names_are_escaped() -> None:
    on = critic_of_form("table")
    found = Explainer(on, small(budget="quick")).explain(inputs("table", 1), name="<b>row</b>")
    text = found._repr_html_()
    assert "&lt;b&gt;row" in text
    assert "<b>row" not in text
