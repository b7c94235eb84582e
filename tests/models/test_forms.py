"""Forms: scalings, categories, words, and the critic and generator that have one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from torch import nn

from ganexplain import Critic, Generator, Jacobian, Preprocess, SeFa, Signal, Table
from ganexplain.attribution.baselines import origin_of
from ganexplain.models.forms import IMAGES, form_of
from tests._critics import SIGNAL, TABLE, Linear, critic_of_form, inputs


def test_scalings_are_those_of_scikit_learn() -> None:
    rows = np.random.default_rng(0).normal(size=(50, 3)) * [1, 100, 0.01] + [5, 0, -3]
    standard, ends = StandardScaler().fit(rows), MinMaxScaler((-1, 1)).fit(rows)
    x = torch.from_numpy(rows)
    one = Table(("a", "b", "c"), mean=standard.mean_, std=standard.scale_)
    two = Table(("a", "b", "c"), low=ends.data_min_, high=ends.data_max_)
    assert np.allclose(one.scaled(x), standard.transform(rows))
    assert np.allclose(two.scaled(x), ends.transform(rows))
    for form in (one, two, Table.standardised(x, ("a", "b", "c"))):
        assert torch.allclose(form.unscaled(form.scaled(x)), x)
    assert np.allclose(Table.standardised(x, ("a", "b", "c")).scaled(x), standard.transform(rows))
    assert Table(("a", "b", "c")).scaled(x) is x


def test_a_column_that_never_varies_is_no_division_by_zero() -> None:
    assert Table.standardised(torch.ones(5, 1), ("a",)).scaled(torch.tensor([[3.0]])).item() == 2


def test_text_becomes_columns_and_back() -> None:
    cells = [["1000", "other", "30", "180", "200"], ["2000", "male", "-3", "150", "0"]]
    rows = TABLE.encode(cells, ("income", "sex", "age", "height", "debt"))
    assert rows.tolist() == [[30, 180, 0, 0, 1, 1000, 200], [-3, 150, 0, 1, 0, 2000, 0]]
    assert TABLE.players == ("age", "height", "sex", "money")
    assert TABLE.labels.tolist() == [0, 1, 2, 2, 2, 3, 3]
    assert TABLE.shown(rows[1]) == ["−3 years", "150 cm", "male", "income 2000, debt 0"]
    mixed = rows[0].clone()
    mixed[2:5] = torch.tensor([0.1, 0.6, 0.3])
    assert TABLE.shown(mixed)[2] == "male (60%)"


@pytest.mark.parametrize(
    ("cells", "header", "says"),
    [
        ([["1", "male", "", "3", "4"]], ("age", "sex", "height", "income", "debt"), "row 1 has no value for 'height'"),
        (
            [["1", "man", "2", "3", "4"]],
            ("age", "sex", "height", "income", "debt"),
            "expected one of female, male, other",
        ),
        (
            [["1", "male", "x", "3", "4"]],
            ("age", "sex", "height", "income", "debt"),
            "'x' for 'height', expected a number",
        ),
        ([["1", "male"]], ("age", "sex"), "the columns height, income, debt are missing"),
        ([["1", "2"]], ("age", "sex", "height", "income", "debt"), "row 1 has 2 cells, and the header 5"),
    ],
)
def test_cells_that_cannot_be_read_are_named(cells: list[list[str]], header: tuple[str, ...], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        TABLE.encode(cells, header)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"names": ()}, "at least one"),
        ({"names": ("a", "a")}, "different features"),
        ({"names": ("a",), "units": {"b": "cm"}}, "unknown feature 'b'"),
        ({"names": ("a", "b"), "groups": {"g": ("a",), "h": ("a", "b")}}, "must not overlap"),
        ({"names": ("a", "b"), "mean": (0, 0)}, "by mean and std, or by low and high"),
        ({"names": ("a", "b"), "mean": (0, 0, 0), "std": 1}, "each of the 2 columns, got 3"),
        ({"names": ("a",), "mean": 0, "std": 0}, "positive std"),
        ({"names": ("a",), "low": 1, "high": 1}, "low < high"),
        ({"names": ("a",), "low": 1, "high": 2, "mean": 0, "std": 1}, "both of one kind"),
    ],
)
def test_tables_that_make_no_sense_are_refused(given: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Table(**given)


def test_forms_survive_json() -> None:
    import json

    for form in (IMAGES, TABLE, SIGNAL, Table(("a",), low=0, high=1)):
        assert form_of(json.loads(json.dumps(form.to_json()))) == form


def test_sentences_speak_of_rows() -> None:
    said = "The map shows why an image, not another image's regions, is fake; Images of other maps"
    told = "The explanation shows why a row, not another row's features, is fake; Rows of other explanations"
    assert Table.told(said) == told
    assert IMAGES.told(said) == said
    assert Signal.told("no region of an image") == "no span of a signal"


def test_a_critic_reads_the_callers_units_and_cuts_its_tail() -> None:
    weight = torch.zeros(1, 7)
    weight[0, 1] = 2.0
    tailed = critic_of_form("table", nn.Sequential(Linear(weight), nn.Sigmoid()), output="probability")
    x = inputs("table", 1)
    x[0, 1] = 185.0  # 1.5 standard deviations
    assert float(tailed.logits(x)) == pytest.approx(2 * 1.5 + 0.3, abs=1e-5)
    assert tailed.tail == "cut"
    with pytest.raises(ValueError, match="say how rows are scaled in the form"):
        Critic(nn.Identity(), form=TABLE, preprocess=Preprocess())
    with pytest.raises(TypeError, match="no argument 'forn'"):
        Critic(nn.Identity(), forn=TABLE)  # type: ignore[call-arg]


def test_baselines_of_rows_and_signals() -> None:
    reals = inputs("table", 9, seed=2)
    on = critic_of_form("table").with_reference(reals)
    x = inputs("table", 2)
    zero = origin_of(on, x, "zero").images
    assert zero.tolist() == [[40, 170, 0, 0, 0, 3000, 500]]
    middle = origin_of(on, x, "median").images
    assert torch.equal(middle[0, :2], reals[:, :2].median(0).values)
    assert middle[0, 2:5].sort().values.tolist() == [0, 0, 1]
    mixed = origin_of(on, x, "shuffled").many
    assert mixed is not None
    for row in mixed[0]:  # groups and categories come from one real
        assert bool((reals[:, 5:] == row[5:]).all(1).any())
        assert bool((reals[:, 2:5] == row[2:5]).all(1).any())
    assert not all(bool((reals == row).all(1).any()) for row in mixed[0])
    line = torch.zeros(1, 2, 24)
    line[:, :, 12] = 8.0
    soft = origin_of(critic_of_form("signal"), line, "blur").images
    assert float(soft.max()) == pytest.approx(8 / (3 * (2 * np.pi) ** 0.5), rel=0.01)  # a Gaussian of 24 / 8 samples


def test_the_nearest_real_is_near_in_standard_deviations() -> None:
    reals = TABLE.unscaled(torch.tensor([[0.0, 3, 1, 0, 0, 0, 0], [0, 0, 1, 0, 0, 2, 0]]))
    reals[:, 2:5] = torch.tensor([1.0, 0, 0])
    x = TABLE.unscaled(torch.zeros(1, 7))
    x[:, 2:5] = torch.tensor([1.0, 0, 0])
    weight = torch.zeros(1, 7)
    bare = Table(TABLE.names, categories=TABLE.categories)
    for form in (TABLE, bare):  # by euros alone, the second would be 1800 away and the first 30
        known = torch.cat([reals, TABLE.unscaled(torch.randn(200, 7, generator=torch.Generator().manual_seed(0)) * 9)])
        known[:, 2:5] = torch.tensor([1.0, 0, 0])
        on = Critic(Linear(weight), form=form).with_reference(known if form is bare else reals)
        assert torch.allclose(origin_of(on, x, "nearest_real").images, reals[1:])


def test_a_generator_of_rows_has_its_linear_directions() -> None:
    net = nn.Linear(3, 2, bias=False)
    with torch.no_grad():
        net.weight.copy_(torch.tensor([[0.0, 2.0, 0.0], [0.5, 0.0, 0.0]]))
    form = Table(("age", "income"), mean=(40, 3000), std=(10, 900))
    generator = Generator.wrap(net, z_dim=3, form=form)
    codes = generator.sample(4)
    expected = torch.stack([40 + 20 * codes[:, 1], 3000 + 450 * codes[:, 0]], 1)
    assert torch.allclose(generator.synthesize(codes), expected)
    for finder in (Jacobian(n_directions=2, n_samples=8), SeFa(n_directions=2)):
        found = finder.fit(generator).directions_  # not by euros, of which there are more
        assert torch.allclose(found.vectors.abs(), torch.tensor([[0.0, 1, 0], [1, 0, 0]]), atol=1e-5)
    assert Generator.wrap(net, z_dim=3, form=form).form is form
    with pytest.raises(ValueError, match=r"the generator's rows must have the shape \(N, 3\)"):
        Generator.wrap(net, z_dim=3, form=Table(("a", "b", "c")))
