"""TorchScript programs: their code is searched for what reaches beyond tensors before PyTorch compiles and loads it."""

from __future__ import annotations

import re
import warnings
import zipfile
from io import BytesIO
from typing import Any

import torch
from torch import nn

from ganexplain.models.checkpoints.archive import Archive
from ganexplain.models.checkpoints.machine import interpret
from ganexplain.models.checkpoints.mapped import Mapped
from ganexplain.models.checkpoints.naming import Record, UnreadableError
from ganexplain.models.checkpoints.storages import SLACK, Store, plainly, storage

EXPORT = "export the network again without it, or ask for its weights alone"
MAX_NESTING, MAX_OPERATORS = 100, 2000
SPACE = r"(?:\s|\\|#[^\n]*\n)*"
# what TorchScript can say that touches files, processes or code outside of it -> how a reader knows it
REACHING = (
    (rf"\.{SPACE}(save|from_file|load|_save\w*)\b", "{}, which reads or writes files"),
    (rf"\bops{SPACE}\.{SPACE}(?!prim\b|aten\b|quantized\b|torchvision\b)(\w+)", "operations of ops.{}"),
    (rf"\bprim{SPACE}\.{SPACE}((?:Ignored)?PythonOp|rpc_\w+|Print|debug\w*)\b", "prim::{}"),
    (r"(\^\s*\w+)", "a call of Python, {}"),
    (rf"\btorch{SPACE}\.{SPACE}(classes|jit)\b", "compiled classes of torch.{}"),
    (r"(__backends__|\bimport\b|\bopen\b)", "{}"),
    # PyTorch writes getattr(self, "0") for parts whose names are numbers; any other would hide a name from this search
    (r"(?<!\w)(getattr)\b(?!\((?!torch|ops)\w+, \"\d+\"\))", "{}"),
)
OPERATORS = re.compile(r"[-+*/%<>=!&|^~]|\b(?:if|else|not|and|or|is|in)\b")
LITERALS = re.compile(r'"(?:[^"\\\n]|\\.)*"')


class ScriptNetwork(nn.Module):
    """A compiled program inside an ordinary module, which can be frozen and copied as others can.

    Args:
        script: the loaded program.
    """

    def __init__(self, script: nn.Module) -> None:
        super().__init__()
        self.script = script

    def forward(self, *inputs: Any) -> Any:
        """What the program returns for its inputs; gradients flow where its operations let them."""
        return self.script(*inputs)


def opened(archive: Archive) -> ScriptNetwork:
    """The program of a TorchScript file on CPU, in eval mode.

    Raises:
        UnreadableError: it is damaged, or its code reaches beyond tensors.
    """
    names = [name for name in archive.spans if name.startswith("code/") or name.endswith(".pkl")]
    for name in archive.spans:
        if not archive.intact(name):  # the compiler is no place for damaged code
            raise UnreadableError(
                f"is damaged: the checksum of its part {name!r} does not fit; download or copy it again"
            )
    for name in names:
        if name.endswith(".py"):
            _harmless(bytes(archive.view(name)).decode("utf-8", "replace"), name)
    for part in ("data", "constants"):
        if f"{part}.pkl" in archive.spans:
            _bounded(archive, part)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated; files of it are not
        try:
            program: nn.Module = torch.jit.load(_rewritten(archive), map_location="cpu")  # type: ignore[no-untyped-call]
        except Exception as error:
            said = " ".join(str(error).split())[:200]
            raise UnreadableError(f"is TorchScript that PyTorch {torch.__version__} cannot load ({said})") from error
    for parameter in program.parameters():
        parameter.requires_grad_(
            False
        )  # a deep copy of TorchScript is no leaf of the graph where they require gradients
    program.eval()
    return ScriptNetwork(program).eval()


def _rewritten(archive: Archive) -> BytesIO:
    """The parts that were searched and no others: PyTorch's own reader may find other parts in the same bytes."""
    copy = BytesIO()
    with zipfile.ZipFile(copy, "w") as file:
        for name in archive.spans:
            if not name.endswith(".debug_pkl"):
                file.writestr(zipfile.ZipInfo(f"archive/{name}"), bytes(archive.view(name)))
    copy.seek(0)
    return copy


def _harmless(code: str, part: str) -> None:
    for pattern, said in REACHING:
        found = re.search(pattern, code)
        if found:
            what = said.format(found.group(1))
            raise UnreadableError(f"is a program that uses {what} (in {part}); {EXPORT}, if you did not expect this")
    depth = operators = 0
    for line in LITERALS.sub('""', code).splitlines():  # deep expressions would overflow the compiler's stack
        operators = len(OPERATORS.findall(line)) + (operators if depth else 0)
        for sign in re.findall(r"[\[\](){}]", line):
            depth += 1 if sign in "[({" else -1
            if depth > MAX_NESTING:
                raise UnreadableError(f"is a program nested more than {MAX_NESTING} deep (in {part}); do not trust it")
        indented = len(line) - len(line.lstrip())
        if operators > MAX_OPERATORS or indented > 4 * MAX_NESTING:
            raise UnreadableError(f"is a program with an endless expression (in {part}); do not trust it")


def _bounded(archive: Archive, part: str) -> None:
    """Check every tensor's stated size against the bytes there are, before PyTorch makes it."""
    store = Store(lambda key: archive.view(f"{part}/{key}"), 4 * len(archive.data) + SLACK)
    waiting = [interpret(Mapped(archive.view(f"{part}.pkl")), storage)]
    seen: set[int] = set()
    while waiting:
        value = waiting.pop()
        if not isinstance(value, dict | list | tuple | Record) or id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, Record):
            tensor = plainly(value)
            if tensor is not None:
                store.tensor(tensor, part)
                continue
            waiting.extend((value.args, value.state, value.items, value.elements, value.built))
        else:
            waiting.extend(value.values() if isinstance(value, dict) else value)
