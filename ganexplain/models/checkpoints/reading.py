"""One door: from the path of a file of weights to a `Checkpoint`, whatever the file's format."""

from __future__ import annotations

import mmap
from dataclasses import replace
from pathlib import Path

from ganexplain.models.checkpoints import archive, kinds, torch_file
from ganexplain.models.checkpoints.checkpoint import Checkpoint
from ganexplain.models.checkpoints.floats import settled
from ganexplain.models.checkpoints.naming import ADVICE, UnreadableError
from ganexplain.models.checkpoints.networks import Found, gather
from ganexplain.store import MAX_FILE_BYTES

MAX_COPIED = 2**30  # bytes of a file that are read at once


def read(path: str | Path) -> Checkpoint:
    """Read a file of weights: torch.save (state dicts, checkpoints, whole modules), safetensors, TorchScript or ONNX.

    No code in the file is run: a pickle is interpreted by a machine that can neither import nor call, and a program
    (TorchScript, ONNX) is first searched for operations that touch anything but tensors. What a file is, its bytes say
    and not its name.

    Args:
        path: of the file; a link is followed.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no file of weights, damaged, or asks for what no weights need; the message says which, and the
            way out.
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{path} is a folder, expected a file of weights{_inside(path)}")
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    size = path.stat().st_size
    if size > MAX_FILE_BYTES:
        raise ValueError(f"{path} has {size} bytes, more than the {MAX_FILE_BYTES} that are read; {ADVICE}")
    try:
        return _read(path, size)
    except UnreadableError as error:
        raise ValueError(f"{path} {error}") from error.__cause__
    except Exception as error:  # a damaged file fails in as many ways as there are bytes
        said = " ".join(str(error).split())[:200]
        raise ValueError(
            f"{path} is damaged or no checkpoint ({type(error).__name__}: {said}); download or copy it again, or, "
            "if it is a library's own object, save its network's weights: torch.save(net.state_dict(), path)"
        ) from error


def _read(path: Path, size: int) -> Checkpoint:
    with path.open("rb") as file:
        # a mapped file that is written anew meanwhile, as by a training run, would end the process
        large = size > MAX_COPIED
        data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if large else file.read())
        kind = kinds.kind_of(data, path.suffix.lower())
        if kind == "zip":
            return _archive(path, data)
        if kind == "stream":
            return _settled(Checkpoint(path, "torch", ()), gather(*torch_file.from_stream(data)))
        if kind == "safetensors":
            from ganexplain.models.checkpoints.safetensors_file import tensors_of

            tensors, beside = tensors_of(path)
            found = gather(tensors)
            found.facts.update(beside)
            return _settled(Checkpoint(path, "safetensors", ()), found)
        from ganexplain.models.checkpoints import onnx_file

        return onnx_file.opened(path, data)


def _archive(path: Path, data: memoryview) -> Checkpoint:
    found = archive.opened(data)
    if "constants.pkl" in found.spans and any(name.startswith("code/") for name in found.spans):
        from ganexplain.models.checkpoints import torchscript

        program = torchscript.opened(found)
        networks = gather(dict(program.script.state_dict()))
        return _settled(Checkpoint(path, "torchscript", (), program), networks)
    if "data.pkl" not in found.spans:
        raise UnreadableError(kinds.inside_of(list(found.spans)))
    networks = gather(*torch_file.from_archive(found))
    damaged = [n for n in found.spans if not found.intact(n)]
    if damaged:
        networks.notes.append(
            f"the checksum of {len(damaged)} of its {len(found.spans)} parts does not fit ({damaged[0]}): "
            "it may be damaged, unless it was saved without checksums"
        )
    return _settled(Checkpoint(path, "torch", ()), networks)


def _settled(checkpoint: Checkpoint, found: Found) -> Checkpoint:
    settled_ = [settled(w) for w in found.networks]
    if not settled_ and checkpoint.program is None:
        facts = ", ".join(list(found.facts)[:5])
        held = f" (it holds {facts})" if facts else ""
        raise UnreadableError(f"holds no weights{held}; expected a mapping of names to tensors, or a module")
    notes = (*found.notes, *(note for _, notes in settled_ for note in notes))
    named = tuple(replace(w, stem=checkpoint.path.stem) for w, _ in settled_)
    return replace(checkpoint, networks=named, facts=found.facts, notes=notes)


def _inside(folder: Path) -> str:
    known = {".pt", ".pth", ".ckpt", ".tar", ".bin", ".safetensors", ".onnx"}
    files = sorted(f.name for f in folder.iterdir() if f.suffix in known)
    return f"; it holds {', '.join(files[:5])}" if files else ""
