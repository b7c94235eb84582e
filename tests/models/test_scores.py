"""A score has no zero: reals place its threshold, and without any nothing is called fake for sure."""

import pytest
import torch
from torch import nn

from ganexplain.attribution.attribution import Attribution
from ganexplain.attribution.methods.saliency import Saliency
from ganexplain.models.critic import Critic
from ganexplain.models.outputs import NEAREST

REALS = torch.linspace(-1, 1, 101).view(-1, 1, 1, 1).expand(-1, 1, 4, 4).contiguous()


class Far(nn.Module):
    def forward(self, x):
        return 100 + 10 * x.mean((1, 2, 3))


def test_reals_place_the_threshold():
    plain = Critic(Far(), output="score")
    assert bool(plain.judge(REALS).unsure.all())
    placed = plain.with_reference(REALS)
    assert placed.threshold == pytest.approx(91.0, abs=1e-4)  # 5 of 101 lie below
    verdict = placed.judge(REALS)
    assert int(verdict.is_fake.sum()) == 5
    assert not bool(verdict.unsure.any())
    known = placed.calibrate(REALS[50:], REALS[:50])
    assert known.threshold == known.calibration.threshold
    assert Critic(Far()).with_reference(REALS).threshold == 0.0


def test_an_unsure_verdict_is_saved(tmp_path):
    made = Saliency(Critic(Far(), output="score"), baseline="black").attribute(REALS[:1])
    assert not Attribution.load(made.save(tmp_path / "a.safetensors")).verdict.placed


def test_a_programs_saturated_probability_is_read_as_the_nearest():
    class Saturates(nn.Module):
        def forward(self, x):
            return (x.mean((1, 2, 3)) > 0).float()

    critic = Critic(lambda x: Saturates()(x), output="probability")
    with pytest.raises(ValueError, match="saturates at 0 or 1"):
        critic(REALS[:1])
    critic.clips = True
    edge = torch.logit(torch.tensor(NEAREST, dtype=torch.float64))
    assert critic(REALS[[0, 100]]).tolist() == pytest.approx([float(edge), -float(edge)], abs=1e-3)
