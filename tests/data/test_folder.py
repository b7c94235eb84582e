"""Folders as people have them: of all sizes, in classes, with test images, with other things in them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganexplain.data.sets import DataSet, _dataset, folder, open_data
from ganexplain.data.splits import split


def put(root: Path, *names: str, size: tuple[int, int] = (8, 8), mode: str = "L") -> Path:
    """Pictures of one value each, 10, 20, ... in the order of the names."""
    for i, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", size, 10 * (i + 1)).convert(mode).save(root / name)
    return root


def values(data: DataSet) -> list[int]:
    return data.images[:, 0, 0, 0].tolist()


def test_train_and_test_are_an_official_split(tmp_path: Path) -> None:
    put(tmp_path, "train/cat/a.png", "train/cat/b.png", "train/dog/a.png", "test/cat/x.png", "test/dog/y.png")
    (tmp_path / ".cache").mkdir()
    data = open_data(tmp_path)
    assert values(data) == [10, 20, 30, 40, 50]
    assert data.labels is not None
    assert data.labels.tolist() == [0, 0, 1, 0, 1]
    assert data.class_names == ("cat", "dog")
    assert data.official_test == 2
    assert "2 of them, in test, are its test images" in data.source
    parts = split(data)
    assert parts.train.tolist() == [0, 1, 2]
    assert parts.official


def test_test_images_may_lack_a_class_but_not_have_another(tmp_path: Path) -> None:
    put(tmp_path, "Train/a/1.png", "Train/b/1.png", "VAL/b/2.png")
    data = open_data(tmp_path)
    assert data.labels is not None
    assert data.labels.tolist() == [0, 1, 1]
    put(tmp_path, "VAL/c/1.png")
    with pytest.raises(ValueError, match=r"VAL has the class 'c', and .*Train has a, b; both need the same classes"):
        open_data(tmp_path)
    flat = put(tmp_path / "flat", "train/a/1.png", "test/1.png")
    with pytest.raises(ValueError, match="no class folders"):
        open_data(flat)


def test_train_and_test_without_classes_and_train_alone(tmp_path: Path) -> None:
    data = open_data(put(tmp_path / "one", "train/1.png", "train/2.png", "test/3.png"))
    assert (values(data), data.labels, data.official_test) == ([10, 20, 30], None, 1)
    alone = open_data(put(tmp_path / "two", "train/a/1.png", "train/b/1.png"))
    assert (alone.class_names, alone.official_test) == (("a", "b"), 0)
    vehicles = open_data(put(tmp_path / "three", "car/1.png", "train/1.png"))
    assert vehicles.class_names == ("car", "train")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("train/1.png", "test/1.png", "extra/1.png"), "train and test beside other folders"),
        (("train/1.png", "test/1.png", "1.png"), "train and test beside other folders or pictures"),
        (("train/1.png", "test/1.png", "val/1.png"), "test and val beside train; leave one"),
        (("cats/persian/1.png", "cats/2.png", "dogs/1.png"), "deeper than its class folders, in cats/persian"),
        (("pets/cats/1.png", "pets/dogs/1.png"), r"deeper than its class folders, in pets/cats; .* name .*pets"),
        (("1.png", "a/b/2.png"), r"directly in it \(1.png\) and in subfolders \(a\)"),
    ],
)
def test_what_could_mean_several_things_is_asked_about(tmp_path: Path, names: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        open_data(put(tmp_path, *names))


def test_hidden_and_other_files_are_left_out_and_counted(tmp_path: Path) -> None:
    put(tmp_path, "a/1.PNG", "b/1.png", "a/._1.png", "__MACOSX/a/._2.png")
    (tmp_path / "a" / "notes.txt").write_text("")
    (tmp_path / "Thumbs.db").write_text("")
    (tmp_path / ".DS_Store").write_text("")
    data = open_data(tmp_path)
    assert values(data) == [10, 20]
    assert data.class_names == ("a", "b")
    assert data.source.endswith("; 2 other files left out")


def test_a_damaged_picture_is_named(tmp_path: Path) -> None:
    put(tmp_path, "a.png", "b.png", size=(64, 64))
    whole = (tmp_path / "b.png").read_bytes()
    (tmp_path / "b.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"b\.png is damaged"):
        open_data(tmp_path, resolution=8)
    (tmp_path / "b.png").write_text("<html>not found</html>")
    with pytest.raises(ValueError, match=r"b\.png is no image"):
        open_data(tmp_path, resolution=8)


def test_every_size_becomes_the_one_asked_for_and_it_is_said(tmp_path: Path) -> None:
    for i, size in enumerate([(16, 16), (40, 20), (9, 30), (8, 8), (2, 2)]):
        put(tmp_path / "x", f"{i}.png", size=size)
    data = open_data(tmp_path / "x", resolution=8)
    assert data.images.shape == (5, 1, 8, 8)
    assert data.images.unique().tolist() == [10]
    assert data.source == (
        "5 pictures of the folder x; 2 centre-cropped to squares; 4 resized to 8x8 (bilinear, smoothed); "
        "1 of these enlarged, which adds no detail"
    )
    with pytest.raises(ValueError, match=r"several sizes, 16x16 and 40x20 \(0.png and 1.png\); pass a resolution"):
        open_data(tmp_path / "x")


@pytest.mark.parametrize("first", ["L", "RGB"])
def test_one_in_colour_makes_all_colour(tmp_path: Path, first: str) -> None:
    other = {"L": "RGB", "RGB": "L"}[first]
    put(tmp_path, "1.png", mode=first)
    put(tmp_path, "2.png", mode=other)
    put(tmp_path, "3.png", mode=first)
    data = open_data(tmp_path)
    assert data.images.shape == (3, 3, 8, 8)
    assert data.images.unique().tolist() == [10]
    assert f"{2 if first == 'L' else 1} grey ones made colour" in data.source
    assert open_data(tmp_path, channels=1).images.shape == (3, 1, 8, 8)


def test_too_much_is_refused_before_it_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, *(f"{i}.png" for i in range(10)), size=(32, 32))
    monkeypatch.setattr(folder, "MAX_BYTES", 10 * 32 * 32 - 1)
    made: list[int] = []
    zeros = torch.zeros
    monkeypatch.setattr(torch, "zeros", lambda *size, **more: made.append(size[0]) or zeros(*size, **more))
    with pytest.raises(ValueError, match="10 pictures of 32x32 are too large: .* pass a smaller resolution"):
        open_data(tmp_path)
    assert not made
    assert open_data(tmp_path, resolution=16).resolution == 16
    with pytest.raises(ValueError, match="resolution must be a multiple of 4 from 4 to 1024, got 10000"):
        open_data(tmp_path, resolution=10_000)


def test_a_side_over_the_limit_without_a_resolution(tmp_path: Path) -> None:
    side = _dataset.MAX_SIDE + 4
    put(tmp_path, "1.png", size=(side, side))
    with pytest.raises(ValueError, match="sides of 1024"):
        open_data(tmp_path)
    assert open_data(tmp_path, resolution=8).resolution == 8


def test_the_layout_of_stylegans_tool(tmp_path: Path) -> None:
    put(tmp_path, "00000/img0.png", "00000/img1.png", "00001/img2.png")
    listed = [["00000/img0.png", 40], ["00000\\img1.png", 3], ["00001/img2.png", 40], ["00001/absent.png", 1]]
    file = tmp_path / "dataset.json"
    file.write_text(json.dumps({"labels": listed}))
    data = open_data(tmp_path)
    assert values(data) == [10, 20, 30]
    assert data.class_names == ("3", "40")
    assert data.labels is not None
    assert data.labels.tolist() == [1, 0, 1]
    assert data.source.endswith("; labels from its dataset.json")
    file.write_text('{"labels": null}')
    assert open_data(tmp_path).labels is None
    for label in (None, 1.5, True, "a", [1]):
        file.write_text(json.dumps({"labels": [*listed[:2], [listed[2][0], label]]}))
        with pytest.raises(ValueError, match=r"no whole number as the label of 00001/img2\.png"):
            open_data(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"labels": 5}', '{"labels": [1]}', "[" * 10_000, "\xff"])
def test_a_damaged_dataset_json(tmp_path: Path, text: str) -> None:
    put(tmp_path, "a.png")
    (tmp_path / "dataset.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=r'must be {"labels": \[\["name\.png", 0\], .* repair it'):
        open_data(tmp_path)


def test_a_zip_file_is_to_be_unpacked(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"")
    with pytest.raises(ValueError, match=r"neither a folder .* unpack a \.zip"):
        open_data(tmp_path / "a.zip")


def test_a_folder_of_idx_files_says_how_it_is_opened(tmp_path: Path) -> None:
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(b"")
    with pytest.raises(FileNotFoundError, match=r"no picture in .*; it has idx files, open idx:"):
        open_data(tmp_path)


def test_an_image_of_sixteen_bits_is_fitted_without_loss_of_its_range(tmp_path: Path) -> None:
    ramp = (np.arange(24, dtype=np.uint16) * 2730)[None].repeat(12, 0)
    Image.fromarray(ramp).save(tmp_path / "a.png")
    cut = open_data(tmp_path).images[0, 0, 0].double()
    assert (cut - torch.from_numpy(ramp[0, 6:18] / 257.0)).abs().max() <= 0.51
