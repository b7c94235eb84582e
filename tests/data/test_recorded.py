"""A run goes on with the data that it began with, or is told what changed."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ganexplain.data.recorded import check_same, record
from ganexplain.data.sets import DataSet, gaussians, ring
from ganexplain.data.splits import split

NAMES = ("T-shirt", "Trouser", "Pullover", "Dress")


def clothes(n: int = 40, official: int = 0) -> DataSet:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (n, 1, 4, 4), dtype=torch.uint8, generator=generator)
    return DataSet(images, torch.arange(n) % 4, NAMES, "clothes", "made", official)


def with_pixel(data: DataSet) -> DataSet:
    images = data.images.clone()
    images[7, 0, 1, 2] ^= 1
    return replace(data, images=images)


def with_label(data: DataSet, i: int, label: int) -> DataSet:
    assert data.labels is not None
    labels = data.labels.clone()
    labels[i] = label
    return replace(data, labels=labels)


def exchanged(data: DataSet) -> DataSet:
    """Two images of two classes under each other's label: neither numbers nor images change."""
    return with_label(with_label(data, 0, 1), 1, 0)


def reordered(data: DataSet, *places: int) -> DataSet:
    """As a folder is read whose class folders sort differently: images, labels and names are in another order."""
    assert data.labels is not None
    order = torch.cat([torch.nonzero(data.labels == i).flatten() for i in places])
    labels = torch.arange(len(places)).repeat_interleave(len(data) // 4)
    names = tuple(data.class_names[i] for i in places)
    return replace(data, images=data.images[order], labels=labels, class_names=names)


CHANGES: dict[str, tuple[Callable[[DataSet], DataSet], str]] = {
    "pixel": (with_pixel, r": other images, or in another order; give"),
    "fit": (
        lambda d: replace(with_pixel(d), source="made; padded"),
        r"other images, or in another order \('made' then, 'made; padded' now\); give",
    ),
    "order": (lambda d: replace(d, images=d.images.flip(0)), ": other images, or in another order; give"),
    "label": (
        lambda d: with_label(d, 0, 1),
        ": the class 'T-shirt' had 10, now 9, the class 'Trouser' had 10, now 11;",
    ),
    "labels": (exchanged, ": other labels, or in another order; give"),
    "no labels": (lambda d: replace(d, labels=None, class_names=()), ": no class names now, 4 then"),
    "renamed": (
        lambda d: replace(d, class_names=(*NAMES[:3], "Coat")),
        ": class 3 was 'Dress', now 'Coat': images of one class would be learned under another's label; give",
    ),
    "class order": (
        lambda d: reordered(d, 1, 0, 2, 3),
        ": class 0 was 'T-shirt', now 'Trouser', class 1 was 'Trouser', now 'T-shirt': images of one class",
    ),
    "a class less": (
        lambda d: reordered(d, 0, 2, 3),
        r": 4 class names then, 3 now \(lost 'Trouser'\), class 1 was 'Trouser', now 'Pullover'.*: images of one class",
    ),
    "size": (lambda d: d.fitted(resolution=8), "images were of 1x4x4 .*, now of 1x8x8 "),
    "channels": (lambda d: d.fitted(channels=3), "images were of 1x4x4 .*, now of 3x4x4 "),
    "fewer": (
        lambda d: DataSet(d.images[:36], torch.arange(36) % 4, NAMES, "clothes", "made"),
        ": 40 images then, 36 now; the class 'T-shirt' had 10, now 9, .* and 1 more; give",
    ),
    "test images": (lambda d: replace(d, official_test=8), ": 0 official test images then, 8 now; give"),
    "rows": (lambda d: gaussians(ring(), 0.1, n=40), r": it was images of 1x4x4 .*, now rows of 2 features; give"),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("as_json", [False, True])
def test_every_single_change_is_named(change: str, as_json: bool) -> None:
    data = clothes()
    was = record(data, split(data))
    if as_json:
        was = json.loads(json.dumps(was))
    check_same(was, data, split(data))
    make, message = CHANGES[change]
    now = make(data)
    with pytest.raises(ValueError, match=f"not what the run began with.*{message}") as caught:
        check_same(was, now, split(now))
    assert str(caught.value).endswith("give the same data, or start a new run")
    assert str(caught.value).count("give the same data") == 1


@given(st.permutations(range(4)))
def test_any_other_order_of_the_classes_is_named_and_the_same_one_passes(places: list[int]) -> None:
    data = reordered(clothes(), 0, 1, 2, 3)
    was, now = record(data, split(data)), reordered(data, *places)
    if places == [0, 1, 2, 3]:
        check_same(was, now, split(now))
        return
    first = next(i for i, place in enumerate(places) if place != i)
    with pytest.raises(ValueError, match=f"class {first} was '{NAMES[first]}', now '{NAMES[places[first]]}'"):
        check_same(was, now, split(now))


@given(st.integers(0, 39), st.integers(0, 15), st.integers(1, 255))
def test_any_other_byte_is_noticed(row: int, place: int, change: int) -> None:
    data = clothes()
    images = data.images.clone()
    images.view(40, 16)[row, place] ^= change
    with pytest.raises(ValueError, match="other images"):
        check_same(record(data, split(data)), replace(data, images=images), split(data))


def test_another_split_is_named() -> None:
    data = clothes()
    was = record(data, split(data))
    with pytest.raises(ValueError, match=": the split's seed was 0, now 1; give"):
        check_same(was, data, split(data, seed=1))
    with pytest.raises(ValueError, match=": 4 rows held out then, 12 now; 36 rows to train on then, 28 now; give"):
        check_same(was, data, split(data, share=0.3))
    other = replace(split(data), held_out=split(data).held_out.flip(0))
    with pytest.raises(ValueError, match=": other rows are held out; give"):
        check_same(was, data, other)
    official = clothes(official=6)
    with pytest.raises(ValueError, match=": official test images are now held out; give"):
        check_same(
            record(data, replace(split(official), official=False)) | {"official_test": 6}, official, split(official)
        )
    with pytest.raises(ValueError, match="other images.*; the split's seed was 0, now 2; give"):
        check_same(was, with_pixel(data), split(data, seed=2))


def test_a_moved_folder_and_a_longer_record_are_no_change() -> None:
    data = clothes()
    was = record(data, split(data)) | {"read_by": "a later version"}
    check_same(was, replace(data, name="elsewhere", source="another disk"), split(data))


def test_rows_are_recorded_too() -> None:
    data = gaussians(ring(), 0.1, n=80)
    was = record(data, split(data))
    check_same(json.loads(json.dumps(was)), data, split(data))
    named = replace(data, feature_names=("x", "z"))
    with pytest.raises(ValueError, match=": feature 1 was 'y', now 'z'; give"):
        check_same(was, named, split(named))
    other = gaussians(ring(), 0.1, n=80, seed=1)
    with pytest.raises(ValueError, match=r": other rows, or in another order \('80 rows .* seed 0' then"):
        check_same(was, other, split(other))


def keys() -> list[tuple[str, ...]]:
    data = clothes()
    was = record(data, split(data))
    return [(key,) for key in was] + [("split", key) for key in was["split"]]


@pytest.mark.parametrize("path", keys(), ids=".".join)
@pytest.mark.parametrize("value", ["absent", {"a": 1}])
def test_a_record_that_lacks_something_is_one_clear_sentence(path: tuple[str, ...], value: Any) -> None:
    data = clothes()
    was = copy.deepcopy(record(data, split(data)))
    part = was["split"] if len(path) == 2 else was
    part[path[-1]] = value
    if value == "absent":
        del part[path[-1]]
    with pytest.raises(ValueError, match=r"record of the run's data has no .*; start a new run"):
        check_same(was, data, split(data))
