"""What an ONNX file asks for besides numbers, read from its bytes: operations of other libraries, files elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ganexplain.models.checkpoints.naming import UnreadableError
from ganexplain.models.checkpoints.protobuf import fields, text
from ganexplain.store import MAX_FILE_BYTES

DOMAINS = {"", "ai.onnx", "ai.onnx.ml", "ai.onnx.preview.training", "com.microsoft", "com.microsoft.nchwc"}
# numbers of the fields in which messages of onnx.proto keep what is looked for
MODEL_GRAPH, MODEL_IMPORTS, MODEL_FUNCTION = 7, 8, 25
GRAPH_NODE, GRAPH_TENSOR, GRAPH_SPARSE = 1, 5, 15
FUNCTION_NODE, FUNCTION_DOMAIN, FUNCTION_DEFAULT = 7, 10, 11
NODE_ATTRIBUTE, NODE_DOMAIN = 5, 7
ATTRIBUTE_TENSORS, ATTRIBUTE_GRAPHS, ATTRIBUTE_SPARSE = (5, 10), (6, 11), (22, 23)
TENSOR_OUTSIDE = 13


def needs_files(path: Path, data: memoryview) -> bool:
    """Whether the network keeps numbers in files beside it.

    Source: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto

    Raises:
        UnreadableError: it asks for operations of other libraries, or for files outside the folder of ``path``.
    """
    asked: set[str] = set()
    own: set[str] = set()
    graphs: list[memoryview] = []
    outside: list[str] = []
    for number, value in fields(data):
        if number == MODEL_IMPORTS:
            asked.update(text(v) for n, v in fields(value) if n == 1)
        elif number == MODEL_GRAPH:
            graphs.append(value)
        elif number == MODEL_FUNCTION:  # an operation that is written in the file itself
            own.update(text(v) for n, v in fields(value) if n == FUNCTION_DOMAIN)
            _function(value, asked, outside, graphs)
    if not graphs:
        raise UnreadableError("is no ONNX file that holds a network, or a cut one; download or copy it again")
    while graphs:
        _graph(graphs.pop(), asked, outside, graphs)
    strange = asked - own - DOMAINS
    if strange:
        raise UnreadableError(
            f"needs operations of {', '.join(sorted(strange))}, which would load other libraries; export it with "
            "standard operations"
        )
    for place in dict.fromkeys(outside):
        _beside(path, place)
    return bool(outside)


def _graph(graph: memoryview, asked: set[str], outside: list[str], graphs: list[memoryview]) -> None:
    for number, value in fields(graph):
        if number == GRAPH_NODE:
            _node(value, asked, outside, graphs)
        elif number == GRAPH_TENSOR:
            outside.extend(_places(value))
        elif number == GRAPH_SPARSE:
            outside.extend(_sparse(value))


def _function(function: memoryview, asked: set[str], outside: list[str], graphs: list[memoryview]) -> None:
    for number, value in fields(function):
        if number == FUNCTION_NODE:
            _node(value, asked, outside, graphs)
        elif number == FUNCTION_DEFAULT:
            _attribute(value, outside, graphs)


def _node(node: memoryview, asked: set[str], outside: list[str], graphs: list[memoryview]) -> None:
    for number, value in fields(node):
        if number == NODE_DOMAIN:
            asked.add(text(value))
        elif number == NODE_ATTRIBUTE:
            _attribute(value, outside, graphs)


def _attribute(attribute: memoryview, outside: list[str], graphs: list[memoryview]) -> None:
    for number, value in fields(attribute):
        if number in ATTRIBUTE_GRAPHS:
            graphs.append(value)
        elif number in ATTRIBUTE_TENSORS:
            outside.extend(_places(value))
        elif number in ATTRIBUTE_SPARSE:
            outside.extend(_sparse(value))


def _sparse(tensor: memoryview) -> Iterator[str]:
    for number, value in fields(tensor):
        if number in (1, 2):  # values, indices
            yield from _places(value)


def _places(tensor: memoryview) -> Iterator[str]:
    """The files in which a tensor keeps its numbers."""
    for number, value in fields(tensor):
        if number == TENSOR_OUTSIDE:
            entry = dict(fields(value))
            if text(entry.get(1, b"")) == "location":
                yield text(entry.get(2, b""))


def _beside(path: Path, place: str) -> None:
    """Refuse a file outside the folder of the network, also by way of a link."""
    beside = path.parent / place
    homes = {path.parent.resolve(), path.resolve().parent}  # the second where the network itself is a link to a store
    inside = any(beside.resolve().is_relative_to(home) for home in homes)
    if Path(place).is_absolute() or ".." in Path(place).parts or not inside:
        raise UnreadableError(f"keeps its numbers in {place[:200]!r}, outside its own folder; do not trust it")
    if not beside.is_file():
        raise UnreadableError(f"keeps its numbers in {place[:200]!r}, which is missing; put that file beside it")
    if beside.stat().st_size > MAX_FILE_BYTES:
        raise UnreadableError(f"keeps its numbers in {place[:200]!r} of more than {MAX_FILE_BYTES} bytes")
