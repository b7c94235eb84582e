"""The laws for every method in every domain under critics of every kind; new ones are found in the registry."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import random
import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy.fft import dctn
from torch import Tensor, nn

from ganexplain import Critic, Frequency, Region
from ganexplain.attribution import DOMAINS, METHODS
from ganexplain.attribution import players as groups
from ganexplain.attribution.attribution import Attribution
from ganexplain.models.forms import Images
from tests._critics import (
    DECLARED,
    NETWORKS,
    SAME_LAYER,
    SIDE,
    TWINS,
    Dead,
    Linear,
    Net,
    Spots,
    Spy,
    critic,
    images,
    twin,
)

METHOD_NAMES = METHODS.names()
DOMAIN_NAMES = tuple(name for name in DOMAINS.names() if DOMAINS.get(name).form is Images)
PAIRS = [(m, d) for m in METHOD_NAMES for d in DOMAIN_NAMES]
CHEAP = {"max_evaluations": 60}  # of methods that have a budget; the laws hold at any
TRICKY = ("inplace", "overwrites", "old_spectral", "training", "probability")
NORMED = ("batchnorm", "instance", "probability", "resized")
SIGNED = ("plain", "detector", "classes")
# what a method says of every map of its own is no surprise here
CAUTIONS = [re.escape(c).replace(":", ".") for c in (METHODS.get(m).caution for m in METHOD_NAMES) if c]
pytestmark = [pytest.mark.filterwarnings(f"ignore:{caution}") for caution in CAUTIONS]


def covering(variants: list[str], core: tuple[str, ...] = ()) -> list[Any]:
    """Every (method, variant), (method, domain) and (domain, variant), or of a core; the rest is marked full.

    A core or a list shorter than the domains covers fewer of those pairs.
    """
    cases, chosen = [], [variant for variant in variants if not core or variant in core]
    for i, method in enumerate(METHOD_NAMES):
        for j, domain in enumerate(DOMAIN_NAMES):
            for variant in variants:
                first = variant in chosen and (i + chosen.index(variant)) % len(DOMAIN_NAMES) == j
                cases.append(pytest.param(method, domain, variant, marks=() if first else pytest.mark.full))
    return cases


def made(method: str, on: Critic, domain: str, /, **given: Any) -> Any:
    """The method with a small budget."""
    kind = METHODS.get(method)
    given = {"domain": DOMAINS.get(domain)(), "baseline": "blur", **given}
    full = kind(on, **given)
    return full.variant(**{k: v for k, v in CHEAP.items() if hasattr(full, k)})


def attributed(method: Any, inputs: Tensor, **given: Any) -> Attribution:
    """An attribution, or a skip where the method says that it does not work in the domain, or without modules."""
    try:
        return method.attribute(inputs, **given)
    except ValueError as error:
        said, modules = str(error), isinstance(method.critic.network, nn.Module)
        if method.domain.name in said and "domain" in said or type(method).needs == "modules" and not modules:
            pytest.skip(said)
        if "cancel over its map" in said:  # law 7: a named error, never a map of rounding
            pytest.skip(said)
        raise


def off(a: Tensor, b: Tensor) -> Tensor:
    """(N,) largest difference of two maps relative to the maximum of the first."""
    return (a - b).flatten(1).abs().amax(1) / a.flatten(1).abs().amax(1).clamp(min=1e-30)


def rounding(found: Attribution) -> float:
    """What the rounding of single-precision logits alone does to a difference of two of them."""
    size = found.values.abs().flatten(1).amax(1) if found.players is None else found.totals().abs().amax(1)
    return float((4 * torch.finfo(torch.float32).eps * found.verdict.logit.abs() / size).max())


def same_maps(a: Tensor, b: Tensor, floor: float = 0.0) -> None:
    """Law 4: what two ways to compute one map may differ by."""
    apart = off(a, b)
    if a.dtype == torch.float64:
        assert float(apart.max()) <= 1e-9
    else:
        assert float(apart.median()) <= max(1e-5, floor)
        assert float(apart.max()) <= 5e-3


@pytest.mark.parametrize(("method", "domain", "variant"), covering(sorted(NETWORKS)))
def test_values_have_the_shape_of_the_point(method: str, domain: str, variant: str) -> None:
    on, x = critic(variant), images(3)
    found = attributed(made(method, on, domain), x)
    chart = DOMAINS.get(domain)().bind(on, x, "blur")
    assert found.values.shape == chart.point.shape
    assert found.values.dtype == x.dtype
    assert bool(found.values.abs().flatten(1).amax(1).gt(0).all())
    assert found.method == method
    assert found.domain == domain
    assert found.evaluations.shape == (3,)
    if found.players is not None:
        assert found.totals().shape == (3, int(groups.counts(found.players).max()))
        assert torch.allclose(found.totals().sum(1), found.net, atol=1e-4 * float(found.gross.max()))


@pytest.mark.parametrize("double", [True, pytest.param(False, marks=pytest.mark.full)], ids=["float64", "float32"])
@pytest.mark.parametrize(("method", "domain", "variant"), covering(sorted(TWINS)))
def test_twins_agree(method: str, domain: str, variant: str, double: bool) -> None:
    x = images(5).double() if double else images(5)
    runs = [made(method, kind(variant, double=double), domain) for kind in (critic, twin)]
    if hasattr(runs[0], "layer") and variant in SAME_LAYER:  # the map of a layer is compared with that of its twin
        runs = [run.variant(layer=name) for run, name in zip(runs, SAME_LAYER[variant], strict=True)]
    one, two = (attributed(run, x) for run in runs)
    same_maps(two.values, one.values, rounding(two))


def state(network: nn.Module) -> dict[str, Any]:
    """All that a caller may hold of a network, as values."""
    of = network.named_modules()
    return {
        "weights": {name: value.clone() for name, value in network.state_dict().items()},
        "gradients": {name: p.grad.clone() for name, p in network.named_parameters() if p.grad is not None},
        "requires_grad": {name: p.requires_grad for name, p in network.named_parameters()},
        "modules": {
            name: (m.training, tuple(sorted(vars(m))), getattr(m, "inplace", None), *(len(h) for h in _hooks(m)))
            for name, m in of
        },
    }


def _hooks(module: nn.Module) -> list[dict[int, Any]]:
    names = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return [getattr(module, name) for name in names]


def same_state(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same_state(a[k], b[k]) for k in a)
    return torch.equal(a, b) if isinstance(a, Tensor) else a == b


def generators() -> str:
    states = random.getstate(), repr(np.random.get_state(legacy=False)), torch.get_rng_state().numpy().tobytes()
    return hashlib.sha256(repr(states).encode()).hexdigest()  # a difference of whole states takes minutes to print


def own_graph(net: nn.Module) -> nn.Module:
    """The network as a training loop leaves it: gradients, a frozen layer, a hook."""
    net.train()
    out = net(images(4))
    (out[0] if isinstance(out, tuple) else out).sum().backward()
    next(net.parameters()).requires_grad_(False)
    net.register_forward_hook(lambda module, given, out: None)
    return net


@pytest.mark.parametrize("fail_at", [0, 1, 4], ids=["success", "fails at once", "fails later"])
@pytest.mark.parametrize(("method", "domain", "variant"), covering(sorted(set(NETWORKS) - {"callable"}), TRICKY))
def test_the_callers_world_is_left_as_it_was(method: str, domain: str, variant: str, fail_at: int) -> None:
    spy = Spy(own_graph(NETWORKS[variant]()))
    on, x = Critic(spy, **DECLARED.get(variant, {})), images(2).requires_grad_(True)
    x.grad = torch.ones_like(x)
    before, kept, rng = state(spy), x.detach().clone(), generators()
    spy.seen.fail_at = fail_at
    run = made(method, on, domain, batch_size=16)
    if fail_at:
        with pytest.raises(RuntimeError, match=f"call {fail_at} fails"):
            attributed(run, x)
    else:
        attributed(run, x)
    assert same_state(before, state(spy))
    assert torch.equal(kept, x.detach())
    assert torch.equal(x.grad, torch.ones_like(x))
    assert x.requires_grad
    assert generators() == rng
    if fail_at:  # and the critic itself goes on as if nothing had happened
        again, fresh = attributed(run, x), made(method, critic(variant, spy.net), domain, batch_size=16).attribute(x)
        assert torch.equal(again.values, fresh.values)


class Noisy(nn.Module):
    """Draws from every global generator in its forward."""

    def __init__(self) -> None:
        super().__init__()
        self.net = Net()

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, H, W) to (N, 1)."""
        drawn = torch.randn_like(x) * random.random() * float(np.random.rand())
        return self.net(x + 0.2 * drawn)


@pytest.mark.parametrize("fail_at", [0, 4])
@pytest.mark.parametrize(("method", "domain"), PAIRS)
def test_a_critic_that_draws_noise_is_repeatable_and_draws_from_no_stream_of_the_caller(
    method: str, domain: str, fail_at: int
) -> None:
    spy = Spy(Noisy())
    run, x, before = made(method, Critic(spy), domain), images(2), generators()
    if fail_at:
        spy.seen.fail_at = fail_at
        with contextlib.suppress(RuntimeError):  # some methods are done before
            run.attribute(x)
        assert generators() == before
        return
    one = attributed(run, x, seed=1)
    assert generators() == before
    torch.manual_seed(5)
    random.random()
    np.random.rand()
    assert torch.equal(one.values, run.attribute(x, seed=1).values)
    others = (run.attribute(x, seed=seed).values for seed in (2, 3, 4))  # one may leave every kink on its side
    assert not all(torch.equal(one.values, other) for other in others)


@pytest.mark.parametrize("method", METHOD_NAMES)
def test_a_callers_no_grad_changes_nothing(method: str) -> None:
    run, x = made(method, critic("plain"), "pixel"), images(2)
    one = run.attribute(x)
    with torch.no_grad():
        two = made(method, critic("plain"), "pixel").attribute(x)
        assert not torch.is_grad_enabled()
    assert torch.equal(one.values, two.values)


@pytest.mark.parametrize(("method", "domain"), PAIRS)
def test_a_result_holds_no_memory_of_the_caller(method: str, domain: str) -> None:
    x, baseline = images(2), images(2, seed=9)
    found = attributed(made(method, critic("plain"), domain, baseline=baseline), x)
    kept = found.images.clone(), found.origins.clone(), found.values.clone()
    x.zero_()
    baseline.zero_()
    assert torch.equal(found.images, kept[0])
    assert torch.equal(found.origins, kept[1])
    assert torch.equal(found.values, kept[2])


@pytest.mark.parametrize(("method", "domain", "variant"), covering(["plain", "detector", "batchnorm"]))
def test_the_seed_decides(method: str, domain: str, variant: str) -> None:
    x = images(2)
    run = made(method, critic(variant), domain)
    one = attributed(run, x, seed=3)
    torch.manual_seed(99)
    np.random.rand(5)
    two, other = run.attribute(x, seed=3), run.attribute(x, seed=4)
    assert torch.equal(one.values, two.values)
    drawn = METHODS.get(method).sampled and bool(one.error.gt(0).any())
    assert torch.equal(one.values, other.values) != drawn
    assert torch.equal(run.attribute(x).values, run.attribute(x, seed=0).values)


@pytest.mark.parametrize(("method", "domain", "variant"), covering(sorted(set(NETWORKS) - {"callable"}), NORMED))
def test_neither_batch_size_nor_neighbours_matter(method: str, domain: str, variant: str) -> None:
    x, reals = images(3).double(), images(6, seed=5).double()
    maps = {}
    for size in (1, 7, 64):
        spy = Spy(NETWORKS[variant]())
        on = Critic(spy, **DECLARED.get(variant, {})).double().with_reference(reals)
        spy.seen.batches.clear()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # the baseline may lie outside these few reals
            maps[size] = attributed(made(method, on, domain, baseline=None, batch_size=size), x).values
        assert max(spy.seen.batches) <= size
    same_maps(maps[64], maps[1])
    same_maps(maps[64], maps[7])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        run = made(method, on, domain, baseline=None)
        alone = torch.cat([run.attribute(image[None]).values for image in x])
    same_maps(maps[64], alone)


@pytest.mark.parametrize("variant", ["probability", "detector", "classes"])
def test_a_first_look_at_the_tail_is_bounded_too(variant: str) -> None:
    spy = Spy(NETWORKS[variant]())
    Critic(spy, **DECLARED[variant]).logits(images(5), batch_size=2)
    assert max(spy.seen.batches) <= 2


@pytest.mark.parametrize(("method", "domain", "variant"), covering(["plain", "instance"]))
def test_batch_size_matters_little_in_single_precision(method: str, domain: str, variant: str) -> None:
    x = images(7)
    one, many = (attributed(made(method, critic(variant), domain, batch_size=n), x).values for n in (2, 64))
    same_maps(many, one)


@pytest.mark.parametrize(("method", "domain", "variant"), covering(sorted(NETWORKS), SIGNED))
def test_fake_is_the_negative_of_real(method: str, domain: str, variant: str) -> None:
    if not METHODS.get(method).odd:
        pytest.skip(f"{method} is not odd")
    run, x = made(method, critic(variant), domain), images(2)
    fake, real = attributed(run, x, side="fake"), run.attribute(x, side="real")
    assert torch.equal(fake.values, -real.values)
    assert torch.equal(fake.change, -real.change)
    assert fake.gap is None or torch.equal(fake.gap, -real.gap)
    assert fake.error is None or torch.equal(fake.error, real.error)


@pytest.mark.parametrize(("method", "domain"), PAIRS)
def test_evidence_for_fake_is_where_a_detector_fires(method: str, domain: str) -> None:
    inside = torch.zeros(1, 1, SIDE, SIDE)
    inside[..., :4, :4] = 1  # a bright corner, and a detector whose output "fake" grows with it
    weight, x = 0.4 * inside, inside - 0.5
    if not DOMAINS.get(domain).own:  # or low frequencies that are strong
        inside = (Frequency().bands(SIDE, SIDE).labels < 4).float()[None, None]
        weight, x = (Frequency().transform.inverse(part) for part in (inside, 0.15 * inside))
    x = x + 0.01 * images(1)
    nets = Linear(weight), Linear(-weight)
    if hasattr(METHODS.get(method)(critic("plain")), "layer"):  # of a layer's features, not of places
        nets = Spots(0.4), Spots(-0.4)
    for on in (Critic(nets[0], polarity="fake"), Critic(nets[1], polarity="real")):
        run = made(method, on, domain, baseline="black")
        enough = {"max_evaluations": 400} if hasattr(run, "max_evaluations") else {}
        found = attributed(run.variant(**enough), x, side="fake")
        if not run.odd and not found.values.any():
            pytest.skip(f"{method} measures how the gradient changes, and a linear critic's never does")
        told = found.values * beyond_error(found)
        assert float((told * inside).sum()) > 0.9 * float(told.abs().sum()) > 0
        assert bool(found.verdict.is_fake[0])


def beyond_error(found: Attribution) -> Tensor:
    """Where a sampled value is more than three standard errors (two: some pass by chance), else everywhere."""
    if found.error is None or not found.error.any():
        return torch.ones_like(found.values)
    stands = (found.totals().abs() > 3 * found.error).to(found.values)
    return stands.gather(1, found.players.expand(found.values.shape).flatten(1)).view_as(found.values)


@pytest.mark.parametrize(("method", "domain"), PAIRS)
def test_complete_methods_are_exact_on_a_linear_critic(method: str, domain: str) -> None:
    if not METHODS.get(method).complete:
        pytest.skip(f"{method} promises no sum")
    weight = torch.randn(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1)).double()
    on, x = Critic(Linear(weight)).double(), images(2, channels=3).double()
    run = made(method, on, domain, baseline=images(1, seed=8, channels=3).double())
    found = attributed(run, x, side="real")
    if found.converged is not None and not bool(found.converged.all()):  # it says so itself; then with more
        found = run.variant(max_evaluations=4000).attribute(x, side="real")
    exact = weight * (x - found.origins)
    if not DOMAINS.get(domain).own:
        exact = torch.from_numpy(
            dctn(weight, axes=(2, 3), norm="ortho") * dctn(x - found.origins, axes=(2, 3), norm="ortho")
        )
    parts = found.totals() if found.players is not None else found.values.flatten(1)
    truth = groups.totals(exact, found.players) if found.players is not None else exact.flatten(1)
    assert torch.allclose(parts, truth, atol=1e-10)
    assert float(found.gap.abs().max()) < 1e-10
    if METHODS.get(method).needs == "gradients" and method != "xrai":  # whose values are the means of regions
        assert torch.allclose(found.values, exact, atol=1e-10)


@pytest.mark.parametrize(("method", "domain", "variant"), covering(["plain", "detector"]))
def test_the_gap_is_the_sum_minus_the_change(method: str, domain: str, variant: str) -> None:
    on, x = critic(variant), images(3)
    found = attributed(made(method, on, domain), x, side="fake")
    if not METHODS.get(method).complete:
        assert found.gap is None
        return
    change = on.logits(found.origins).double() - on.logits(x).double()
    assert torch.allclose(found.change.double(), change, atol=1e-6)
    assert torch.allclose(found.gap, found.values.double().flatten(1).sum(1) - change, atol=1e-6)


@pytest.mark.parametrize(("method", "domain"), PAIRS)
def test_a_constant_critic_gives_no_evidence(method: str, domain: str) -> None:
    found = attributed(made(method, Critic(Dead()), domain), images(2))
    assert not found.values.any()
    assert not found.concentration.any()
    assert found.gap is None or not found.gap.any()
    assert found.error is None or not found.error.any()
    assert found.converged is None or bool(found.converged.all())
    assert found.quality is None or not found.quality.any()
    assert "nan" not in repr(found)
    if found.players is not None:
        assert found.top() == []


@pytest.mark.parametrize("method", METHOD_NAMES)
@pytest.mark.parametrize("n", [6, 16])
def test_labels_of_players_never_matter(method: str, n: int) -> None:
    labels = torch.arange(SIDE)[:, None] * 4 // SIDE * 4 + torch.arange(SIDE)[None] * 4 // SIDE
    labels = labels % n
    names = torch.from_numpy(np.random.default_rng(3).permutation(100)[:n]) - 20
    x = images(2)
    one, two = (
        attributed(made(method, critic("plain"), "region", domain=Region(mask)), x) for mask in (labels, names[labels])
    )
    assert torch.equal(one.values, two.values)
    assert one.error is None or torch.equal(one.error, two.error)
    assert torch.equal(one.players, two.players)


@pytest.mark.parametrize(("method", "domain"), PAIRS)
def test_what_was_promised_is_not_exceeded(method: str, domain: str) -> None:
    spy = Spy(Net())
    run, x = made(method, Critic(spy), domain), images(1)
    run.critic.fast(x)  # once for a critic
    spy.seen.batches.clear()
    found = attributed(run, x)
    n = 0 if found.players is None else int(groups.counts(found.players)[0])
    assert spy.seen.rows == int(found.evaluations[0])
    assert spy.seen.rows <= run.planned(n)


def no_gradients(x: Tensor) -> Tensor:
    with torch.no_grad():
        return x.flatten(1).sum(1)


def halves() -> Tensor:
    return (torch.arange(SIDE)[:, None] >= SIDE // 2).long().expand(SIDE, SIDE)


Bad = tuple[type[Exception], str, Callable[[str], Any]]
BAD: dict[str, Bad] = {
    "bytes": (TypeError, "from_uint8", lambda m: made(m, critic("plain"), "pixel").attribute(images().to(torch.uint8))),
    "0 to 255": (
        ValueError,
        r"\[-1, 1\].*from_uint8",
        lambda m: made(m, critic("plain"), "region").attribute(images().add(1).mul(127.5)),
    ),
    "one image": (ValueError, r"\(N, C, H, W\)", lambda m: made(m, critic("plain"), "pixel").attribute(images()[0])),
    "none": (ValueError, r"\(N, C, H, W\)", lambda m: made(m, critic("plain"), "region").attribute(images()[:0])),
    "array": (TypeError, "tensor", lambda m: made(m, critic("plain"), "region").attribute(images().numpy())),
    "NaN": (ValueError, "finite", lambda m: made(m, critic("plain"), "region").attribute(images() * torch.nan)),
    "side": (
        ValueError,
        "unknown side 'false'",
        lambda m: made(m, critic("plain"), "pixel").attribute(images(), side="false"),
    ),
    "mask size": (
        ValueError,
        r"mask must have the image's size \(8, 8\), got",
        lambda m: made(m, critic("plain"), "region", domain=Region(torch.arange(25).view(5, 5))).attribute(images()),
    ),
    "mask of one region": (
        ValueError,
        "one region",
        lambda m: made(m, critic("plain"), "region", domain=Region(torch.ones(SIDE, SIDE).long())).attribute(images()),
    ),
    "mask of fractions": (TypeError, "integer", lambda m: Region(torch.rand(SIDE, SIDE))),
    "no critic": (TypeError, "must be a Critic.*Critic\\(network", lambda m: METHODS.get(m)(Net())),
    "batch size": (ValueError, "batch_size must be positive", lambda m: METHODS.get(m)(critic("plain"), batch_size=0)),
    "baseline shape": (
        ValueError,
        "baseline must have the shape",
        lambda m: made(m, critic("plain"), "pixel", baseline=images(2)).attribute(images(3)),
    ),
    "baseline name": (
        ValueError,
        "did you mean 'blur'",
        lambda m: made(m, critic("plain"), "pixel", baseline="blurr").attribute(images()),
    ),
    "baseline of NaN": (
        ValueError,
        "the baseline must be finite",
        lambda m: made(m, critic("plain"), "pixel", baseline=images(1) * torch.nan).attribute(images()),
    ),
    "baseline of nothing": (
        TypeError,
        "baseline must be a tensor",
        lambda m: made(m, critic("plain"), "pixel", baseline=lambda c, x: None).attribute(images()),
    ),
    "no reals": (
        ValueError,
        "needs real images",
        lambda m: made(m, critic("plain"), "pixel", baseline="nearest_real").attribute(images()),
    ),
}


@pytest.mark.parametrize("case", sorted(BAD))
@pytest.mark.parametrize("method", METHOD_NAMES)
def test_bad_input_gets_one_sentence(method: str, case: str) -> None:
    kind, says, act = BAD[case]
    with pytest.raises(kind, match=says) as caught:
        act(method)
    one_sentence(caught.value)


def one_sentence(error: Exception) -> None:
    text = str(error)
    assert "\n" not in text
    assert ". " not in text
    assert 20 < len(text) < 240


@pytest.mark.parametrize("method", [m for m in METHOD_NAMES if METHODS.get(m).needs != "calls"])
def test_a_critic_without_gradients_is_named(method: str) -> None:
    with pytest.raises(ValueError, match=r"no gradient.*kernel_shap|module") as caught:
        made(method, Critic(no_gradients), "pixel").attribute(images())
    one_sentence(caught.value)


@pytest.mark.parametrize("method", [m for m in METHOD_NAMES if METHODS.get(m).needs == "calls"])
def test_a_critic_without_gradients_is_explained_by_calls(method: str) -> None:
    assert made(method, Critic(no_gradients), "region").attribute(images()).values.any()


@pytest.mark.parametrize("method", ["kernel_shap", "lime", "permutation_shapley"])
def test_too_many_players_are_refused_before_the_work(method: str) -> None:
    spy = Spy(Linear(torch.ones(1, 1, 64, 64)))
    run, x = made(method, Critic(spy), "pixel"), images(1, side=64)
    run.critic.fast(x)  # once for a critic
    spy.seen.batches.clear()
    with pytest.raises(ValueError, match=r"at most 1024 players, got 4096.*Region") as caught:
        run.attribute(x)
    one_sentence(caught.value)
    assert spy.seen.rows <= 2


@pytest.mark.parametrize("method", METHOD_NAMES)
def test_unknown_parameters_of_a_variant_are_named(method: str) -> None:
    with pytest.raises(ValueError, match=f"{method} has no parameter 'nonsense'"):
        made(method, critic("plain"), "region").variant(nonsense=1)


@pytest.mark.parametrize("method", METHOD_NAMES)
def test_a_variant_leaves_its_original_alone(method: str) -> None:
    run = made(method, critic("plain"), "region")
    before = copy.copy(vars(run))
    run.variant(baseline="black")
    assert vars(run) == before
