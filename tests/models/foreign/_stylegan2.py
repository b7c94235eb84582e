"""StyleGAN2 spelled out from its paper's formulas, one image and one convolution at a time, in float64.

Weights have the official names. Nothing is folded, merged or shared between images: slow, and the oracle of the layout.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from ganexplain import tensors

SIZES = (4, 8, 16)
WIDTHS = {4: 6, 8: 5, 16: 4}
Z_DIM, W_DIM, CLASSES, COLOURS, DEPTH, RATE = 7, 6, 3, 2, 2, 0.01

State = dict[str, Tensor]


class Maker:
    """Random tensors under the official names."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.state: State = {}

    def put(self, name: str, *shape: int, scale: float = 1.0) -> None:
        self.state[name] = scale * tensors.normal(self.seed, name, shape=shape)

    def dense(self, name: str, inputs: int, outputs: int, rate: float = 1.0) -> None:
        self.put(f"{name}.weight", outputs, inputs, scale=1 / rate)
        self.put(f"{name}.bias", outputs, scale=0.3 / rate)

    def fir(self, name: str) -> None:
        taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
        self.state[f"{name}.resample_filter"] = torch.outer(taps, taps)

    def conv(self, name: str, inputs: int, outputs: int, side: int, bias: bool = True) -> None:
        self.put(f"{name}.weight", outputs, inputs, side, side)
        if bias:
            self.put(f"{name}.bias", outputs, scale=0.3)
        self.fir(name)

    def mapping(self, name: str, z_dim: int, width: int, depth: int, classes: int) -> None:
        if classes:
            self.dense(f"{name}.embed", classes, width)
        for i in range(depth):
            self.dense(f"{name}.fc{i}", z_dim + width * bool(classes) if i == 0 else width, width, RATE)


def generator(architecture: str, classes: int = 0, seed: int = 0) -> State:
    """The state dict of a generator of 16 px."""
    m = Maker(seed)
    m.mapping("mapping", Z_DIM, W_DIM, DEPTH, classes)
    m.put("mapping.w_avg", W_DIM)
    before = 0
    for size in SIZES:
        block, width = f"synthesis.b{size}", WIDTHS[size]
        m.fir(block)
        if before:
            _styled(m, f"{block}.conv0", before, width, size)
            if architecture == "resnet":
                m.conv(f"{block}.skip", before, width, 1, bias=False)
        else:
            m.put(f"{block}.const", width, size, size)
        _styled(m, f"{block}.conv1", width, width, size)
        if architecture == "skip" or size == SIZES[-1]:
            m.dense(f"{block}.torgb.affine", W_DIM, width)
            m.put(f"{block}.torgb.weight", COLOURS, width, 1, 1)
            m.put(f"{block}.torgb.bias", COLOURS, scale=0.3)
        before = width
    return m.state


def _styled(m: Maker, name: str, inputs: int, outputs: int, size: int) -> None:
    m.conv(name, inputs, outputs, 3)
    m.dense(f"{name}.affine", W_DIM, inputs)
    m.put(f"{name}.noise_const", size, size)
    m.put(f"{name}.noise_strength")


def discriminator(architecture: str, classes: int = 0, deviations: int = 1, seed: int = 0) -> State:
    """The state dict of a discriminator of 16 px."""
    m, first = Maker(seed), WIDTHS[4]
    for size in SIZES[:0:-1]:
        block, width, after = f"b{size}", WIDTHS[size], WIDTHS[size // 2]
        m.fir(block)
        if size == SIZES[-1] or architecture == "skip":
            m.conv(f"{block}.fromrgb", COLOURS, width, 1)
        m.conv(f"{block}.conv0", width, width, 3)
        m.conv(f"{block}.conv1", width, after, 3)
        if architecture == "resnet":
            m.conv(f"{block}.skip", width, after, 1, bias=False)
    if architecture == "skip":
        m.conv("b4.fromrgb", COLOURS, first, 1)
    m.conv("b4.conv", first + deviations, first, 3)
    m.dense("b4.fc", first * 16, first)
    m.dense("b4.out", first, first if classes else 1)
    if classes:
        m.mapping("mapping", 0, first, DEPTH, classes)
    return m.state


def _double(state: State) -> State:
    return {name: tensor.double() for name, tensor in state.items()}


def _dense(state: State, name: str, x: Tensor, rate: float = 1.0) -> Tensor:
    weight = state[f"{name}.weight"]
    return x @ (weight * rate / math.sqrt(weight.shape[1])).T + state[f"{name}.bias"] * rate


def _lrelu(x: Tensor) -> Tensor:
    return math.sqrt(2) * torch.where(x < 0, 0.2 * x, x)


def _unit(x: Tensor) -> Tensor:
    return x / (x.square().mean(1, keepdim=True) + 1e-8).sqrt()


def mapped(state: State, z: Tensor | None, label: int | None, psi: float = 1.0, name: str = "mapping") -> Tensor:
    """(N, W_DIM) of z (N, Z_DIM), a class, or both."""
    state = _double(state)
    parts = [] if z is None else [_unit(z.double())]
    if f"{name}.embed.weight" in state:
        wanted = F.one_hot(torch.tensor([label]), CLASSES).double().expand(1 if z is None else len(z), -1)
        parts.append(_unit(_dense(state, f"{name}.embed", wanted)))
    x = torch.cat(parts, 1)
    for i in range(DEPTH):
        x = _lrelu(_dense(state, f"{name}.fc{i}", x, RATE))
    average = state.get(f"{name}.w_avg", torch.zeros(()))
    return average + psi * (x - average)


def _resampled(x: Tensor, up: int, down: int, pads: tuple[int, int]) -> Tensor:
    """Zeros between pixels, padding, the filter [1, 3, 3, 1] along both axes, and every ``down``-th pixel."""
    n, c, h, w = x.shape
    wide = x.new_zeros(n, c, h * up, w * up)
    wide[:, :, ::up, ::up] = x
    wide = F.pad(wide, (*pads, *pads))
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0]).double() / 8 * up
    for axis in (2, 3):
        wide = sum(taps[i] * wide.narrow(axis, i, wide.shape[axis] - 3) for i in range(4))
    return wide[:, :, ::down, ::down]


def _synthesised(state: State, name: str, x: Tensor, w: Tensor, noisy: bool) -> Tensor:
    """One image's layer: weights of its own, normalised for each output."""
    style = _dense(state, f"{name}.affine", w)
    weight = state[f"{name}.weight"] * style[0][None, :, None, None]
    weight = weight / (weight.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
    if name.endswith("conv0"):  # a convolution of what is enlarged, not the correlation that torch calls so
        x = F.conv2d(_resampled(x, 2, 1, (3, 2)), weight.flip(2, 3))
    else:
        x = F.conv2d(x, weight, padding=1)
    if noisy:
        x = x + state[f"{name}.noise_const"] * state[f"{name}.noise_strength"]
    return _lrelu(x + state[f"{name}.bias"][:, None, None])


def drawn(state: State, w: Tensor, noisy: bool = True) -> Tensor:
    """(N, COLOURS, 16, 16) images, not clamped, of w (N, W_DIM) or w+ (N, layers, W_DIM)."""
    state = _double(state)
    layers = 2 * len(SIZES)
    plus = w.double()[:, None].expand(-1, layers, -1) if w.ndim == 2 else w.double()
    return torch.cat([_one(state, row, noisy) for row in plus])


def _one(state: State, ws: Tensor, noisy: bool) -> Tensor:
    x = state["synthesis.b4.const"][None]
    image, at = None, 0
    for size in SIZES:
        block = f"synthesis.b{size}"
        residual = f"{block}.skip.weight" in state
        if residual:
            weight = state[f"{block}.skip.weight"]
            beside = _resampled(F.conv2d(x, weight) / math.sqrt(weight.shape[1]), 2, 1, (2, 1))
        for layer in ("conv0", "conv1") if size > 4 else ("conv1",):
            x = _synthesised(state, f"{block}.{layer}", x, ws[at : at + 1], noisy)
            at += 1
        x = (x + beside) / math.sqrt(2) if residual else x
        image = None if image is None else _resampled(image, 2, 1, (2, 1))
        if f"{block}.torgb.weight" in state:
            style = _dense(state, f"{block}.torgb.affine", ws[at : at + 1]) / math.sqrt(x.shape[1])
            weight = state[f"{block}.torgb.weight"] * style[0][None, :, None, None]
            colours = F.conv2d(x, weight) + state[f"{block}.torgb.bias"][:, None, None]
            image = colours if image is None else image + colours
    return image


def _conv(state: State, name: str, x: Tensor, down: bool = False) -> Tensor:
    weight = state[f"{name}.weight"]
    side = weight.shape[2]
    weight = weight / math.sqrt(weight[0].numel())
    if down and side == 1:
        return F.conv2d(_resampled(x, 1, 2, (1, 1)), weight)
    x = F.conv2d(_resampled(x, 1, 1, (2, 2)), weight, stride=2) if down else F.conv2d(x, weight, padding=side // 2)
    return _lrelu(x + state[f"{name}.bias"][:, None, None])


def judged(state: State, images: Tensor, label: int | None = None, group: int = 4) -> Tensor:
    """(N,) logits; the minibatch deviation is over image i and those ``N / group`` places further on."""
    state = _double(state)
    x, images = None, images.double()
    for size in SIZES[:0:-1]:
        block = f"b{size}"
        if f"{block}.fromrgb.weight" in state:
            colours = _conv(state, f"{block}.fromrgb", images)
            x = colours if x is None else x + colours
            images = _resampled(images, 1, 2, (1, 1))
        through = _conv(state, f"{block}.conv1", _conv(state, f"{block}.conv0", x), down=True)
        residual = f"{block}.skip.weight" in state
        x = (through + _conv(state, f"{block}.skip", x, down=True)) / math.sqrt(2) if residual else through
    if "b4.fromrgb.weight" in state:
        x = x + _conv(state, "b4.fromrgb", images)
    x = _conv(state, "b4.conv", torch.cat([x, _deviations(state, x, group)], 1)).flatten(1)
    x = _dense(state, "b4.out", _lrelu(_dense(state, "b4.fc", x)))
    if "mapping.embed.weight" in state:
        return (x * mapped(state, None, label)).sum(1) / math.sqrt(x.shape[1])
    return x[:, 0]


def _deviations(state: State, x: Tensor, group: int) -> Tensor:
    n, c, h, w = x.shape
    count = state["b4.conv.weight"].shape[1] - c
    found = x.new_zeros(n, count, h, w)
    for i in range(n):
        members = x[i % (n // group) :: n // group]
        for k, maps in enumerate(members.chunk(count, 1)):
            centred = maps - maps.mean(0)
            found[i, k] = (centred.square().mean(0) + 1e-8).sqrt().mean()
    return found


def ported_generator(state: State) -> State:
    """The skip generator's state dict as rosinality's port names and scales it."""
    found = {"input.input": state["synthesis.b4.const"][None]}
    for i in range(DEPTH):
        found |= {f"style.{i + 1}.{leaf}": state[f"mapping.fc{i}.{leaf}"] for leaf in ("weight", "bias")}
    for at, size in enumerate(SIZES):
        block = f"synthesis.b{size}"
        for layer in ("conv0", "conv1") if at else ("conv1",):
            index = 2 * (at - 1) + int(layer[-1])
            where, noise = (f"convs.{index}", index + 1) if at else ("conv1", 0)
            found |= _modulated(state, f"{block}.{layer}", where, state[f"{block}.{layer}.weight"][0].numel() ** 0.5)
            found[f"{where}.activate.bias"] = state[f"{block}.{layer}.bias"]
            found[f"{where}.noise.weight"] = state[f"{block}.{layer}.noise_strength"][None]
            found[f"noises.noise_{noise}"] = state[f"{block}.{layer}.noise_const"][None, None]
            if layer == "conv0":
                found[f"{where}.conv.blur.kernel"] = 4 * state[f"{block}.{layer}.resample_filter"]
        where = f"to_rgbs.{at - 1}" if at else "to_rgb1"
        found |= _modulated(state, f"{block}.torgb", where, 1.0)
        found[f"{where}.bias"] = state[f"{block}.torgb.bias"][None, :, None, None]
        if at:
            found[f"{where}.upsample.kernel"] = 4 * state[f"{block}.resample_filter"]
    return found


def _modulated(state: State, name: str, where: str, factor: float) -> State:
    found = {f"{where}.conv.modulation.{leaf}": state[f"{name}.affine.{leaf}"] for leaf in ("weight", "bias")}
    return found | {f"{where}.conv.weight": factor * state[f"{name}.weight"][None]}


def ported_discriminator(state: State) -> State:
    """The resnet discriminator's state dict as rosinality's port names it."""
    names = {f"b{SIZES[-1]}.fromrgb.weight": "convs.0.0.weight", f"b{SIZES[-1]}.fromrgb.bias": "convs.0.1.bias"}
    for i, size in enumerate(SIZES[:0:-1], 1):
        block = {"conv0.weight": "conv1.0.weight", "conv0.bias": "conv1.1.bias"}
        block |= {"conv1.resample_filter": "conv2.0.kernel", "conv1.weight": "conv2.1.weight"}
        block |= {"conv1.bias": "conv2.2.bias", "skip.weight": "skip.1.weight", "skip.resample_filter": "skip.0.kernel"}
        names |= {f"b{size}.{name}": f"convs.{i}.{theirs}" for name, theirs in block.items()}
    names |= {"b4.conv.weight": "final_conv.0.weight", "b4.conv.bias": "final_conv.1.bias"}
    for i, name in enumerate(("fc", "out")):
        names |= {f"b4.{name}.{leaf}": f"final_linear.{i}.{leaf}" for leaf in ("weight", "bias")}
    return {theirs: state[name] for name, theirs in names.items()}
