"""A packed model's parts that run in PyTorch, put where they run best here: a GPU, or for tests the CPU.

Knows which device there is and what it can hold. Must not know how anything is computed.
"""

from pathlib import Path

import numpy as np
import torch

from model_container.engine.checkpoint import SINGLE, Checkpoint
from model_container.engine.config import CodecConfig, DecoderConfig, ModelConfig
from model_container.engine.torch_codec import TorchCodec
from model_container.engine.torch_decoder import bucket
from model_container.engine.torch_player import TorchPlayer
from model_container.engine.weights import CheckpointWeights

MAX_SLOTS = 32
SPARE = 3 << 30  # bytes for graphs, workspaces and the codec


def device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def load_player(
    folder: Path, config: DecoderConfig, *, slots: int, positions: int, threads: int
) -> TorchPlayer:
    """On a GPU in half precision, with steps recorded ahead; on a CPU in full."""
    torch.set_num_threads(threads)
    where = device()
    player = TorchPlayer(
        CheckpointWeights(Checkpoint(folder), config),
        np.load(folder / "embeddings.npy", mmap_mode="r"),
        slots=slots,
        positions=positions,
        device=where,
        dtype=torch.float16 if where == "cuda" else torch.float32,
    )
    if where == "cuda":
        player.warm()
    return player


def load_codec(folder: Path, config: CodecConfig, *, channels: int, threads: int) -> TorchCodec:
    return TorchCodec(folder, config, channels=channels, threads=threads, device=device())


def slots(folder: Path, config: ModelConfig, positions: int) -> int:
    """Songs that the GPU's free memory holds beside the weights; at least 1."""
    if device() == "cpu":
        return 1
    free: int = torch.cuda.mem_get_info()[0]
    decoder = config.decoder
    song = 2 * 2 * 2 * decoder.layers * decoder.hidden * bucket(positions + 1)  # keys and values, two rows
    weights = (folder / SINGLE).stat().st_size
    return max(1, min(MAX_SLOTS, (free - weights - SPARE) // song))
