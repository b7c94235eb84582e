"""Comparison of sets of directions on a linear generator, where every figure is known."""

from __future__ import annotations

import json

import pytest
import torch
from torch import Tensor, nn

import ganexplain as ge
from ganexplain import Critic, Directions, tensors
from ganexplain.latent.comparison import compare
from ganexplain.latent.effects import effects, random_directions
from ganexplain.models.generator import Generator

D = 5
WEIGHT = tensors.normal(0, "critic", shape=(16,))


class Linear(Generator):
    """Images W z, small enough to stay in [-1, 1]."""

    z_dim, resolution, channels = D, 4, 1

    def __init__(self) -> None:
        super().__init__()
        self.map = nn.Linear(D, 16, bias=False).requires_grad_(False)
        self.map.weight.copy_(0.03 * tensors.normal(0, "w", shape=(16, D)))

    def forward(self, z: Tensor) -> Tensor:
        return self.map(z).reshape(-1, 1, 4, 4)


def critic() -> Critic:
    return Critic(lambda x: x.flatten(1) @ WEIGHT.to(x))


def sets() -> dict[str, Directions]:
    eye = torch.eye(D)
    near = nn.functional.normalize(eye[1] + 0.3 * eye[2], dim=0)  # |cos| = .958 with axis 1
    one = Directions(eye[:2], torch.tensor([1.0, 0.5]), torch.tensor([1234.5, 0.25]), method="sefa")
    two = Directions(torch.stack([-near, eye[3], eye[4]]), torch.ones(3), names=("a", "b", "c"))
    return {"one": one, "two": two}


def test_the_table_holds_what_a_linear_generator_does() -> None:
    generator, given = Linear(), sets()
    codes = generator.sample(9)
    found = compare(given, generator, codes, critic=critic())
    rows = found.table()
    assert [(row["set"], row["index"], row["name"]) for row in rows] == [
        ("one", 0, "direction 0"),
        ("one", 1, "direction 1"),
        ("two", 0, "a"),
        ("two", 1, "b"),
        ("two", 2, "c"),
    ]
    moved = torch.cat([d.steps() for d in given.values()]) @ generator.map.weight.T
    assert [row["image"] for row in rows] == pytest.approx(moved.abs().mean(1).tolist(), rel=1e-4)
    assert [row["effect"]["mean"] for row in rows] == pytest.approx((moved @ WEIGHT).tolist(), rel=1e-3, abs=1e-5)
    assert [row["cosine"] for row in rows] == pytest.approx([0.0, 0.957826, 0.957826, 0.0, 0.0], abs=1e-6)
    assert [row["duplicate"] for row in rows] == [False, True, True, False, False]
    assert rows[1]["nearest"] == {"set": "two", "index": 0}
    assert rows[2]["nearest"] == {"set": "one", "index": 1}
    assert [row["measure"] for row in rows] == ["eigenvalue"] * 2 + ["strength"] * 3
    assert [row["strength"] for row in rows] == [1234.5, 0.25, None, None, None]
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows


def test_without_a_critic_there_is_no_logit_and_the_rest_is_the_same() -> None:
    generator, given = Linear(), sets()
    codes = generator.sample(9)
    with_one, without = (compare(given, generator, codes, critic=c) for c in (critic(), None))
    for a, b in zip(with_one.table(), without.table(), strict=True):
        assert b["effect"] is None
        assert b["image"] == pytest.approx(a["image"], rel=1e-5)
    with pytest.raises(ValueError, match="nobody's logit was measured"):
        without.headline("the judge")


def test_the_panels_are_the_first_codes_and_the_changes_are_the_others() -> None:
    generator, given = Linear(), sets()
    codes = generator.sample(9)
    found = compare(given, generator, codes, amounts=(-1, 0, 2))
    assert found.n_codes == 8
    torch.testing.assert_close(found.panels["two"][1], given["two"].traverse(generator, codes[:1], 1, (-1, 0, 2))[0])
    first_only = compare(given, generator, torch.cat([codes[:1] * 3, codes[1:]]))
    assert [r["image"] for r in first_only.table()] == [r["image"] for r in found.table()]


def test_chance_is_one_standard_deviation_of_the_codes_whatever_the_finders_step() -> None:
    generator, given = Linear(), sets()
    codes = generator.sample(9)
    found = compare(given, generator, codes, critic=critic(), seed=3)
    like = Directions(torch.eye(D)[:1], torch.ones(1))
    same = effects(like, generator, critic(), codes[1:], control=random_directions(like, seed=3))
    assert found.effects is not None
    assert found.effects.chance == pytest.approx(same.chance)


def test_the_effects_of_one_set_are_its_own() -> None:
    generator, given = Linear(), sets()
    codes = generator.sample(9)
    found = compare(given, generator, codes, critic=critic())
    for name, directions in given.items():
        mine = found.effects_of(name)
        assert mine is not None
        alone = effects(directions, generator, critic(), codes[1:], control=random_directions(directions))
        assert mine.names == directions.names
        assert [r["mean"] for r in mine.table()] == pytest.approx([r["mean"] for r in alone.table()])
        assert mine.control is found.effects.control  # type: ignore[union-attr]
    assert compare(given, generator, codes).effects_of("one") is None


def test_the_headline_names_set_and_direction_or_says_that_none_does_more_than_chance() -> None:
    generator = Linear()
    pull = nn.functional.normalize(generator.map.weight.T @ WEIGHT, dim=0)
    blind = torch.linalg.svd(pull[None])[2][1:3]
    strong = {"x": Directions(torch.stack([blind[0], -pull]), torch.ones(2)), "y": Directions(blind, torch.ones(2))}
    found = compare(strong, generator, generator.sample(9), critic=critic())
    change = float((generator.map.weight @ pull) @ WEIGHT)
    said = found.headline("the judge")
    assert said.startswith(f"direction 1 of x, of 4 directions, moves the logit of the judge most: −{change:.4g}"[:-3])
    assert f"95 % of 16 random directions move it by less than {found.effects.chance:.2g}." in said  # type: ignore[union-attr]
    weak = compare({"y": Directions(blind, torch.ones(2))}, generator, generator.sample(9), critic=critic())
    assert weak.headline("the judge").startswith("No direction moves the logit of the judge more than chance does")


def test_the_figure_has_a_block_a_set_and_shows_itself_in_a_notebook() -> None:
    from ganexplain.figures import style

    generator, given = Linear(), sets()
    found = ge.compare(given, generator, generator.sample(9), critic=critic())
    figure = found.plot("title")
    assert len(figure.axes[0].images) == 5 * 5
    assert style.outside(figure) == []
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert {"one", "two", "title", "eigenvalue"} <= set(texts)
    assert any("= two 0" in text for text in texts)
    assert any("1,23" in text for text in texts)
    assert found._repr_png_().startswith(b"\x89PNG")


def test_what_cannot_be_compared_is_refused() -> None:
    generator, given = Linear(), sets()
    codes = generator.sample(9)
    with pytest.raises(ValueError, match="nothing to compare"):
        compare({}, generator, codes)
    with pytest.raises(ValueError, match="within one space, and these live in w, z"):
        compare({**given, "w": Directions(torch.eye(D), torch.ones(D), space="w")}, generator, codes)
    with pytest.raises(ValueError, match="at least 3 codes"):
        compare(given, generator, codes[:2], critic=critic())
    with pytest.raises(ValueError, match="fingerprint"):
        compare({"a": Directions(torch.eye(D), torch.ones(D), fingerprint="0" * 16)}, generator, codes)
