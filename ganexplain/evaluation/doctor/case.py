"""The critic and the images that the checks look at, and how well it would do read in other ways."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial

import torch
from torch import Tensor

from ganexplain import tensors
from ganexplain.evaluation.doctor import architecture, batches, joint, ranges
from ganexplain.evaluation.doctor.area import interval
from ganexplain.evaluation.doctor.contest import Contest, Reading, compared
from ganexplain.evaluation.doctor.fingerprint import FITS, KNOWN, Moments, fingerprint, watching
from ganexplain.models.critic import Critic
from ganexplain.models.forms import Images
from ganexplain.models.preprocess import Preprocess
from ganexplain.models.verdict import POOR_AUC, auc

CLASSES = ("classes", "class_probabilities")  # outputs that have a real_class in place of a polarity
ENOUGH = 10  # images of a kind below which no AUC is stated
LIMIT = 100  # images of a kind that other readings are tried on
N_NOISE = 64
FEW = 48  # images of a kind that activations are tried on: BatchNorm needs no more


@dataclass(frozen=True)
class Case:
    """A critic with images of both kinds, and its logits of them.

    Attributes:
        critic: higher is more real.
        real: (R, C, H, W) in [-1, 1], or None.
        fake: (F, C, H, W) in [-1, 1], or None.
        batch_size: the most images in one forward.
        seed: of all that is drawn.
    """

    critic: Critic
    real: Tensor | None
    fake: Tensor | None
    batch_size: int = 64
    seed: int = 0

    @property
    def pictures(self) -> bool:
        """Whether the critic reads images, and not rows or signals."""
        return isinstance(self.critic.form, Images)

    @property
    def both(self) -> tuple[Tensor, Tensor] | None:
        """Reals and fakes where there are enough of each for an AUC."""
        if self.real is None or self.fake is None or min(len(self.real), len(self.fake)) < ENOUGH:
            return None
        return self.real, self.fake

    @property
    def lacking(self) -> str:
        """Why `both` is None."""
        counts = [0 if part is None else len(part) for part in (self.real, self.fake)]
        return f"needs at least {ENOUGH} reals and {ENOUGH} fakes, got {counts[0]} and {counts[1]}"

    @property
    def parts(self) -> list[Tensor]:
        """The kinds that there are."""
        return [part for part in (self.real, self.fake) if part is not None]

    def score(self, images: Tensor, critic: Critic | None = None) -> Tensor:
        """(N,) float64 logits."""
        return (critic or self.critic).logits(images, batch_size=self.batch_size).double()

    @cached_property
    def real_logits(self) -> Tensor:
        """(R,) float64; empty without reals."""
        return torch.zeros(0, dtype=torch.float64) if self.real is None else self.score(self.real)

    @cached_property
    def fake_logits(self) -> Tensor:
        """(F,) float64; empty without fakes."""
        return torch.zeros(0, dtype=torch.float64) if self.fake is None else self.score(self.fake)

    @cached_property
    def logits(self) -> Tensor:
        """(R + F,) float64."""
        return torch.cat([self.real_logits, self.fake_logits])

    @cached_property
    def spread(self) -> float:
        """Interquartile range of all logits: the unit in which a change is large or small."""
        low, high = torch.quantile(self.logits, self.logits.new_tensor([0.25, 0.75]))
        return float(high - low)

    def look(self, critic: Critic, limit: int = LIMIT) -> Reading:
        """The first ``limit`` images of each kind as another critic judges them, with what its BatchNorm is fed."""
        self.score(self.parts[0][:2], critic)  # settles its tail, which may put another network in its place
        (real, fed_real), (fake, fed_fake) = (self._watched(critic, part, limit) for part in (self.real, self.fake))
        return Reading(critic, real, fake, fit=fingerprint(critic.network, fed_real, fed_fake))

    def _watched(self, critic: Critic, part: Tensor | None, limit: int) -> tuple[Tensor, Moments]:
        with watching(critic.network) as fed:
            logits = torch.zeros(0, dtype=torch.float64) if part is None else self.score(part[:limit], critic)
        return logits, fed

    def contest(
        self, critic: Critic, variants: Mapping[str, Preprocess], limit: int = LIMIT, base: Reading | None = None
    ) -> Contest:
        """A critic against itself with images read in other ways."""
        known = critic.preprocess
        others = {
            word: (partial(critic.with_preprocess, reads), ranges.proposal(known, reads))
            for word, reads in variants.items()
        }
        return compared(base or self.signed(critic, limit), others, lambda one: self.look(one, limit))

    def signed(self, critic: Critic, limit: int = LIMIT) -> Reading:
        """`look`, with the sign of the declared critic."""
        return replace(self.look(critic, limit), sign=-1 if self.inverted else 1)

    @property
    def tryable(self) -> bool:
        """Whether other readings can be compared at all: by an AUC, or by BatchNorm."""
        return self.pictures and (self.both is not None or self.declared.fit is not None)

    @cached_property
    def declared(self) -> Reading:
        """The critic as it was declared."""
        return self.signed(self.critic)

    @cached_property
    def ranges(self) -> Contest | None:
        """The declared range against every common one, where they can be compared."""
        if not self.tryable:
            return None
        variants = ranges.ranges(self.critic.preprocess, self.parts[0].shape[1])
        return self.contest(self.critic, variants, base=self.declared)

    @cached_property
    def ranged(self) -> Reading:
        """The reading in the range that the model seems to want."""
        return self.declared if self.ranges is None else self.ranges.best

    @cached_property
    def orders(self) -> Contest | None:
        """Red and blue exchanged, in that range."""
        grey = any(part.shape[1] != 3 for part in self.parts) or self.critic.preprocess.channels == 1
        if not self.tryable or grey:
            return None
        return self.contest(self.ranged.critic, ranges.orders(self.ranged.reads), base=self.ranged)

    @cached_property
    def ordered(self) -> Reading:
        """The reading in the range and the order of channels that the model seems to want."""
        return self.ranged if self.orders is None else self.orders.best

    @cached_property
    def architectures(self) -> Contest | None:
        """Other options of the network that its weights do not say, in that range and order."""
        variants = architecture.variants(self.ordered.critic) if self.tryable else {}
        if not variants:
            return None
        base = replace(self.look(self.ordered.critic, FEW), sign=self.ordered.sign)
        if base.fit is not None and base.fit.distance < KNOWN:
            return Contest(base, {}, 0, thresholded=False)  # nothing can fit clearly better
        slopes = {word: variant for word, variant in variants.items() if architecture.SLOPE in variant[1]}
        first = compared(base, slopes, lambda one: self.look(one, FEW))
        if first.by_fit and first.fits(first.by_fit) == "certain":
            return first
        rest = {word: variant for word, variant in variants.items() if word not in slopes}
        second = compared(base, rest, lambda one: self.look(one, FEW))
        return replace(first, others={**first.others, **second.others}, refused=first.refused + second.refused)

    @cached_property
    def settled(self) -> Reading:
        """The reading with all of these that the model seems to want."""
        tried = self.architectures
        return tried.others[tried.by_fit] if tried is not None and tried.by_fit else self.ordered

    @cached_property
    def finally_inverted(self) -> bool:
        """Whether fakes clearly score above reals also in that reading."""
        found = self.settled
        if not self.tryable or not found.judged or found is self.declared:
            return self.inverted
        return interval(found.area, len(found.real), len(found.fake))[1] < 0.5

    @cached_property
    def joint(self) -> Contest | None:
        """Range and slope tried together, where the declared reading is inverted and nothing else was found wrong."""
        if not self.tryable or not self.inverted or self.settled is not self.declared:
            return None
        variants = joint.variants(self.critic, self.parts[0].shape[1])
        if not variants or (self.declared.fit is not None and self.declared.fit.distance < KNOWN):
            return None
        base = replace(self.look(self.critic, FEW), sign=self.declared.sign)
        return compared(base, variants, lambda one: self.look(one, FEW))

    @cached_property
    def batched(self) -> tuple[str, str]:
        """What BatchNorm's running statistics spoil in words, and how bad that is; see `batches.blamed`."""
        if not self.tryable:
            return "", ""
        found = self.settled
        real = None if self.real is None else self.real[: len(found.real)]
        fake = None if self.fake is None else self.fake[: len(found.fake)]
        try:
            return batches.blamed(found, real, fake, self.noise)
        except (ValueError, RuntimeError):  # statistics of these batches make it overflow: nothing can be said
            return "", ""

    @cached_property
    def noise(self) -> Tensor:
        """(N_NOISE, C, H, W) uniform noise in the shape that the critic reads."""
        reads, like = self.critic.preprocess, self.parts[0]
        shape = (N_NOISE, reads.channels or like.shape[1], *(reads.shape or like.shape[-2:]))
        return torch.from_numpy(tensors.rng(self.seed, "doctor noise").uniform(-1, 1, shape)).to(like)

    @cached_property
    def sizes(self) -> Contest | None:
        """Other sizes of images for a network that takes any, where the declared one is in doubt."""
        base = self.ordered
        doubt = base.fit.distance > FITS if base.fit is not None else base.judged and auc(*base.turned) < POOR_AUC
        if not self.tryable or not doubt:
            return None
        given = [(int(part.shape[-2]), int(part.shape[-1])) for part in self.parts]
        variants = ranges.sizes(base.reads, base.reads.shape or given[0], given)
        base = replace(self.look(base.critic, FEW), sign=base.sign)
        return self.contest(base.critic, variants, FEW, base)

    @property
    def area(self) -> tuple[float, float, float]:
        """AUC of reals against fakes, with its 95 % interval."""
        value = auc(self.real_logits, self.fake_logits)
        return value, *interval(value, len(self.real_logits), len(self.fake_logits))

    @property
    def inverted(self) -> bool:
        """Whether fakes clearly score above reals."""
        return self.both is not None and self.area[2] < 0.5

    @property
    def better_range(self) -> str:
        """The range that the critic's own threshold, or its BatchNorm, clearly wants; empty where there is none."""
        if self.ranges is None or not self.ranges.better:
            return ""
        best = self.ranges.better[0]
        return best if self.ranges.by_fit or self.ranges.more_accurate(best) else ""

    def some(self, n: int) -> Tensor:
        """At most n images of one size, reals and fakes by turns where their sizes agree."""
        parts = self.parts
        if len(parts) == 2 and parts[0].shape[1:] == parts[1].shape[1:]:
            return torch.cat([parts[0][: (n + 1) // 2], parts[1][: n // 2]])
        return parts[0][:n]
