"""ONNX files through onnxruntime: what the file asks for is read from its bytes first, then it is run on CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ganexplain import checks
from ganexplain.models.checkpoints.checkpoint import Checkpoint
from ganexplain.models.checkpoints.naming import UnreadableError
from ganexplain.models.checkpoints.onnx_needs import needs_files

NUMBERS = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(float16)": np.float16}
INSTALL = "pip install 'ganexplain[onnx]'"
WAY_OUT = (
    "use a method that asks for outputs alone (KernelSHAP, LIME, RISE, occlusion), or the network's PyTorch or "
    "TorchScript file"
)


class OnnxNetwork(nn.Module):
    """A network that onnxruntime runs on CPU; it has no parameters, and no gradients flow through it.

    Args:
        session: an ``onnxruntime.InferenceSession`` with one input of numbers.
        picked: the names of the outputs to return; all of them by default.

    Raises:
        ValueError: it has no single input of floating numbers, or no such output.
    """

    def __init__(self, session: Any, picked: tuple[str, ...] | None = None) -> None:
        super().__init__()
        self.session = session
        inputs = session.get_inputs()
        if len(inputs) != 1 or inputs[0].type not in NUMBERS:
            listed = ", ".join(f"{i.name} {i.type} {i.shape}" for i in inputs)
            raise UnreadableError(
                f"is a network of the inputs {listed or 'none'}, expected one of floating numbers; export it with the "
                "others fixed inside"
            )
        self.input = inputs[0]
        self.shape = tuple(n if isinstance(n, int) and n > 0 else None for n in inputs[0].shape)
        self.outputs = tuple(o.name for o in session.get_outputs() if o.type in NUMBERS)
        self.picked = self.outputs if picked is None else picked
        if not self.picked or not set(self.picked) <= set(self.outputs):
            raise UnreadableError(f"has the outputs {list(self.outputs)} of floating numbers, got {list(self.picked)}")

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        """The output of the network for a batch ``x``, a tuple where there are several; float32 on the device of ``x``.

        Raises:
            ValueError: gradients are asked for, or the network reads inputs of another shape.
        """
        if x.requires_grad and torch.is_grad_enabled():
            raise ValueError(f"no gradients flow through an ONNX network; {WAY_OUT}")
        if len(self.shape) != x.ndim or any(
            n not in (None, m) for n, m in zip(self.shape[1:], x.shape[1:], strict=True)
        ):
            raise ValueError(
                f"the ONNX network reads inputs {_shown(self.shape)}, got {tuple(x.shape)}; declare size and channels "
                "of its images (Preprocess, or [images] of a spec)"
            )
        if not len(x):
            found = self(x.new_zeros(1, *x.shape[1:]))
            return found[:0] if isinstance(found, Tensor) else tuple(part[:0] for part in found)
        size = self.shape[0] or len(x)
        pieces = [self._run(x[i : i + size], size) for i in range(0, len(x), size)]
        columns = [torch.cat(column).to(x.device) for column in zip(*pieces, strict=True)]
        return columns[0] if len(columns) == 1 else tuple(columns)

    def only(self, *names: str) -> OnnxNetwork:
        """The same network that returns the outputs of these names.

        Raises:
            ValueError: it has no such output.
        """
        for name in names:
            checks.one_of("output", name, self.outputs)
        return OnnxNetwork(self.session, names)

    def _run(self, x: Tensor, size: int) -> list[Tensor]:
        """One run; a piece shorter than a fixed batch is filled up by its last row."""
        n = len(x)
        if self.shape[0] and n < size:
            x = torch.cat([x, x[-1:].expand(size - n, *x.shape[1:])])
        array = x.detach().cpu().numpy().astype(NUMBERS[self.input.type], copy=False)
        found = self.session.run(list(self.picked), {self.input.name: np.ascontiguousarray(array)})
        return [torch.from_numpy(np.array(value, dtype=np.float32))[:n] for value in found]

    def __deepcopy__(self, memo: dict[int, Any]) -> OnnxNetwork:
        return OnnxNetwork(self.session, self.picked).train(self.training)  # a session is never changed by a run


def opened(path: Path, data: memoryview) -> Checkpoint:
    """The network in an ONNX file, through onnxruntime.

    Raises:
        UnreadableError: it asks for operations of other libraries or for files elsewhere, or onnxruntime refuses it
            or is not installed.
    """
    source = str(path) if needs_files(path, data) else bytes(data)
    try:
        import onnxruntime
    except ImportError as error:
        raise UnreadableError(f"is an ONNX file, which onnxruntime runs; install it: {INSTALL}") from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = torch.get_num_threads()
    try:
        session = onnxruntime.InferenceSession(
            source,
            options,
            providers=["CPUExecutionProvider"],
            disabled_optimizers=["ConstantFolding"],  # a file could ask for terabytes of constants
            enable_fallback=0,  # it would print, and try the same again
        )
    except Exception as error:
        said = " ".join(str(error).split())[:200]
        raise UnreadableError(
            f"is an ONNX file that onnxruntime {onnxruntime.__version__} cannot run ({said})"
        ) from error
    network = OnnxNetwork(session)
    facts = {f"inputs.{i.name}": tuple(i.shape) for i in session.get_inputs()}
    facts |= {f"outputs.{o.name}": tuple(o.shape) for o in session.get_outputs()}
    notes = [f"no gradients flow through ONNX; {WAY_OUT}"]
    if network.shape[0] is not None:
        notes.append(f"its batch is fixed to {network.shape[0]}, so inputs are run {network.shape[0]} at a time")
    if len(network.outputs) > 1:
        notes.append(f"it has several outputs, {', '.join(network.outputs)}; say which one judges")
    return Checkpoint(path, "onnx", (), network.eval(), False, facts, tuple(notes))


def _shown(shape: tuple[int | None, ...]) -> str:
    return "(" + ", ".join("any" if n is None else str(n) for n in shape) + ")"
