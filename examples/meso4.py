"""Meso4, a detector of deepfaked faces (Afchar et al. 2018, DariusAf/MesoNet, Apache-2.0).

    ganexplain explain examples/meso4.py:critic face.png

``meso4/meso4_df.safetensors`` holds that repository's ``weights/Meso4_DF.h5`` with the axes in torch's order. Images
should be faces, cropped with little margin.
"""

from _assets import asset
from safetensors.torch import load_file
from torch import Tensor, nn

from ganexplain import Critic, Preprocess


class Meso4(nn.Module):
    """(N, 3, 256, 256) in [0, 1] to p(real) (N, 1)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8, eps=1e-3)
        self.conv2, self.bn2 = nn.Conv2d(8, 8, 5, padding=2), nn.BatchNorm2d(8, eps=1e-3)
        self.conv3, self.bn3 = nn.Conv2d(8, 16, 5, padding=2), nn.BatchNorm2d(16, eps=1e-3)
        self.conv4, self.bn4 = nn.Conv2d(16, 16, 5, padding=2), nn.BatchNorm2d(16, eps=1e-3)
        self.relu, self.leaky = nn.ReLU(), nn.LeakyReLU(0.1)
        self.pool, self.pool4 = nn.MaxPool2d(2), nn.MaxPool2d(4)
        self.fc1, self.fc2 = nn.Linear(1024, 16), nn.Linear(16, 1)
        self.sigmoid = nn.Sigmoid()

    def forward(self, images: Tensor) -> Tensor:
        """Probability that each face is real."""
        x = self.pool(self.bn1(self.relu(self.conv1(images))))
        x = self.pool(self.bn2(self.relu(self.conv2(x))))
        x = self.pool(self.bn3(self.relu(self.conv3(x))))
        x = self.pool4(self.bn4(self.relu(self.conv4(x))))
        x = x.permute(0, 2, 3, 1).flatten(1)  # Keras flattens with the channels last
        probability: Tensor = self.sigmoid(self.fc2(self.leaky(self.fc1(x))))
        return probability


def critic() -> Critic:
    """The trained detector. How an image is resized matters: bilinear takes a real face from .997 to .978."""
    network = Meso4()
    missing = network.load_state_dict(load_file(asset("meso4/meso4_df.safetensors")), strict=False).missing_keys
    if any(not name.endswith("num_batches_tracked") for name in missing):  # a counter that Keras does not have
        raise ValueError(f"the weights of Meso4 lack {missing}")
    reads = Preprocess(value_range=(0, 1), size=256, resize="bicubic", channels=3)
    return Critic(network.eval(), output="probability", preprocess=reads)
