"""The examples that are trained here: what they were made to tell apart is what is blamed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from ganexplain import Critic, IntegratedGradients, KernelShap
from ganexplain.models.resolve import critic_of

EXAMPLES = Path(__file__).parents[1] / "examples"


def example(name: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Critic, object]:
    monkeypatch.syspath_prepend(EXAMPLES)
    critic = critic_of(f"{EXAMPLES / name}.py:critic")
    module = __import__(name)
    sys.modules.pop(name)
    return critic, module


@pytest.mark.filterwarnings("ignore:the baseline 'given' has a logit outside")
def test_rows_of_patients_are_told_from_shuffled_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    critic, module = example("table_critic", monkeypatch)
    assert critic.calibration is not None
    assert critic.calibration.auc > 0.95
    real, names = module.rows()
    broken = real[450:460].clone()
    perimeter = names.index("mean perimeter")
    broken[:, perimeter] = real[:, perimeter].flip(0)[450:460] * 0.5 + 150  # a circle that long has another radius
    assert float(critic.judge(broken).is_fake.double().mean()) >= 0.7
    assert bool((critic.logits(broken) < critic.logits(real[450:460]) - 1).all())
    for method in (KernelShap, IntegratedGradients):  # from the same patient's own perimeter, nothing else differs
        found = method(critic, baseline=real[450:460]).attribute(broken)
        assert torch.equal(found.totals().abs().argmax(1), torch.full((10,), perimeter))
        others = found.totals().abs().sum(1) - found.totals()[:, perimeter].abs()
        assert float(others.max()) < 1e-4


def test_the_flat_beat_is_blamed(monkeypatch: pytest.MonkeyPatch) -> None:
    critic, module = example("signal_critic", monkeypatch)
    assert critic.calibration is not None
    assert critic.calibration.auc > 0.95
    fake = module.heartbeats(8, seed=9, flat=0.3)
    assert bool(critic.judge(fake).is_fake.all())
    found = KernelShap(critic, max_evaluations=200).attribute(fake)
    spans = found.players[0].unique_consecutive(dim=1)
    assert spans.shape == (2, 8)
    last = found.totals()[:, 5:8].sum(1)  # of the first lead, from 1 s on, where the third beat is
    assert bool((last > 0.8 * found.net).all())
