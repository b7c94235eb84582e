"""A critic of signals, trained here: made-up electrocardiograms against ones whose last beat is too flat.

ganexplain explain examples/signal_critic.py:critic recording.npy --out out/recording
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

import ganexplain as ge

RATE, LENGTH = 100, 160  # samples per second, samples
LAST = 1.1  # seconds from which a fake is too flat


def heartbeats(n: int, *, seed: int, flat: float = 1.0) -> Tensor:
    """(n, 2, 160) two leads with three beats each, in mV; after `LAST` the first lead is ``flat`` times as high."""
    random = torch.Generator().manual_seed(seed)
    time = torch.arange(LENGTH) / RATE
    start = 0.25 + 0.1 * torch.rand(n, 1, 1, generator=random)
    since = time - start - 0.5 * torch.arange(3).view(1, 3, 1)  # (n, beats, samples)
    peak = torch.exp(-((since / 0.015) ** 2)).sum(1)
    wave = torch.exp(-(((since - 0.18) / 0.04) ** 2)).sum(1)
    lead = (1.2 * peak + 0.25 * wave) * torch.where(time > LAST, flat, 1.0)
    return torch.stack([lead, 0.6 * peak], 1) + 0.03 * torch.randn(n, 2, LENGTH, generator=random)


def critic() -> ge.Critic:
    """Two convolutions over time."""
    real, fake = heartbeats(300, seed=0), heartbeats(300, seed=1, flat=0.3)
    form = ge.Signal(("lead I", "lead II"), length=LENGTH, sample_rate=RATE, units="mV", mean=0.0, std=0.4)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Sequential(nn.Conv1d(2, 8, 9, 4, 4), nn.LeakyReLU(0.2), nn.Conv1d(8, 8, 9, 2, 4), nn.LeakyReLU(0.2),
                            nn.Flatten(), nn.Linear(160, 1))  # fmt: skip
    optimiser = torch.optim.Adam(net.parameters(), 5e-3)
    for _ in range(60):
        loss = nn.functional.softplus(-net(form.scaled(real[:200]))).mean()
        loss = loss + nn.functional.softplus(net(form.scaled(fake[:200]))).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return ge.Critic(net, form=form).calibrate(real[200:], fake[200:]).with_reference(real[:200])
