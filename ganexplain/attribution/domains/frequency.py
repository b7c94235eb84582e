"""Frequencies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from ganexplain import checks
from ganexplain.attribution.chart import BaselineLike, Chart, Domain
from ganexplain.attribution.domains._bands import SPACINGS, Bands, Cut, bands_of
from ganexplain.attribution.domains._bands import in_order as in_order
from ganexplain.attribution.domains._own import of_form, own_chart
from ganexplain.attribution.domains._rewritten import rewritten
from ganexplain.attribution.domains._spectra import KINDS, Transform
from ganexplain.attribution.domains._spectra import RadialProfile as RadialProfile  # for the layers above
from ganexplain.attribution.domains._spectra import Spectrum as Spectrum
from ganexplain.attribution.domains._spectra import radial_profile as radial_profile
from ganexplain.attribution.domains._spectra import spectrum_of as spectrum_of
from ganexplain.attribution.domains._spectra import standing_out as standing_out
from ganexplain.models.critic import Critic
from ganexplain.models.forms import Images

__all__ = ["Frequency"]


class Frequency(Domain):
    """In what way: coordinates are coefficients of an orthonormal transform; a player is a band of frequencies.

    Args:
        transform: "dct", the cosine transform of the whole image; "block_dct", that of blocks as in JPEG; or "fft", the
            Fourier transform, whose coordinates are real and imaginary parts (C, 2, H, W).
        bands: rings of equal width from 0 to half a cycle per pixel; corners beyond belong to the last one. The mean,
            DC, is a player of its own.
        orientations: directions that each ring is cut into. The cosines of the DCT tell no slant from its mirror image,
            so that theirs go from vertical to horizontal stripes and the two diagonals are one; the FFT's are apart.
        peaks: periods in pixels, such as (2, 4, 8), each a player of its own: the exact bins of all patterns that
            repeat so both ways, as upsampling leaves them (Odena et al. 2016); each bin belongs to the smallest of its
            periods. Of the "fft" alone, and of sides that are multiples of them.
        block: side of a block in pixels.
        spacing: "linear", or "octave": each ring twice as wide as the one below.

    Frequencies are measured in cycles per pixel along each axis, so that rings are round in pixels at any aspect ratio.
    Index k of a DCT over n pixels is k / 2 cycles per n pixels; of an FFT, k cycles. Bands that hold no coefficient are
    left out. Baselines are made in pixels and transformed.
    """

    name = "frequency"
    form = Images
    own = False

    def __init__(
        self,
        transform: str = "dct",
        *,
        bands: int = 8,
        orientations: int = 1,
        peaks: Sequence[int] = (),
        block: int = 8,
        spacing: str = "linear",
    ) -> None:
        self.transform = Transform(checks.one_of("transform", transform, KINDS), int(block))
        whole = {"bands": bands, "orientations": orientations, "block": block, "a peak's period": min(peaks, default=2)}
        least = {"bands": 1, "orientations": 1, "block": 2, "a peak's period": 2}
        for what, given in whole.items():
            if given != int(given) or given < least[what]:
                raise ValueError(f"{what} must be a whole number of at least {least[what]}, got {given}")
        if peaks and transform != "fft":
            raise ValueError(
                f"peaks are exact bins of the 'fft', got transform={transform!r}; use Frequency('fft', peaks=...)"
            )
        periods = tuple(sorted({int(period) for period in peaks}))
        self.cut = Cut(int(bands), int(orientations), periods, checks.one_of("spacing", spacing, SPACINGS))

    def bind(self, critic: Critic, inputs: Tensor, baseline: BaselineLike = None) -> Chart:
        """The chart of images (N, C, H, W) in [-1, 1]."""
        of_form(critic, self)
        _, channels, height, width = critic.form.check(inputs).shape
        bands = self.bands(height, width)
        parts = (channels, 2) if self.transform.kind == "fft" else (channels,)
        players = bands.labels.expand(1, *parts, height, width)
        facts = {
            "transform": self.transform.kind,
            "block": self.transform.block if self.transform.kind == "block_dct" else None,
            "spacing": self.cut.spacing,
            "bands": [dict(fact) for fact in bands.facts],
        }
        own = own_chart(critic, inputs, baseline, players=players, domain=self.name, facts=facts)
        made = rewritten(own, self.transform.forward, self.transform.inverse)
        return replace(made, names=tuple(fact["name"] for fact in bands.facts), places=bands.places)

    def bands(self, height: int, width: int) -> Bands:
        """The players of images of this size.

        Raises:
            ValueError: a peak's period does not fit, or there is no frequency but the mean.
        """
        return bands_of(self.transform, (height, width), self.cut)
