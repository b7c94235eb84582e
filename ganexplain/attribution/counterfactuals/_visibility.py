"""Whether an eye would see a change: the thresholds of Chou and Li for a difference of two images."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from ganexplain.models.forms import Form, Images

LUMA = (0.299, 0.587, 0.114)  # Rec. 601
DARK, LEAST, BRIGHT = 17.0, 3.0, 3.0 / 128.0  # T0, the threshold at middle grey, gamma (Chou and Li, section II)
MOST = 8.0  # steps; the study's dark threshold of 20 is of tubes in a lit room, and displays are better today
SOME, MANY = 0.01, 0.1  # shares of pixels above threshold
HALF_AGAIN, FAR = 1.5, 4.0  # times the threshold
# the weights of the ground over 32, and two of the four gradient operators over 16; the others are these, turned
_GROUND = ((1, 1, 1, 1, 1), (1, 2, 2, 2, 1), (1, 2, 0, 2, 1), (1, 2, 2, 2, 1), (1, 1, 1, 1, 1))
_HORIZONTAL = ((0, 0, 0, 0, 0), (1, 3, 8, 3, 1), (0, 0, 0, 0, 0), (-1, -3, -8, -3, -1), (0, 0, 0, 0, 0))
_DIAGONAL = ((0, 0, 1, 0, 0), (0, 8, 3, 0, 0), (1, 3, 0, -3, -1), (0, 0, -3, -8, 0), (0, 0, -1, 0, 0))


def threshold(image: Tensor) -> Tensor:
    """(H, W) smallest change in 8-bit steps that is seen at each place of an image (C, H, W) in [-1, 1].

    It grows where the ground is dark or bright, and beside edges and in textures, which mask what lies on them
    (Chou and Li, "A perceptually tuned subband image coder based on the measure of just-noticeable-distortion
    profile", IEEE Trans. CSVT 5(6), 1995, equations 2 to 8), here at most `MOST`.
    """
    grey = _luma(image.double()).add(1).mul(127.5)[None, None]
    framed = pad(grey, (2, 2, 2, 2), mode="replicate")
    near, horizontal, diagonal = (grey.new_tensor(kernel) for kernel in (_GROUND, _HORIZONTAL, _DIAGONAL))
    operators = torch.stack([2 * near, *(k for h in (horizontal, diagonal) for k in (h, h.T.flip(1)))]) / 16
    ground, *slopes = conv2d(framed, operators[:, None])[0]
    ground, slope = ground / 4, torch.stack(slopes).abs().amax(0)
    masked = slope * (ground * 0.0001 + 0.115) + (0.5 - ground * 0.01)
    dark = DARK * (1 - (ground / 127).clamp(max=1).sqrt()) + LEAST
    lit = torch.where(ground <= 127, dark, BRIGHT * (ground - 127) + LEAST)
    return torch.maximum(masked, lit).clamp(max=MOST)


def visible(form: Form, before: Tensor, after: Tensor) -> str:
    """Whether the change from (1, C, H, W) to (1, C, H, W) is "plain" to an eye, "faint", or seen by "none".

    None: at most a hundredth of the pixels change by more than the `threshold`, none by half as much again. Faint: at
    most a tenth, none by four times as much. The strongest channel counts, so a change of colour alone is rather called
    visible than not. A change of a row or a signal is plain: its numbers can be read.
    """
    if not isinstance(form, Images):
        return "plain"
    steps = (after - before).double().abs().mul(127.5).amax(1)[0]
    excess = steps / threshold(before[0])
    share, most = float((excess > 1).double().mean()), float(excess.max())
    if share <= SOME and most <= HALF_AGAIN:
        return "none"
    return "faint" if share <= MANY and most <= FAR else "plain"


def _luma(image: Tensor) -> Tensor:
    if image.shape[0] < 3:
        return image.mean(0)
    weights = image.new_tensor(LUMA)
    return (image[:3] * weights[:, None, None]).sum(0)
