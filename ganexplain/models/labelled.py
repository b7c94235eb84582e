"""What a conditional critic says of one image under every label: fake, or real but of another class?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ganexplain.models.critic import Critic

MOST = 1000  # classes
MATCHED = 0.75  # of the comparisons of a real's own label with another, below which labels are not told apart
PAIRS = 64  # images that are laid out at once, at least, each beside one label
EVALUATIONS = 4096  # of reals under all labels; fewer reals are taken where there are many labels


@dataclass(frozen=True)
class LabelReading:
    """One image under every label.

    With f(x, y) the logit of image x under label y, the two parts are the Shapley values of the image and the label in
    the game where who is absent is averaged over: the image over the reals, the label over all labels, each label with
    equal weight. They add up to f(image, given) - ``origin``. Where no reals are known, the image is always present.

    Attributes:
        given: the label that the verdict is for.
        logits: (K,) the logit under each label, higher is more real.
        threshold: logit below which an image is called fake.
        label_part: what the label contributes; without reals it is the logit under it minus the mean over all labels.
        image_part: what the image contributes, beyond what the reals have; None without reals.
        origin: mean logit of the reals over all labels; None without reals, where the mean of ``logits`` takes its
            place.
        class_names: (K,) what the classes are called, or empty.
        unit: "logit" or "score".
        placed: whether the threshold means anything; not so for a score where no reals are known.
        matched: how often a known real is more real under its own label than under another one, ties by half: .5 is
            chance. None where the classes of the reals are not known.

    A discriminator that was only ever shown images under the label that they were meant for need not tell labels apart:
    where ``matched`` is below .75, as where an AUC is, what is said under other labels means nothing.
    """

    given: int
    logits: Tensor
    threshold: float
    label_part: float
    image_part: float | None = None
    origin: float | None = None
    class_names: tuple[str, ...] = ()
    unit: str = "logit"
    placed: bool = True
    matched: float | None = None

    @property
    def deaf(self) -> bool:
        """Whether the critic is known to hardly tell labels apart."""
        return self.matched is not None and self.matched < MATCHED

    @property
    def best(self) -> int:
        """The label under which the image is most real."""
        return int(self.logits.argmax())

    @property
    def real_under(self) -> tuple[int, ...]:
        """The labels under which it is judged real, the most real first."""
        order = self.logits.argsort(descending=True, stable=True).tolist()
        return tuple(label for label in order if float(self.logits[label]) >= self.threshold)

    def name(self, label: int) -> str:
        """A label in words, such as "label 3 (trouser)"."""
        return f"label {label} ({self.class_names[label]})" if self.class_names else f"label {label}"

    @property
    def words(self) -> str:
        """What that means, in a sentence without a full stop."""
        given, best = self.name(self.given), self.name(self.best)
        other = self.best != self.given
        if self.deaf and self.matched is not None:
            judged = "fake" if self.given not in self.real_under else "real"
            return (
                f"judged {judged} given {given}; other labels mean nothing here, since a known real is more real under "
                f"its own label than under another one {100 * self.matched:.0f} times in 100"
            )
        if not self.placed:
            own, top = (float(self.logits[label]) for label in (self.given, self.best))
            most = f"and {top:.2f} at most, given {best}" if other else "its highest of all labels"
            return f"scored {own:.2f} given {given}, {most}; nothing says which score is fake"
        if not self.real_under:
            return "judged fake under every label"
        if self.given not in self.real_under:
            return f"judged fake given {given}, but real given {best}: the image looks like a real of another class"
        if len(self.real_under) == len(self.logits):
            return "judged real under every label"
        return f"judged real given {given}" + (f", and more clearly so given {best}" if other else "")


def reading(
    critic: Critic,
    image: Tensor,
    reals: Tensor | None = None,
    *,
    class_names: Sequence[str] = (),
    batch_size: int = 64,
) -> LabelReading:
    """Judge one image under every label, and share the verdict between image and label.

    Args:
        critic: one that takes labels: `Critic` with ``num_classes`` and ``label``, or `Critic.from_checkpoint`.
        image: (1, C, H, W) in [-1, 1].
        reals: (R, C, H, W) to compare the image with; None takes those that the critic knows. Of many reals some are
            taken, at equal steps, so that reals times labels stay within 4096.
        class_names: (K,) what the classes are called; by default as the critic knows them.
        batch_size: most images that the network is given at a time.

    Raises:
        ValueError: the critic knows no classes or too many, several images, or another number of names.
    """
    classes = critic.num_classes
    if critic.label is None:
        raise ValueError(
            "this critic takes no labels; Critic(network, num_classes=10, label=3) judges by one that does"
        )
    if classes > MOST:
        raise ValueError(f"an image is read under at most {MOST} labels, and this critic knows {classes}")
    if len(class_names) not in (0, classes):
        raise ValueError(f"class_names must be {classes} names, one a class, got {len(class_names)}")
    if len(critic.form.check(image)) != 1:
        raise ValueError(f"one {critic.form.one} is read at a time, got {len(image)}")
    reals = critic.reals if reals is None else reals
    known = critic.real_labels if reals is critic.reals else None
    given, logits = critic.label, under_all(critic, image, batch_size=batch_size)[0]
    verdict = critic.judge(image, batch_size=batch_size)
    alone = logits.double()
    label_part, image_part, origin, matched = float(alone[given] - alone.mean()), None, None, None
    if reals is not None:
        some = torch.linspace(0, len(reals) - 1, min(len(reals), max(1, EVALUATIONS // classes))).round().long()
        found = under_all(critic, critic.form.check(reals, "reals")[some], batch_size=batch_size).double()
        label_part, image_part = _shared(alone, found.mean(0), given)
        origin, matched = float(found.mean()), None if known is None else _matched(found, known[some])
    names = tuple(map(str, class_names)) or critic.class_names
    about = (given, logits, verdict.threshold, label_part, image_part, origin, names, critic.unit, verdict.placed)
    return LabelReading(*about, matched)


def _shared(image: Tensor, reals: Tensor, given: int) -> tuple[float, float]:
    """Shapley values of label and image, from (K,) logits of the image and mean logits of the reals."""
    both, only_image, only_label, none = image[given], image.mean(), reals[given], reals.mean()
    label = ((both - only_image) + (only_label - none)) / 2
    return float(label), float(both - none - label)


def _matched(logits: Tensor, labels: Tensor) -> float | None:
    """How often the own one of (R, K) logits is above another, from (R,) labels; None for a single class."""
    others = logits.shape[1] - 1
    own = logits.gather(1, labels.to(logits.device)[:, None])
    above = (own > logits).double() + 0.5 * (own == logits)
    return float((above.sum(1) - 0.5).mean() / others) if others else None  # each is beside itself once, a tie


def under_all(critic: Critic, images: Tensor, *, batch_size: int = 64) -> Tensor:
    """(N, K) logits of images (N, C, H, W) under each of a conditional critic's labels, without gradients."""
    n, classes = len(images), critic.num_classes
    found = []
    for pairs in torch.split(torch.arange(n * classes), max(batch_size, PAIRS)):
        piece = images[pairs.to(images.device) // classes]
        found.append(critic.logits(piece, labels=pairs % classes, batch_size=batch_size))
    return torch.cat(found).view(n, classes)
