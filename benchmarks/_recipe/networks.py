"""Faults of the networks: heads, layers that are made anew, activations, and what the text says they are."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarks._recipe.fault import Compared, fault
from ganexplain import Critic, tensors
from ganexplain.models.families.mlp import MLP

WIDTH, CLASSES, SLOPE, DROPOUT = 64, 8, 0.3, 0.3


def images(n: int = 16) -> Tensor:
    """(n, 1, 28, 28) smooth blobs in [-1, 1], other ones in every row."""
    coarse = tensors.normal(0, "recipe images", shape=(n, 1, 5, 5))
    return torch.tanh(nn.functional.interpolate(coarse, (28, 28), mode="bicubic"))


def body(*, dropout: bool = True) -> nn.Sequential:
    """The two convolutions, with fresh weights."""
    layers: list[nn.Module] = []
    for before in (1, WIDTH):
        layers += [nn.Conv2d(before, WIDTH, 5, 2, 2), nn.LeakyReLU(SLOPE)]
        layers += [nn.Dropout(DROPOUT)] if dropout else []
    return nn.Sequential(*layers, nn.Flatten())


def published(batch: Tensor, training: bool) -> Tensor:
    """The discriminator as it was printed: a function that makes its layers whenever it is called."""
    head = nn.Sequential(nn.Linear(WIDTH * 49, 1), nn.Sigmoid())
    if not training:
        head = nn.Sequential(nn.Linear(WIDTH * 49, CLASSES), nn.Softmax(1))
    scores: Tensor = head(body().eval()(batch))
    return scores


def apart(a: Tensor, b: Tensor) -> float:
    """Mean absolute difference."""
    return float((a - b).detach().abs().mean())


@fault(3, "text and code describe other networks", "normalisation layers, by the text and in the network")
def other_networks() -> Compared:
    modules = [*MLP.generator().modules(), *MLP.discriminator().modules()]
    norms = sum(isinstance(m, nn.modules.batchnorm._NormBase) for m in modules)
    drops = sum(isinstance(m, nn.Dropout) for m in MLP.generator().modules())
    return Compared(2, norms, {"dropout layers of the generator": drops})


@fault(4, "sigmoids between the layers", "slope that reaches the first layer, as a share of the last layer's")
def sigmoid_hidden() -> Compared:
    def share(activation: type[nn.Module]) -> float:
        torch.manual_seed(0)
        widths = (100, 256, 512, 1024, 784)
        layers = [nn.Linear(a, b) for a, b in zip(widths[:-1], widths[1:], strict=True)]
        x = tensors.normal(0, "codes", shape=(64, 100))
        for layer in layers:
            x = layer(x)
            x = activation()(x) if layer is not layers[-1] else torch.tanh(x)
        torch.autograd.backward((x - images(64).flatten(1)).square().mean())
        first, last = (layer.weight.grad for layer in (layers[0], layers[-1]))
        return float(first.norm() / last.norm()) if first is not None and last is not None else 0.0

    return Compared(share(nn.Sigmoid), share(nn.LeakyReLU), {"tanh": share(nn.Tanh)})


@fault(6, "an untrained head is explained", "correlation of one image's attributions in two calls")
def untrained_head_explained() -> Compared:
    from ganexplain.attribution.methods.integrated_gradients import IntegratedGradients

    one = images(1)

    def maps(first: nn.Module, second: nn.Module) -> float:
        both = [
            IntegratedGradients(Critic(network, output="score"), baseline="black", max_evaluations=30).attribute(one)
            for network in (first, second)
        ]
        return float(torch.corrcoef(torch.stack([a.values.flatten() for a in both]))[0, 1])

    def fresh() -> nn.Module:
        return nn.Sequential(body(), nn.Linear(WIDTH * 49, 1))

    kept = fresh()
    return Compared(maps(fresh(), fresh()), maps(kept, kept))


@fault(9, "two heads, one of them untrained", "difference of one image's scores by the two ways to call")
def two_heads() -> Compared:
    features, batch = body().eval(), images()
    sigmoid = nn.Sequential(nn.Linear(WIDTH * 49, 1), nn.Sigmoid())
    softmax = nn.Sequential(nn.Linear(WIDTH * 49, CLASSES), nn.Softmax(1))
    real, fake = sigmoid(features(batch)), softmax(features(batch))
    one = MLP.discriminator().eval()
    outputs = {"outputs an image in training": real.shape[1], "outputs an image in evaluation": fake.shape[1]}
    return Compared(apart(real.expand_as(fake), fake), apart(one(batch), one(batch)), outputs)


@fault(10, "dropout does not follow the flag", "share of features that training drops")
def dropout_ignores_the_flag() -> Compared:
    x = torch.ones(64, 1024)

    def layer_of_keras(batch: Tensor) -> Tensor:
        return nn.functional.dropout(batch, DROPOUT, training=False)  # what a call without the flag comes to

    module = nn.Dropout(DROPOUT).train()
    dropped = [float((out == 0).float().mean()) for out in (layer_of_keras(x), module(x), module.eval()(x))]
    return Compared(dropped[0], dropped[1], {"dropped in evaluation": dropped[2]})


@fault(11, "layers are made anew at every call", "difference of two calls on the same images")
def fresh_layers() -> Compared:
    batch, one = images(), MLP.discriminator().eval()
    calls = apart(published(batch, True), published(batch, True))
    return Compared(calls, apart(one(batch), one(batch)))


@fault(12, "plain functions, and no optimiser", "weight tensors that an optimiser can reach")
def plain_functions() -> Compared:
    reachable = len(list(getattr(published, "parameters", tuple)()))
    networks = (MLP.generator(), MLP.discriminator())
    return Compared(reachable, sum(len(list(network.parameters())) for network in networks))


@fault(23, "explanations are promised, none is made", "pixels that get a share of the verdict")
def nothing_is_explained() -> Compared:
    from ganexplain.attribution.methods.integrated_gradients import IntegratedGradients

    critic = Critic(MLP.discriminator(), output="score")
    found = IntegratedGradients(critic, baseline="blur", max_evaluations=90).attribute(images(1))
    return Compared(0, int((found.values != 0).sum()), {"gap": float(found.gap.abs().max())})
