"""Critics: the bundled judge, families and other people's critics, right and broken."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

import ganexplain as ge
from benchmarks._doctor.wiring import (
    ASSETS,
    Subject,
    Wiring,
    after,
    before,
    example,
    fakes,
    judge,
    normed,
    reals,
    subject,
    tinted,
)
from ganexplain.data.images import read_image
from ganexplain.data.tiles import cut
from ganexplain.models.generator import Generator
from ganexplain.models.preprocess import Preprocess
from ganexplain.models.resolve import critic_of, generator_of

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
REAL_TINT, FAKE_TINT = (1.0, 0.7, 0.4), (0.85, 0.75, 0.6)


def unit(network: nn.Module) -> nn.Module:
    """The network on images in [0, 1]."""
    return before(lambda x: x * 2 - 1, network)


def imagenet(network: nn.Module) -> nn.Module:
    """The network on colour images normalised as ImageNet's are."""
    mean, std = torch.tensor(MEAN).view(1, 3, 1, 1), torch.tensor(STD).view(1, 3, 1, 1)
    return before(lambda x: ((x * std + mean) * 2 - 1).mean(1, keepdim=True), network)


def colours() -> nn.Module:
    """A critic of hue: red above blue means real."""
    return before(lambda x: 6 * (x[:, 0] - x[:, 2]).mean((1, 2))[:, None] - 1.2, nn.Flatten(0))


def two(network: nn.Module, real_first: bool = False) -> nn.Module:
    """Two classes from one logit."""
    pair = (lambda s: torch.stack([s / 2, -s / 2], 1)) if real_first else (lambda s: torch.stack([-s / 2, s / 2], 1))
    return after(network, pair)


def doubled() -> Subject:
    """The loss has a sigmoid of its own, and so has the network."""
    return subject(after(judge(), lambda s: torch.sigmoid(torch.sigmoid(s))), output="probability")


def of_batches() -> nn.Module:
    """A layer that takes the statistics of the batch at hand."""
    network = normed()
    return before(lambda x: nn.functional.batch_norm(x, None, None, training=True) * 0.7 - 0.4, network)


class Remembers(nn.Module):
    """Counts its calls in its output."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network, self.calls = network, 0

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N,), a little more each time."""
        self.calls += 1
        logit: Tensor = self.network(x) + 0.1 * self.calls
        return logit


def broken_weights(value: float) -> nn.Module:
    """The judge with one weight overwritten."""
    network = judge()
    with torch.no_grad():
        next(network.parameters())[0, 0, 0, 0] = value
    return network


def scrambled() -> nn.Module:
    """The weights of another network under the same names: channels in another order before BatchNorm."""
    network = normed()
    with torch.no_grad():
        first = network.layers[0]  # type: ignore[index, union-attr]
        first.weight.copy_(first.weight.flip(0, 2) * 3)
    return network


def fresh(seed: int = 0) -> nn.Module:
    """A discriminator that was never trained."""
    return ge.GAN.build("dcgan", seed=seed, resolution=28, width=16, norm="batch").discriminator


def dead() -> nn.Module:
    """A last layer that nothing passes."""
    network = judge()
    network.head = nn.Sequential(network.head, nn.ReLU())
    with torch.no_grad():
        network.head[0].bias.fill_(-1000.0)
    return network


def patches() -> nn.Module:
    """A map of logits, 7 x 7 patches."""
    network = judge()
    head = nn.Conv2d(64, 1, 1)
    with torch.no_grad():
        head.weight.copy_(network.head.weight.view(1, 64, 7, 7).sum((2, 3), keepdim=True))  # type: ignore[union-attr, operator]
        head.bias.copy_(network.head.bias)  # type: ignore[arg-type]
    return nn.Sequential(*list(network.layers)[:-1], head)  # type: ignore[arg-type]


def pooled() -> nn.Module:
    """A map of patches whose mean is the judge's logit."""
    network = judge()

    def spread(x: Tensor) -> Tensor:
        weight = network.head.weight.view(1, 64, 7, 7)  # type: ignore[union-attr, operator]
        return (network.layers[:-1](x) * weight).sum(1, keepdim=True) * 49 + network.head.bias  # type: ignore[index, operator, union-attr]

    return before(spread, nn.Identity())


def faces() -> tuple[Tensor, Generator]:
    """(100, 3, 32, 32) photographed faces, and the generator of the colour faces."""
    from skimage import data

    small = torch.from_numpy(data.lfw_subset()[:100]).float()[:, None]
    large = nn.functional.interpolate(small, (32, 32), mode="bilinear", antialias=True) * 2 - 1
    return large.expand(-1, 3, -1, -1).clamp(-1, 1), generator_of(example("celeba32_dcgan.py:generator"))


def celeba() -> Subject:
    real, maker = faces()
    return Subject(critic_of(example("celeba32_dcgan.py:critic")), real, maker.render(maker.sample(100)))


def mnist(slope: float | None = None, **said: object) -> Subject:
    """The MNIST critic on its own sheets of samples, read by layout."""
    folder = Path(ASSETS) / "mnist-dcgan-critic"
    sheets = [cut(read_image(folder / f"{name}.png", channels=1), 28, 2) for name in SHEETS]
    spec = {"architecture": {} if slope is None else {"slope": slope}, **said}
    from ganexplain.models.spec import Spec

    return Subject(ge.Critic.from_checkpoint(folder / "netD_epoch_99.pth", spec=Spec.of(spec)), sheets[0], sheets[1])


SHEETS = ("real_samples", "fake_samples_epoch_099")
UNIT = Preprocess(value_range=(0, 1))
NORMED = Preprocess(value_range=(0, 1), mean=MEAN, std=STD, channels=3)

RIGHT = (
    Wiring("the bundled judge", lambda: Subject(ge.bundled("fashion").critic("judge"), reals(), fakes())),
    Wiring(
        "a probability with a sigmoid at its tail",
        lambda: subject(nn.Sequential(judge(), nn.Sigmoid()), output="probability"),
    ),
    Wiring("two classes, the second real", lambda: subject(two(judge()), output="classes", real_class=1)),
    Wiring("a detector whose high output means fake", lambda: subject(after(judge(), lambda s: -s), polarity="fake")),
    Wiring("images read in [0, 1], and said so", lambda: subject(unit(judge()), preprocess=UNIT)),
    Wiring("ImageNet's mean and std, and said so", lambda: subject(imagenet(judge()), preprocess=NORMED)),
    Wiring("BatchNorm with its own statistics", lambda: subject(normed())),
    Wiring("a map of patches, and how it is pooled", lambda: subject(pooled(), pool="mean")),
    Wiring("MNIST critic, read by layout", mnist, assets=True),
    Wiring("colour faces, whose blind spot is its own", celeba, assets=True),
)
BROKEN = (
    Wiring(
        "trained on [-1, 1], said to read [0, 1]",
        lambda: subject(judge(), preprocess=UNIT),
        ("declared range",),
        r"\[-1, 1\]",
    ),
    Wiring(
        "trained on [-1, 1], said to read [0, 255]",
        lambda: subject(judge(), preprocess=Preprocess((0, 255))),
        ("declared range",),
        r"\[-1, 1\]",
    ),
    Wiring("trained on [0, 1], nothing said", lambda: subject(unit(judge())), ("declared range",), r"\[0, 1\]"),
    Wiring(
        "ImageNet's mean and std, nothing said",
        lambda: subject(imagenet(judge()), preprocess=Preprocess(channels=3)),
        ("declared range",),
        "ImageNet|mean",
    ),
    Wiring("high means fake, nothing said", lambda: subject(after(judge(), lambda s: -s)), ("polarity",), "inverted"),
    Wiring(
        "the other class is the real one",
        lambda: subject(two(judge(), real_first=True), output="classes"),
        ("polarity",),
        "inverted.*real_class=0",
    ),
    Wiring(
        "folders of reals and fakes exchanged",
        lambda: subject(judge(), real=fakes(), fake=reals()),
        ("polarity",),
        "inverted",
    ),
    Wiring(
        "a probability said to be a logit",
        lambda: subject(after(judge(), torch.sigmoid)),
        ("output", "threshold"),
        "probabilit",
    ),
    Wiring(
        "two sigmoids, one on the other",
        doubled,
        ("output", "saturation", "threshold"),
        "sigmoid.*(twice|two)|two sigmoids",
    ),
    Wiring(
        "a softmax over one logit",
        lambda: subject(after(judge(), lambda s: torch.softmax(s[:, None], 1)), output="probability"),
        ("runs", "output", "constant output"),
        "softmax",
    ),
    Wiring(
        "a softmax said to be logits",
        lambda: subject(after(two(judge()), lambda s: torch.softmax(s, 1)), output="classes"),
        ("runs",),
        "softmax",
    ),
    Wiring(
        "a probability that saturates",
        lambda: subject(after(judge(), lambda s: torch.sigmoid(s * 200)), output="probability"),
        ("runs", "saturation"),
        "saturates",
    ),
    Wiring("left in train mode", lambda: subject(normed().train()), ("training mode",), "training mode"),
    Wiring("statistics of the batch", lambda: subject(of_batches()), ("neighbours",), "batch"),
    Wiring(
        "running statistics not loaded", lambda: subject(normed(seen=False)), ("batch statistics",), "never seen data"
    ),
    Wiring(
        "never trained",
        lambda: subject(fresh()),
        ("batch statistics", "weights", "untrained"),
        "never seen data|untrained|trained weights",
    ),
    Wiring("weights that are NaN", lambda: subject(broken_weights(float("nan"))), ("error",), "NaN"),
    Wiring("nothing passes the last layer", lambda: subject(dead()), ("constant output",), "same logit"),
    Wiring("a forward that remembers", lambda: subject(Remembers(judge())), ("repeats",), "remembers"),
    Wiring(
        "dropout that never stops",
        lambda: subject(before(lambda x: nn.functional.dropout(x, 0.3, True), judge())),
        ("repeats",),
        "random numbers",
    ),
    Wiring(
        "rounded to bytes inside",
        lambda: subject(before(lambda x: (x * 4).round() / 4, judge())),
        ("gradients",),
        "gradient",
    ),
    Wiring(
        "blue, green, red",
        lambda: subject(colours(), real=tinted(reals(), REAL_TINT).flip(1), fake=tinted(fakes(), FAKE_TINT).flip(1)),
        ("channel order", "polarity"),
        "red and blue|BGR|bgr|blue, green",
    ),
    Wiring(
        "grey reals beside colour fakes",
        lambda: subject(
            before(lambda x: x.mean(1, keepdim=True), judge()),
            real=reals().expand(-1, 3, -1, -1),
            fake=tinted(fakes(), FAKE_TINT),
        ),
        ("same delivery",),
        "reals are grey and fakes colour",
    ),
    Wiring(
        "images given in [0, 1]",
        lambda: subject(judge(), real=(reals() + 1) / 2, fake=(fakes() + 1) / 2),
        ("image range",),
        "converted from \\[0, 1\\]",
    ),
    Wiring("a map of patches, nothing said", lambda: subject(patches()), ("runs",), "pool="),
    Wiring("a tuple of outputs", lambda: subject(after(judge(), lambda s: (s, s))), ("runs",), "out\\[0\\]"),
    Wiring(
        "weights of another architecture",
        lambda: subject(scrambled()),
        ("BatchNorm fit", "batch statistics"),
        "another architecture|far",
    ),
    Wiring("activation slope .01 where .2 was trained", lambda: mnist(0.01), ("architecture",), "0.2", assets=True),
    Wiring(
        "MNIST critic, said to read [0, 1]",
        lambda: mnist(images={"range": [0, 1]}),
        ("declared range", "BatchNorm fit"),
        r"\[-1, 1\]",
        assets=True,
    ),
    Wiring("noise above every face", celeba, ("noise",), "blind spot", assets=True),
)
CRITICS = (*RIGHT, *BROKEN)
