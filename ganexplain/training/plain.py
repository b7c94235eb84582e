"""Values that ``torch.save`` writes and reads back without running code: tensors, numbers, strings, lists, mappings."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

MAX_DEPTH = 32


def plain(value: Any, name: str, depth: int = 0) -> Any:
    """``value`` as fresh plain objects on the CPU; views are cut loose, for torch saves the whole storage of each.

    Args:
        value: tensors, numbers, strings, None, and lists, tuples and mappings of them.
        name: what it is called in an error.
        depth: how deep it lies.

    Raises:
        TypeError: anything else, numpy's numbers and subclasses of str among it.
        ValueError: nested too deep.
    """
    if depth > MAX_DEPTH:
        raise ValueError(f"{name[:60]}... is nested more than {MAX_DEPTH} deep; a checkpoint holds plain values")
    if isinstance(value, Tensor):
        return value.detach().cpu().clone()
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, Mapping) and all(type(key) in (str, int) for key in value):
        return {key: plain(item, f"{name}.{key}", depth + 1) for key, item in value.items()}
    if type(value) in (list, tuple):
        items = [plain(item, f"{name}[{i}]", depth + 1) for i, item in enumerate(value)]
        return items if type(value) is list else tuple(items)
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    raise TypeError(
        f"a checkpoint holds tensors, numbers, strings, None, lists and mappings with names or numbers as keys, "
        f"got {kind} at {name}; convert it first"
    )


def unpacked(path: Path) -> Any:
    """What a file of ``torch.save`` holds; no code in it is run, and it takes no more memory than its size says.

    Raises:
        ValueError: it is no such file, or holds something that only code could make.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
        if any(e.compress_type != zipfile.ZIP_STORED for e in entries):  # torch never compresses
            raise ValueError("it is compressed")
        if sum(e.file_size for e in entries) > path.stat().st_size:
            raise ValueError("its parts overlap")
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as problem:  # zipfile and torch have classes of their own
        said = " ".join(str(problem).split())[:200]
        raise ValueError(f"{path} is no checkpoint of ganexplain ({said}); put a copy back, or start anew") from problem
