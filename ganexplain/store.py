"""Files: safetensors with JSON metadata, written whole or not at all, and hashes of what is in them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

MAX_FILE_BYTES = 8 * 2**30  # more than any GAN that this project writes; guards against a mistaken or hostile path


def write_bytes(path: str | Path, payload: bytes) -> Path:
    """Write ``payload`` to ``path`` so that a reader sees the old file or the whole new one, never a part.

    Raises:
        OSError: the folder cannot be written; an older file of that name is then untouched.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(payload)
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(name, 0o666 & ~umask)  # mkstemp makes private files
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return path


def json_bytes(value: Any, *, sort_keys: bool = True) -> bytes:
    """``value`` as readable JSON; NaN is refused, since JSON has none, and what no text can hold becomes a ?."""
    text = json.dumps(value, indent=2, sort_keys=sort_keys, allow_nan=False, ensure_ascii=False)
    return (text + "\n").encode("utf-8", "replace")  # a file name may hold bytes that no text can


def write_json(path: str | Path, value: Any) -> Path:
    """Write `json_bytes` of ``value``."""
    return write_bytes(path, json_bytes(value))


def tensor_bytes(tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> bytes:
    """Named tensors and a JSON-able mapping as the bytes of a safetensors file."""
    from safetensors.torch import save

    # safetensors refuses channels-last and tied tensors, hence the clones
    plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    payload: bytes = save(plain, metadata={"ganexplain": json.dumps(metadata, sort_keys=True, allow_nan=False)})
    return payload


def save_tensors(path: str | Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> Path:
    """Write named tensors and a JSON-able mapping as one safetensors file, atomically."""
    return write_bytes(path, tensor_bytes(tensors, metadata))


def is_own(path: str | Path) -> bool:
    """Whether a file is a safetensors file of this project; damaged and other people's files are not."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="pt") as file:
            return "ganexplain" in (file.metadata() or {})
    except SafetensorError:
        return False


def load_tensors(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `save_tensors` wrote; no code in the file is ever run.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no safetensors file of this project.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    if path.stat().st_size > MAX_FILE_BYTES:
        raise ValueError(f"{path} has {path.stat().st_size} bytes, more than the {MAX_FILE_BYTES} that are read")
    try:
        with safe_open(str(path), framework="pt") as file:
            header = (file.metadata() or {}).get("ganexplain")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    except SafetensorError as error:
        raise ValueError(f"{path} is not a readable safetensors file: {error}") from None
    if header is None:
        raise ValueError(f"{path} was not saved by ganexplain: its metadata has no entry 'ganexplain'")
    facts = json.loads(header)
    if not isinstance(facts, dict):
        raise ValueError(f"{path} was not saved by ganexplain: its metadata is a {type(facts).__name__}, no mapping")
    return tensors, facts


@contextlib.contextmanager
def reading(path: str | Path, noun: str) -> Iterator[None]:
    """Inside the block, metadata or tensors that are not as they were saved become one `ValueError` with the path."""
    try:
        yield
    except (KeyError, IndexError, TypeError, AttributeError, RuntimeError) as error:
        said = " ".join(str(error).split())[:200]
        raise ValueError(f"{path} is no {noun} as ganexplain saves it ({type(error).__name__}: {said})") from error


def fingerprint(tensors: Mapping[str, Tensor]) -> str:
    """The first 16 hex digits of a sha256 over names, shapes and bits, independent of order."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]
