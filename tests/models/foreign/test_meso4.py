"""Meso4 and MesoInception4 from files of Keras and of torch, and the published detector on a photographed face."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from ganexplain import Critic
from ganexplain.data.images import to_images
from ganexplain.models import checkpoints
from ganexplain.models.checkpoints import Weights
from ganexplain.models.foreign import recognised
from ganexplain.models.foreign.meso4 import Meso4
from ganexplain.models.spec import Spec
from tests.models.foreign import _detectors as made

SIDE = 2  # of the last maps; 8 in the published ones
X = made.images(size=32 * SIDE)
PLAIN = [(8, 3, 3), (8, 8, 5), (16, 8, 5), (16, 16, 5)]


def branches(given, single):
    return [(single, given, 1), (4, given, 1), (4, 4, 3), (4, given, 1), (4, 4, 3), (2, given, 1), (2, 2, 3)]


def smooth(order):
    """Weights (16, 16 * SIDE ** 2) that are alike at neighbouring places when read in this order."""
    random = np.random.default_rng(0)
    maps = torch.from_numpy(random.standard_normal((16, 16, 1, 1)) + 0.3 * random.standard_normal((16, 16, SIDE, SIDE)))
    maps = maps.float() / 16
    return (maps.permute(0, 2, 3, 1) if order == "hwc" else maps).flatten(1)


def state(*, convs, norms, counter=False, bias=True, outputs=1, order="hwc", linear=("fc1", "fc2")):
    """Tensors by name; ``convs`` and ``norms`` are (name, shape) in order."""
    make = made.Maker()
    for name, shape in convs:
        make.conv(name, *shape, bias=bias)
    for name, width in norms:
        make.norm(name, width, counter)
        make.state[f"{name}.running_mean"].abs_()  # of what a ReLU returns
    make.linear(linear[0], 16, 16 * SIDE**2)
    make.linear(linear[1], outputs, 16)
    make.state[f"{linear[0]}.weight"] = smooth(order)
    return make.state


def plain(**other):
    convs = [(f"conv{i}", shape) for i, shape in enumerate(PLAIN, 1)]
    return state(**{"convs": convs, "norms": [(f"bn{i}", w) for i, w in enumerate((8, 8, 16, 16), 1)]} | other)


def layers(s, x, convs, norms, **how):
    """Four layers and the head; ``how``: eps, first ("relu" or "norm"), order, linear, inception (names), relu."""
    eps, pools = how.get("eps", 1e-3), (2, 2, 2, 4)
    for i, (norm, pool) in enumerate(zip(norms, pools, strict=True)):
        if i < len(how.get("inception", ())):
            act = F.relu if how.get("relu", True) else (lambda y: y)
            name = how["inception"][i]
            run = [act(made.conv(x, s, name[0]))]
            for j, dilation in ((1, 1), (3, 2), (5, 3)):
                run.append(act(made.conv(act(made.conv(x, s, name[j])), s, name[j + 1], dilation=dilation)))
            x = made.norm(torch.cat(run, 1), s, norm, eps)
        else:
            x = made.conv(x, s, convs[i - len(how.get("inception", ()))])
            order = how.get("first", "relu"), *how.get("then", ("norm", "relu"))
            for word in dict.fromkeys(order):
                x = F.relu(x) if word == "relu" else made.norm(x, s, norm, eps)
        x = F.max_pool2d(x, pool, padding=how.get("padding", 0))
    x = x.permute(0, 2, 3, 1) if how.get("order", "hwc") == "hwc" else x
    one, two = how.get("linear", ("fc1", "fc2"))
    x = F.leaky_relu(F.linear(x.flatten(1), s[f"{one}.weight"], s[f"{one}.bias"]), how.get("slope", 0.1))
    return F.linear(x, s[f"{two}.weight"], s[f"{two}.bias"])


def read(tensors, **spec):
    return Meso4().read(Weights("", tensors), Spec.of(spec))


def agree(found, expected):
    with torch.no_grad():
        torch.testing.assert_close(found.network(X), expected, rtol=1e-5, atol=1e-5)


CONVS, NORMS = [f"conv{i}" for i in range(1, 5)], [f"bn{i}" for i in range(1, 5)]


@pytest.mark.parametrize("counter", [False, True])
@pytest.mark.parametrize("order", ["hwc", "chw"])
def test_the_weights_tell_how_maps_were_flattened(order, counter):
    tensors = plain(order=order, counter=counter)
    found = read(tensors)
    agree(found, layers(tensors, X, CONVS, NORMS, order=order, eps=1e-5 if counter else 1e-3))
    assert found.unknown["architecture.flatten"].startswith(f"{order} (neighbouring weights correlate by ")
    other = "chw" if order == "hwc" else "hwc"
    agree(
        read(tensors, architecture={"flatten": other, "eps": 0.1, "slope": 0.3}),
        layers(tensors, X, CONVS, NORMS, order=other, eps=0.1, slope=0.3),
    )


@pytest.mark.parametrize("counter", [False, True])
def test_weights_that_tell_nothing_leave_it_to_the_habit(counter):
    tensors = plain(counter=counter)
    tensors["fc1.weight"] = torch.zeros_like(tensors["fc1.weight"])
    said = read(tensors).unknown["architecture.flatten"]
    assert said.startswith("chw" if counter else "hwc")
    assert "tells nothing" in said


def test_a_port_that_uses_its_norms_twice():
    convs = [(f"conv{i}", shape) for i, shape in enumerate(PLAIN, 1)]
    tensors = state(
        convs=convs, norms=[("bn1", 8), ("bn2", 16)], counter=True, bias=False, outputs=2, order="chw"
    )  # HongguLiu/MesoNet-Pytorch
    found = read(tensors)
    agree(found, layers(tensors, X, CONVS, ["bn1", "bn1", "bn2", "bn2"], order="chw", eps=1e-5))
    assert (found.spec.critic.output, found.spec.critic.real_class) == ("classes", 1)
    assert found.spec.images.mean == (0.5, 0.5, 0.5)
    assert found.spec.images.resize is None


@pytest.mark.parametrize(("gap", "first"), [(2, "relu"), (1, "norm")])
def test_numbers_tell_whether_the_norm_comes_first(gap, first):
    convs = [(f"features.{4 * i}", shape) for i, shape in enumerate(PLAIN)]
    norms = [(f"features.{4 * i + gap}", w) for i, w in enumerate((8, 8, 16, 16))]
    linear = ("classifier.2", "classifier.5")
    tensors = state(convs=convs, norms=norms, counter=True, order="chw", linear=linear)
    names = [n for n, _ in convs], [n for n, _ in norms]
    found = read(tensors)
    agree(found, layers(tensors, X, *names, order="chw", eps=1e-5, first=first, linear=linear))
    said = read(tensors, architecture={"order": "norm-relu"})
    agree(said, layers(tensors, X, *names, order="chw", eps=1e-5, first="norm", linear=linear))


@pytest.mark.parametrize("port", ["Incption{}_conv{}", "inception{}.conv{}", "conv2d_{}"])
@pytest.mark.parametrize("bias", [True, False])
def test_inception_layers(port, bias):
    places = ["1", "2_1", "2_2", "3_1", "3_2", "4_1", "4_2"]
    shapes = [*branches(3, 1), *branches(11, 2), (16, 12, 5), (16, 16, 5)]
    if "conv2d" in port:
        names, norms = [port.format(i) for i in range(1, 17)], [f"batch_{i}" for i in range(1, 5)]
    else:
        names = [port.format(i, p) for i in (1, 2) for p in places] + ["conv1", "conv2"]
        norms = ["bn1", "bn2", "bn3", "bn4"]
        if port.startswith("Inc"):
            norms = ["Incption1_bn", "Incption2_bn", "bn1"]
    widths = (11, 12, 16, 16)[: len(norms)]
    tensors = state(convs=list(zip(names, shapes, strict=True)), norms=list(zip(norms, widths, strict=True)), bias=bias)
    found = read(dict(sorted(tensors.items())))  # as safetensors keeps them
    used = norms if len(norms) == 4 else [*norms, norms[-1]]
    how = {"inception": [names[:7], names[7:14]], "relu": bias}
    agree(found, layers(tensors, X, names[14:], used, **how))
    said = read(tensors, architecture={"inception_relu": not bias})
    agree(said, layers(tensors, X, names[14:], used, **(how | {"relu": not bias})))
    assert "MesoInception4" in found.lines[0]


def test_means_that_no_relu_has_tell_that_the_norm_comes_first():
    tensors = plain(counter=True, order="chw")
    tensors["bn3.running_mean"][2] = -0.1
    found = read(tensors)
    agree(found, layers(tensors, X, CONVS, NORMS, order="chw", eps=1e-5, first="norm"))
    assert "not of a ReLU" in found.unknown["architecture.order"]
    how = {"order": "chw", "eps": 1e-5, "first": "norm", "then": ()}
    for padding in (0, 1):
        said = read(tensors, architecture={"order": "norm", "pool_padding": padding})
        agree(said, layers(tensors, X, CONVS, NORMS, padding=padding, **how))
        assert "ReLU" not in said.lines[0]


def test_what_is_assumed_is_named():
    found = read(plain())
    assert (found.spec.critic.output, found.spec.critic.polarity) == ("logit", "real")
    assert (found.spec.images.range, found.spec.images.size, found.spec.images.resize) == ((0, 1), 64, "bicubic")
    keys = {"critic.polarity", "images.range", "images.resize"}
    keys |= {f"architecture.{name}" for name in ("flatten", "order", "eps", "slope", "pool_padding")}
    assert set(found.unknown) == keys
    assert read(plain(), architecture={"last_pool": 2}).spec.images.size == 32
    said = {"flatten": "hwc", "order": "relu-norm", "eps": 1e-3, "slope": 0.1}
    assert set(read(plain(), architecture=said).unknown) == keys - {f"architecture.{name}" for name in said}
    for wrong, message in (
        ({"flatten": "hcw"}, "flatten 'hcw'; did you mean"),
        ({"eps": "small"}, "eps must be a float, got 'small'"),
        ({"inception_relu": 1}, "inception_relu must be a bool, got 1"),
        ({"last_pool": 0}, "last_pool must be at least 1, got 0"),
        ({"pool_padding": 2}, "pool_padding must be 0 or 1, got 2"),
        ({"pool_padding": 1, "last_pool": 2}, "give 3 x 3 with .* pool_padding = 1; say 0"),
    ):
        with pytest.raises(ValueError, match=message):
            read(plain(), architecture=wrong)


def test_other_networks_are_left_alone_and_ruins_refused():
    assert read({"conv1.weight": torch.ones(8, 3, 3, 3)}) is None
    assert read({n: v for n, v in plain().items() if not n.startswith("bn2")}) is None
    with pytest.raises(ValueError, match="does not know: extra.weight"):
        read({**plain(), "extra.weight": torch.ones(3)})
    odd = plain()
    odd["fc1.weight"] = torch.ones(16, 48)
    with pytest.raises(ValueError, match="must read 16 square maps, got 48 numbers"):
        read(odd)
    assert recognised(Weights("", plain()), Spec()).layout == "meso4"


def test_the_published_detector_on_a_photographed_face(assets):
    from skimage import data

    found = recognised(checkpoints.read(assets / "meso4" / "meso4_df.safetensors").network(), Spec())
    assert found.layout == "meso4"
    assert found.unknown["architecture.flatten"].startswith("hwc (neighbouring weights correlate by 0.25 as hwc")
    judge = Critic(found.network, preprocess=found.spec.images.preprocess(), output="logit", polarity="real")
    face = Image.fromarray(data.astronaut()).crop((150, 30, 300, 180))
    wanted = {Image.Resampling.BICUBIC: 0.997, Image.Resampling.BILINEAR: 0.978}
    for how, real in wanted.items():
        probability = torch.sigmoid(judge.logits(to_images(face.resize((256, 256), how))))
        assert float(probability) == pytest.approx(real, abs=1e-3)
    assert float(torch.sigmoid(judge.logits(to_images(face)))) == pytest.approx(0.997, abs=1e-3)
