"""A network put together with what a label becomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from torch import nn

from ganexplain.models.checkpoints import Weights
from ganexplain.models.foreign import _found
from ganexplain.models.foreign._fit import Choice
from ganexplain.models.foreign._joined import Beside, Projected, Summed, Times
from ganexplain.models.foreign._label_tables import geometry, table_of, twins
from ganexplain.models.foreign._labels import IMAGE, Entry
from ganexplain.models.foreign._modules import Step, layer, sequential
from ganexplain.models.foreign._parts import Part
from ganexplain.models.foreign._stack import OPTIONS, Stack, read_stack
from ganexplain.models.spec import Spec

COURSE_EPS = 0.8  # PyTorch-GAN writes BatchNorm2d(width, 0.8), meaning the momentum
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


class Reading:
    """One way in which a label may enter, tried.

    Args:
        entry: how the label enters.
        role: "discriminator" or "generator".
        settings: the layout's options.
        weights: the file's.
        spec: the caller's.
    """

    def __init__(self, entry: Entry, role: str, settings: Mapping[str, Any], weights: Weights, spec: Spec) -> None:
        self.entry, self.role, self.settings = entry, role, settings
        self.weights, self.spec = weights, spec

    @property
    def starts(self) -> bool:
        """Whether the label meets the image or code itself, not features."""
        first = next(part for part in self.entry.chain if part.mixes)
        return self.entry.joint is not None and first.name == self.entry.joint.name

    @property
    def heads(self) -> set[str]:
        """First parts of the file's names."""
        return {name.split(".")[0] for name in self.weights.tensors}

    @cached_property
    def stack(self) -> Stack | None:
        """The chain without the label; None where it is no network on images."""
        options = {name: self.settings[name] for name in OPTIONS}
        if self.course and options["activation"] is None:
            options["activation"] = "leaky_relu"
        if self.entry.side is not None and self.starts and self.role == "discriminator":
            options["size"] = self.entry.side
        patchy, alike = self.patchy, self._alike
        chain = self._over_all() if patchy and not alike else self.entry.chain
        goal = "map" if patchy and alike else "one"
        stack = read_stack(chain, self.role, options, facts=self.weights.modules, goal=goal)
        stack = self._of_patches(stack) if stack is not None and patchy and not alike else stack
        if stack is None:
            return None
        images = IMAGE if self.spec.images.channels is None else (self.spec.images.channels,)
        flat = self._ends(stack) is None
        if self.role == "generator":
            return stack if flat or stack.out in images else None
        single = stack.out == 1 and (self.patchy or stack.size_out in (None, (1, 1)))
        return stack if single and (flat or stack.into in images) else None

    @property
    def patchy(self) -> bool:
        """Whether verdicts are given on patches.

        A larger kernel then tells the class of the whole (StarGAN), or the spec says a padding of heads of one kernel.
        """
        verdict = next(part for part in reversed(self.entry.chain) if part.mixes)
        if not self.entry.heads or verdict.kind != "conv":
            return False
        padding = self.settings["padding"]
        last = padding[-1] if isinstance(padding, (list, tuple)) and padding else padding
        return self.entry.heads[0].kernel > verdict.kernel or bool(self._alike and last)

    @property
    def _alike(self) -> bool:
        """Whether two convolutions of one kernel give verdict and class."""
        verdict = next(part for part in reversed(self.entry.chain) if part.mixes)
        heads = self.entry.heads
        return bool(heads) and verdict.kind == "conv" == heads[0].kind and heads[0].kernel == verdict.kernel

    @property
    def any_size(self) -> bool:
        """Whether images of any size are judged, patch by patch."""
        return self.patchy and self._alike

    @property
    def guessed(self) -> bool:
        """Whether nothing but an unusual way through the maps makes this a network."""
        said = any(self.settings[name] is not None for name in ("size", "stride", "padding"))
        path = None if self.stack is None else self.stack.path
        if said or path is None or self.weights.modules:
            return False
        return _found.odd(path)

    def _over_all(self) -> list[Part]:
        """The chain with the head that covers the whole map, which tells the size of images."""
        return [*self.entry.chain[:-1], self.entry.heads[0]]

    def _of_patches(self, stack: Stack) -> Stack | None:
        """The stack with the head that gives verdicts in its place, at the size of the map before it."""
        verdict, path = self.entry.chain[-1], stack.path
        if path is None or len(path.sizes) < 2:
            return None
        last = replace(stack.blocks[-1], parts=(verdict,))
        choice = Choice(1, (verdict.kernel[0] - 1) // 2)
        path = replace(path, sizes=(*path.sizes[:-1], path.sizes[-2]), choices=(*path.choices[:-1], choice))
        return replace(stack, blocks=(*stack.blocks[:-1], last), path=path)

    def _ends(self, stack: Stack) -> tuple[int, int] | None:
        """Size of the maps that are images; None where images are vectors."""
        return stack.size_in if self.role == "discriminator" else stack.size_out

    @cached_property
    def side(self) -> tuple[int, int, int] | None:
        """(C, H, W) of images that are read or made as vectors; None for maps, and where no image has such a size."""
        if self.stack is None or self._ends(self.stack) is not None:
            return None
        features = self.stack.into if self.role == "discriminator" else self.stack.out
        size, channels = self.settings["size"], self.spec.images.channels
        if size is None:
            return _found.square(features, channels)
        height, width = (size, size) if isinstance(size, int) else size
        count = channels or features // (height * width)
        return (count, height, width) if count and features == count * height * width else None

    @property
    def label_first(self) -> bool:
        """Whether the label's values come before the others; PyTorch-GAN's generators put them there."""
        said = self.settings["label_first"]
        if said is not None:
            return bool(said)
        return self.entry.label_first or (self.course and self.role == "generator" and self.starts)

    @property
    def wide(self) -> int:
        """Inputs of the joint, the label's among them."""
        name = self.entry.joint.name if self.entry.joint is not None else ""
        blocks = self.stack.blocks if self.stack is not None else ()
        return self.entry.width + sum(block.layer.into for block in blocks if block.layer.name == name)

    @cached_property
    def course(self) -> bool:
        """Whether names and norms are those of PyTorch-GAN, which is copied more than any other code of GANs."""
        mixing = [i for i, part in enumerate(self.entry.chain) if part.mixes]
        bare = len(mixing) > 1 and mixing[1] - mixing[0] == 1  # it has no norm after the first layer
        plain = {"model"} <= self.heads and bool({"label_emb", "label_embedding"} & self.heads)
        return (bare and plain) or ("conv_blocks" in self.heads and bool({"l1", "adv_layer"} & self.heads))

    @property
    def course_eps(self) -> bool:
        """Whether the file's BatchNorms have PyTorch-GAN's large eps."""
        normed = any(part.kind == "norm" for part in self.entry.chain)
        return self.course and normed and self.settings["eps"] is None

    @property
    def pools(self) -> bool:
        """Whether features are pooled over the map before a projection."""
        pooling = (nn.AdaptiveAvgPool2d, Summed)
        return self.entry.how == "projected" and any(isinstance(step.module, pooling) for step in self._steps())

    @property
    def label_activation(self) -> str:
        """What follows the label's own layers, in words."""
        said = self.settings["label_activation"]
        if said is not None:
            return str(said)
        return "what follows the layers beside them" if self._twins() else "nothing"

    def _twins(self) -> bool:
        return self.entry.table is None and twins(self.entry.branch, self._before()) is not None

    def _steps(self) -> list[Step]:
        """The modules of the chain without the label, from image to verdict or from code to image."""
        if self.stack is None:
            return []
        steps = list(self.stack.steps())
        for i, step in enumerate(steps):
            if self.course_eps and isinstance(step.module, BATCH_NORMS) and not self._after_reshape(steps, i):
                step.module.eps = COURSE_EPS
            if self.entry.how == "projected" and isinstance(step.module, nn.AdaptiveAvgPool2d):
                summed = self.settings["pooled"] == "sum"
                steps[i] = replace(step, module=Summed(), text="sum over the map") if summed else step
        if self.role == "discriminator":
            before = [Step("pixels", nn.Flatten(), "", 0)] if self.side is not None else []
            after = [] if self.stack.size_out is None or self.patchy else [Step("logit", nn.Flatten(), "", 0)]
        else:
            maps = self.stack.blocks[0].layer.kind != "linear"
            before = [Step("code", nn.Unflatten(1, (self.stack.into, 1, 1)), "", 0)] if maps else []
            after = [] if self.side is None else [Step("images", nn.Unflatten(1, self.side), "", 0)]
        return [*before, *steps, *after]

    @staticmethod
    def _after_reshape(steps: Sequence[Step], place: int) -> bool:
        """Whether a norm stands where vectors have just become maps: the one that PyTorch-GAN leaves at its default."""
        return place > 0 and isinstance(steps[place - 1].module, nn.Unflatten)

    def _place(self, steps: Sequence[Step]) -> int:
        name = self.entry.joint.name if self.entry.joint is not None else ""
        return next(i for i, step in enumerate(steps) if step.name == name)

    def _before(self) -> list[Step]:
        steps = self._steps()
        return [step for step in steps[: self._place(steps)] if step.name not in ("code", "pixels")]

    def network(self) -> nn.Module | None:
        """The network, or None where names and widths do not fit."""
        if self.stack is None:
            return None
        if self.side is None and self._ends(self.stack) is None:
            self._refuse(self.stack)
            return None
        entry, steps = self.entry, self._steps()
        if entry.how == "nowhere":
            return sequential(steps)
        if entry.how == "beside":
            return self._beside(steps)
        if entry.table is None or entry.table.weight is None or entry.branch:
            return None
        if entry.how == "times":
            return Times(sequential(steps), entry.table.weight)
        place = self._place(steps)
        return Projected(sequential(steps[:place]), sequential(steps[place:]), entry.table.weight)

    def _refuse(self, stack: Stack) -> None:
        """An error where a label was found."""
        if self.entry.traced and self.entry.classes:
            features = stack.into if self.role == "discriminator" else stack.out
            raise ValueError(
                f"a network of {self.entry.classes} classes whose {features} numbers are no square image of 1 or 3 "
                "channels; say [images] size = [height, width]; for rows of a table or signals build it in a factory"
            )

    def _beside(self, steps: list[Step]) -> nn.Module | None:
        entry, place = self.entry, self._place(steps)
        if entry.joint is None or self.stack is None:
            return None
        maps = self.stack.size_in if self.role == "discriminator" else None
        table = table_of(entry, self._before(), maps or (1, 1), self.settings)
        if table is None:
            return None
        before, after = steps[:place], [self._whole(entry.joint, steps[place]), *steps[place + 1 :]]
        if before and before[-1].name == "code":  # label and code are joined as vectors
            before, wide = before[:-1], self.stack.into + entry.width
            after.insert(0, Step("code", nn.Unflatten(1, (wide, 1, 1)), "", 0))
        return Beside(sequential(before), sequential(after), table, self.label_first)

    @staticmethod
    def _whole(joint: Part, step: Step) -> Step:
        """The step of the narrowed layer with the whole one."""
        kind, choice = geometry(step.module)
        return replace(step, module=layer(replace(joint, kind=kind), choice)[0])
