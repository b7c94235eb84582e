"""A critic that calls noise real is exposed; one that does not is left in peace."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ganexplain import Critic, Table
from ganexplain.evaluation.probes import DRAWN, probe
from tests._critics import images

ASSETS = os.environ.get("GANEXPLAIN_ASSETS")


def roughness(x: Tensor) -> Tensor:
    """(N,) mean square difference of neighbours: high for noise."""
    return (x[..., 1:] - x[..., :-1]).square().flatten(1).mean(1)


@pytest.mark.parametrize(("sign", "blind"), [(1.0, True), (-1.0, False)])
def test_noise_above_the_reals_is_a_blind_spot(sign: float, blind: bool) -> None:
    critic = Critic(lambda x: sign * roughness(x) + 1).with_reference(0.2 * images(6))
    found = probe(critic)
    assert found is not None
    assert ("uniform noise" in found.blind) == blind
    assert ("uniform noise" in found.sentence) == blind
    expected = float(critic.reference.logits.double().mean())
    assert found.reals == pytest.approx(expected)
    # E (u - v)^2 of two independent uniform numbers in [-1, 1] is 2/3
    assert found.logits["uniform noise"] == pytest.approx(1 + sign * 2 / 3, abs=0.1)
    assert found.logits["white"] == found.logits["black"] == pytest.approx(1.0)


def test_the_worst_blind_spot_is_named_first() -> None:
    critic = Critic(lambda x: x.flatten(1).mean(1)).with_reference(0.5 * images(4) - 0.5)
    found = probe(critic)
    assert found.blind[0] == "white"
    assert "black" not in found.blind
    assert found.above == pytest.approx(
        {"uniform noise": found.above["uniform noise"], "white": 1, "black": 0, "grey": 1}
    )
    assert "than 100% of" in found.sentence


def test_without_reals_or_images_there_is_nothing_to_compare_with() -> None:
    assert probe(Critic(roughness)) is None
    rows = Critic(lambda x: x.sum(1), form=Table(("a", "b")))
    assert probe(rows.with_reference(torch.rand(5, 2))) is None


def test_batches_are_bounded_and_the_seed_decides() -> None:
    seen: list[int] = []

    def network(x: Tensor) -> Tensor:
        seen.append(len(x))
        return roughness(x)

    critic = Critic(network).with_reference(images(4))
    seen.clear()
    one = probe(critic, batch_size=5)
    assert max(seen) <= 5
    assert sum(seen) >= DRAWN + 3
    assert one.logits == pytest.approx(probe(critic).logits)
    assert one.logits["uniform noise"] != probe(critic, seed=1).logits["uniform noise"]


@pytest.mark.skipif(not ASSETS, reason="GANEXPLAIN_ASSETS is not set")
def test_the_face_critic_that_scores_noise_above_reals_is_exposed() -> None:
    from skimage.data import lfw_subset

    from ganexplain.models.preprocess import resized
    from ganexplain.models.resolve import critic_of

    critic = critic_of(f"{Path(__file__).parents[2]}/examples/celeba32_dcgan.py:critic")
    faces = torch.from_numpy(lfw_subset()[:64]).float()[:, None].expand(-1, 3, -1, -1) * 2 - 1
    found = probe(critic.with_reference(resized(faces, (32, 32)).clamp(-1, 1)))
    assert found.blind[0] == "uniform noise"
    assert found.logits["uniform noise"] > 10 * found.reals
    assert "blind spot" in found.sentence
