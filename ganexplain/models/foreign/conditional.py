"""GANs that know classes: a label beside the image, the features or the code; projection; a second head."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from torch import nn

from ganexplain import checks
from ganexplain.models.checkpoints import Weights
from ganexplain.models.foreign import _found, _modules
from ganexplain.models.foreign._conditioned import Reading
from ganexplain.models.foreign._labels import entries
from ganexplain.models.foreign._layout import Found, Layout
from ganexplain.models.foreign._parts import parts_of
from ganexplain.models.foreign._stack import OPTIONS, Stack
from ganexplain.models.spec import CriticSpec, Spec

__all__ = ["Conditional"]

UNCLEAR = (
    "a verdict beside classes, but no usual strides and paddings fit; say them, one a convolution, [architecture] "
    "stride = [...] and padding = [...]; a last padding above 0 gives verdicts on patches"
)
TRACED, BARE = 0.9, 0.75  # scores: of a label with layers of its own, and of a width alone
POOLED = ("sum", "mean")


class Conditional(Layout):
    """GANs that know classes: a label beside image, features or code; projection; two heads (ACGAN)."""

    name: ClassVar[str] = "conditional"
    options: ClassVar[Mapping[str, Any]] = {
        **OPTIONS,
        "classes": None,  # their number, where the file holds no embedding
        "label_first": None,  # whether the label's values come before the image's or code's
        "label_activation": None,  # after each of the label's own layers
        "one_hot": [0, 1],  # values of a one-hot label
        "pooled": "sum",  # of POOLED: features of a projection discriminator
    }

    def read(self, weights: Weights, spec: Spec) -> Found | None:
        """See `Layout.read`."""
        parts = parts_of(weights)
        if parts is None:
            return None
        settings, unclear = self._checked(spec), False
        for role in _found.roles(weights):
            for entry in entries(parts, role, settings["classes"]):
                reading = Reading(entry, role, settings, weights, spec)
                stack, network = reading.stack, reading.network()
                if stack is not None and network is not None and not reading.guessed:
                    return self._found(reading, stack, network)
                unclear |= network is not None and bool(entry.heads)
        if unclear:
            raise ValueError(UNCLEAR)
        return None

    def _found(self, reading: Reading, stack: Stack, network: nn.Module) -> Found:
        spec, score = reading.spec, TRACED if reading.entry.traced else BARE
        if reading.role == "generator":
            base = _found.found_generator(stack, self.name, spec, score=score, side=reading.side)
        else:
            critic = _found.is_critic(reading.weights)
            base = _found.found_discriminator(
                stack, self.name, spec, wasserstein=critic, score=score, side=reading.side
            )
            if reading.patchy:
                patches = CriticSpec(output=spec.critic.output or "score", pool=spec.critic.pool or "mean")
                base = replace(base, spec=Spec(critic=patches).over(base.spec))
            if reading.any_size:
                images = replace(base.spec.images, size=spec.images.size)
                base = replace(base, spec=replace(base.spec, images=images))
        lines = (*base.lines, *_said(reading))
        unknown = {**base.unknown, **_unknown(reading)}
        return replace(base, network=network.eval(), lines=lines, unknown=unknown, num_classes=reading.entry.classes)

    def _checked(self, spec: Spec) -> dict[str, Any]:
        settings = self.settings(spec)
        settings["size"] = _found.option_size(spec, settings)
        classes, first, hot = settings["classes"], settings["label_first"], settings["one_hot"]
        if classes is not None and (type(classes) is not int or classes < 2):
            raise ValueError(f"[architecture] classes must be a whole number of at least 2, got {classes!r}")
        if first is not None and not isinstance(first, bool):
            raise ValueError(f"[architecture] label_first must be true or false, got {first!r}")
        if len(hot) != 2 or not all(isinstance(v, int | float) and not isinstance(v, bool) for v in hot):
            raise ValueError(f"[architecture] one_hot must be two numbers, for no and yes, got {hot!r}")
        if settings["label_activation"] is not None:
            checks.one_of("[architecture] label_activation", str(settings["label_activation"]), _modules.ACTIVATIONS)
        checks.one_of("[architecture] pooled", settings["pooled"], POOLED)
        return settings


def _said(reading: Reading) -> tuple[str, ...]:
    """What the network does with labels, in a line or two."""
    entry, lines = reading.entry, []
    made = "one-hot label" if entry.table is None else f"embedding of {entry.table.shape[1]}"
    through = "".join(f" through {part.name}" for part in entry.branch if part.mixes)
    what = f"{entry.classes} classes: {made}{through}"
    reads = "image" if reading.role == "discriminator" else "code"
    if entry.how == "times":
        lines.append(f"{what}, multiplied with the code")
    elif entry.how == "projected":
        lines.append(f"{what}, its inner product with the features added to the verdict")
    elif entry.joint is not None:
        share = f"{entry.width} of the {reading.wide} inputs of {entry.joint.name}"
        planes = "" if entry.side is None else f" as {entry.width} x {entry.side} x {entry.side}"
        order = "before" if reading.label_first else "behind"
        other = reads if reading.starts else "features"
        lines.append(f"{what}{planes}, {order} the {other}: {share}")
    if reading.patchy:
        lines.append("one verdict a patch, of which the mean is taken")
    for head in entry.heads:
        lines.append(f"a second head, {head.name}, tells {head.out} classes; it is left out")
    return tuple(lines)


def _unknown(reading: Reading) -> dict[str, str]:
    """What the file does not say of labels, by the key of the spec that says otherwise."""
    entry, said = reading.entry, reading.spec.architecture
    found = {}
    if entry.how == "beside" and "label_first" not in said:
        order, other = ("first", "false") if reading.label_first else ("last", "true")
        found["architecture.label_first"] = f"the label comes {order} (assumed); [architecture] label_first = {other}"
    if entry.table is None and entry.classes and "one_hot" not in said:
        found["architecture.one_hot"] = "a one-hot label of 0 and 1 assumed; [architecture] one_hot = [-1, 1] or others"
    if not entry.traced and "classes" not in said:
        found["architecture.classes"] = (
            f"a one-hot label of {entry.classes} classes is told by a width alone; [architecture] classes = ..."
        )
    if any(part.mixes for part in entry.branch) and "label_activation" not in said:
        found["architecture.label_activation"] = (
            f"{reading.label_activation} after the label's own layers assumed; "
            '[architecture] label_activation = "relu", "leaky_relu" or "none"'
        )
    if reading.patchy and reading.spec.critic.output is None:
        found["critic.output"] = 'a score for each patch assumed (Wasserstein); [critic] output = "logit"'
    if reading.any_size and reading.spec.images.size is None:
        found["images.size"] = "images are judged at the size that they have; [images] size = 128 or others"
    if reading.pools and "pooled" not in said:
        found["architecture.pooled"] = 'features summed over the map (SNGAN); [architecture] pooled = "mean"'
    if reading.course_eps and "eps" not in said:
        found["architecture.eps"] = (
            "BatchNorm with eps 0.8 assumed, as all that is copied from PyTorch-GAN has it; [architecture] eps = 1e-5"
        )
    return found
