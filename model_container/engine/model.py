"""A packed model, loaded: everything that songs share.

Knows what a packed folder holds. Must not know songs, slots' use or time.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from model_container.engine.checkpoint import SINGLE
from model_container.engine.config import (
    CheckpointError,
    CodecConfig,
    DecoderConfig,
    ModelConfig,
    load_config,
)
from model_container.engine.decoder import Decoder, FloatArray
from model_container.engine.embedding import Embedding
from model_container.engine.encodec import Codec
from model_container.engine.manifest import Manifest
from model_container.engine.melody import MelodyPrefix
from model_container.engine.native import NativeDecoder, kernels
from model_container.engine.onnx_decoder import OnnxDecoder
from model_container.engine.text import MAX_TOKENS, TextEncoder

NATIVE = "decoder.native"
ONNX = "decoder.onnx"
WINDOW = 1500  # frames that the model was trained on: 30 s


@dataclass(frozen=True, eq=False)
class Conditions:
    """What a song is to sound like, as the decoder takes it."""

    text: FloatArray  # [T, hidden], for cross-attention; [0, hidden] in melody models
    prefix: FloatArray | None  # [2, n, hidden], before the tokens, in melody models


class Model:
    def __init__(
        self,
        config: ModelConfig,
        text: TextEncoder,
        melody: MelodyPrefix | None,
        embedding: Embedding,
        decoder: Decoder,
        codec: Codec,
    ) -> None:
        self.config, self.embedding, self.decoder, self.codec = config, embedding, decoder, codec
        self._text, self._melody = text, melody

    @staticmethod
    def load(
        folder: Path, *, slots: int = 1, threads: int = 1, decoder: str = "auto", dtype: str = "auto"
    ) -> "Model":
        """Load a packed folder for so many songs at a time. Raises CheckpointError if it is none of ours.

        decoder: "native", "onnx", "torch", or "auto" for what the folder was packed for.
        dtype: what a decoder in torch computes in, one of `torch_model.DTYPES`; the others ask the weights.
        """
        Manifest.read(folder)
        config = load_config(folder)
        positions = max_positions(config)
        chosen = choose_decoder(folder) if decoder == "auto" else decoder
        if chosen != "torch" and dtype != "auto":
            raise CheckpointError(
                f"{dtype} is for a pack for GPUs; others compute in what they were packed in"
            )
        options: dict[str, Any] = {"slots": slots, "positions": positions, "threads": threads}
        if chosen == "torch":
            options["dtype"] = dtype
        table: FloatArray = np.load(folder / "embeddings.npy", mmap_mode="r")
        return Model(
            config,
            TextEncoder(folder, threads),
            MelodyPrefix(folder, config.decoder.melody) if config.decoder.melody else None,
            Embedding(table, positions),
            DECODERS[chosen](folder, config.decoder, **options),
            CODECS.get(chosen, Codec)(
                folder, config.codec, channels=config.decoder.channels, threads=threads
            ),
        )

    def conditions(self, prompt: str, melody: FloatArray | None = None) -> Conditions:
        """melody: [frames, bins] of chroma; ValueError if the model takes none."""
        states = self._text.encode(prompt)
        if self._melody is not None:
            return Conditions(states[:0], self._melody.states(states, melody))
        if melody is not None:
            raise ValueError("this model takes no melody")
        return Conditions(states, None)


def _native(
    folder: Path, config: DecoderConfig, *, slots: int, positions: int, threads: int
) -> NativeDecoder:
    return NativeDecoder(folder / NATIVE, config, slots=slots, positions=positions, threads=threads)


def _torch(folder: Path, config: DecoderConfig, **options: Any) -> Decoder:
    from model_container.engine import torch_model  # here, as a CPU's installation has no torch

    return torch_model.load_player(folder, config, **options)


def _torch_codec(folder: Path, config: CodecConfig, **options: Any) -> Codec:
    from model_container.engine import torch_model

    return torch_model.load_codec(folder, config, **options)


DECODERS: dict[str, Callable[..., Decoder]] = {"native": _native, "onnx": OnnxDecoder, "torch": _torch}
CODECS: dict[str, Callable[..., Codec]] = {"torch": _torch_codec}  # others take ONNX Runtime's


def choose_decoder(folder: Path) -> str:
    """Raises CheckpointError when nothing that is here runs what is there."""
    if (folder / SINGLE).exists():
        return "torch"
    if (folder / NATIVE).exists() and kernels():
        return "native"
    if not (folder / ONNX).exists():
        raise CheckpointError(
            f"{folder} is packed for our own decoder alone, which is not compiled here: "
            "python -m model_container.native.build"
        )
    return "onnx"


def max_positions(config: ModelConfig) -> int:
    """Positions of the longest window: its prefix, the start column, its frames and their delays."""
    prefix = config.decoder.melody.length + MAX_TOKENS if config.decoder.melody else 0
    return prefix + WINDOW + config.decoder.codebooks // config.decoder.channels
