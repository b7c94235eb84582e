"""Boundaries against scikit-learn, closed forms and directions that were planted."""

from __future__ import annotations

import json
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ganexplain import Boundary, Critic, Generator, tensors
from ganexplain.latent import separation
from ganexplain.latent.attributes import ATTRIBUTES, COLOUR, names
from ganexplain.latent.scores import FEWEST, Scored
from tests.latent._planted import Planted, attribute

D = 8
AXIS = nn.functional.normalize(tensors.normal(0, "axis", shape=(D,)).double(), dim=0)


class Linear(Generator):
    """Images W z, small enough to stay in [-1, 1]."""

    z_dim, resolution = D, 4

    def __init__(self, channels: int = 1) -> None:
        super().__init__()
        self.channels = channels
        self.map = nn.Linear(D, channels * 16, bias=False).requires_grad_(False)
        self.map.weight.copy_(0.05 * tensors.normal(0, "w", shape=(channels * 16, D)))

    def forward(self, z: Tensor) -> Tensor:
        return self.map(z).reshape(-1, self.channels, 4, 4)


def noisy(n: int = 200, noise: float = 0.5) -> tuple[Tensor, Tensor]:
    codes = tensors.normal(1, "codes", shape=(n, D)).double() + 0.3
    return codes, codes @ AXIS + noise * tensors.normal(2, "noise", shape=(n,)).double()


@pytest.mark.parametrize("share", [0.1, 0.25])
def test_svm_is_scikit_learns_on_the_rows_at_either_end(share: float) -> None:
    from sklearn.svm import SVC, LinearSVC

    codes, values = noisy()
    order = np.argsort(values.numpy(), kind="stable")
    k = round(share * len(order))
    rows, side = np.r_[order[:k], order[-k:]], np.r_[np.zeros(k), np.ones(k)]
    found = separation.svm(codes, values, share=share).vector.numpy()
    same = SVC(kernel="linear").fit(codes.numpy()[rows], side).coef_[0]
    np.testing.assert_allclose(found, same / np.linalg.norm(same), atol=1e-12)
    other = LinearSVC(loss="hinge", C=1.0, intercept_scaling=100, tol=1e-8, max_iter=1_000_000, random_state=0)
    alike = other.fit(codes.numpy()[rows], side).coef_[0]
    assert found @ alike / np.linalg.norm(alike) > 0.999


def test_ridge_is_its_closed_form_with_the_penalty_of_the_least_leave_one_out_error() -> None:
    codes, values = noisy(40, noise=2.0)
    fit = separation.ridge(codes, values)
    X, y = codes.numpy() - codes.numpy().mean(0), values.numpy() - values.numpy().mean()
    weight = np.linalg.solve(X.T @ X + fit.penalty * np.eye(D), X.T @ y)
    np.testing.assert_allclose(fit.vector.numpy() * fit.slope, weight, atol=1e-10)
    predicted = codes.numpy() @ weight + fit.offset
    np.testing.assert_allclose(predicted.mean(), values.numpy().mean(), atol=1e-10)

    def left_out(penalty: float) -> float:
        errors = []
        for i in range(len(y)):
            kept = np.arange(len(y)) != i
            x, t = codes.numpy()[kept], values.numpy()[kept]
            centred = x - x.mean(0)
            w = np.linalg.solve(centred.T @ centred + penalty * np.eye(D), centred.T @ (t - t.mean()))
            errors.append(values.numpy()[i] - t.mean() - (codes.numpy()[i] - x.mean(0)) @ w)
        return float(np.square(errors).mean())

    best = left_out(fit.penalty)
    assert best <= min(left_out(fit.penalty * 2), left_out(fit.penalty / 2))
    assert best < left_out(1e-9)


def test_ridge_with_fewer_codes_than_dimensions() -> None:
    from sklearn.linear_model import Ridge

    codes = tensors.normal(3, "few", shape=(12, 50)).double()
    values = codes[:, 0] + 0.1
    fit = separation.ridge(codes, values)
    same = Ridge(alpha=fit.penalty).fit(codes.numpy(), values.numpy())
    np.testing.assert_allclose(fit.vector.numpy() * fit.slope, same.coef_, atol=1e-8)
    assert fit.offset == pytest.approx(same.intercept_, abs=1e-8)


def test_mean_difference_by_hand() -> None:
    codes = torch.tensor([[0.0, 0.0], [1.0, 0.0], [2.0, 5.0], [3.0, 3.0], [4.0, 4.0]], dtype=torch.double)
    labels = torch.tensor([0.0, 0.0, 0.0, 1.0, 1.0], dtype=torch.double)
    expected = torch.tensor([2.5, 11 / 6], dtype=torch.double)
    torch.testing.assert_close(separation.mean_difference(codes, labels).vector, expected / expected.norm())
    scores = torch.arange(5).double()
    ends = codes[4] - codes[0]
    torch.testing.assert_close(separation.mean_difference(codes, scores, share=0.2).vector, ends / ends.norm())


@pytest.mark.parametrize("how", ["ridge", "svm", "mean_difference"])
def test_a_linear_score_gives_its_own_gradient_and_up_is_more(how: str) -> None:
    generator = Linear()
    weight = tensors.normal(5, "critic", shape=(16,))
    critic = Critic(lambda x: -(x.flatten(1) @ weight) + 3.0)
    directions = Boundary(critic, how=how, n_codes=2000).fit(generator).directions_
    gradient = nn.functional.normalize(-(generator.map.weight.T @ weight), dim=0)
    assert float(directions.vectors[0] @ gradient) > (1 - 1e-5 if how == "ridge" else 0.97)
    assert directions.names == ("logit",)
    assert directions.stands_out == (True,)
    params = directions.params
    assert float(directions.strength[0]) == pytest.approx(params["accuracy"][0])
    assert params["accuracy"][0] > 0.9
    assert params["auc"][0] > 0.98
    if how == "ridge":
        assert params["r2"][0] > 1 - 1e-6
    else:
        assert params["r2"] == [None]


def test_the_held_out_figures_are_those_of_fits_without_the_code() -> None:
    from sklearn.metrics import balanced_accuracy_score, r2_score, roc_auc_score

    codes, values = noisy(100, noise=1.0)
    fold = separation.folds(values, 4)
    assert torch.bincount(fold).tolist() == [20] * 5
    margins, predictions = np.empty(100), np.empty(100)
    for k in range(5):
        kept, held = (fold != k).numpy(), (fold == k).numpy()
        fit = separation.ridge(codes[kept], values[kept])
        along = codes.numpy() @ fit.vector.numpy()
        up = values.numpy()[kept] > np.sort(values.numpy()[kept])[39]
        cut = (along[kept][up].mean() + along[kept][~up].mean()) / 2
        margins[held] = along[held] - cut
        predictions[held] = along[held] * fit.slope + fit.offset
    up = values.numpy() > np.sort(values.numpy())[49]
    found = separation.quality(Scored(codes, values, ""), separation.ridge, 4)
    assert found.accuracy == pytest.approx(balanced_accuracy_score(up, margins > 0))
    assert found.auc == pytest.approx(roc_auc_score(up, margins))
    assert found.r2 == pytest.approx(r2_score(values.numpy(), predictions))
    assert found.low < found.accuracy < found.high
    assert found.extremes > found.accuracy


def test_random_scores_are_rarely_told_from_chance_and_real_ones_are() -> None:
    generator, trials = Linear(), 60
    loud = 0
    for trial in range(trials):
        labels = torch.from_numpy(tensors.rng(trial, "labels").permutation([0.0, 1.0] * 30))
        found = Boundary(labels).fit(generator, seed=trial).directions_
        loud += bool(found.stands_out[0])
    assert loud <= 5  # 2.5 % of 60 is 1.5; more than 5 happen once in 250
    planted = (generator.sample(40) @ AXIS.float() > 0).double()
    assert Boundary(planted).fit(generator).directions_.stands_out == (True,)


def test_one_label_in_four_is_no_accuracy() -> None:
    codes, _ = noisy(80)
    labels = torch.from_numpy(tensors.rng(0, "rare").permutation([1.0] * 20 + [0.0] * 60))
    found = separation.quality(Scored(codes, labels, ""), separation.ridge, 0)
    assert found.low < 0.5 < found.high  # always saying "less" would be right in 75 %


@pytest.mark.parametrize(("share", "n"), [(0.5, 40), (0.8, 20), (0.95, 60)])
def test_the_interval_of_the_accuracy_covers(share: float, n: int) -> None:
    draw, inside = tensors.rng(0, "coverage", n), 0
    for _ in range(1000):
        up, down = (torch.from_numpy(draw.random(n // 2) < share) for _ in range(2))
        _, low, high = separation.balanced(up, down)
        inside += low <= share <= high
    assert inside >= 930


def test_conditions_are_left_alone_and_the_accuracy_is_that_of_what_is_left() -> None:
    generator = Planted(0.5)
    named = {name: attribute(name) for name in ("x", "y", "size")}
    conditions = {name: named[name] for name in ("y", "size")}
    bare = Boundary({"x": named["x"]}, n_codes=800).fit(generator).directions_
    other = Boundary(conditions, n_codes=800).fit(generator).directions_
    kept = Boundary({"x": named["x"]}, conditions=conditions, n_codes=800).fit(generator).directions_
    assert float((kept.vectors @ other.vectors.T).abs().max()) < 1e-6
    torch.testing.assert_close(kept.vectors, bare.without(other).vectors, atol=1e-6, rtol=0)
    assert kept.params["conditions"] == ["y", "size"]
    assert kept.params["residual"] == [pytest.approx((2 / 3) ** 0.5, abs=0.02)]  # three at 60 degrees
    assert 0.6 < kept.params["accuracy"][0] < bare.params["accuracy"][0]
    assert kept.params["r2"] == [None]
    with pytest.warns(UserWarning, match="'x' cannot be separated from 'z'"):
        Boundary({"x": named["x"]}, conditions={"z": lambda i: named["x"](i) + 0.02 * named["y"](i)}, n_codes=200).fit(
            generator
        )


def test_all_sources_of_the_same_scores_give_the_same_direction(tmp_path: Path) -> None:
    generator = Linear()
    z = generator.sample(40, seed=3)
    values = generator.render(z).flatten(1).mean(1).double()
    (tmp_path / "s.csv").write_text("index, light\n" + "".join(f"{i},{float(v)!r}\n" for i, v in enumerate(values)))
    sources = [
        values,
        {i: float(v) for i, v in enumerate(values)},
        (z, values),
        tmp_path / "s.csv",
        str(tmp_path / "s.csv"),
    ]
    found = [Boundary(source).fit(generator, seed=3).directions_ for source in sources]
    by_hand = separation.ridge(z.double(), values).vector
    for directions in found:
        torch.testing.assert_close(directions.vectors[0].double(), by_hand, atol=1e-6, rtol=0)
    assert [d.names[0] for d in found] == [*["attribute"] * 3, "light", "light"]


def test_functions_of_images_are_scored_on_other_codes_than_the_first_of_the_seed() -> None:
    generator, seen = Linear(), []

    def light(images: Tensor) -> Tensor:
        seen.append(images)
        return images.flatten(1).mean(1)

    one = Boundary(light, n_codes=150).fit(generator, seed=3).directions_
    other = Boundary(["brightness", "contrast"], n_codes=150).fit(generator, seed=3).directions_
    torch.testing.assert_close(one.vectors[0], other.vectors[0])
    assert max(len(images) for images in seen) <= 64
    first = generator.render(generator.sample(150, seed=3))
    assert len(torch.cat([first, torch.cat(seen)]).unique(dim=0)) == 300  # type: ignore[no-untyped-call]


def test_a_csv_by_seed_with_several_columns_and_gaps(tmp_path: Path) -> None:
    generator = Linear()
    codes = torch.cat([generator.sample(1, seed=s) for s in range(30)])
    first, second = codes @ AXIS.float(), codes[:, 0]
    lines = [f"{s},{'' if s < 5 else float(first[s])},{int(second[s] > 0)}" for s in range(30)]
    path = tmp_path / "labels.csv"
    path.write_text("\ufeffseed,smile,hat\n" + "\n".join(lines))
    found = Boundary(path).fit(generator).directions_
    assert found.names == ("smile", "hat")
    assert found.params["n_codes"] == [25, 30]
    by_hand = separation.ridge(codes[5:].double(), first[5:].double()).vector
    torch.testing.assert_close(found.vectors[0].double(), by_hand, atol=1e-6, rtol=0)
    renamed = Boundary({"a": path}).fit(generator).directions_
    assert renamed.names == ("a.smile", "a.hat")


ROWS = "".join(f"{i},{i % 2}\n" for i in range(12))
BAD_TABLES = {
    "": "must start with a line of headings",
    "3,0.5\n4,0.6\n": "must start with a line of headings",
    "index\n1\n": "index (or seed) and one column a score",
    "index,smile\n1.5,1\n": "line 2: index must be a whole number from 0, got '1.5'",
    "index,smile\n0,1\n0,1\n": "scores index 0 more than once",
    "index,smile\n0,yes\n": "line 2: smile must be a number, got 'yes'; write labels as 1 and 0",
    "index,smile\n0,nan\n": "must be finite",
    "index,smile\n99999999999,1\n": "name codes by seed instead",
    "index,smile\n0,1\n1,0\n": f"at least {FEWEST} scored codes",
    f"index,smile\n{ROWS.replace(',0', ',1')}": "'smile' is the same for all 12 codes",
    "index,smile\n" + ROWS.replace(",1", ",0").replace("11,0", "11,1"): "only 1 codes labelled 1",
}


@pytest.mark.parametrize("text", BAD_TABLES)
def test_a_bad_table_is_one_sentence(text: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(ValueError) as problem:  # noqa: PT011 - the message is compared below
        Boundary(path).fit(Linear())
    assert BAD_TABLES[text] in str(problem.value)


def test_bad_sources_are_one_sentence(tmp_path: Path) -> None:
    generator = Linear()
    cases = [
        ("brightnes", ValueError, "did you mean 'brightness'"),
        ("redness", ValueError, "need colour"),
        (tmp_path / "none.csv", FileNotFoundError, "no file"),
        (3.0, TypeError, "must be a name, a function of images, a CSV"),
        ((torch.zeros(12, 3), torch.arange(12.0)), ValueError, r"must have the shape \(L, 8\)"),
        ((torch.zeros(12, D), torch.arange(11.0)), ValueError, "one score each, got 12 codes and 11 scores"),
        (torch.tensor([float("nan")] * 12), ValueError, "the scores of 'attribute' must be finite"),
        (lambda images: images, ValueError, "must return one number an image"),
        (lambda images: torch.ones(len(images)), ValueError, "is the same for all"),
        ({}, ValueError, "no attribute is named"),
        ({"a": {"b": 1.0}}, TypeError, "must map the index of a code"),
    ]
    for source, kind, message in cases:
        with pytest.raises(kind, match=message):
            Boundary(source, n_codes=64).fit(generator)
    with pytest.raises(ValueError, match="did you mean 'ridge'"):
        Boundary(how="ridg")
    with pytest.raises(ValueError, match="both the attribute and a condition"):
        Boundary("brightness", conditions=["contrast", "brightness"], n_codes=64).fit(generator)


def test_the_built_in_attributes_come_best_first_and_colour_only_where_there_is_some() -> None:
    grey = Boundary(n_codes=256, n_directions=3).fit(Linear()).directions_
    assert len(grey) == 3
    assert set(grey.names) <= set(names(1))
    assert grey.strength.tolist() == sorted(grey.strength.tolist(), reverse=True)
    colour = Boundary(n_codes=256, n_directions=99).fit(Linear(3)).directions_
    assert set(COLOUR) <= set(colour.names) <= set(ATTRIBUTES)
    assert json.loads(json.dumps(colour.params, allow_nan=False)) == colour.params


def test_attributes_on_images_where_they_are_known() -> None:
    image = torch.full((1, 3, 8, 8), -1.0)
    image[:, 0, 2:4, 6:8] = 1.0  # a red square in the upper right
    said = {name: float(f(image)[0]) for name, f in ATTRIBUTES.items()}
    assert said["redness"] == pytest.approx(2 * 4 / 64)
    assert said["blueness"] == pytest.approx(-4 / 64)
    assert said["colourfulness"] == pytest.approx(2 * 4 / 64)
    assert said["brightness"] == pytest.approx(-1 + 0.299 * 2 * 4 / 64, abs=1e-6)
    assert said["horizontal"] == pytest.approx((5 / 7 + 1) / 2, abs=1e-5)  # columns 6 and 7 of 0..7
    assert said["vertical"] == pytest.approx(2 / 7, abs=1e-5)  # rows 2 and 3: above the middle
    mirrored = torch.cat([image, image.flip(3)], 3)
    assert float(ATTRIBUTES["symmetry"](mirrored)) == pytest.approx(1.0, abs=1e-5)
    assert said["symmetry"] < 0
    grey = torch.zeros(2, 1, 8, 8)
    grey[1, :, 2:6, 2:6] = 1.0
    assert float(ATTRIBUTES["size"](grey)[1]) == pytest.approx(16 / 64, abs=0.01)
    checker = (torch.arange(8)[:, None] + torch.arange(8)) % 2 * 2.0 - 1
    smooth = torch.linspace(-1, 1, 8).expand(8, 8)
    sharp, soft = ATTRIBUTES["sharpness"](torch.stack([checker, smooth])[:, None]).tolist()
    assert sharp > 5 * soft
    assert float(ATTRIBUTES["contrast"](grey)[0]) == 0.0


def test_an_estimator_of_ones_own_and_another_share() -> None:
    generator = Linear()
    own = Boundary("brightness", how=partial(separation.svm, share=0.3), n_codes=300).fit(generator).directions_
    assert own.params["how"] == "svm(share=0.3)"
    same = Boundary("brightness", how="svm", n_codes=300).fit(generator).directions_
    assert not torch.equal(own.vectors, same.vectors)


def test_same_seed_same_bits_and_the_callers_world_is_as_before() -> None:
    generator = Linear()
    before = torch.random.get_rng_state()
    one, two = (Boundary(n_codes=128).fit(generator, seed=1).directions_ for _ in range(2))
    assert torch.equal(one.vectors, two.vectors)
    assert one.params == two.params
    assert torch.equal(before, torch.random.get_rng_state())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Boundary(n_codes=128).fit(generator, seed=2)
