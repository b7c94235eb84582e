"""Classes by number and by name."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from ganexplain.models.class_names import listed, numbered
from ganexplain.models.critic import Critic
from ganexplain.models.gan import GAN
from ganexplain.models.generator import Generator
from ganexplain.models.resolve import critic_of, generator_of, resolve
from ganexplain.models.spec import Spec

NAMES = ("T-shirt/top", "Trouser", "bag", "Bag", "coat", "coat")


@pytest.mark.parametrize(
    ("label", "number"), [(2, 2), ("trouser", 1), (" Trouser ", 1), ("t-SHIRT/top", 0), ("bag", 2), ("Bag", 3)]
)
def test_a_class_is_said_by_number_or_name(label: int | str, number: int) -> None:
    assert numbered(label, 6, NAMES) == number


@pytest.mark.parametrize(
    ("label", "names", "message"),
    [
        ("trousers", NAMES, r"unknown class 'trousers'; did you mean 'Trouser'\? \(there are: 0 \(T-shirt/top\), 1"),
        ("BAG", NAMES, r"'BAG' is what several classes are called \(2, 3\); say the number"),
        ("coat", NAMES, r"several classes are called \(4, 5\)"),
        ("", NAMES, "unknown class ''"),
        ("coat", (), r"must be a number from 0 to 5, got 'coat': what the classes are called is not known of this GAN"),
        (6, NAMES, r"label must be one of 0 \(T-shirt/top\).*got 6"),
        (-1, (), "label must be 0 to 5, got -1"),
        (True, (), "label must be 0 to 5, got True"),
    ],
)
def test_what_is_no_class(label: int | str, names: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        numbered(label, 6, names, "GAN")


def test_where_there_are_no_classes_none_is_said() -> None:
    with pytest.raises(ValueError, match="label=bag was given, but this GAN knows no classes; leave it out"):
        numbered("bag", 0, (), "GAN")


def test_many_classes_are_listed_by_their_ends() -> None:
    assert listed(3, ("a", "b", "c")) == "0 (a), 1 (b), 2 (c)"
    assert listed(1000) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ..., 999"


def gan() -> GAN:
    made = GAN.build("dcgan", seed=1, resolution=8, z_dim=4, width=4, num_classes=3)
    made.generator.eval().requires_grad_(False)
    made.class_names = ("shirt", "shoe", "bag")
    return made


def test_gans_and_critics_take_names(tmp_path: Path) -> None:
    own = gan()
    assert own.given("bag").generator.label == 2
    critic = own.critic("discriminator", "Shoe")
    assert critic.label == 1
    images = own.samples(3)
    assert torch.equal(critic.given("bag").logits(images), own.critic("discriminator", 2).logits(images))
    path = str(own.save(tmp_path / "gan.safetensors"))
    assert critic_of(path, "discriminator", Spec(label="shoe")).label == 1
    assert generator_of(path, Spec(label="bag")).label == 2
    with pytest.raises(ValueError, match="did you mean 'shirt'"):
        resolve(path, Spec(label="shrt"))
    assert Spec.of({"label": "bag"}).toml() == 'label = "bag"\n'


class Drawn(nn.Module):
    """Images (N, 1, 2, 2) of their label."""

    def forward(self, z: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return (labels / 10).view(-1, 1, 1, 1).expand(-1, 1, 2, 2) + 0 * z[:, :1, None, None]


def test_who_knows_no_names_says_so(tmp_path: Path) -> None:
    factory = tmp_path / "mine.py"
    factory.write_text(
        "from tests.models.test_class_names import Drawn\nfrom ganexplain import Critic, Generator\n"
        "def draws():\n    return Generator.wrap(Drawn(), z_dim=2, num_classes=3)\n"
        "def judges():\n    return Critic(lambda x, y: x.flatten(1).sum(1) + y, num_classes=3, label=0)\n"
    )
    found = resolve(f"{factory}:draws", Spec(label=2))
    assert isinstance(found, Generator)
    assert found.label == 2
    for name in ("draws", "judges"):
        with pytest.raises(ValueError, match="a number from 0 to 2, got 'bag'"):
            resolve(f"{factory}:{name}", Spec(label="bag"))
    with pytest.raises(ValueError, match="a number from 0 to 2, got 'bag'"):
        Critic(Drawn(), num_classes=3, label="bag")  # type: ignore[arg-type]
