"""Quantus' Pixel Flipping on the maps of a case, in the peers' environment: python peers_quantus.py NETWORK.keras CASE.npz.

The case holds ``rows`` (pictures as the network reads them), ``targets`` (classes explained), ``steps`` (in so many the
pixels of one channel are removed) and, as ``map NAME``, (rows, height, width) maps. Quantus knows Keras 2 only, so the
network runs on Keras' torch backend, inside a torch module that takes channels first.
"""

from __future__ import annotations

import json
import os
import sys

os.environ["KERAS_BACKEND"] = "torch"

import keras
import numpy as np
import quantus
import torch


class ChannelsFirst(torch.nn.Module):
    """A network that reads (rows, channels, height, width)."""

    def __init__(self, network: keras.Model) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Outputs of the network, (rows, classes) logits."""
        return self.network(pictures.permute(0, 2, 3, 1), training=False)


def main() -> None:
    """Print, for each map, the area under the curve of each case and the network's probabilities of the classes."""
    network = ChannelsFirst(keras.models.load_model(sys.argv[1], compile=False)).eval()
    torch.set_num_threads(1)
    case = np.load(sys.argv[2])
    pictures, targets = case["rows"].transpose(0, 3, 1, 2), case["targets"]
    metric = quantus.PixelFlipping(
        features_in_step=pictures[0, 0].size // int(case["steps"]),
        perturb_baseline="mean",
        return_auc_per_sample=True,
        disable_warnings=True,
        display_progressbar=False,
    )
    with torch.no_grad():
        outputs = torch.softmax(network(torch.tensor(pictures)), dim=1).cpu().numpy()
        areas = {
            name.removeprefix("map "): [
                float(area)
                for area in metric(
                    model=network,
                    x_batch=pictures,
                    y_batch=targets,
                    a_batch=case[name][:, None],
                    channel_first=True,
                    softmax=True,
                    device="cpu",
                )
            ]
            for name in case.files
            if name.startswith("map ")
        }
    print(json.dumps({"areas": areas, "probabilities": outputs[np.arange(len(targets)), targets].tolist()}))


if __name__ == "__main__":
    main()
