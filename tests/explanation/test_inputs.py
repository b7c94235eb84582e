"""One rule of conversion: whatever way an image comes, the same is judged and explained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from ganexplain import Critic, Explainer, Plan, Preprocess, explain
from ganexplain.explanation.inputs import LONGEST, read
from ganexplain.tensors import to_uint8
from tests._critics import Net, critic, critic_of_form, images, inputs

TINY = Plan(budget="quick", max_evaluations=60, n_orders=20, n_randomised=1, n_others=1, light=50, baseline="blur")


def ways(folder: Path) -> dict[str, Any]:
    """One 8 x 8 grey image in every way that it may come."""
    picture = to_uint8(images(1))[0]
    path = folder / "one.png"
    array = picture[0].numpy()
    Image.fromarray(array).save(path)
    floats = array.astype(np.float32) / 127.5 - 1
    return {
        "path": path,
        "text": str(path),
        "PIL": Image.fromarray(array),
        "colour": Image.fromarray(array).convert("RGB"),
        "bytes": array,
        "bytes, channels last": array[..., None],
        "bytes, channels first": np.ascontiguousarray(array[None]),
        "floats": floats,
        "tensor of bytes": picture,
        "tensor": torch.from_numpy(floats)[None, None],
        "tensor without batch": torch.from_numpy(floats)[None],
    }


def test_the_same_bits_whatever_way_an_image_comes(tmp_path: Path) -> None:
    given = ways(tmp_path)
    on = Critic(Net(), preprocess=Preprocess(channels=1))
    wanted = given["tensor"]
    for name, value in given.items():
        if name == "bytes, channels first":  # 1 x 8 x 8: no axis but the first can be the channels
            assert value.shape == (1, 8, 8)
        assert torch.equal(read(on, value).image, wanted), name
    run = Explainer(on, TINY)
    first, second = run.explain(given["path"]), explain(on, given["PIL"], plan=TINY)
    assert torch.equal(first.primary.values, second.primary.values)
    assert torch.equal(first.primary.values, explain(on, wanted, plan=TINY).primary.values)
    assert first.trusts == second.trusts
    assert (first.name, second.name) == ("one.png", "image")
    assert run.planned(given["path"]) == run.planned(wanted)


@pytest.mark.parametrize(
    ("shape", "size", "note"),
    [
        ((8, 8), (4, 4), "the judge reads 4 x 4 pixels, so the image of 8 x 8 was resized"),
        ((8, 12), (4, 4), "the judge reads 4 x 4 pixels, so the image of 12 x 8 was stretched"),
        ((2 * LONGEST, 64), None, f"the image was shrunk from 64 x {2 * LONGEST} to 32 x {LONGEST} pixels"),
        ((4, 4), (4, 4), ""),
    ],
)
def test_an_image_comes_to_the_size_at_which_it_is_judged(
    shape: tuple[int, int], size: tuple[int, int] | None, note: str, tmp_path: Path
) -> None:
    on = Critic(lambda x: x.mean((1, 2, 3)), preprocess=Preprocess(size=size))
    array = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    Image.fromarray(array).save(tmp_path / "a.png")
    found = [read(on, tmp_path / "a.png"), read(on, array), read(on, torch.from_numpy(array)[None])]
    for one in found:
        assert torch.equal(one.image, found[0].image)
        assert tuple(one.image.shape[2:]) == (size or (LONGEST, 32))
        assert [n[: len(note)] for n in one.notes] == ([note] if note else [])


def test_what_was_filled_or_may_be_meant_otherwise_is_said(tmp_path: Path) -> None:
    on = critic("plain")
    Image.fromarray(np.full((8, 8, 4), 128, np.uint8)).save(tmp_path / "clear.png")
    assert any("transparen" in note for note in read(on, tmp_path / "clear.png").notes)
    unit = torch.linspace(0, 1, 64).view(1, 1, 8, 8)
    for value in (unit, unit[0, 0].numpy()):
        (note,) = read(on, value).notes
        assert "2 * image - 1" in note
    assert read(on, 2 * unit - 1).notes == ()
    assert read(on, to_uint8(unit)).notes == ()


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (torch.full((1, 1, 8, 8), 200.0), ValueError, r"must lie in \[-1, 1\], got \[200, 200\]; use .*from_uint8"),
        (np.full((8, 8), 200.0), ValueError, r"\[-1, 1\]"),
        (np.zeros((3, 8, 3), np.uint8), ValueError, "may be its first or its last axis"),
        (np.zeros((8, 8), np.int64), TypeError, "uint8 or float"),
        (torch.zeros(2, 1, 8, 8), ValueError, "one image .* at a time, got 2"),
        (torch.zeros(8, 8), ValueError, r"\(N, C, H, W\)"),
        ("nowhere.png", FileNotFoundError, "nowhere.png"),
        (3, TypeError, "got int"),
    ],
)
def test_bad_input_is_one_sentence(value: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as told:
        explain(critic("plain"), value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("form", ["table", "signal"])
def test_rows_and_signals_come_as_tensors_and_arrays(form: str) -> None:
    on, x = critic_of_form(form), inputs(form, 1)
    for value in (x, x[0], x.numpy(), x[0].numpy(), x[0].double().numpy()):
        assert torch.equal(read(on, value).image, x)
    with pytest.raises(TypeError, match=r"files are read by ganexplain\.data\."):
        read(on, "rows.csv")
    with pytest.raises(ValueError, match="at a time, got 3"):
        read(on, inputs(form, 3))
