"""What is left of the image, continued into what is removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from ganexplain.attribution.baselines._harmonic import harmonic
from ganexplain.models.critic import Critic

if TYPE_CHECKING:
    from ganexplain.attribution.baselines import Origin

__all__ = ["Inpaint"]


class Inpaint:
    """Removed parts are filled from what is left around them, anew whatever else is removed; all gone, the mean colour.

    The filling is harmonic: every removed pixel is the mean of its neighbours, in float, so no edge shows where a part
    was and none is invented inside it. Signals are continued by straight lines. A method that removes nothing, such as
    integrated gradients, starts from the image's mean colour, and in frequencies it is the mean colour alone.
    """

    name = "inpaint"
    phrase = "its mean colour, and where only parts are removed, a smooth filling from what is left around them"

    def __call__(self, critic: Critic, images: Tensor) -> Origin:
        """Images (N, C, H, W), or signals (N, C, L), of each channel's mean, and the filling."""
        from ganexplain.attribution.baselines import Origin

        mean = images.mean(tuple(range(2, images.ndim)), keepdim=True)
        return Origin(mean.expand(images.shape).clone(), self.name, fill=harmonic)
