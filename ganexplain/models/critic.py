"""Any discriminator or fake detector, read as one logit an image: higher is more real, in the whole project."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Unpack

import torch
from torch import Tensor

from ganexplain import tensors
from ganexplain.models import outputs
from ganexplain.models.class_names import numbered
from ganexplain.models.conditional import conditioned, known_labels
from ganexplain.models.health import checked
from ganexplain.models.preprocess import Preprocess
from ganexplain.models.reader import Network, Reader, Reads
from ganexplain.models.reference import Reference
from ganexplain.models.verdict import LOW, Calibration, Verdict, auc, platt

if TYPE_CHECKING:  # opening knows critics
    from pathlib import Path

    from ganexplain.models.about import About
    from ganexplain.models.generator import Generator
    from ganexplain.models.spec import Spec


class Critic(Reader):
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
            or ``form``, what it reads instead of images: a `Table` or a `Signal`, with a scaling of its own;
            ``num_classes`` and ``label`` for a network that takes (images, labels), labels (N,) int64: how many classes
            it knows, and the one for which it judges (see `given`).

    Raises:
        ValueError: weights that are not finite, BatchNorm without running statistics, unknown words, no such label.

    Attributes:
        num_classes: 0 for an unconditional network.
        label: the class that it judges for, or None.
        class_names: (num_classes,) what the classes are called, or empty.
        pools: whether the network returns a patch map.
        about: the file that the critic was opened from and what was assumed, or None.
        health: how the training of its GAN ended, see `ganexplain.models.health`; None where nobody recorded it.
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
        super().__init__(network, output=output, polarity=polarity, pool=pool, real_class=real_class, **reads)
        self.calibration: Calibration | None = None
        self.reference: Reference | None = None
        self.class_names: tuple[str, ...] = ()
        self.about: About | None = None
        self.health: Mapping[str, Any] | None = None
        self._labelled: tuple[Tensor, Tensor] | None = None  # reals of all classes, and their labels
        self._made_by: tuple[Generator, ...] = ()  # in a tuple, or it would count among the critic's own modules

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

    def logits(self, images: Tensor, *, labels: Tensor | None = None, batch_size: int = 64) -> Tensor:
        """(N,) logits without gradients, in batches, on the caller's device.

        Args:
            images: (N, C, H, W) in [-1, 1].
            labels: (N,) the class that each is judged under; None takes the critic's own for all.
            batch_size: most images that the network is given at a time.
        """
        with torch.no_grad(), tensors.isolated():
            if labels is None:
                return tensors.batched(lambda x: self(x).to(x.device), batch_size, images)
            known = known_labels(labels, len(images), self.num_classes).to(images.device)
            self(images[:1])  # settles its tail
            rows = 1 if batch_size == 1 or self.judges_alone(images) else batch_size
            return tensors.batched(self._under, rows, images, known)

    def _under(self, images: Tensor, labels: Tensor) -> Tensor:
        twin = self._variant()
        twin.network = conditioned(twin.network, labels)
        logits: Tensor = twin(images).to(images.device)
        return logits

    def calibrate(
        self,
        real: Tensor,
        fake: Tensor,
        *,
        labels: tuple[Tensor, Tensor] | None = None,
        real_share: float = 0.5,
        seed: int = 0,
    ) -> Critic:
        """A critic that knows threshold, probability and AUC, from images that it was not trained on.

        One half of each kind fits threshold and slope (logistic regression on the logit), the other half gives the AUC.

        Args:
            real: (R, C, H, W) in [-1, 1], at least 20.
            fake: (F, C, H, W) in [-1, 1], at least 20.
            labels: (R,) and (F,) classes under which a conditional critic judges them; the calibration then holds for
                every class. None judges all under the critic's own.
            real_share: share of reals where the critic is to be used.
            seed: decides the halves.
        """
        if min(len(real), len(fake)) < 20:
            raise ValueError(f"calibration needs at least 20 reals and 20 fakes, got {len(real)} and {len(fake)}")
        halves = []
        for name, batch, own in zip(("real", "fake"), (real, fake), labels or (None, None), strict=True):
            order = torch.from_numpy(tensors.rng(seed, "calibrate", name).permutation(len(batch)))
            logit = self.logits(self.form.check(batch, name), labels=own).double()[order]
            halves.append((logit[: len(batch) // 2], logit[len(batch) // 2 :]))
        (real_fit, real_test), (fake_fit, fake_test) = halves
        threshold, slope = platt(real_fit, fake_fit, real_share)
        area, pooled = auc(real_test, fake_test), labels is not None
        known = Calibration(threshold, slope, area, real_share, len(real_test), len(fake_test), pooled)
        return self.with_calibration(known)

    def with_calibration(self, calibration: Calibration | None) -> Critic:
        """The same critic with this calibration."""
        return self._variant(calibration=calibration)

    def with_preprocess(self, preprocess: Preprocess) -> Critic:
        """The same critic that reads images in another way, without calibration and reference, which no longer hold."""
        return self._variant(preprocess=preprocess, calibration=None, reference=None, _labelled=None)

    def with_reference(self, reals: Tensor, *, labels: Tensor | None = None) -> Critic:
        """The same critic that knows real images: the default baseline, and the range of real logits.

        Args:
            reals: (R, C, H, W) in [-1, 1].
            labels: (R,) their classes, of which a conditional critic takes its own; None takes all.
        """
        self.form.check(reals, "reals")
        if labels is None:
            return self._variant(reference=Reference(reals, self.logits(reals)), _labelled=None)
        known = known_labels(labels, len(reals), self.num_classes).to(reals.device)
        own = reals[known == self.label]
        reference = Reference(own, self.logits(own)) if len(own) else None
        return self._variant(reference=reference, _labelled=(reals, known))

    def with_class_names(self, names: Sequence[str]) -> Critic:
        """The same conditional critic that knows what its classes are called.

        Raises:
            ValueError: another number of names than of classes.
        """
        if len(names) != self.num_classes:
            raise ValueError(f"class_names must be {self.num_classes} names, one a class, got {len(names)}")
        return self._variant(class_names=tuple(map(str, names)))

    def with_generator(self, generator: Generator) -> Critic:
        """The same critic that knows who makes the images it judges, so that they can be explained in latent codes."""
        return self._variant(_made_by=(generator,))

    def with_health(self, health: Mapping[str, Any] | None) -> Critic:
        """The same critic that knows how the training of its GAN ended; see `ganexplain.models.health`."""
        return self._variant(health=checked(health))

    def cell(self, i: int, j: int) -> Critic:
        """The critic that judges by one cell of its patch map, row ``i`` and column ``j``, without calibration.

        Raises:
            ValueError: a negative index; one outside the map, as soon as it is known how large that is for an image.
        """
        if min(i, j) < 0:
            raise ValueError(f"cells are counted from (0, 0) at the top left, got ({i}, {j})")
        return self._rejudged(self._variant(pool=(i, j), calibration=None, reference=None))

    def given(self, label: int | str) -> Critic:
        """The same conditional critic that judges for another class, without a calibration that no longer holds.

        One over all classes stays; of reals whose classes are known those of the other class are taken.

        Raises:
            ValueError: it knows no classes, or not this one.
        """
        number = numbered(label, self.num_classes, self.class_names)
        about = self.about and replace(self.about, spec=replace(self.about.spec, label=number))
        made_by = tuple(made.given(number) if number < made.num_classes else made for made in self._made_by)
        known = self.calibration if self.calibration is not None and self.calibration.pooled else None
        changes = {"label": number, "about": about, "_made_by": made_by, "calibration": known, "reference": None}
        twin = self._variant(**changes)
        twin.network = conditioned(twin.network, number)
        return self._rejudged(twin)

    def _rejudged(self, twin: Critic) -> Critic:
        """``twin`` with this critic's reals, judged by its own lights."""
        if self._labelled is not None:
            return twin.with_reference(self._labelled[0], labels=self._labelled[1])
        return twin if self.reference is None else twin.with_reference(self.reference.images)

    @property
    def reals(self) -> Tensor | None:
        """(R, C, H, W) the known reals, of all classes where a conditional critic knows those of others."""
        if self._labelled is not None:
            return self._labelled[0]
        return None if self.reference is None else self.reference.images

    @property
    def real_labels(self) -> Tensor | None:
        """(R,) the classes of `reals`, where they are known."""
        return None if self._labelled is None else self._labelled[1]

    @property
    def generator(self) -> Generator | None:
        """The generator whose images it judges, or None where none is known."""
        return self._made_by[0] if self._made_by else None

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
