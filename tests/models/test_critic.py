"""The critic: whatever the detector looks like, its own verdict comes out, and the caller's model stays as it was."""

import copy
import random

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import leaky_relu
from torch.nn.utils import parametrizations, spectral_norm

from ganexplain import tensors
from ganexplain.models.critic import Critic
from ganexplain.models.preprocess import Preprocess
from ganexplain.models.verdict import Calibration, auc, platt

X = tensors.normal(0, "critic", shape=(5, 1, 12, 12)).clamp(-1, 1)


class Net(nn.Module):
    """Convolutions, and a head of one number, two numbers or a patch map, in the ways that people write them."""

    def __init__(self, *, shape=(1,), head="linear", act="module", norm=None, tail=None, scale=1.0):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(3)
            self.one, self.two = nn.Conv2d(1, 4, 3, 2, 1), nn.Conv2d(4, 4, 3, 2, 1)
            self.head = nn.Conv2d(4, 1, 1) if head == "patches" else nn.Linear(36, 2 if head == "two" else 1)
        self.act, self.quick = nn.LeakyReLU(0.2), nn.LeakyReLU(0.2, inplace=True)
        self.style, self.shape, self.scale = act, shape, scale
        self.norm = norm or nn.Identity()
        self.tail = tail or nn.Identity()

    def activate(self, x):
        if self.style == "functional":
            return leaky_relu(x, 0.2)
        return self.quick(x) if self.style == "inplace" else self.act(x)

    def forward(self, x):
        x = self.activate(self.two(self.norm(self.activate(self.one(x)))))
        x = self.head(x) if isinstance(self.head, nn.Conv2d) else self.head(x.flatten(1))
        return self.tail(self.scale * x if x.ndim == 4 or x.shape[1] == 2 else self.scale * x.view(len(x), *self.shape))


def plain(x=X):
    with torch.no_grad():
        return Net().eval()(x).flatten()


def close(read, wanted, tol=1e-6):
    torch.testing.assert_close(read, wanted, rtol=tol, atol=tol)


# outputs


@pytest.mark.parametrize("shape", [(), (1,), (1, 1, 1)])
@pytest.mark.parametrize("act", ["module", "inplace", "functional"])
def test_every_shape_of_one_number_and_every_activation_is_the_same_logit(shape, act):
    close(Critic(Net(shape=shape, act=act)).logits(X), plain())


def test_two_classes_as_logits_softmax_module_and_functional_softmax():
    bare = Net(head="two").eval()
    with torch.no_grad():
        z = bare(X)
    for real in (0, 1):
        wanted = z[:, real] - z[:, 1 - real]
        close(Critic(bare, output="classes", real_class=real).logits(X), wanted)
        module = Critic(nn.Sequential(bare, nn.Softmax(1)), output="class_probabilities", real_class=real)
        close(module.logits(X), wanted)
        assert module.tail == "cut"
        functional = Critic(lambda x: torch.softmax(bare(x), 1), output="class_probabilities", real_class=real)
        close(functional.logits(X), wanted, 1e-5)


def test_a_softmax_that_was_called_logits_is_cut_or_refused():
    bare = Net(head="two").eval()
    cut = Critic(nn.Sequential(bare, nn.Softmax(1)), output="classes")
    close(cut.logits(X), Critic(bare, output="classes").logits(X))
    with pytest.raises(ValueError, match="rows that sum to one"):
        Critic(lambda x: torch.softmax(bare(x), 1), output="classes").logits(X)


def test_three_classes_are_real_against_the_rest():
    class Three(nn.Module):
        def forward(self, x):
            return torch.stack([x.mean((1, 2, 3)), x.amax((1, 2, 3)), x.amin((1, 2, 3))], 1)

    p = torch.softmax(Three()(X), 1)[:, 1]
    close(Critic(Three(), output="classes", real_class=1).logits(X), torch.logit(p), 1e-5)


@pytest.mark.parametrize("polarity", ["real", "fake"])
@pytest.mark.parametrize("pool", ["mean", "max", "min", (1, 2)])
@pytest.mark.parametrize("tail", ["module", "functional"])
def test_a_patch_map_of_probabilities_is_pooled_as_the_detector_does(pool, tail, polarity):
    bare = Net(head="patches").eval()
    network = nn.Sequential(bare, nn.Sigmoid()) if tail == "module" else (lambda x: torch.sigmoid(bare(x)))
    with torch.no_grad():
        cells = torch.sigmoid(bare(X))
    own = {"mean": cells.mean((1, 2, 3)), "max": cells.amax((1, 2, 3)), "min": cells.amin((1, 2, 3))}
    wanted = cells[:, 0, 1, 2] if isinstance(pool, tuple) else own[pool]
    critic = Critic(network, output="probability", pool=pool, polarity=polarity)
    sign = 1 if polarity == "real" else -1
    close(torch.sigmoid(sign * critic.logits(X)), wanted, 1e-5)
    close(critic.judge(X).probability, wanted if polarity == "real" else 1 - wanted, 1e-5)
    assert critic.tail == ("cut" if tail == "module" else "kept")


@pytest.mark.parametrize("pool", ["mean", "max", "min", "logsumexp"])
def test_a_patch_map_of_logits(pool):
    bare = Net(head="patches").eval()
    with torch.no_grad():
        cells = bare(X).flatten(1).double().numpy()
    wanted = {
        "mean": cells.mean(1),
        "max": cells.max(1),
        "min": cells.min(1),
        "logsumexp": np.log(np.exp(cells).sum(1)),
    }
    close(Critic(bare, pool=pool).logits(X), torch.from_numpy(wanted[pool]).float(), 1e-5)


@pytest.mark.parametrize(
    ("network", "how", "message"),
    [
        (Net(head="patches"), {}, r"patch map \(5, 1, 3, 3\); say how it is pooled"),
        (Net(head="patches"), {"pool": "median"}, "unknown pool 'median'"),
        (Net(head="two"), {}, "several numbers an image; say output='classes'"),
        (Net(), {"output": "classes"}, "needs two or more numbers"),
        (Net(head="two"), {"output": "classes", "real_class": 2}, "real_class must be 0 to 1"),
        (Net(scale=50.0), {"output": "probability"}, "say output='logit'"),
        (lambda x: x.mean((1, 2, 3))[:1], {}, "one row an image"),
        (lambda x: x.mean((1, 2, 3)) / 0, {}, "must be finite"),
    ],
)
def test_an_output_that_was_not_declared_is_named(network, how, message):
    with pytest.raises(ValueError, match=message):
        Critic(network, **how).logits(X)


def test_a_tuple_is_named_and_can_be_picked_from():
    with pytest.raises(TypeError, match="must return a tensor, got tuple"):
        Critic(lambda x: (x.mean((1, 2, 3)), None)).logits(X)
    close(Critic(lambda x: (None, x.mean((1, 2, 3))), output=lambda out: out[1]).logits(X), X.mean((1, 2, 3)))


def test_words_that_do_not_exist():
    with pytest.raises(ValueError, match="did you mean 'probability'"):
        Critic(Net(), output="probabilty")
    with pytest.raises(ValueError, match="unknown polarity"):
        Critic(Net(), polarity="high")
    with pytest.raises(TypeError, match="network must be a torch module or a callable"):
        Critic("net.pt")


def test_polarity_fake_is_the_exact_negative():
    assert torch.equal(Critic(Net(), polarity="fake").logits(X), -Critic(Net()).logits(X))
    judged = Critic(lambda x: torch.full((len(x),), 3.0), polarity="fake").judge(X)
    assert judged.is_fake.all()


# the tail


def test_a_sigmoid_module_is_cut_and_the_logit_does_not_saturate():
    critic = Critic(Net(tail=nn.Sigmoid(), scale=1e4), output="probability")
    close(critic.logits(X), 1e4 * plain(), 1e-4)
    assert critic.tail == "cut"


def test_a_functional_sigmoid_is_inverted_or_named_where_it_saturates():
    critic = Critic(lambda x: torch.sigmoid(Net().eval()(x)), output="probability")
    close(critic.logits(X), plain(), 1e-4)
    with pytest.raises(ValueError, match=r"saturates at 0 or 1 for \d of 5 images.*before the sigmoid"):
        Critic(lambda x: torch.sigmoid(1e4 * Net().eval()(x)), output="probability").logits(X)


class Gated(nn.Module):
    """A squeeze-and-excitation gate with a sigmoid of its own; ``last`` says which of the two is registered last."""

    def __init__(self, last="gate", tail="module", shared=False):
        super().__init__()
        self.net, self.how = Net(), tail
        with torch.random.fork_rng():
            torch.manual_seed(1)
            self.weigh = nn.Linear(1, 1)
        gate = nn.Sigmoid()
        parts = {"gate": gate, "final": gate if shared else nn.Sigmoid()}
        for name in ("final", "gate") if last == "gate" else ("gate", "final"):
            setattr(self, name, parts[name])

    def logit(self, x):
        gate = self.gate(self.weigh(x.mean((2, 3))))
        return self.net(x * gate[:, :, None, None])

    def forward(self, x):
        return self.final(self.logit(x)) if self.how == "module" else torch.sigmoid(self.logit(x))


@pytest.mark.parametrize("last", ["gate", "final"])
@pytest.mark.parametrize("tail", ["module", "functional"])
@pytest.mark.parametrize("shared", [False, True])
def test_the_sigmoid_of_a_gate_is_never_cut(last, tail, shared):
    network = Gated(last, tail, shared).eval()
    with torch.no_grad():
        wanted = network.logit(X).flatten()
    critic = Critic(network, output="probability")
    close(critic.logits(X), wanted, 1e-4)
    assert critic.tail == ("cut" if tail == "module" else "kept")


@pytest.mark.parametrize("size", [1, 3])
def test_the_samples_that_verify_a_cut_never_exceed_the_callers_batch(size):
    seen = []

    class Spy(Gated):
        def forward(self, x):
            seen.append(len(x))
            return super().forward(x)

    critic = Critic(Spy(), output="probability")
    critic.logits(X, batch_size=size)
    assert critic.tail == "cut"
    assert max(seen) == size


def test_a_logit_has_no_tail_to_cut():
    critic = Critic(Gated(tail="functional"), output=lambda p: torch.logit(p))
    critic.logits(X)
    assert critic.tail == "none"


# the caller's model


def norms():
    return {
        "batch": nn.BatchNorm2d(4),
        "instance": nn.InstanceNorm2d(4, affine=True),
        "instance running": nn.InstanceNorm2d(4, track_running_stats=True),
        "old spectral": spectral_norm(nn.Conv2d(4, 4, 1)),
        "new spectral": parametrizations.spectral_norm(nn.Conv2d(4, 4, 1)),
        "dropout": nn.Dropout(0.5),
    }


def trained(name):
    """As training leaves it: in train mode, after forwards with gradients, .grad filled, with a hook."""
    network = Net(norm=norms()[name], act="inplace").train()
    for seed in range(3):
        network(tensors.normal(seed, "train", shape=(8, 1, 12, 12))).sum().backward()
    network.two.register_forward_hook(lambda module, inputs, output: None)
    network.one.weight.requires_grad_(False)
    return network


def world(network):
    """All that must be as it was: bits, flags, gradients, hooks, and the global random states."""
    return {
        "state": {k: v.clone() for k, v in network.state_dict().items()},
        "flags": [(m.training, getattr(m, "inplace", None)) for m in network.modules()],
        "hooks": [(len(m._forward_hooks), len(m._forward_pre_hooks)) for m in network.modules()],
        "grad": [(p.requires_grad, None if p.grad is None else p.grad.clone()) for p in network.parameters()],
        "random": (random.getstate(), np.random.get_state(legacy=True)[1].tobytes(), torch.get_rng_state().tolist()),
    }


def unchanged(before, after):
    assert before["flags"] == after["flags"]
    assert before["hooks"] == after["hooks"]
    assert before["random"] == after["random"]
    assert all(torch.equal(v, after["state"][k]) for k, v in before["state"].items())
    for (needs, grad), (needs_now, grad_now) in zip(before["grad"], after["grad"], strict=True):
        assert needs == needs_now
        assert grad is grad_now is None or torch.equal(grad, grad_now)


@pytest.mark.parametrize("name", norms())
def test_a_model_left_in_train_mode_is_judged_in_eval_mode_and_stays_as_it_was(name):
    network = trained(name)
    twin = Net(norm=norms()[name], act="inplace")
    twin.load_state_dict(network.state_dict())
    with torch.no_grad():
        wanted = twin.eval()(X).flatten()
    before, images = world(network), X.clone()
    critic = Critic(network)
    assert torch.equal(critic.logits(X), wanted)
    assert torch.equal(critic.logits(X), wanted)
    leaf = X.clone().requires_grad_(True)
    critic(leaf).sum().backward()
    assert leaf.grad.abs().sum() > 0
    critic.with_reference(X).judge(X)
    unchanged(before, world(network))
    assert torch.equal(images, X)
    close(torch.cat([critic.logits(one[None]) for one in X]), wanted, 1e-5)


@pytest.mark.parametrize("name", norms())
def test_an_exception_leaves_the_model_as_it_was(name):
    network, wide = trained(name), nn.Linear(1, 3)
    before = world(network)
    with pytest.raises(RuntimeError):
        Critic(network).logits(torch.zeros(2, 5, 12, 12))
    with pytest.raises(ValueError, match="several numbers"):
        Critic(nn.Sequential(network, wide)).judge(X)
    unchanged(before, world(network))


def test_a_model_that_draws_noise_repeats_and_leaves_the_global_state():
    class Noisy(nn.Module):
        def forward(self, x):
            return x.mean((1, 2, 3)) + torch.randn(len(x)) + random.random() + np.random.rand()

    network = Noisy()
    critic = Critic(network)
    before = world(network)
    assert torch.equal(critic.logits(X), critic.logits(X))
    unchanged(before, world(network))


def test_a_forward_that_writes_into_its_input():
    class Overwrites(nn.Module):
        def forward(self, x):
            return x.mul_(0.5).add_(0.1).mean((1, 2, 3))

    for network in (Overwrites(), Overwrites().forward):
        images = X.clone().requires_grad_(True)
        critic = Critic(network)
        value = critic(images)
        close(value.detach(), X.mean((1, 2, 3)) * 0.5 + 0.1)
        value.sum().backward()
        close(images.grad, torch.full_like(X, 0.5 / 144))
        assert torch.equal(images.detach(), X)


def test_weights_that_are_not_numbers_and_norms_without_statistics():
    network = Net()
    with torch.no_grad():
        network.two.weight[0, 0, 0, 0] = float("nan")
    with pytest.raises(ValueError, match=r"got 1 NaN or infinite values in 'two.weight'"):
        Critic(network)
    with pytest.raises(ValueError, match="'norm' has no running statistics"):
        Critic(Net(norm=nn.BatchNorm2d(4, track_running_stats=False)))


def test_which_layers_were_left_in_train_mode_is_known():
    assert Critic(Net(norm=nn.BatchNorm2d(4))).left_training == ("norm",)
    assert Critic(Net(norm=nn.BatchNorm2d(4)).eval()).left_training == ()
    assert Critic(lambda x: x.mean((1, 2, 3))).left_training == ()


def test_variants_share_no_state():
    critic = Critic(Net(tail=nn.Sigmoid()), output="probability")
    twin = critic.with_preprocess(Preprocess(value_range=(0, 1)))
    twin.logits(X)
    assert (critic.tail, twin.tail) == ("unverified", "cut")
    close(critic.logits(X), plain())
    close(twin.logits(X), plain((X + 1) / 2))
    assert copy.deepcopy(critic).logits(X).equal(critic.logits(X))


# reading


def test_preprocess_is_the_formula():
    reads = Preprocess(value_range=(0, 1), mean=(0.4,), std=(0.3,), channels=1)
    close(Critic(Net(), preprocess=reads).logits(X), plain(((X + 1) / 2 - 0.4) / 0.3), 1e-5)
    colour = tensors.normal(1, "colour", shape=(4, 3, 12, 12)).clamp(-1, 1)
    grey = (colour * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)
    close(Critic(Net(), preprocess=Preprocess(channels=1)).logits(colour), plain(grey), 1e-5)


def test_the_resize_is_pils():
    from PIL import Image

    byte = tensors.to_uint8(tensors.normal(2, "large", shape=(1, 1, 40, 28)).clamp(-1, 1))
    small = Image.fromarray(byte[0, 0].numpy()).resize((12, 12), Image.Resampling.BILINEAR)
    wanted = tensors.from_uint8(torch.from_numpy(np.array(small)))[None, None]
    read = Preprocess(size=12)(tensors.from_uint8(byte))
    assert float((read - wanted).abs().max()) < 2.1 / 255


# calibration


def test_auc_is_scikit_learns():
    from sklearn.metrics import roc_auc_score

    draw = tensors.rng(0, "auc")
    real, fake = draw.normal(0.7, 1, 80).round(1), draw.normal(0, 1, 50).round(1)  # rounded: ties
    wanted = roc_auc_score(np.r_[np.ones(80), np.zeros(50)], np.r_[real, fake])
    assert auc(torch.from_numpy(real), torch.from_numpy(fake)) == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("share", [0.5, 0.8])
def test_platt_on_gaussian_logits_is_the_closed_form(share):
    """Equal variances: log odds = (m1 - m0) / s^2 * (logit - (m1 + m0) / 2) + log(share / (1 - share))."""
    draw = tensors.rng(0, "platt")
    real, fake = torch.from_numpy(draw.normal(5, 2, 40_000)), torch.from_numpy(draw.normal(2, 2, 20_000))
    threshold, slope = platt(real, fake, share)
    assert slope == pytest.approx(3 / 4, rel=0.02)
    assert threshold == pytest.approx(3.5 - np.log(share / (1 - share)) / slope, abs=0.04)


def test_calibration_measures_on_the_other_half():
    class First(nn.Module):
        def forward(self, x):
            return x[:, 0, 0, 0]

    draw = tensors.rng(0, "halves")
    real = torch.from_numpy(draw.normal(0.2, 0.2, (4000, 1, 1, 1))).float().clamp(-1, 1)
    fake = torch.from_numpy(draw.normal(-0.2, 0.2, (4000, 1, 1, 1))).float().clamp(-1, 1)
    critic = Critic(First(), output="score")
    assert critic.unit == "score"
    assert critic.judge(real).probability is None
    known = critic.calibrate(real, fake)
    assert known.unit == "logit"
    assert critic.calibration is None
    assert (known.calibration.n_real, known.calibration.n_fake) == (2000, 2000)
    assert known.calibration.auc == pytest.approx(0.9214, abs=0.015)  # Phi(0.4 / (0.2 sqrt 2))
    assert known.calibration.threshold == pytest.approx(0, abs=0.02)
    probability = known.judge(torch.cat([real, fake])).probability
    near = (probability > 0.6) & (probability < 0.8)
    assert float((near[:4000]).sum() / near.sum()) == pytest.approx(float(probability[near].mean()), abs=0.05)
    with pytest.raises(ValueError, match="polarity may be inverted"):
        Critic(First(), polarity="fake").calibrate(real, fake)
    with pytest.raises(ValueError, match="at least 20 reals and 20 fakes, got 19 and 4000"):
        critic.calibrate(real[:19], fake)


def test_a_verdict_says_unsure_where_it_is():
    critic = Critic(lambda x: x.mean((1, 2, 3)))
    images = torch.tensor([-0.9, 0.01, 0.9]).view(3, 1, 1, 1).expand(3, 1, 4, 4)
    assert critic.judge(images).unsure.tolist() == [False, True, False]
    poor = critic.with_calibration(Calibration(0.0, 9.0, 0.7)).judge(images)
    assert poor.unsure.all()
    good = critic.with_calibration(Calibration(0.5, 9.0, 0.9)).judge(images)
    assert good.is_fake.tolist() == [True, True, False]
    close(good.evidence("fake"), torch.tensor([1.4, 0.49, -0.4]), 1e-5)
    close(good.evidence("real"), -good.evidence("fake"))


def test_a_reference_knows_its_range_and_quartiles():
    critic = Critic(Net()).with_reference(X)
    wanted = plain().double().numpy()
    assert critic.reference.iqr == pytest.approx(np.subtract(*np.quantile(wanted, [0.75, 0.25])), rel=1e-5)
    assert critic.reference.range == pytest.approx((wanted.min(), wanted.max()), rel=1e-5)
