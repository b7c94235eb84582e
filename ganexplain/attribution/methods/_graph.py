"""What autograd's graph says of the functions between input and output, however they were called."""

from __future__ import annotations

import re
from typing import Any

from torch import Tensor

# operations that are linear in what depends on the input
LINEAR = re.compile(
    "Add|Sub|Rsub|Neg|Sum|Mean|View|UnsafeView|ReshapeAlias|T|Transpose|Permute|Expand|Squeeze|Unsqueeze|Select|Slice|"
    "Index|IndexSelect|Gather|Cat|Stack|Split|SplitWithSizes|Unbind|Clone|ToCopy|Copy|CopySlices|Alias|AsStrided|"
    "ConstantPadNd|Roll|Flip|Repeat|Diagonal|Tril|Triu|Cumsum|Im2Col|Col2Im|PixelShuffle|PixelUnshuffle|MaskedFill|"
    "Real|Imag|ViewAsReal|ViewAsComplex|Unfold|SliceScatter|SelectScatter|ScatterAdd|Scatter|IndexAdd|IndexPut|"
    "(Upsample|Fft|Avg|AdaptiveAvg|MkldnnAdaptiveAvg|Reflection|Replication).*"
)
# operations that are linear as long as one of their factors depends on the input
PRODUCTS = re.compile(
    "Mul|Mm|Bmm|Mv|Dot|Linear|MkldnnLinear|.*Convolution.*|ThnnConv2D|SlowConv.*|GridSampler[23]D|Lerp|Trilinear"
)
SHIFTED = re.compile("Addmm|Addmv|Addbmm|Baddbmm|Addcmul")  # the first argument is added to a product
NORMS = re.compile("(Native|Cudnn|Miopen)BatchNorm")
OURS = frozenset(("_Sloped", "_Guided", "_Aligned", "AccumulateGrad"))
WORDS = {
    "NativeBatchNorm": "InstanceNorm or BatchNorm on statistics of the batch",
    "NativeLayerNorm": "LayerNorm",
    "NativeGroupNorm": "GroupNorm",
    "Mul": "a product of two activations",
    "Bmm": "a matrix product of two activations",
    "Mm": "a matrix product of two activations",
    "Div": "a quotient of two activations",
}


def unruled(output: Tensor, leaf: Tensor) -> tuple[str, ...]:
    """The operations between ``leaf`` and ``output`` that are neither linear nor replaced by a rule, each once.

    Autograd's graph holds every operation, also those that TorchScript or a function in another language runs. A
    choice between two branches by a comparison leaves no trace in it unless it is a ``where``.
    """
    order = _sorted(output.grad_fn)
    dependent: set[Any] = set()
    found: dict[str, None] = {}
    for node in order:  # children first
        inputs = [parent in dependent for parent, _ in node.next_functions]
        if getattr(node, "variable", None) is leaf or any(inputs):
            dependent.add(node)
        if any(inputs) and not _linear(node, inputs):
            name = _name(node)
            found[WORDS.get(name, name)] = None
    return tuple(found)


def _sorted(root: Any) -> list[Any]:
    """Nodes of the graph, each after those that it needs."""
    order: list[Any] = []
    seen: set[Any] = set()
    stack = [(root, False)]
    while stack:
        node, entered = stack.pop()
        if entered:
            order.append(node)
        elif node is not None and node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack.extend((parent, False) for parent, _ in node.next_functions)
    return order


def _name(node: Any) -> str:
    return re.sub(r"Backwards?\d*$", "", str(node.name()).removeprefix("torch::autograd::"))


def _linear(node: Any, inputs: list[bool]) -> bool:
    name = _name(node)
    if NORMS.fullmatch(name):
        return not node._saved_training and sum(inputs) == 1
    if name == "Div":
        return not any(inputs[1:])
    if SHIFTED.fullmatch(name):
        return sum(inputs[1:]) <= 1
    if PRODUCTS.fullmatch(name):
        return sum(inputs) <= 1
    return name in OURS or bool(LINEAR.fullmatch(name))
