"""From a file of weights and what is said about it to a critic or a generator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ganexplain import tensors
from ganexplain.models import checkpoints
from ganexplain.models.about import About
from ganexplain.models.checkpoints import Checkpoint
from ganexplain.models.checkpoints.checkpoint import role_of
from ganexplain.models.conditional import known_label
from ganexplain.models.critic import Critic
from ganexplain.models.foreign import Found, likeliest, recognised
from ganexplain.models.generator import Generator
from ganexplain.models.reader import JUDGES
from ganexplain.models.spec import CriticSpec, GeneratorSpec, ImageSpec, Spec

SAYING = "label=0 to {last} (--label)"
PROBES = 8  # images of a kind that a program is tried on
BEFORE = {"probability": "logit", "class_probabilities": "classes"}  # what comes before a last sigmoid or softmax
UNKNOWN_SIDE = 64  # of the images that it is tried on, where it declares no size


class Squared(nn.Module):
    """A program that reads codes as maps of one pixel, (N, z_dim, 1, 1)."""

    def __init__(self, program: nn.Module) -> None:
        super().__init__()
        self.program = program

    def forward(self, z: Tensor) -> Any:
        """What the program returns for codes (N, z_dim)."""
        return self.program(z[:, :, None, None])


def open_critic(path: str | Path, spec: Spec | None = None) -> Critic:
    """The discriminator or detector in a file of weights; see `Critic.from_checkpoint`."""
    return _critic_in(checkpoints.read(path), spec or Spec())


def _critic_in(checkpoint: Checkpoint, spec: Spec) -> Critic:
    if checkpoint.program is not None and spec.layout is None:
        return _program(checkpoint, checkpoint.program, spec)
    found, name = _network(checkpoint, spec, "discriminator")
    label = known_label(found.spec.label, found.num_classes, JUDGES, SAYING)
    found = _at_the_logit(found)
    critic = _critic(found.network, found.spec, num_classes=found.num_classes, label=label)
    critic.about = _about(checkpoint, name, found, lambda other: open_critic(checkpoint.path, other))
    return critic


def open_generator(path: str | Path, spec: Spec | None = None) -> Generator:
    """The generator in a file of weights; see `Generator.from_checkpoint`."""
    return _generator_in(checkpoints.read(path), spec or Spec())


def _generator_in(checkpoint: Checkpoint, spec: Spec) -> Generator:
    if checkpoint.program is not None and spec.layout is None:
        return _program_generator(checkpoint, checkpoint.program, spec)
    found, name = _network(checkpoint, spec, "generator")
    generator = _generator(found.network, found.spec, found.num_classes)
    generator.about = _about(checkpoint, name, found, lambda other: open_generator(checkpoint.path, other))
    return generator


def open_model(path: str | Path, spec: Spec | None = None) -> Critic | Generator:
    """The critic in a file of weights, or its generator where it holds nothing else.

    Raises:
        ValueError: neither can be opened; the message is that of the critic unless the file holds a generator.
    """
    spec, checkpoint = spec or Spec(), checkpoints.read(path)
    if checkpoint.program is None or spec.layout is not None:
        weights = checkpoint.network(spec.network, None if len(checkpoint.networks) == 1 else "discriminator")
        named = spec if spec.role else replace(spec, role=role_of(Path(path).stem))
        if recognised(weights, named).role == "generator":
            return _generator_in(checkpoint, spec)
    return _critic_in(checkpoint, spec)


def _network(checkpoint: Checkpoint, spec: Spec, role: str) -> tuple[Found, str]:
    weights = checkpoint.network(spec.network, role)
    found = recognised(weights, spec if spec.role else replace(spec, role=role))
    if found.role != role:
        other = "generator" if role == "discriminator" else "critic"
        why = "judges nothing" if role == "discriminator" else "makes no images"
        said = f"the network {weights.name!r} of {checkpoint.path}" if weights.name else str(checkpoint.path)
        raise ValueError(f"{said} is a {other} (layout {found.layout}), which {why}; name the file of the {role}")
    return found, weights.name


def _at_the_logit(found: Found) -> Found:
    """The spec's probability as the logit that a rebuilt network returns, for layouts leave a last sigmoid out.

    A file's author may rightly say that the network returns probabilities.
    """
    said = found.spec.critic.output
    ends = next((module for module in reversed(list(found.network.modules())) if not list(module.children())), None)
    if said not in BEFORE or isinstance(ends, nn.Sigmoid | nn.Softmax):
        return found
    spec = replace(found.spec, critic=replace(found.spec.critic, output=BEFORE[said]))
    line = f"{said.replace('_', ' ')} was said: the network is rebuilt up to its {BEFORE[said]}, before the last step"
    return replace(found, spec=spec, lines=(*found.lines, line))


def _critic(network: nn.Module, spec: Spec, **given: Any) -> Critic:
    said = {name: value for name, value in vars(spec.critic).items() if value is not None} | given
    form = spec.form()
    if form is not None:
        return Critic(network, form=form, **said)
    return Critic(network, preprocess=spec.images.preprocess(), **said)


def _generator(network: nn.Module, spec: Spec, num_classes: int) -> Generator:
    if isinstance(network, Generator):
        generator: Generator = network.eval().requires_grad_(False)
    elif spec.generator.z_dim is None:
        raise ValueError("the length of a code cannot be read from this file; say it: z_dim = 100 under [generator]")
    else:
        known = spec.generator
        low, high = known.range or (-1.0, 1.0)
        generator = Generator.wrap(
            network,
            z_dim=spec.generator.z_dim,
            prior=known.prior or "normal",
            value_range=(low, high),
            num_classes=num_classes,
            form=spec.form(),
        )
    label = known_label(spec.label, num_classes or generator.num_classes, "draws an image of a class", SAYING)
    return generator if label is None else generator.given(label)


def _program(checkpoint: Checkpoint, program: nn.Module, spec: Spec) -> Critic:
    """A program tells nothing of its meaning; its declared input may tell the size, and its outputs what they are."""
    _check_program(checkpoint, spec)
    said, spec = spec, spec.over(Spec(images=_declared(checkpoint)))
    output = spec.critic.output or _output_of(program, spec.images)
    spec = spec.over(Spec(critic=CriticSpec(output=output)))
    critic = _critic(program, spec)
    critic.differentiable, critic.clips = checkpoint.differentiable, True
    unknown = {
        "critic.output": f"{output}, as its outputs for noise look; [critic] output",
        "critic.polarity": 'a high output means real; [critic] polarity = "fake"',
        "images.range": "images in [-1, 1]; [images] range, mean, std",
    }
    critic.about = _about_program(
        checkpoint, spec, _unsaid(said, unknown), lambda other: open_critic(checkpoint.path, other)
    )
    return critic


def _declared(checkpoint: Checkpoint) -> ImageSpec:
    """Size and channels of the one input of four axes that a program declares."""
    shapes = [value for key, value in checkpoint.facts.items() if key.startswith("inputs.")]
    images = [shape for shape in shapes if isinstance(shape, (list, tuple)) and len(shape) == 4]
    if len(images) != 1:
        return ImageSpec()
    channels, height, width = (n if isinstance(n, int) and n > 0 else None for n in images[0][1:])
    size = (height, width) if height and width else None
    return ImageSpec(size=size, channels=channels if channels in (1, 3) else None)


def _output_of(program: nn.Module, images: ImageSpec) -> str:
    """What the outputs for noise and plain images look like: probabilities, classes, or logits."""
    side, channels = images.size or UNKNOWN_SIDE, images.channels or 3
    height, width = (side, side) if isinstance(side, int) else side
    noise = tensors.normal(0, "program", shape=(PROBES, channels, height, width))
    steps = torch.linspace(0, 1, PROBES).view(-1, 1, 1, 1)
    try:
        with torch.no_grad(), tensors.isolated():
            found = torch.cat([program(x) for x in (noise, steps.expand_as(noise).contiguous())])
    except (RuntimeError, ValueError, TypeError):  # the first judgement says in full what it does not take
        return "logit"
    flat = found.reshape(len(found), -1).double()
    inside = bool(((flat >= 0) & (flat <= 1)).all())
    if flat.shape[1] < 2 or found.ndim > 2:
        return "probability" if inside else "logit"
    sums = bool(((flat.sum(1) - 1).abs() < 1e-4).all())
    return "class_probabilities" if inside and sums else "classes"


def _program_generator(checkpoint: Checkpoint, program: nn.Module, spec: Spec) -> Generator:
    """A program as a generator; the length of a code may be declared, or read from the weights that it carries."""
    _check_program(checkpoint, spec)
    said = spec
    first = next((v for k, v in checkpoint.facts.items() if k.startswith("inputs.")), None)
    if spec.generator.z_dim is None:
        declared = first[1] if first and len(first) > 1 and isinstance(first[1], int) else None
        spec = spec.over(Spec(generator=GeneratorSpec(z_dim=declared or _length(checkpoint, spec))))
    try:
        generator = _generator(program, spec, 0)
    except ValueError:
        generator = _generator(Squared(program), spec, 0)
    unknown = {
        "generator.prior": f"codes from a {generator.prior} distribution assumed; [generator] prior",
        "generator.range": "images in [-1, 1] assumed; [generator] range",
    }
    generator.about = _about_program(
        checkpoint, spec, _unsaid(said, unknown), lambda other: open_generator(checkpoint.path, other)
    )
    return generator


def _unsaid(spec: Spec, unknown: Mapping[str, str]) -> dict[str, str]:
    """Of what a program does not tell, that which nobody said either."""
    told = {f"{section}.{key}" for section, part in spec.to_dict().items() if isinstance(part, dict) for key in part}
    return {key: why for key, why in unknown.items() if key not in told}


def _check_program(checkpoint: Checkpoint, spec: Spec) -> None:
    """Refuse what is said of a network that is rebuilt, since a program runs as it is."""
    said = {"label": spec.label, "network": spec.network, "[architecture]": spec.architecture or None}
    for name, value in said.items():
        if value is not None:
            raise ValueError(
                f"{name} = {value!r} was given, but {checkpoint.path.name} is a program ({checkpoint.format}), which "
                "runs as it is; leave it out, or name the layout of the weights in it (--layout)"
            )


def _length(checkpoint: Checkpoint, spec: Spec) -> int | None:
    """Length of a code by the weights that a program carries, where a layout knows them."""
    for weights in checkpoint.networks:
        found, _ = likeliest(weights, spec, "generator")
        if found is not None:
            return found.spec.generator.z_dim
    return None


def _about_program(
    checkpoint: Checkpoint, spec: Spec, unknown: Mapping[str, str], reread: Callable[[Spec], Any]
) -> About:
    lines: tuple[str, ...] = (f"a program of the format {checkpoint.format}, run as it is",)
    if not checkpoint.differentiable:
        lines += ("it lets no gradient through: methods that need calls alone remain, such as kernel_shap",)
    return About(checkpoint.path, "", checkpoint.format, lines, unknown, spec, checkpoint.notes, reread)


def _about(checkpoint: Checkpoint, name: str, found: Found, reread: Callable[[Spec], Any]) -> About:
    return About(checkpoint.path, name, found.layout, found.lines, found.unknown, found.spec, checkpoint.notes, reread)
