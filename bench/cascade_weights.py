"""Random weights of the two-track model and of EnCodec: `python -m bench.cascade_weights FOLDER`.

Both of the published architecture: six layers a stage, the masking agent; 24 kHz. Speed and memory do not
depend on what the weights are.
"""

import sys
from pathlib import Path

import torch
from transformers import EncodecConfig, EncodecModel

from model_container.cascade import Architecture, build


def main() -> None:
    folder = Path(sys.argv[1])
    torch.manual_seed(0)
    EncodecModel(EncodecConfig()).save_pretrained(folder / "encodec")
    model = build(Architecture(layers=6, agent="masking"))
    torch.save({"model_state_dict": model.state_dict(), "args": {"nhead": 8}}, folder / "cascade.pt")


if __name__ == "__main__":
    main()
