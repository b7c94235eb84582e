"""Critics that judge an image given its class: one label, another, all of them, and what each side contributes."""

import pytest
import torch
from torch import Tensor, nn

from ganexplain.attribution.methods.integrated_gradients import IntegratedGradients
from ganexplain.attribution.methods.kernel_shap import KernelShap
from ganexplain.models.conditional import Bound, Conditioned
from ganexplain.models.critic import Critic
from ganexplain.models.generator import Generator
from ganexplain.models.labelled import LabelReading, reading, under_all
from ganexplain.models.verdict import Calibration

K, SIDE, WIDTH = 5, 4, 6


class Projection(nn.Module):
    """Miyato and Koyama 2018 with linear features: logit = (w + v_y) . (A x)."""

    def __init__(self, end: nn.Module | None = None) -> None:
        super().__init__()
        made = torch.Generator().manual_seed(3)
        self.features, self.own = nn.Linear(SIDE * SIDE, WIDTH, bias=False), nn.Linear(WIDTH, 1, bias=False)
        self.embed, self.end = nn.Embedding(K, WIDTH), end or nn.Identity()
        for parameter in self.parameters():
            nn.init.normal_(parameter, generator=made)
        self.seen: list[int] = []

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        self.seen.append(len(x))
        features = self.features(x.flatten(1))
        return self.end(self.own(features) + (features * self.embed(labels)).sum(1, keepdim=True))

    def weights(self) -> Tensor:
        """(K, SIDE * SIDE) of the linear critic under each label."""
        return ((self.own.weight + self.embed.weight) @ self.features.weight).detach()


NET = Projection()
X = torch.rand(7, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(5)) * 2 - 1


def critic(network=NET, label=2, **more) -> Critic:
    return Critic(network, num_classes=K, label=label, **more)


@pytest.mark.parametrize("network", [NET, lambda x, labels: NET(x, labels)], ids=["module", "callable"])
def test_one_label_and_another(network):
    wanted = X.flatten(1) @ NET.weights().T
    judge = critic(network)
    assert isinstance(judge.network, Conditioned if network is NET else Bound)
    torch.testing.assert_close(judge(X), wanted[:, 2])
    for label in range(K):
        torch.testing.assert_close(judge.given(label)(X), wanted[:, label])
    torch.testing.assert_close(judge.given(4).given(1)(X), wanted[:, 1])
    assert (judge.label, judge.given(4).label, judge.num_classes) == (2, 4, K)
    torch.testing.assert_close(under_all(judge, X, batch_size=4), wanted)


def test_another_label_drops_what_no_longer_holds():
    judge = critic().with_reference(X[:5]).with_calibration(Calibration(1.0, 2.0, 0.9))
    judge.fast(X)  # a folded twin of label 2 is kept
    other = judge.given(0)
    assert other.calibration is None
    torch.testing.assert_close(other.reference.logits, other(X[:5]))
    torch.testing.assert_close(other.fast(X)(X), other(X))
    assert not torch.equal(other(X), judge(X))
    torch.testing.assert_close(judge.reference.logits, judge(X[:5]))


def test_the_generator_draws_the_class_that_is_judged():
    class Draws(nn.Module):
        def forward(self, z, labels):
            return (z[:, :1, None, None] * 0 + labels.view(-1, 1, 1, 1) / 10).expand(-1, 1, SIDE, SIDE)

    made = Generator.wrap(Draws(), z_dim=2, num_classes=K).given(2)
    assert critic().with_generator(made).given(4).generator.label == 4
    plain = Generator.wrap(nn.Sequential(nn.Linear(2, 16), nn.Unflatten(1, (1, SIDE, SIDE))), z_dim=2)
    assert critic().with_generator(plain).given(4).generator is plain


def test_a_sigmoid_is_cut_under_every_label():
    judge = critic(Projection(nn.Sigmoid()), output="probability", polarity="fake")
    wanted = -(X.flatten(1) @ NET.weights().T)
    found = under_all(judge, X, batch_size=3)
    assert judge.tail == "cut"
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(judge.given(1)(20 * X / X.abs().max()), 20 / X.abs().max() * wanted[:, 1])


def test_images_that_are_judged_alone():
    class Grouped(Projection):
        def forward(self, x, labels):
            return super().forward(x, labels) + x.flatten(1).std(0, unbiased=False).mean()

    judge = critic(Grouped())
    torch.testing.assert_close(under_all(judge, X, batch_size=4), X.flatten(1) @ NET.weights().T)


@pytest.mark.parametrize("method", [IntegratedGradients, KernelShap])
def test_the_image_given_a_label_is_attributed_as_ever(method):
    given = critic(NET.double(), label=0).given(3)
    found = method(given, baseline=X[1:2].double()).attribute(X[:1].double(), side="real")
    exact = (NET.weights()[3] * (X[0] - X[1]).flatten().double()).view(1, 1, SIDE, SIDE)
    if method is IntegratedGradients:
        torch.testing.assert_close(found.values, exact)
    else:
        torch.testing.assert_close(found.values.sum(), exact.sum())
    NET.float()


def test_the_label_alone_in_closed_form():
    found = reading(critic(), X[:1], class_names=tuple("abcde"))
    embedded, features = NET.embed.weight.detach(), NET.features(X[:1].flatten(1))[0].detach()
    expected = (embedded[2] - embedded.mean(0)) @ features
    assert found.label_part == pytest.approx(float(expected), rel=1e-5)
    assert (found.given, found.image_part, found.origin, found.unit) == (2, None, None, "logit")
    torch.testing.assert_close(found.logits, NET.weights() @ X[0].flatten())
    assert found.name(3) == "label 3 (d)"


def test_image_and_label_share_the_verdict_exactly():
    judge, reals = critic().with_reference(X[1:]), NET.features(X[1:].flatten(1)).mean(0).detach()
    found, features = reading(judge, X[:1]), NET.features(X[:1].flatten(1))[0].detach()
    own, embedded = NET.own.weight[0].detach(), NET.embed.weight.detach()
    label = (embedded[2] - embedded.mean(0)) @ (features + reals) / 2
    image = (own + (embedded[2] + embedded.mean(0)) / 2) @ (features - reals)
    assert found.label_part == pytest.approx(float(label), rel=1e-4)
    assert found.image_part == pytest.approx(float(image), rel=1e-4)
    assert found.origin + found.label_part + found.image_part == pytest.approx(float(found.logits[2]), rel=1e-5)
    given = reading(critic(), X[:1], X[1:])
    assert (given.label_part, given.image_part) == (found.label_part, found.image_part)


def test_how_well_labels_are_told_apart_is_counted_on_the_reals():
    own = torch.tensor([0, 1, 2, 3, 4, 0, 1])
    logits = X.flatten(1) @ NET.weights().T
    counted = [float((logits[i, y] > logits[i, torch.arange(K) != y]).float().mean()) for i, y in enumerate(own)]
    found = reading(critic().with_reference(X, labels=own), X[:1])
    assert found.matched == pytest.approx(sum(counted) / len(counted))
    assert found.deaf == (found.matched < 0.75)
    best = reading(critic().with_reference(X, labels=logits.argmax(1)), X[:1])
    assert (best.matched, best.deaf) == (1.0, False)
    assert reading(critic().with_reference(X), X[:1]).matched is None  # nobody said which class they are of
    assert reading(critic().with_reference(X, labels=own), X[:1], X[:3].clone()).matched is None
    constant = Critic(lambda x, labels: x.flatten(1).sum(1), num_classes=K, label=2).with_reference(X, labels=own)
    assert reading(constant, X[:1]).matched == pytest.approx(0.5)


def test_batches_and_bounds(monkeypatch):
    network = Projection()
    judge = critic(network)
    judge.network.network.seen = seen = []
    one, many = (reading(judge, X[:1], X[1:], batch_size=size) for size in (1, 64))
    assert one.label_part == pytest.approx(many.label_part, abs=1e-6)
    assert set(seen[:1]) == {1}
    seen.clear()
    reading(judge, X[:1], X[1:], batch_size=4)
    assert max(seen) <= 4
    monkeypatch.setattr("ganexplain.models.labelled.EVALUATIONS", 2 * K)
    few = reading(judge, X[:1], X)
    assert few.origin == pytest.approx(float(under_all(judge, X[[0, 6]]).mean()), rel=1e-5)


def of(logits, given, **facts) -> LabelReading:
    return LabelReading(given, torch.tensor(logits), facts.pop("threshold", 0.0), 0.0, **facts)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (
            of([-1.0, 2.0, 0.5], 0, class_names=("a shoe", "a shirt", "a coat")),
            "judged fake given label 0 (a shoe), but real given label 1 (a shirt): the image looks like a real of "
            "another class",
        ),
        (of([-1.0, -2.0], 1), "judged fake under every label"),
        (of([1.0, 2.0], 1), "judged real under every label"),
        (of([1.0, 2.0, -1.0], 1), "judged real given label 1"),
        (of([1.0, 2.0, -1.0], 0), "judged real given label 0, and more clearly so given label 1"),
        (of([1.0, 2.0], 0, threshold=3.0), "judged fake under every label"),
        (
            of([1.0, 2.0], 0, placed=False),
            "scored 1.00 given label 0, and 2.00 at most, given label 1; nothing says which score is fake",
        ),
        (
            of([1.0, 2.0], 1, placed=False),
            "scored 2.00 given label 1, its highest of all labels; nothing says which score is fake",
        ),
        (
            of([-1.0, 2.0], 0, matched=0.46),
            "judged fake given label 0; other labels mean nothing here, since a known real is more real under its own "
            "label than under another one 46 times in 100",
        ),
        (of([-1.0, -2.0], 1, matched=0.98), "judged fake under every label"),
    ],
)
def test_words(found, words):
    assert found.words == words


def test_a_score_without_reals_is_placed_by_nothing():
    assert not reading(critic(output="score"), X[:1]).placed
    known = critic(output="score").with_reference(X[1:])
    assert reading(known, X[:1]).placed
    assert reading(known, X[:1]).threshold == known.threshold


def test_the_caller_is_left_as_it_was():
    judge, state, x = critic(), torch.get_rng_state(), X[:1].clone()
    before = judge(X)
    reading(judge, x, X)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(judge(X), before)
    assert torch.equal(x, X[:1])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Critic(NET, num_classes=K), r"judges an image given its class; say which: label=0 to 4"),
        (lambda: Critic(NET, label=3), "label=3 needs num_classes"),
        (lambda: critic(label=5), "label must be 0 to 4, got 5"),
        (lambda: critic(label=True), "label must be 0 to 4, got True"),
        (lambda: critic().given(-1), "label must be 0 to 4, got -1"),
        (lambda: Critic(nn.Flatten()).given(0), "knows no classes"),
        (lambda: reading(Critic(nn.Flatten()), X[:1]), "takes no labels"),
        (lambda: reading(critic(), X[:1], class_names=("a",)), "class_names must be 5 names, one a class, got 1"),
        (lambda: reading(critic(), X), "one image is read at a time, got 7"),
        (lambda: reading(Critic(NET, num_classes=1001, label=0), X[:1]), "at most 1000 labels"),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()
