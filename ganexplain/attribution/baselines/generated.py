"""What the generator makes nearest to the image, judged otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ganexplain import checks
from ganexplain.models.critic import Critic

if TYPE_CHECKING:
    from ganexplain.attribution.baselines import Origin
    from ganexplain.models.generator import Generator

__all__ = ["Generated"]


class Generated:
    """The generator's sample nearest in pixels to the image that the critic judges otherwise: a better try at it.

    Found by a search in latent codes (`ganexplain.models.search.nearest_judged`), run once for each explanation.

    Args:
        generator: whose samples; None takes the one that the critic knows, by `Critic.with_generator`.
        side: "real" or "fake", the verdict on the sample; None takes the other one than each image has.
        n_restarts: samples from which the search begins.
        steps: of each of them.
        seed: of the search.
        batch_size: the largest batch that critic and generator see while searching.
    """

    name = "generated"
    phrase = "the most similar image that the generator can make and that is judged otherwise"

    def __init__(
        self,
        generator: Generator | None = None,
        *,
        side: str | None = None,
        n_restarts: int = 8,
        steps: int = 150,
        seed: int = 0,
        batch_size: int = 64,
    ) -> None:
        self.generator, self.side, self.seed = generator, side, int(seed)
        self.n_restarts, self.steps = int(checks.positive(n_restarts, "n_restarts")), int(steps)
        self.batch_size = int(checks.positive(batch_size, "batch_size"))
        if side is not None:
            checks.side(side)

    def __call__(self, critic: Critic, images: Tensor) -> Origin:
        """(N, C, H, W).

        Raises:
            ValueError: no generator is known, or it makes images of another shape.
        """
        from ganexplain.attribution.baselines import Origin
        from ganexplain.models.search import nearest_judged

        generator = self.generator if self.generator is not None else critic.generator
        if generator is None:
            raise ValueError(
                f"this baseline needs the generator of the {critic.form.many}; give it with "
                "critic.with_generator(generator), or open both with GAN.load and take gan.critic()"
            )
        effort = {"n_restarts": self.n_restarts, "steps": self.steps, "batch_size": self.batch_size}
        made, missed = torch.empty_like(images), 0
        for side, chosen in self._sides(critic, images).items():
            wanted = images[chosen].detach()
            found = nearest_judged(generator, critic, wanted, side=side, seed=self.seed, **effort)
            made[chosen] = critic.form.fitted(found.images, images, "the generated images").detach()
            missed += int((~found.flipped).sum())
        notes = (MISSED.format("the image" if len(images) == 1 else f"{missed} of {len(images)} images"),)
        return Origin(made, self.name, notes=notes if missed else ())

    def _sides(self, critic: Critic, images: Tensor) -> dict[str, Tensor]:
        """By wanted verdict, the indices of the images that want it."""
        if self.side is not None:
            return {self.side: torch.arange(len(images), device=images.device)}
        verdict = critic.judge(images, batch_size=self.batch_size)
        if not verdict.placed:
            raise ValueError(
                "the critic gives a score without a threshold, so no sample is judged otherwise; give known real "
                f"{critic.form.many} with critic.with_reference(reals), or say side='real' or side='fake'"
            )
        fake = verdict.is_fake.to(images.device)
        sides = {"real": fake.nonzero()[:, 0], "fake": (~fake).nonzero()[:, 0]}
        return {side: chosen for side, chosen in sides.items() if len(chosen)}


MISSED = (
    "no sample of the generator near {} was found that is judged otherwise: the generated baseline is the nearest that "
    "came closest to it"
)
