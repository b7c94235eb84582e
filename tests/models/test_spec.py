"""A spec: what is written is read back, the nearest key is named, and the caller's word goes before the file's."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganexplain.models.preprocess import Preprocess
from ganexplain.models.spec import CriticSpec, GeneratorSpec, ImageSpec, Spec

WHOLE = """\
layout = "dcgan"
network = "netD"
label = 3

[critic]
output = "probability"
polarity = "fake"
pool = [0, 2]

[images]
range = [0, 1]
size = [28, 32]
resize = "bicubic"
channels = 3
order = "bgr"
mean = [0.5, 0.4, 0.3]

[generator]
prior = "uniform"
z_dim = 64

[architecture]
slope = 0.1
"""


def test_all_that_can_be_said(tmp_path):
    (tmp_path / "my.toml").write_text(WHOLE)
    spec = Spec.read(tmp_path / "my.toml")
    assert spec.critic == CriticSpec("probability", "fake", (0, 2))
    assert spec.images.preprocess() == Preprocess(
        (0.0, 1.0), (28, 32), "bicubic", mean=(0.5, 0.4, 0.3), channels=3, order="bgr"
    )
    assert spec.generator == GeneratorSpec(64, "uniform")
    assert spec.architecture == {"slope": 0.1}
    again = Spec.read(spec.write(tmp_path / "again.toml", {"images.range": "found by\ntrying", "label": "said"}))
    assert again == spec
    assert "range = [0.0, 1.0]  # found by trying" in (tmp_path / "again.toml").read_text()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("layot = 'dcgan'", "unknown key of a spec 'layot'; did you mean 'layout'?"),
        ("[critic]\npolarty = 'fake'", "unknown key of [critic] 'polarty'; did you mean 'polarity'?"),
        ("[critic]\npolarity = 'fakes'", "unknown [critic] polarity 'fakes'; did you mean 'fake'?"),
        ("[critic]\noutput = 3", "[critic] output must be one of logit"),
        ("[critic]\npool = [1, 2, 3]", "[critic] pool must be a list of whole 2 numbers, got [1, 2, 3]"),
        ("critic = 'real'", "[critic] must be a section of its own"),
        ("[images]\nrange = [1, 0]", "[images] range must be [low, high] with low < high"),
        ("[images]\nsize = 0", "[images] size must be a whole number of at least 1, got 0"),
        ("[images]\nmean = ['a']", "[images] mean must be a list of numbers"),
        ("[generator]\nprior = 'gauss'", "unknown [generator] prior 'gauss'"),
        ("label = true", "label must be a whole number of at least 0, got True"),
        ("layout = 3", "layout must be a name in quotes, got 3"),
        ("x = [", "is no TOML"),
        ("x = " + "[" * 5000, "is no TOML"),
    ],
)
def test_what_is_wrong_is_said_with_the_file(tmp_path, text, said):
    (tmp_path / "bad.toml").write_text(text)
    with pytest.raises(ValueError, match=re.escape(said)) as caught:
        Spec.read(tmp_path / "bad.toml")
    assert "bad.toml" in str(caught.value)


def test_no_file_and_a_large_one(tmp_path):
    with pytest.raises(FileNotFoundError, match="no spec file"):
        Spec.read(tmp_path / "none.toml")
    (tmp_path / "large.toml").write_text("#" * 70_000)
    with pytest.raises(ValueError, match="expected a spec of at most 65536"):
        Spec.read(tmp_path / "large.toml")


def test_the_nearer_word_wins():
    mine = Spec(label=2, critic=CriticSpec(polarity="fake"), architecture={"slope": 0.1})
    file = Spec(layout="mlp", label=5, critic=CriticSpec("probability", "real"), architecture={"slope": 0.2, "bias": 1})
    both = mine.over(file)
    critic = CriticSpec("probability", "fake")
    assert both == Spec("mlp", None, 2, critic=critic, architecture={"slope": 0.1, "bias": 1})


WORDS = st.text(st.characters(exclude_categories=["Cs"]))  # half a character is no text


@given(WORDS, st.floats(allow_nan=False, allow_infinity=False), st.integers(0, 9), WORDS)
def test_any_words_and_numbers_survive_writing(text, number, label, name):
    import tomllib

    key = "slope"
    spec = Spec(network=text, label=label, architecture={key: number, "kind": name, "on": True})
    assert Spec.of(tomllib.loads(spec.toml())) == spec


def test_a_range_alone():
    assert ImageSpec(range=(0, 255)).preprocess() == Preprocess(value_range=(0.0, 255.0))
    assert Spec().to_dict() == {}
