"""SeFa on trained generators made by others, against figures computed once with numpy; skipped where absent."""

from __future__ import annotations

from pathlib import Path

import pytest

from ganexplain import SeFa
from ganexplain.models.resolve import generator_of

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize(
    ("normalize", "expected"), [("none", (199, 111, 71)), ("rows", (1001, 609, 455)), ("batchnorm", (894, 485, 298))]
)
def test_the_face_generators_eigenvalues(normalize: str, expected: tuple[int, ...]) -> None:
    try:
        generator = generator_of(f"{EXAMPLES / 'face_generator.py'}:generator")
    except FileNotFoundError as absent:
        pytest.skip(str(absent))
    finder = SeFa(normalize=normalize).fit(generator)
    assert [round(v) for v in finder.eigenvalues_[:3].tolist()] == list(expected)
    assert finder.spectrum_.to_json()["n_standing_out"] == 20
    if normalize == "none":
        assert round(float(finder.eigenvalues_.median())) == 5


def test_the_celeba_generator_has_a_batchnorm_and_a_uniform_prior(assets: Path) -> None:
    generator = generator_of(f"{EXAMPLES / 'celeba32_dcgan.py'}:generator")
    directions = SeFa(n_directions=4).fit(generator).directions_
    assert directions.params["normalize"] == "batchnorm"
    assert all(directions.stands_out or ())
    assert directions.scale.tolist() == pytest.approx([3**-0.5] * 4)
