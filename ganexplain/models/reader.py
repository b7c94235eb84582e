"""Any network, read as one logit an image: how inputs become what it reads, and what it returns becomes a logit."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, Self, TypedDict, Unpack

import torch
from torch import Tensor, nn

from ganexplain import checks, tensors
from ganexplain.models import neighbours, outputs, tail
from ganexplain.models.conditional import conditioned, known_label
from ganexplain.models.fast import faster, state_of
from ganexplain.models.forms import IMAGES, Form, Images
from ganexplain.models.preprocess import Preprocess
from ganexplain.models.private import in_training, private_copy

Network = nn.Module | Callable[..., Any]


JUDGES = "judges an image given its class"
BARE = {"probability": "logit", "class_probabilities": "classes"}  # what is left when the tail is cut


class Reads(TypedDict, total=False):
    """How inputs become what a network reads; see `ganexplain.models.critic.Critic`."""

    preprocess: Preprocess | None
    form: Form | None
    num_classes: int
    label: int | None


class Reader(nn.Module):
    """A network and how it is read; the arguments are those of `ganexplain.models.critic.Critic`, which judges by it.

    Attributes:
        differentiable: whether gradients flow.
        clips: whether probabilities of exactly 0 or 1 are read as the nearest that float32 tells from them.
        num_classes: 0 for an unconditional network.
        label: the class that it judges for, or None.
    """

    def __init__(
        self,
        network: Network,
        *,
        output: str | outputs.OutputPicker = "logit",
        polarity: str = "real",
        pool: outputs.Pool = None,
        real_class: int = 1,
        **reads: Unpack[Reads],
    ) -> None:
        super().__init__()
        for word in reads:
            if word not in Reads.__annotations__:
                raise TypeError(f"Critic has no argument {word!r}; what it reads is said by preprocess=... or form=...")
        if not callable(network):
            raise TypeError(f"network must be a torch module or a callable on images, got {type(network).__name__}")
        self.kind = output if isinstance(output, str) else "logit"
        self.pick = None if isinstance(output, str) else output
        self.polarity = checks.one_of("polarity", polarity, ("real", "fake"))
        if polarity == "fake" and output in ("classes", "class_probabilities"):
            raise ValueError(f"output={output!r} has no polarity; say which column means real: real_class=0, 1, ...")
        self.pool, self.real_class = pool, real_class
        checks.one_of("output", self.kind, outputs.KINDS)
        self.form, self.preprocess = reads.get("form") or IMAGES, reads.get("preprocess") or Preprocess()
        if not isinstance(self.form, Images) and reads.get("preprocess") is not None:
            raise ValueError(f"preprocess is for images; say how {self.form.many} are scaled in the form")
        self.differentiable, self.clips = True, False
        self.left_training = in_training(network) if isinstance(network, nn.Module) else ()
        self._found: dict[str, bool] = {}  # shared by all forms of this critic
        self._fast: tuple[Any, Network, nn.Module] | None = None  # state, the network of that state, its faster form
        self.network = private_copy(network) if isinstance(network, nn.Module) else network
        self.num_classes = reads.get("num_classes", 0)
        if reads.get("label") is not None and not self.num_classes:
            raise ValueError(f"label={reads['label']} needs num_classes, how many classes the network knows")
        self.label = known_label(reads.get("label"), self.num_classes, JUDGES)
        if self.label is not None:
            self.network = conditioned(self.network, self.label)
        self.tail = "none" if self.pick or self.kind not in (*outputs.PROBABILITIES, "classes") else "unverified"

    def forward(self, images: Tensor) -> Tensor:
        """(N,) logits of images (N, C, H, W) in [-1, 1]; higher is more real. Differentiable.

        Raises:
            ValueError: the output does not fit what was declared, or is not finite.
        """
        raw, kind = self._said(images)
        if self.tail == "cut" and kind == "logit":
            raw = self._pooled_as_probability(raw)
        logit = outputs.to_logit(
            raw, kind, pool=self.pool, real_class=self.real_class, polarity=self.polarity, clip=self.clips
        )
        return self._one_each(logit, (len(images),), raw, images)

    def cells(self, images: Tensor) -> Tensor:
        """(N, h, w) logits of the patches of images (N, C, H, W), by the same rules as the pooled one. Differentiable.

        A network that gives one number an image has one cell.

        Raises:
            ValueError: the output is no patch map, does not fit what was declared, or is not finite.
        """
        raw, kind = self._said(images)
        logits = outputs.cells(raw, kind, polarity=self.polarity, clip=self.clips)
        return self._one_each(logits, (len(images), *logits.shape[1:]), raw, images)

    def _said(self, images: Tensor) -> tuple[Any, str]:
        """What the network returns, and its kind after a tail has been cut."""
        x = self.form.read(self._placed(images), self.preprocess)
        if self.tail == "unverified":
            self._settle_tail(x.detach())
        raw = neighbours.one_by_one(self._raw, x) if self._apart(x.detach()) else self._raw(x)
        if isinstance(raw, Tensor) and raw.ndim and len(raw):
            self._found["map"] = self._found.get("map", False) or (outputs.is_map(raw, self.kind))
        return raw, BARE.get(self.kind, self.kind) if self.tail == "cut" else self.kind

    def _one_each(self, logits: Tensor, shape: tuple[int, ...], raw: Any, images: Tensor) -> Tensor:
        if logits.shape != shape:
            one, many = self.form.one, self.form.many
            raise ValueError(
                f"the model must return one row {'an' if one[0] in 'aeio' else 'a'} {one}, got {tuple(raw.shape)} for "
                f"{len(images)} {many}"
            )
        return checks.finite(logits, "the model's output")

    @property
    def pools(self) -> bool:
        """Whether the network returns a patch map; before anything has been judged, whether ``pool`` was declared."""
        return self._found.get("map", self.pool is not None)

    def _raw(self, x: Tensor) -> Any:
        raw = self.network(x)
        raw = raw if self.pick is None else self.pick(raw)
        squeezed = isinstance(raw, Tensor) and raw.ndim == 0 and len(x) == 1
        return raw.reshape(1) if squeezed else raw

    def _apart(self, x: Tensor) -> bool:
        if len(x) > 1 and "apart" not in self._found:
            self._found["apart"] = neighbours.matter(self._raw, x)
        return len(x) > 1 and self._found["apart"]

    def judges_alone(self, images: Tensor) -> bool:
        """Whether the network is given one image at a time; tried on the first of ``images`` beside noise."""
        with torch.no_grad():
            x = self.form.read(self._placed(images[:1].detach()), self.preprocess)
        return self._apart(x.expand(2, *x.shape[1:]))

    def together(self) -> Self:
        """The same critic that gives its network whole batches, whatever an image's neighbours do to its logit."""
        return self._variant(_found={"apart": False})

    def _pooled_as_probability(self, raw: Tensor) -> Tensor:
        """The detector pools probabilities; so do we, although its sigmoid is cut."""
        if raw.numel() == len(raw) or self.pool not in ("mean", "logsumexp"):
            return raw  # one number, or a pool that commutes with the sigmoid
        return outputs.logit_of(outputs.pooled(torch.sigmoid(raw), self.pool))

    def _placed(self, images: Tensor) -> Tensor:
        example = next(self.parameters(), None)
        return images if example is None else images.to(device=example.device, dtype=example.dtype)

    def _settle_tail(self, x: Tensor) -> None:
        """Cut the tail if samples show that it is one."""
        found = tail.cut(self.network, x, classes=self.kind in ("classes", "class_probabilities"))
        if found is not None:
            self.network = found
        self.tail = "kept" if found is None else "cut"  # last: a network that raises here is asked again

    def _variant(self, **changes: Any) -> Self:
        twin = copy.copy(self)
        twin.__dict__ = {**self.__dict__, **changes}
        twin._modules = dict(self._modules)  # a shared dictionary would show a later cut of one in both
        return twin

    def fast(self, images: Tensor, *, batch_size: int = 64) -> Self:
        """The same critic with its network in a faster form (`ganexplain.models.fast`), tried on the first image.

        Layers are folded into others there; whoever reaches into them takes the critic itself.
        """
        if batch_size > 1:
            self.judges_alone(images)  # once for all forms
        if not isinstance(self.network, nn.Module):
            return self
        with torch.no_grad(), tensors.isolated():
            x = self.form.read(self._placed(images[:1].detach()), self.preprocess)
            if self.tail == "unverified":
                self._settle_tail(x)
            state = state_of(self.network)
            if self._fast is None or self._fast[0] != state:
                self._fast = state, self.network, faster(self.network, x)
        twin = self._variant()
        twin.network = self._fast[2]
        return twin
