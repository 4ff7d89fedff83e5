"""A packed model's parts that run in PyTorch, put where they run best here: a GPU, or for tests the CPU.

Knows which device there is and what it can hold. Must not know how anything is computed.
"""

from pathlib import Path

import numpy as np
import torch

from model_container.engine.checkpoint import SINGLE, Checkpoint
from model_container.engine.config import CodecConfig, DecoderConfig, ModelConfig
from model_container.engine.torch_codec import TorchCodec
from model_container.engine.torch_decoder import song_bytes
from model_container.engine.torch_player import TorchPlayer
from model_container.engine.weights import CheckpointWeights

MAX_SLOTS = 32
SPARE = 3 << 30  # bytes for graphs, workspaces and the codec
DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32}


def device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def precision(dtype: str) -> torch.dtype:
    """One of DTYPES by its name, or "auto": half precision on a GPU, full on a CPU."""
    if dtype == "auto":
        return torch.float16 if device() == "cuda" else torch.float32
    return DTYPES[dtype]


def load_player(
    folder: Path, config: DecoderConfig, *, slots: int, positions: int, threads: int, dtype: str = "auto"
) -> TorchPlayer:
    """On a GPU with steps recorded ahead."""
    torch.set_num_threads(threads)
    player = TorchPlayer(
        CheckpointWeights(Checkpoint(folder), config),
        np.load(folder / "embeddings.npy", mmap_mode="r"),
        slots=slots,
        positions=positions,
        device=device(),
        dtype=precision(dtype),
    )
    if device() == "cuda":
        player.warm()
    return player


def load_codec(folder: Path, config: CodecConfig, *, channels: int, threads: int) -> TorchCodec:
    return TorchCodec(folder, config, channels=channels, threads=threads, device=device())


def slots(folder: Path, config: ModelConfig, positions: int, dtype: str = "auto") -> int:
    """Songs that the GPU's free memory holds beside the weights; at least 1."""
    if device() == "cpu":
        return 1
    kept = precision(dtype)
    weights = (folder / SINGLE).stat().st_size * kept.itemsize // 2  # the file's are 16 bits
    return fitting(torch.cuda.mem_get_info()[0], weights, song_bytes(config.decoder, positions, kept))


def fitting(free: int, weights: int, song: int) -> int:
    """Songs of so many bytes that fit beside the weights and what is spared; 1 to MAX_SLOTS."""
    return max(1, min(MAX_SLOTS, (free - weights - SPARE) // song))
