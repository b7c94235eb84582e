"""What is in a file of weights: PyTorch, safetensors, TorchScript and ONNX, read without running Python in them."""

from ganexplain.models.checkpoints.checkpoint import Checkpoint, Weights
from ganexplain.models.checkpoints.reading import read

__all__ = ["Checkpoint", "Weights", "read"]
