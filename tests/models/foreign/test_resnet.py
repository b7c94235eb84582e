"""ResNets from files: the oracle is the same network written as a function of its state dict, and published counts."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from ganexplain import Critic
from ganexplain.models.checkpoints import Weights
from ganexplain.models.foreign import recognised
from ganexplain.models.foreign.resnet import ResNet
from ganexplain.models.spec import Spec
from tests.models.foreign import _detectors as made


def read(state, **spec):
    return ResNet().read(Weights("", state), Spec.of(spec))


def agree(found, expected, x):
    with torch.no_grad():
        torch.testing.assert_close(found.network(x), expected, rtol=1e-5, atol=1e-5)


BODIES = {
    "basic": {},
    "deeper": {"counts": (2, 1, 2, 1)},
    "bottleneck": {"deep": True},
    "ResNeXt": {"deep": True, "groups": 2, "inner": 2},
    "wide": {"deep": True, "inner": 2},
    "three stages": {"counts": (1, 2, 1)},
    "grey": {"channels": 1},
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_it_computes_what_its_author_did(body):
    state = made.resnet(**body)
    last = 4 * 2 ** (len(body.get("counts", "four")) - 1) * (4 if body.get("deep") else 1)
    state = made.headed(state, last, 2)
    x = made.images(channels=body.get("channels", 3))
    agree(read(state), made.resnet_logits(x, state), x)


def test_the_form_of_small_images():
    state = made.headed(made.resnet(kernel=3, short="shortcut"), 32, name="fc")
    renamed = {name.replace("fc.", "linear."): value for name, value in state.items()}
    found = read(renamed)
    agree(found, made.resnet_logits(made.images(size=32), state, stem=1, pool=0), made.images(size=32))
    assert found.spec.images.size == 32
    wide = made.headed(made.resnet(kernel=3, short="shortcut"), 32 * 4, name="linear")
    maps = made.features(made.images(size=64), wide, stem=1, pool=0)  # 8 x 8, averaged in windows of 4, flattened
    wanted = F.linear(F.avg_pool2d(maps, 4).flatten(1), wide["linear.weight"], wide["linear.bias"])
    found = read(wide)
    agree(found, wanted, made.images(size=64))
    assert found.spec.images.size == 64


@pytest.mark.parametrize("prefix", ["model.", "encoder.", "backbone.resnet.", "net.0."])
def test_names_may_begin_anywhere(prefix):
    state = made.headed(made.resnet(), 32)
    found = read({f"{prefix}{name}": value for name, value in state.items()})
    agree(found, made.resnet_logits(made.images(), state), made.images())


def test_a_body_that_was_cut_into_its_children():
    state = made.headed(made.resnet(), 32)
    places = {"conv1": "0", "bn1": "1", "layer1": "4", "layer2": "5", "layer3": "6", "layer4": "7"}
    cut = {}
    for name, value in state.items():
        first, _, rest = name.partition(".")
        cut[f"features.{places[first]}.{rest}" if first in places else f"classifier.{rest}"] = value
    agree(read(cut), made.resnet_logits(made.images(), state), made.images())


def head(*layers):
    make = made.Maker(2)
    for name, out, given in layers:
        make.norm(name, out) if given is None else make.linear(name, out, given)
    return make.state


HEADS = {
    "behind dropout": (head(("fc.1", 2, 32)), lambda x, s: F.linear(x, s["fc.1.weight"], s["fc.1.bias"])),
    "room for ReLU": (
        head(("fc.0", 8, 32), ("fc.3", 1, 8)),
        lambda x, s: F.linear(F.relu(F.linear(x, s["fc.0.weight"], s["fc.0.bias"])), s["fc.3.weight"], s["fc.3.bias"]),
    ),
    "no room": (
        head(("fc.0", 8, 32), ("fc.1", 1, 8)),
        lambda x, s: F.linear(F.linear(x, s["fc.0.weight"], s["fc.0.bias"]), s["fc.1.weight"], s["fc.1.bias"]),
    ),
    "with a norm": (
        head(("fc.0", 32, None), ("fc.1", 1, 32)),
        lambda x, s: F.linear(made.norm(x, s, "fc.0"), s["fc.1.weight"], s["fc.1.bias"]),
    ),
    "after its old classes": (
        head(("classifier", 2, 10), ("fc", 10, 32)),
        lambda x, s: F.linear(F.linear(x, s["fc.weight"], s["fc.bias"]), s["classifier.weight"], s["classifier.bias"]),
    ),
}


@pytest.mark.parametrize("layers", HEADS.values(), ids=HEADS)
def test_heads(layers):
    own, expected = layers
    state = {**made.resnet(), **own}
    agree(read(state), expected(made.features(made.images(), state).mean((2, 3)), state), made.images())


def test_a_head_of_1x1_convolution_and_an_activation_that_the_spec_says():
    state = made.headed(made.resnet(), 32)
    agree(
        read({**state, "fc.weight": state["fc.weight"][:, :, None, None]}),
        made.resnet_logits(made.images(), state),
        made.images(),
    )
    own = head(("fc.0", 8, 32), ("fc.3", 1, 8))
    state = {**made.resnet(), **own}
    inner = torch.tanh(
        F.linear(made.features(made.images(), state).mean((2, 3)), state["fc.0.weight"], state["fc.0.bias"])
    )
    found = read(state, architecture={"head_activation": "tanh"})
    agree(found, F.linear(inner, state["fc.3.weight"], state["fc.3.bias"]), made.images())
    assert "tanh" in found.lines[1]
    with pytest.raises(ValueError, match=r"head_activation '3' \(there are: none, relu, tanh, gelu\)"):
        read(state, architecture={"head_activation": 3})


def test_strides_that_the_file_does_not_hold():
    state = made.headed(made.resnet(deep=True), 128)
    found = read(state, architecture={"stem_stride": 1, "max_pool": 1})
    agree(found, made.resnet_logits(made.images(size=24), state, stem=1, pool=1), made.images(size=24))
    found = read(state, architecture={"stride_at": 1})
    agree(found, made.resnet_logits(made.images(), state, at=1), made.images())
    assert "stem_stride" in found.unknown["architecture.strides"]
    for wrong in ({"strides": [1, 2]}, {"strides": "2"}, {"stem_stride": 0}, {"stem_stride": "2"}, {"max_pool": True}):
        with pytest.raises(ValueError, match=r"\[architecture\] (strides|stem_stride) must be"):
            read(state, architecture=wrong)


def test_npr_reads_what_upsampling_leaves():
    state = made.headed(made.resnet((1, 1), kernel=3, deep=True), 32, name="fc1")
    found = read(state)
    x = made.images(size=33)
    even = x[:, :, :32, :32]
    residue = even - even[:, :, ::2, ::2].repeat_interleave(2, 2).repeat_interleave(2, 3)
    maps = made.features(residue * 2 / 3, state)
    agree(found, F.linear(maps.mean((2, 3)), state["fc1.weight"], state["fc1.bias"]), x)
    assert "NPR" in found.lines[0]
    enlarged = made.images(size=16).repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert torch.equal(found.network(enlarged), found.network(0 * enlarged))


@pytest.mark.parametrize(
    ("counts", "deep", "parameters", "name"),
    [((2, 2, 2, 2), False, 11_689_512, "ResNet-18"), ((3, 4, 6, 3), True, 25_557_032, "ResNet-50")],
)
def test_published_numbers_of_parameters(counts, deep, parameters, name):
    small = made.headed(made.resnet(counts, width=1, deep=deep), 8 * (4 if deep else 1), 1000)
    state = {}
    for key, value in small.items():
        shape = [n if i > 1 else n * 64 for i, n in enumerate(value.shape)]
        if key == "conv1.weight":
            shape[1] = 3
        if key.startswith("fc."):
            shape[0] = 1000
        state[key] = torch.zeros(shape) if not shape else torch.zeros(1).expand(shape)
    found = read(state)
    assert sum(p.numel() for p in found.network.parameters()) == parameters
    assert found.lines[0].startswith(f"{name}: ")


def test_what_is_assumed_is_named_and_what_is_said_wins():
    state = made.headed(made.resnet(), 32)
    found = read(state)
    assert (found.spec.critic.output, found.spec.critic.polarity) == ("logit", "fake")
    assert (found.spec.images.range, found.spec.images.size, found.spec.images.channels) == ((0, 1), 224, 3)
    assert found.spec.images.mean == (0.485, 0.456, 0.406)
    assert {"critic.polarity", "images.range", "images.size", "architecture.strides"} == set(found.unknown)
    said = read(state, critic={"polarity": "real", "output": "probability"}, images={"range": [-1, 1], "size": 64})
    assert (said.spec.critic.output, said.spec.critic.polarity) == ("logit", "real")  # no sigmoid is rebuilt
    assert (said.spec.images.range, said.spec.images.size, said.spec.images.mean) == ((-1, 1), 64, None)
    assert set(said.unknown) == {"architecture.strides"}
    assert read(state, architecture={"resize": False}).spec.images.size is None
    two = read(made.headed(made.resnet(), 32, 2))
    assert (two.spec.critic.output, two.spec.critic.real_class, two.spec.critic.polarity) == ("classes", 1, None)
    assert "'fake' before 'real'" in two.unknown["critic.real_class"]
    assert "one of 5 classes" in read(made.headed(made.resnet(), 32, 5)).unknown["critic.real_class"]


def test_a_critic_of_it_says_real_for_a_low_logit():
    state = made.headed(made.resnet(), 32)
    found = read(state, images={"size": 40})
    said = {name: value for name, value in vars(found.spec.critic).items() if value is not None}
    judge = Critic(found.network, preprocess=found.spec.images.preprocess(), **said)
    x = made.images().clamp(-1, 1)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    expected = -made.resnet_logits(((x + 1) / 2 - mean) / std, state)[:, 0]
    torch.testing.assert_close(judge(x), expected, rtol=1e-4, atol=1e-4)


def changed(**tensors):
    state = made.headed(made.resnet(), 32)
    for name, value in tensors.items():
        key = name.replace("__", ".")
        state = {k: v for k, v in state.items() if not k.startswith(key)} if value is None else {**state, key: value}
    return state


ones = torch.ones
REFUSED = {
    "antialiased": (changed(layer2__0__downsample__0__filt=ones(4, 1, 3, 3)), "antialiased"),
    "squeeze": (changed(layer1__0__se__fc1__weight=ones(1, 4, 1, 1)), "parts of its own"),
    "deep stem": (changed(conv1__0__weight=ones(4, 3, 3, 3)), "a stem of several convolutions"),
    "ResNet-D": (changed(layer2__0__downsample__1__weight=ones(8, 4, 1, 1)), "average pooling in its shortcuts"),
    "pre-activation": (changed(bn1=None), "pre-activation"),
    "other norm": (changed(bn1__running_mean=None), "must be a BatchNorm with running_mean"),
    "no head": (changed(fc=None), "it has no head"),
    "two heads": (changed(other__weight=ones(3, 32)), "if there are several heads"),
    "a decoder": (changed(decoder__weight=ones(3, 32, 3, 3)), "if there are several heads"),
    "half a norm": (changed(layer1__0__bn2__running_var=None), "lacks layer1.0.bn2.running_var"),
    "no projection": (changed(layer2__0__downsample=None), "no downsample.0"),
    "a width": (changed(layer3__0__conv2__weight=ones(16, 3, 3, 3)), "reads 3 channels a group, but 16 come to it"),
    "a shape": (changed(layer3__0__bn2__bias=ones(3)), r"must have the shape \(16,\), got \(3,\)"),
    "one stage": (changed(layer2=None, layer3=None, layer4=None), "three or four stages, got 1"),
    "no kernel": (changed(conv1__weight=ones(3, 3)), "must be the kernel"),
}


@pytest.mark.parametrize(("state", "message"), REFUSED.values(), ids=REFUSED)
def test_relatives_and_ruins_are_refused(state, message):
    with pytest.raises(ValueError, match=message):
        read(state)


def test_one_of_several_heads_or_networks():
    state = {**made.headed(made.resnet(), 32), "other.weight": torch.ones(3, 32)}
    assert read(state, architecture={"head": "other"}).network.head[0].out_features == 3
    with pytest.raises(ValueError, match="no layer is called 'kopf'"):
        read(state, architecture={"head": "kopf"})
    twice = {f"{side}.{name}": value for side in "ab" for name, value in state.items()}
    with pytest.raises(ValueError, match="expected one ResNet, got 2: 'a.', 'b.'"):
        read(twice)


def test_it_is_recognised_and_claims_no_other():
    for body, width in (
        (made.resnet(), 32),
        (made.resnet(kernel=3, short="shortcut"), 32),
        (made.resnet(deep=True), 128),
    ):
        assert recognised(Weights("", made.headed(body, width)), Spec()).layout == "resnet"
    assert read({"main.0.weight": torch.ones(4, 3, 4, 4)}) is None
    assert read({"4.0.conv1.weight": torch.ones(4, 3, 4, 4)}) is None


def test_half_precision_and_the_callers_random_stream():
    state = made.headed(made.resnet(), 32)
    before, numbers = torch.get_rng_state(), np.random.get_state()[1].copy()
    found = read({name: v.half() if v.is_floating_point() else v for name, v in state.items()})
    assert torch.equal(before, torch.get_rng_state())
    assert (numbers == np.random.get_state()[1]).all()
    assert {p.dtype for p in found.network.parameters()} == {torch.float32}
    found.network.get_submodule("conv1").weight.data.zero_()
    assert float(state["conv1.weight"].abs().max()) > 0
