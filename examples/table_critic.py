"""A critic of table rows, trained here: breast cancer data against rows whose features come from different patients.

ganexplain explain examples/table_critic.py:critic rows.csv --out out/rows
"""

from __future__ import annotations

import torch
from sklearn.datasets import load_breast_cancer
from torch import Tensor, nn

import ganexplain as ge

TRAINED = 400  # rows; the others calibrate


def rows() -> tuple[Tensor, tuple[str, ...]]:
    """(569, 30) measurements of cell nuclei, and their names."""
    data = load_breast_cancer()
    return torch.tensor(data.data, dtype=torch.float32), tuple(data.feature_names)


def shuffled(real: Tensor, *, seed: int) -> Tensor:
    """Rows whose every value is usual and whose combination is not: each column in an order of its own."""
    random = torch.Generator().manual_seed(seed)
    return torch.stack([column[torch.randperm(len(real), generator=random)] for column in real.T], 1)


def critic() -> ge.Critic:
    """A small network, told real rows from shuffled ones."""
    real, names = rows()
    fake = shuffled(real, seed=0)
    form = ge.Table.standardised(real[:TRAINED], names)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(len(names), 32), nn.ReLU(), nn.Linear(32, 1))
    optimiser = torch.optim.Adam(net.parameters(), 1e-2)
    for _ in range(100):
        loss = nn.functional.softplus(-net(form.scaled(real[:TRAINED]))).mean()
        loss = loss + nn.functional.softplus(net(form.scaled(fake[:TRAINED]))).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return ge.Critic(net, form=form).calibrate(real[TRAINED:], fake[TRAINED:]).with_reference(real[:TRAINED])
