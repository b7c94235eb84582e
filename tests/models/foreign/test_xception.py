"""Xceptions from files: the oracle is the same network as a function of its state dict, and the published count."""

import pytest
import torch
from torch.nn import functional as F

from ganexplain.models.checkpoints import Weights
from ganexplain.models.foreign import recognised
from ganexplain.models.foreign.xception import Xception
from ganexplain.models.spec import Spec
from tests.models.foreign import _detectors as made

WIDTHS = (32, 64, 128, 256, 728, 1024, 1536, 2048)
SMALL = (2, 4, 6, 8, 10, 12, 14, 16)
# (out, convolutions, whether it begins with ReLU, whether the first convolution widens), places of widths
PLAN = [(2, 2, False, True), (3, 2, True, True), (4, 2, True, True), *[(4, 3, True, True)] * 8, (5, 2, True, False)]


def state(widths=SMALL, outputs=2, head="last_linear", plan=PLAN):
    make = made.Maker()

    def separable(name, given, out):
        make.conv(f"{name}.conv1", given, 1)
        make.conv(f"{name}.pointwise", out, given, 1)

    make.conv("conv1", widths[0], 3)
    make.norm("bn1", widths[0])
    have = make.conv("conv2", widths[1], widths[0])
    make.norm("bn2", have)
    for i, (place, count, starts, grows) in enumerate(plan, 1):
        out, first = widths[place], int(starts)
        for j in range(count):
            wide = out if grows or j == count - 1 else have
            narrow = have if j == 0 or not grows else out
            separable(f"block{i}.rep.{first + 3 * j}", narrow, wide)
            make.norm(f"block{i}.rep.{first + 3 * j + 1}", wide)
        if out != have:
            make.conv(f"block{i}.skip", out, have, 1)
            make.norm(f"block{i}.skipbn", out)
        have = out
    for name, given, out in (("3", widths[5], widths[6]), ("4", widths[6], widths[7])):
        separable(f"conv{name}", given, out)
        make.norm(f"bn{name}", out)
    make.linear(head, outputs, widths[7])
    return make.state


def logits(x, s, plan=PLAN, head="last_linear"):
    def separable(x, name):
        return made.conv(made.conv(x, s, f"{name}.conv1"), s, f"{name}.pointwise")

    x = F.relu(made.norm(made.conv(x, s, "conv1", 2, 0), s, "bn1"))
    x = F.relu(made.norm(made.conv(x, s, "conv2", 1, 0), s, "bn2"))
    for i, (_, count, starts, _grows) in enumerate(plan, 1):
        y = x
        for j in range(count):
            place = 3 * j + starts
            y = F.relu(y) if j or starts else y
            y = made.norm(separable(y, f"block{i}.rep.{place}"), s, f"block{i}.rep.{place + 1}")
        if f"block{i}.skip.weight" in s:
            y = F.max_pool2d(y, 3, 2, 1)
            x = made.norm(made.conv(x, s, f"block{i}.skip", 2, 0), s, f"block{i}.skipbn")
        x = x + y
    for k in ("3", "4"):
        x = F.relu(made.norm(separable(x, f"conv{k}"), s, f"bn{k}"))
    return F.linear(x.mean((2, 3)), s[f"{head}.weight"], s[f"{head}.bias"])


def read(tensors, **spec):
    return Xception().read(Weights("", tensors), Spec.of(spec))


def agree(found, expected, x):
    with torch.no_grad():
        torch.testing.assert_close(found.network(x), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("head", ["last_linear", "fc", "last_linear.1"])
def test_it_computes_what_its_author_did(head):
    tensors = state(head=head)
    x = made.images(size=71)
    found, expected = read(tensors), logits(x, tensors, head=head)
    agree(found, expected, x)
    old = {f"model.{n}": v[:, :, 0, 0] if "pointwise" in n else v for n, v in tensors.items()}
    agree(read(old), expected, x)  # FaceForensics++: matrices for kernels of 1 x 1, a prefix
    unused = {"adjust_channel.0.weight": torch.ones(5, 16, 1, 1), "adjust_channel.1.running_mean": torch.ones(5)}
    agree(read({**tensors, **unused}), expected, x)


def test_a_shallow_one():
    plan = [*PLAN[:3], PLAN[-1]]
    tensors = state(plan=plan)
    agree(read(tensors), logits(made.images(), tensors, plan), made.images())
    assert "4 blocks" in read(tensors).lines[0]


def test_the_published_number_of_parameters():
    full = state((32, 64, 128, 256, 728, 1024, 1536, 2048), 1000)
    found = read(full)
    assert sum(p.numel() for p in found.network.parameters()) == 22_855_952


def test_what_is_assumed_is_named():
    found = read(state())
    assert (found.spec.critic.output, found.spec.critic.real_class) == ("classes", 0)
    assert (found.spec.images.size, found.spec.images.mean, found.spec.images.std) == (299, (0.5,) * 3, (0.5,) * 3)
    assert {"critic.real_class", "images.range", "images.size"} == set(found.unknown)
    assert read(state(outputs=1)).spec.critic.polarity == "fake"
    assert read(state(), critic={"real_class": 1}).spec.critic.real_class == 1
    assert read(state(), architecture={"resize": False}).spec.images.size is None


def test_ruins_are_refused():
    whole = state()
    for name, message in (
        ("block2.skip", "has no block2.skip"),
        ("block5.", "block1 to block11, got block1, block2, block3, block4 and 7 more"),
        ("last_linear", "it has no head"),
        ("bn3.running_var", "lacks bn3.running_var"),
    ):
        with pytest.raises(ValueError, match=message):
            read({n: v for n, v in whole.items() if not n.startswith(name)})
    with pytest.raises(ValueError, match=r"does not know: block3\.extra\.weight"):
        read({**whole, "block3.extra.weight": torch.ones(3)})
    assert read({"block1.rep.1.conv1.weight": torch.ones(1)}) is None


def test_it_is_recognised():
    assert recognised(Weights("", state()), Spec()).layout == "xception"
