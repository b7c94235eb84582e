"""Cells of patch discriminators: their logits, the critic of one cell, and where the map says that a patch lies."""

import pytest
import torch
from torch import Tensor, nn

from ganexplain.attribution.methods.hires_cam import HiResCam
from ganexplain.attribution.methods.input_x_gradient import InputXGradient
from ganexplain.attribution.methods.saliency import Saliency
from ganexplain.models.critic import Critic
from ganexplain.models.patches import patch_map, placed
from ganexplain.models.preprocess import Preprocess
from ganexplain.models.verdict import Calibration
from tests.models.test_receptive import ByHand, chain

NET = chain((4, 2, 1), (3, 1, 1))
X = torch.rand(4, 1, 12, 10, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.mark.parametrize("polarity", ["real", "fake"])
@pytest.mark.parametrize("tail", ["none", "module", "function"])
def test_cells_are_what_each_cell_alone_says(polarity, tail):
    class Squashed(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = NET

        def forward(self, x):
            return torch.sigmoid(self.net(x))

    network = {"none": NET, "module": nn.Sequential(NET, nn.Sigmoid()), "function": Squashed()}[tail]
    output, sign = "logit" if tail == "none" else "probability", 1 if polarity == "real" else -1
    critic = Critic(network, output=output, polarity=polarity, pool="mean")
    cells = critic.cells(X)
    torch.testing.assert_close(cells, sign * NET(X)[:, 0])
    for i, j in ((0, 0), (2, 3), (5, 4)):
        torch.testing.assert_close(critic.cell(i, j)(X), cells[:, i, j])
    if tail == "none":
        torch.testing.assert_close(cells.mean((1, 2)), critic(X))
    else:  # the detector pools probabilities
        torch.testing.assert_close((sign * cells).sigmoid().mean((1, 2)), (sign * critic(X)).sigmoid())


@pytest.mark.parametrize("method", [Saliency, InputXGradient, HiResCam])
def test_maps_of_the_cells_are_shares_of_the_map_of_their_mean(method):
    critic = Critic(NET.double(), pool="mean")
    x, total = X[:1, :, :8, :6].double(), 0
    for i in range(4):
        for j in range(3):
            total = total + method(critic.cell(i, j)).attribute(x, side="fake").values
    whole = method(critic).attribute(x, side="fake").values
    torch.testing.assert_close(total / 12, whole, rtol=0, atol=1e-6 * float(whole.abs().max()))


def test_a_cell_keeps_what_holds_and_drops_what_does_not():
    reads = Preprocess(value_range=(0, 1))
    critic = Critic(NET.float(), pool="max", polarity="fake", preprocess=reads).with_reference(X)
    one = critic.with_calibration(Calibration(0.3, 1.0, 0.9)).cell(1, 2)
    assert (one.pool, one.polarity, one.preprocess, one.calibration) == ((1, 2), "fake", reads, None)
    torch.testing.assert_close(one.reference.logits, critic.cells(X)[:, 1, 2])
    assert one.reference.images is critic.reference.images
    assert critic.pool == "max"


def test_cells_that_do_not_exist():
    critic = Critic(NET.float(), pool="mean")
    with pytest.raises(ValueError, match=r"6 x 5 cells, \(0, 0\) to \(5, 4\), got the cell \(6, 0\)"):
        critic.cell(6, 0)(X)
    with pytest.raises(ValueError, match="got the cell"):
        critic.with_reference(X).cell(0, 5)
    with pytest.raises(ValueError, match="counted from"):
        critic.cell(0, -1)
    with pytest.raises(ValueError, match="1 x 1 cells"):
        Critic(lambda x: x.mean((1, 2, 3))).cell(0, 1)(X)
    with pytest.raises(ValueError, match="classes of the whole image"):
        Critic(lambda x: x.flatten(1)[:, :2], output="classes").cells(X)
    with pytest.raises(TypeError, match="must return a tensor"):
        Critic(lambda x: (x,)).cells(X)


def test_whether_it_pools_is_known():
    assert not Critic(NET.float()).pools
    critic = Critic(lambda x: x.mean((1, 2, 3)), pool="mean")
    assert critic.pools  # as declared
    critic.logits(X)
    assert not critic.pools
    with pytest.raises(ValueError, match="one number an image and no map"):
        patch_map(critic, X[:1])
    bare = Critic(NET.float(), output=lambda out: out)
    torch.testing.assert_close(bare.cells(X), NET(X)[:, 0])
    assert bare.pools


def test_placed_is_the_mean_of_what_sees_a_pixel():
    critic = Critic(chain((4, 3, 0)), pool="mean", polarity="fake")
    image = X[:1, :, :12, :9]  # three rows of cells reach to 10 of 12 pixels, two columns to 7 of 9
    found = patch_map(critic, image)
    expected = torch.full((12, 9), torch.nan)
    for y in range(12):
        for x in range(9):
            seen = [
                found.logits[i, j]
                for i in range(3)
                for j in range(2)
                if 3 * i <= y < 3 * i + 4 and 3 * j <= x < 3 * j + 4
            ]
            if seen:
                expected[y, x] = torch.stack(seen).mean()
    torch.testing.assert_close(found.placed, expected, equal_nan=True)
    assert found.placed.isnan().sum() == 12 * 9 - 10 * 7
    torch.testing.assert_close(found.logits, -critic.network(image)[0, 0])
    assert (found.size, found.whole, found.inside, found.pool) == ((4, 4), False, None, "mean")
    i, j = found.most_fake
    assert found.logits[i, j] == found.logits.min()
    i, j = found.most_real
    assert found.logits[i, j] == found.logits.max()
    assert found.fake_share == float((found.logits < 0).double().mean())


class Spots(nn.Module):
    """A detector of a fine checkerboard: high where neighbours alternate, which smooth images do not."""

    def __init__(self, kernel: int = 4, stride: int = 2) -> None:
        super().__init__()
        signs = torch.tensor([1.0, -1.0])
        self.register_buffer("board", (signs[:, None] * signs).expand(1, 1, 2, 2).clone())
        self.kernel, self.stride = kernel, stride

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.avg_pool2d(nn.functional.conv2d(x, self.board).abs(), self.kernel, self.stride) - 1


@pytest.mark.parametrize("corner", [(0, 0), (3, 21), (16, 8), (25, 25), (22, 2)])
def test_the_peak_lies_in_the_pasted_patch(corner):
    y, x = corner
    side, patch = 33, 8
    wave = torch.linspace(0, 3, side)
    image = 0.3 * torch.sin(wave)[None, None, :, None] * torch.cos(wave)[None, None, None]
    board = 0.6 * (1 - 2 * ((torch.arange(patch)[:, None] + torch.arange(patch)) % 2))
    image[0, 0, y : y + patch, x : x + patch] = board
    found = patch_map(Critic(Spots(10, 7), polarity="fake", pool="max"), image)
    lowest = found.placed.nan_to_num(torch.inf)
    peak = (lowest == lowest.min()).nonzero().double().mean(0)
    i, j = found.most_fake
    top, left, bottom, right = found.boxes[i, j].tolist()
    assert max(top, y) < min(bottom, y + patch)  # the most fake cell looks at the patch
    assert max(left, x) < min(right, x + patch)
    assert (top, left, bottom, right) == (7 * i, 7 * j, 7 * i + 11, 7 * j + 11)
    for at, start in zip(peak.tolist(), corner, strict=True):
        assert start - 1 <= at <= start + patch


def test_a_stretched_map_would_lie_elsewhere():
    image = torch.zeros(1, 1, 33, 33)
    critic = Critic(Spots(2, 8), polarity="fake", pool="max")
    image[0, 0, 24:27, 24:27] = 0.6 * (1 - 2 * ((torch.arange(3)[:, None] + torch.arange(3)) % 2))
    found = patch_map(critic, image)
    with torch.no_grad():
        stretched = nn.functional.interpolate(critic.cells(image)[:, None], (33, 33), mode="nearest")[0, 0]
    assert found.placed[24:27, 24:27].isnan().sum() == 0
    assert found.placed[25, 25] == found.logits.min()
    middle = (stretched == stretched.min()).nonzero().double().mean(0)
    assert (middle > 27).all()  # beyond the patch


def test_many_cells_and_none():
    logits, boxes = torch.tensor([[1.0, 2.0]]), torch.tensor([[[0, 0, 2, 2], [0, 0, 0, 0]]])
    found = placed(logits, boxes, (2, 3))
    assert found[:, :2].eq(1).all()
    assert found[:, 2].isnan().all()


def test_what_is_said_where_every_cell_sees_all():
    found = patch_map(Critic(chain((4, 2, 1), (3, 1, 1), norm=ByHand), pool="mean", output="score"), X[:1])
    assert found.whole
    assert found.unit == "score"
    assert 0 < found.inside < 1
    assert "sees the whole image through" in found.notes[0]
