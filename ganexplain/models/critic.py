"""Any discriminator or fake detector, read as one logit an image: higher is more real, in the whole project."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import torch
from torch import Tensor, nn

from ganexplain import checks, tensors
from ganexplain.models import neighbours, outputs, tail
from ganexplain.models.fast import faster, state_of
from ganexplain.models.forms import IMAGES, Form, Images
from ganexplain.models.preprocess import Preprocess
from ganexplain.models.private import in_training, private_copy
from ganexplain.models.reference import Reference
from ganexplain.models.verdict import LOW, Calibration, Verdict, auc, platt

if TYPE_CHECKING:  # opening knows critics
    from pathlib import Path

    from ganexplain.models.about import About
    from ganexplain.models.generator import Generator
    from ganexplain.models.spec import Spec

Network = nn.Module | Callable[[Tensor], Any]


class Reads(TypedDict, total=False):
    """How inputs become what a network reads; see `Critic`."""

    preprocess: Preprocess | None
    form: Form | None


class Critic(nn.Module):
    """Wraps a discriminator or detector on a private, frozen, eval copy.

    Args:
        network: a module (copied; yours is never touched) or any callable on a batch of images (used as it is).
        output: "logit" (before a sigmoid), "probability", "score" (hinge, least squares, Wasserstein, relativistic: no
            probability until calibrated), "classes" (logits, with ``real_class``), "class_probabilities", or a callable
            that picks the logit out of whatever the network returns.
        polarity: "real" when a high output means real, "fake" when it means fake; classes have ``real_class`` instead.
        pool: how a patch map is pooled ("mean", "max", "min", "logsumexp" or a cell (i, j)).
        real_class: the column that means real, where the output has several.
        **reads: ``preprocess``, the range, size, channels, mean and std of the images that the network was trained on;
            or ``form``, what it reads instead of images: a `Table` or a `Signal`, with a scaling of its own.

    Raises:
        ValueError: weights that are not finite, BatchNorm without running statistics, unknown words.

    Attributes:
        about: the file that the critic was opened from and what was assumed, or None.
        differentiable: whether gradients flow; False for an ONNX program.
        clips: whether probabilities of exactly 0 or 1 are read as the nearest that float32 tells from them, because
            the value before the sigmoid cannot be had; True for programs.

    A sigmoid or softmax module at the tail is cut when samples show that it really is the tail: logits do not saturate.
    A network whose output for an image depends on the others in its batch is given one image at a time.
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
        self.calibration: Calibration | None = None
        self.reference: Reference | None = None
        self.about: About | None = None
        self.differentiable, self.clips = True, False
        self.left_training = in_training(network) if isinstance(network, nn.Module) else ()
        self._made_by: tuple[Generator, ...] = ()  # in a tuple, or it would count among the critic's own modules
        self._found: dict[str, bool] = {}  # shared by all forms of this critic
        self._fast: tuple[Any, Network, nn.Module] | None = None  # state, the network of that state, its faster form
        self.network = private_copy(network) if isinstance(network, nn.Module) else network
        self.tail = "none" if self.pick or self.kind not in (*outputs.PROBABILITIES, "classes") else "unverified"

    @staticmethod
    def from_checkpoint(
        path: str | Path,
        *,
        layout: str | None = None,
        network: str | None = None,
        label: int | None = None,
        spec: Spec | str | Path | None = None,
    ) -> Critic:
        """The discriminator or detector in anybody's file of weights; no Python in it is run.

        Args:
            path: .pt, .pth, .ckpt, .tar, .safetensors, TorchScript or .onnx.
            layout: a name of `ganexplain.models.foreign.LAYOUTS`; None recognises it from names and shapes.
            network: its name in a file of several networks; None takes the one whose name says discriminator.
            label: the class that a conditional discriminator is to judge for.
            spec: what the file does not say (polarity, output, range, ...), a `Spec` or a TOML file; what was assumed
                in its place is in ``about.unknown``.

        Raises:
            FileNotFoundError: no such file.
            ValueError: the file is damaged or refused, of no known layout, or holds no discriminator.
        """
        from ganexplain.models.opening import open_critic
        from ganexplain.models.spec import said

        return open_critic(path, said(spec, layout=layout, network=network, label=label))

    def forward(self, images: Tensor) -> Tensor:
        """(N,) logits of images (N, C, H, W) in [-1, 1]; higher is more real. Differentiable.

        Raises:
            ValueError: the output does not fit what was declared, or is not finite.
        """
        x = self.form.read(self._placed(images), self.preprocess)
        if self.tail == "unverified":
            self._settle_tail(x.detach())
        raw = neighbours.one_by_one(self._raw, x) if self._apart(x.detach()) else self._raw(x)
        kind = self.kind
        if self.tail == "cut":
            kind = {"probability": "logit", "class_probabilities": "classes"}.get(kind, kind)
            raw = self._pooled_as_probability(raw) if kind == "logit" else raw
        logit = outputs.to_logit(
            raw, kind, pool=self.pool, real_class=self.real_class, polarity=self.polarity, clip=self.clips
        )
        if logit.shape != (len(images),):
            one, many = self.form.one, self.form.many
            raise ValueError(
                f"the model must return one row {'an' if one[0] in 'aeio' else 'a'} {one}, got {tuple(raw.shape)} for "
                f"{len(images)} {many}"
            )
        return checks.finite(logit, "the model's output")

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

    def together(self) -> Critic:
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

    def judge(self, images: Tensor, *, batch_size: int = 64) -> Verdict:
        """Judge images (N, C, H, W) in [-1, 1], at most ``batch_size`` at a time."""
        self.form.check(images)
        logit = self.logits(images, batch_size=batch_size)
        known, threshold = self.calibration, self.threshold
        probability = None if self.kind == "score" else torch.sigmoid(logit)
        if known:
            probability = torch.sigmoid(known.slope * (logit.double() - threshold)).to(logit.dtype)
        placed = self.kind != "score" or known is not None or self.reference is not None
        return Verdict(logit, threshold, probability, known.auc if known else None, placed)

    def logits(self, images: Tensor, *, batch_size: int = 64) -> Tensor:
        """(N,) logits without gradients, in batches, on the caller's device."""
        with torch.no_grad(), tensors.isolated():
            return tensors.batched(lambda x: self(x).to(x.device), batch_size, images)

    def calibrate(self, real: Tensor, fake: Tensor, *, real_share: float = 0.5, seed: int = 0) -> Critic:
        """A critic that knows threshold, probability and AUC, from images that it was not trained on.

        One half of each kind fits threshold and slope (logistic regression on the logit), the other half gives the AUC.

        Args:
            real: (R, C, H, W) in [-1, 1], at least 20.
            fake: (F, C, H, W) in [-1, 1], at least 20.
            real_share: share of reals where the critic is to be used.
            seed: decides the halves.
        """
        if min(len(real), len(fake)) < 20:
            raise ValueError(f"calibration needs at least 20 reals and 20 fakes, got {len(real)} and {len(fake)}")
        halves = []
        for name, batch in (("real", real), ("fake", fake)):
            order = torch.from_numpy(tensors.rng(seed, "calibrate", name).permutation(len(batch)))
            logit = self.logits(self.form.check(batch, name)).double()[order]
            halves.append((logit[: len(batch) // 2], logit[len(batch) // 2 :]))
        (real_fit, real_test), (fake_fit, fake_test) = halves
        threshold, slope = platt(real_fit, fake_fit, real_share)
        area = auc(real_test, fake_test)
        known = Calibration(threshold, slope, area, real_share, len(real_test), len(fake_test))
        return self.with_calibration(known)

    def with_calibration(self, calibration: Calibration | None) -> Critic:
        """The same critic with this calibration."""
        return self._variant(calibration=calibration)

    def with_preprocess(self, preprocess: Preprocess) -> Critic:
        """The same critic that reads images in another way, without calibration and reference, which no longer hold."""
        return self._variant(preprocess=preprocess, calibration=None, reference=None)

    def with_reference(self, reals: Tensor) -> Critic:
        """The same critic that knows real images: the default baseline, and the range of real logits."""
        self.form.check(reals, "reals")
        return self._variant(reference=Reference(reals, self.logits(reals)))

    def with_generator(self, generator: Generator) -> Critic:
        """The same critic that knows who makes the images it judges, so that they can be explained in latent codes."""
        return self._variant(_made_by=(generator,))

    @property
    def generator(self) -> Generator | None:
        """The generator whose images it judges, or None where none is known."""
        return self._made_by[0] if self._made_by else None

    def _variant(self, **changes: Any) -> Critic:
        twin = copy.copy(self)
        twin.__dict__ = {**self.__dict__, **changes}
        twin._modules = dict(self._modules)  # a shared dictionary would show a later cut of one in both
        return twin

    def fast(self, images: Tensor, *, batch_size: int = 64) -> Critic:
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

    @property
    def threshold(self) -> float:
        """Logit below which an image is called fake.

        It is the calibration's; else 0, but a score has no zero, so there it is the one that `LOW` of the known reals
        lie below.
        """
        if self.calibration is not None:
            return self.calibration.threshold
        if self.kind == "score" and self.reference is not None:
            return self.reference.quantile(LOW)
        return 0.0

    @property
    def unit(self) -> str:
        """The word "logit", or "score" for a critic whose output is defined only up to scale or constant."""
        return "score" if self.kind == "score" and self.calibration is None else "logit"
