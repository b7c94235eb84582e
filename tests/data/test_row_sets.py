"""Rows as data sets: CSV files as people save them, and mixtures whose truth is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

from ganexplain.data.sets import DataSet, gaussians, grid, open_data, ring, rows
from ganexplain.data.splits import split
from ganexplain.models.table import Table

WINES = "alcohol,acid,class\n" + "".join(f"{12 + i / 7:.3f},{i % 5},{'red' if i % 3 else 'white'}\n" for i in range(42))


def save(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


class TestCsv:
    def test_columns_are_features_and_class_is_the_class(self, tmp_path: Path) -> None:
        data = open_data(save(tmp_path / "wines.csv", WINES))
        assert data.feature_names == ("alcohol", "acid")
        assert data.images.dtype == torch.float32
        assert data.images[:, 1].tolist() == [i % 5 for i in range(42)]
        assert data.class_names == ("red", "white")
        assert data.labels is not None
        assert data.labels.tolist() == [0 if i % 3 else 1 for i in range(42)]
        assert data.source == "42 rows of wines.csv, 2 features, classes from its column 'class'"
        assert torch.bincount(data.labels[split(data).held_out]).tolist() == [4, 2]  # a seventh of each

    def test_it_equals_what_numpy_reads(self, tmp_path: Path) -> None:
        table = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
        np.savetxt(tmp_path / "a.csv", table, delimiter=";", fmt="%.9g")
        data = open_data(tmp_path / "a.csv")
        assert np.array_equal(data.images.numpy(), table)
        assert data.feature_names == ("column 1", "column 2", "column 3", "column 4")
        assert data.labels is None

    def test_a_table_is_made_of_the_training_rows(self, tmp_path: Path) -> None:
        data = open_data(save(tmp_path / "wines.csv", WINES))
        train = data.images[split(data).train]
        form = Table.standardised(train, data.feature_names, units=data.units)
        assert form.names == ("alcohol", "acid")
        assert form.mean == pytest.approx(train.double().mean(0).tolist())
        assert form.std == pytest.approx(train.double().std(0, correction=0).tolist())

    def test_whole_numbers_as_classes_are_in_their_order(self, tmp_path: Path) -> None:
        text = "x,Label\n" + "".join(f"{i}.5,{i}\n" for i in (10, 9, 2, 10, -1))
        data = open_data(save(tmp_path / "a.csv", text))
        assert data.class_names == ("-1", "2", "9", "10")
        assert data.labels is not None
        assert data.labels.tolist() == [3, 2, 1, 3, 0]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            (
                "a,b\n1,red\n2,blue\n",
                r"column 'b' of .* holds words \('red', 'blue', row 1 first\).* leave the column out",
            ),
            ("a;b\n1;2,5\n2;3,5\n", r"column 'b' of .* holds words \('2,5'"),
            ("a,b\n1,2\n2,\n3,NA\n", "column 'b' of .* no finite value in 2 of 3 rows, row 2 first"),
            ("a,b\n1,2\n2,inf\n", "column 'b' of .* no finite value in 1 of 2 rows"),
            ("a,b,c\n1,2,0\n2,2,0\n", "same value in every row of 'b', 'c', .* leave them out"),
            ("a,b\n1,2\n2,3,4\n", r"row 2 of .* has 3 cells, expected 2"),
            ("a,a\n1,2\n2,3\n", "several columns of the name 'a'"),
            (",a\n0,1\n1,2\n", r"column 1 of .* has no name; .*index=False"),
            ("5.1,3.5,setosa\n4.9,3.0,virginica\n", "words beside '5.1'; add a line above with names"),
            ("class\nred\nblue\n", "no column of features, only 'class'"),
            ("a,class\n1,red\n2,\n", "row 2 of .* has no class"),
            ("a,class,label\n1,0,0\n2,1,1\n", "several columns of classes, class and label"),
            ("t\n1700000000.1\n1700000000.2\n", "float32 loses digits; subtract its first value"),
            ("t\n1e300\n2\n", "float32 cannot hold"),
            ("a,b\n", "no rows below its header"),
        ],
    )
    def test_errors_name_the_column(self, tmp_path: Path, text: str, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            open_data(save(tmp_path / "bad.csv", text))

    def test_bounds(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = save(tmp_path / "a.csv", "x,label\n" + "".join(f"{i},{i}\n" for i in range(12)))
        monkeypatch.setattr(rows, "MAX_CLASSES", 11)
        with pytest.raises(ValueError, match="12 different values, more than the 11"):
            open_data(path)
        monkeypatch.setattr(rows, "MAX_ROWS", 11)
        with pytest.raises(ValueError, match="more than 11 rows; take a part"):
            open_data(path)
        with pytest.raises(FileNotFoundError, match="no file"):
            open_data(tmp_path / "absent.csv")

    def test_rows_in_an_npz_are_sent_to_csv(self, tmp_path: Path) -> None:
        np.savez(tmp_path / "a.npz", x=np.zeros((5, 3), np.float32))
        with pytest.raises(ValueError, match=r"save rows of a table as \.csv"):
            open_data(tmp_path / "a.npz")


class TestGaussians:
    @pytest.mark.parametrize(("name", "k", "sigma"), [("ring-8", 8, 0.02), ("grid-25", 25, 0.05)])
    def test_the_rows_are_of_the_mixture(self, name: str, k: int, sigma: float) -> None:
        data = open_data(name)
        assert data.modes is not None
        assert data.labels is not None
        assert data.images.shape == (50_000, 2)
        assert data.modes.shape == (k, 2)
        assert data.sigma == sigma
        assert torch.bincount(data.labels).tolist() == [50_000 // k] * k
        noise = (data.images - data.modes[data.labels]).double() / sigma
        assert stats.kstest(noise.flatten().numpy(), "norm").pvalue > 0.01
        assert abs(np.corrcoef(noise.T.numpy())[0, 1]) < 4 / 50_000**0.5
        nearest = torch.cdist(data.images, data.modes).argmin(1)
        assert torch.equal(nearest, data.labels)

    def test_the_shapes_are_those_of_the_literature(self) -> None:
        assert torch.allclose(ring().norm(dim=1), torch.full((8,), 2.0))
        assert torch.allclose(torch.cdist(ring(), ring()).topk(2, largest=False).values[:, 1], torch.tensor(1.5307337))
        assert sorted(map(tuple, grid().tolist())) == [(-4.0 + 2 * i, -4.0 + 2 * j) for i in range(5) for j in range(5)]

    def test_they_are_drawn_by_counter(self) -> None:
        state = torch.get_rng_state()
        few, many = (gaussians(ring(), 0.1, n=n, seed=3) for n in (100, 1000))
        assert torch.equal(many.images[:100], few.images)
        assert few.fingerprint != gaussians(ring(), 0.1, n=100, seed=4).fingerprint
        assert torch.equal(state, torch.get_rng_state())
        assert gaussians(torch.zeros(1, 3), 1.0, n=5).feature_names == ("x0", "x1", "x2")

    def test_errors(self, tmp_path: Path) -> None:
        for name in ("ring-8", "grid-25"):
            with pytest.raises(ValueError, match=f"{name} is drawn and read from no folder"):
                open_data(f"{name}:{tmp_path}")
        with pytest.raises(ValueError, match=r"modes must have the shape \(K, F\)"):
            gaussians(torch.zeros(3), 1.0)
        with pytest.raises(ValueError, match="sigma must be positive"):
            gaussians(ring(), 0.0)
        with pytest.raises(ValueError, match="at least the number of modes, 8, got 7"):
            gaussians(ring(), 0.1, n=7)


class TestRowsAreNoImages:
    def test_what_only_images_have_is_refused(self) -> None:
        data = open_data("ring-8")
        for name in ("resolution", "channels"):
            with pytest.raises(ValueError, match=f"ring-8 is a set of rows with 2 features, only images have {name}"):
                getattr(data, name)
        with pytest.raises(ValueError, match="only images have a resolution; leave it out"):
            open_data("ring-8", resolution=8)
        with pytest.raises(ValueError, match="only images have channels; leave it out"):
            open_data("ring-8", channels=1)

    @pytest.mark.parametrize(
        ("table", "names", "message"),
        [
            (torch.zeros(3, 2, dtype=torch.float64), ("a", "b"), "must be float32"),
            (torch.zeros(3, 3), ("a", "b"), r"shape \(N, 2\), a column a feature"),
            (torch.zeros(0, 2), ("a", "b"), r"shape \(N, 2\)"),
            (torch.zeros(3, 2), ("a", "a"), "different names"),
            (torch.full((3, 2), torch.nan), ("a", "b"), "must be finite"),
        ],
    )
    def test_bad_rows(self, table: torch.Tensor, names: tuple[str, ...], message: str) -> None:
        with pytest.raises((ValueError, TypeError), match=message):
            DataSet(table, None, (), "a", "", feature_names=names)

    def test_a_split_of_too_few_rows(self) -> None:
        with pytest.raises(ValueError, match="2 rows are too few to hold some out and keep some; add rows"):
            split(DataSet(torch.zeros(2, 1), None, (), "a", "", feature_names=("a",)), share=0.1)
