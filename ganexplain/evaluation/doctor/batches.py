"""BatchNorm on the statistics of the batch at hand, as in training, where the running ones may not fit."""

from __future__ import annotations

import copy

from torch import Tensor, nn

from ganexplain.evaluation.doctor.area import gain, interval
from ganexplain.evaluation.doctor.contest import SURELY, Pair, Reading
from ganexplain.evaluation.doctor.fingerprint import FITS, KNOWN, BatchNorm
from ganexplain.models.critic import Critic
from ganexplain.models.verdict import POOR_AUC, auc

JUMP = 0.15  # gain in AUC that running statistics are blamed for
BLIND, ABOVE = 0.5, 0.9  # AUC of a critic that is blind to noise, and of one that surely tells what it did not before
FEWEST = 10  # images of a kind that have statistics of their own


def on_batches(critic: Critic) -> Critic:
    """A copy of a critic whose BatchNorm layers take mean and variance of each batch; the given one is unchanged."""
    network = copy.deepcopy(critic.network)
    for module in network.modules() if isinstance(network, nn.Module) else ():
        if isinstance(module, BatchNorm):
            module.running_mean = module.running_var = None
    twin = critic.together()._variant(_fast=None)
    twin.network = network
    return twin


def blamed(found: Reading, real: Tensor | None, fake: Tensor | None, noise: Tensor) -> tuple[str, str]:
    """Words of what the running statistics spoil, and "fail" or "warn"; empty where they are not to blame.

    Tried once, on batches of one kind each as GANs are trained, and only where BatchNorm is fed something else than in
    training: images of one kind judged together tell more than one alone, so that any critic does a little better.

    Args:
        found: the critic in the best wiring, in eval mode.
        real: (R, C, H, W), those of ``found``.
        fake: (F, C, H, W), those of ``found``.
        noise: (N, C, H, W).
    """
    if found.fit is None or found.fit.distance < KNOWN or real is None or len(real) < FEWEST:
        return "", ""
    judged = fake is not None and len(fake) >= FEWEST
    area = auc(found.real, found.fake) if judged else 1.0
    poor, far = area < POOR_AUC, found.fit.distance > FITS
    if not poor and not far:
        return "", ""
    critic = on_batches(found.critic)
    seen = _whole(critic, real)
    if poor and fake is not None:
        inverted = interval(area, len(real), len(fake))[1] < 0.5
        said = _jump((found.real, found.fake), (seen, _whole(critic, fake)), POOR_AUC if inverted else ABOVE)
        if said:
            return said, "fail" if far or inverted else "warn"
    if not far:
        return "", ""
    before, after = auc(found.real, _whole(found.critic, noise)), auc(seen, _whole(critic, noise))
    told = f"the AUC of reals against noise is {before:.3f}, with the mean and variance of each batch {after:.3f}"
    return (told, "warn") if before < BLIND and after > ABOVE else ("", "")


def _jump(before: Pair, after: Pair, least: float) -> str:
    change, error = gain(before, after)
    area = auc(*after)
    if area < least or change < JUMP or change < SURELY * error:
        return ""
    return f"the AUC is {auc(*before):.3f}, with the mean and variance of each batch {area:.3f}"


def _whole(critic: Critic, images: Tensor) -> Tensor:
    return critic.logits(images, batch_size=len(images)).double()
