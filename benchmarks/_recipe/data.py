"""Faults of what goes in and out: ranges, axes, order, types and seeds."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarks._recipe.fault import Compared, fault
from benchmarks._recipe.networks import images
from ganexplain import tensors
from ganexplain.models.families.mlp import MLP, MLPGenerator
from ganexplain.models.gan import GAN
from ganexplain.training.config import load
from ganexplain.training.loop import train
from ganexplain.training.sampler import Sampler

LATENT_SIZES = (50, 64, 100)


def unbounded(generator: MLPGenerator, codes: Tensor) -> Tensor:
    """The generator without its tanh."""
    x: Tensor = codes
    for layer in generator.layers:
        x = x if isinstance(layer, nn.Tanh) else layer(x)
    return x


def read(discriminator: nn.Module, batch: Tensor) -> int:
    """How many images of the batch the discriminator scores; 0 where it raises."""
    try:
        return int(discriminator(batch).shape[0])
    except (RuntimeError, ValueError):
        return 0


@fault(7, "no output activation", "share of generated pixels outside the data's range")
def no_output_activation() -> Compared:
    generator = MLP.generator()
    codes = generator.sample(64, seed=0)
    bare, bounded = unbounded(generator, codes), generator(codes)
    outside = (bare < 0) | (bare > 1)  # the published data are scaled to [0, 1]
    return Compared(float(outside.float().mean()), float((bounded.abs() > 1).float().mean()))


@fault(8, "no channel axis", "of eight generated images, how many the discriminator reads")
def no_channel_axis() -> Compared:
    discriminator, batch = MLP.discriminator().eval(), images(8)
    return Compared(read(discriminator, batch[:, 0]), read(discriminator, batch))


@fault(18, "the latent size is written in twice", "of three latent sizes, how many work")
def hard_coded_latent() -> Compared:
    def works(inputs: int, z: int) -> bool:
        try:
            MLP.generator(z_dim=inputs)(torch.zeros(2, z))
        except RuntimeError:
            return False
        return True

    return Compared(sum(works(100, z) for z in LATENT_SIZES), sum(works(z, z) for z in LATENT_SIZES))


@fault(19, "no shuffling, and the last batch is dropped", "classes in a batch of a set sorted by class")
def no_shuffling() -> Compared:
    labels, batch = torch.arange(10).repeat_interleave(500), 64
    full = len(labels) // batch
    sampler = Sampler(len(labels), batch, 0)
    in_order = [len(labels[i * batch : (i + 1) * batch].unique()) for i in range(full)]
    shuffled = [len(labels[sampler.draw(i)].unique()) for i in range(full)]
    never = torch.ones(len(labels), dtype=torch.bool)
    for i in range(full + 1):
        never[sampler.draw(i)] = False
    lost = {"images never seen in a pass": len(labels) - full * batch, "repaired": int(never.sum())}
    return Compared(sum(in_order) / full, sum(shuffled) / full, lost)


@fault(20, "float64 data, and test images left out", "bytes that an image takes in memory")
def float64_data() -> Compared:
    pixels = tensors.to_uint8(images(4))
    doubles = pixels.numpy() / 255.0
    read_back = tensors.from_uint8(pixels)
    discriminator = MLP.discriminator().eval()
    wrong = read(discriminator, torch.from_numpy(doubles))
    reads = {"doubles read": wrong, "floats read": read(discriminator, read_back)}
    return Compared(doubles[0].nbytes, pixels[0].numel() * pixels.element_size(), reads)


@fault(21, "never run, and no seed", "difference of the weights of two runs of three steps")
def no_seed() -> Compared:
    data = tensors.to_uint8(images(32))
    small = {"widths": [32], "critic_width": 8, "z_dim": 8}

    def weights(seed: int) -> Tensor:
        config = load("seed-mnist", ["run.steps=3", "run.batch=8", f"run.seed={seed}"])
        gan = GAN.build("mlp", seed=seed, **small)
        list(train(gan, data, config))
        return torch.cat([p.flatten() for p in gan.generator.parameters()])

    unseeded = [int(torch.randint(1, 2**31, ())) for _ in range(2)]  # a process without a seed starts anywhere
    runs = [weights(seed) for seed in (*unseeded, 0, 0)]
    return Compared(*(float((a - b).abs().max()) for a, b in (runs[:2], runs[2:])))
