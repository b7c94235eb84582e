"""What a file is, told from its first bytes, and the way out where it is none of weights."""

from __future__ import annotations

import struct

from ganexplain.models.checkpoints.naming import UnreadableError

UNPACK = "unpack it and name the file inside"
AGAIN = "what was saved is the page of a download, so download the file itself"
# first bytes -> what such a file is, and what to do
SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"version https://git-lfs", "is a git-LFS pointer of a few lines in place of the file; fetch it by git lfs pull"),
    (b"\x89HDF\r\n\x1a\n", "is an HDF5 file, as Keras writes; convert its arrays to a state dict or .safetensors"),
    (b"\x1f\x8b", f"is packed by gzip; {UNPACK}"),
    (b"\xfd7zXZ\x00", f"is packed by xz; {UNPACK}"),
    (b"BZh", f"is packed by bzip2; {UNPACK}"),
    (b"\x28\xb5\x2f\xfd", f"is packed by zstd; {UNPACK}"),
    (b"7z\xbc\xaf\x27\x1c", f"is a 7z archive; {UNPACK}"),
    (b"Rar!", f"is a rar archive; {UNPACK}"),
    (b"\x93NUMPY", "is one numpy array; a network needs all of its weights under their names"),
    (b"GGUF", "is a GGUF file of a language model; expected the weights of a GAN or detector"),
    (b"\x89PNG", "is a PNG picture; expected a file of weights"),
    (b"\xff\xd8\xff", "is a JPEG picture; expected a file of weights"),
    (b"%PDF", "is a PDF; expected a file of weights"),
    (b"\x7fELF", "is a program; expected a file of weights"),
    (b"SQLite format 3", "is an SQLite database; expected a file of weights"),
)
INSIDE: tuple[tuple[str, str], ...] = (
    ("config.json", "is a Keras file; convert its arrays to a state dict or .safetensors"),
    ("bytecode.pkl", "is a model for PyTorch Mobile's interpreter; export it by torch.jit.save instead"),
    ("model.json", "is a TorchScript file of before PyTorch 1.2; export it again by torch.jit.save"),
    ("model.weights.h5", "is a Keras file; convert its arrays to a state dict or .safetensors"),
)
TENSORFLOW = "is a TensorFlow file; convert its arrays to a state dict or .safetensors, or export it to ONNX"
TAR = f"is a tar archive; {UNPACK}, or, if PyTorch of before 2017 wrote it, load it there and save it again"


def kind_of(data: memoryview, suffix: str) -> str:
    """One word for what a file is: "zip", "stream" (a pickle), "safetensors" or "onnx".

    Args:
        data: the file's bytes.
        suffix: of the file's name, asked only where the bytes leave a doubt.

    Raises:
        UnreadableError: it is something else, which the message names with the way out.
    """
    head = bytes(data[:1024])
    if not head:
        raise UnreadableError("is empty; download or copy it again")
    for signature, said in SIGNATURES:
        if head.startswith(signature):
            raise UnreadableError(said)
    if head[257:262] == b"ustar":
        raise UnreadableError(TAR)
    if head[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return "zip"
    if len(data) > 8 and head[8:9] == b"{" and struct.unpack_from("<Q", data)[0] <= len(data) - 8:
        return "safetensors"
    if suffix == ".onnx" or (head[0] == 8 and head[2:3] == b"\x12" and head[1] < 32):
        return "onnx"
    if head[0] == 0x80:
        return "stream"
    raise UnreadableError(_unknown(head, suffix))


def inside_of(names: list[str]) -> str:
    """What a zip archive is that torch.save did not write, told from its members."""
    for member, said in INSIDE:
        if any(name.rpartition("/")[2] == member for name in names):
            return said
    if names and all(name.endswith(".npy") for name in names):
        return "is an archive of numpy arrays; save them as a state dict by torch.save or as .safetensors"
    listed = ", ".join(repr(name[:60]) for name in names[:4])
    return f"is a zip archive of {len(names)} files ({listed}) that torch.save did not write; {UNPACK}"


def _unknown(head: bytes, suffix: str) -> str:
    text = head.lstrip(b"\xef\xbb\xbf \r\n\t").lower()
    if text.startswith((b"<!doctype", b"<html", b"<head", b"<?xml", b"<script")):
        return f"is a web page; {AGAIN}"
    if head[4:8] == b"TFL3" or suffix in (".pb", ".index", ".tflite", ".meta"):
        return TENSORFLOW
    if suffix in (".pkl", ".pickle"):
        return "is a pickle of the oldest kind, or none; load it where it was made and save the weights by torch.save"
    if all(32 <= byte < 127 or byte in b"\r\n\t" for byte in head[:200]):
        start = head[:40].decode("ascii").split("\n")[0]
        return f"is text, beginning {start!r}; if it is the answer of a server, download the file itself"
    return (
        "is no file of weights that is known here; expected torch.save (.pt, .pth), .safetensors, TorchScript or ONNX, "
        "whole and unpacked"
    )
