"""Weights and embeddings under their names in a published checkpoint.

Knows the names that MusicGen's checkpoints use. Must not know how a decoder stores or computes anything.
"""

import numpy as np

from model_container.engine.checkpoint import Checkpoint, FloatArray
from model_container.engine.config import DecoderConfig
from model_container.engine.decoder import CrossWeights, LayerWeights, NormWeights

PREFIX = "decoder.model.decoder"


def unnormed(checkpoint: Checkpoint, name: str, *shape: int) -> FloatArray:
    """Weight normalization (Salimans and Kingma 2016, arXiv:1602.07868) undone: size times direction."""
    # Torch renamed them in 2.0; published checkpoints have the old names.
    old = f"{name}.weight_g" in checkpoint
    parts = ("weight_g", "weight_v") if old else (f"parametrizations.weight.original{i}" for i in (0, 1))
    size, direction = (f"{name}.{part}" for part in parts)
    vector = checkpoint.tensor(direction, *shape)
    length = np.sqrt(np.square(vector, dtype=np.float64).sum(axis=(1, 2), keepdims=True))
    weight: FloatArray = (checkpoint.tensor(size, shape[0], 1, 1) * (vector / length)).astype(np.float32)
    return weight


class CheckpointWeights:
    """DecoderWeights straight from the memory-mapped checkpoint."""

    def __init__(self, checkpoint: Checkpoint, config: DecoderConfig) -> None:
        self._checkpoint = checkpoint
        self.config = config

    def layer(self, index: int) -> LayerWeights:
        hidden, ffn = self.config.hidden, self.config.ffn
        name = f"{PREFIX}.layers.{index}"
        query, key, value, out = self._attention(f"{name}.self_attn")
        return LayerWeights(
            self._norm(f"{name}.self_attn_layer_norm"),
            query,
            key,
            value,
            out,
            cross=None if self.config.melody else self._cross(name),
            ffn_norm=self._norm(f"{name}.final_layer_norm"),
            up=self._checkpoint.tensor(f"{name}.fc1.weight", ffn, hidden),
            down=self._checkpoint.tensor(f"{name}.fc2.weight", hidden, ffn),
        )

    def norm(self) -> NormWeights:
        return self._norm(f"{PREFIX}.layer_norm")

    def heads(self) -> FloatArray:
        shape = self.config.vocabulary, self.config.hidden
        heads = range(self.config.codebooks)
        return np.concatenate(
            [self._checkpoint.tensor(f"decoder.lm_heads.{k}.weight", *shape) for k in heads]
        )

    def embeddings(self) -> FloatArray:
        """[codebooks, vocabulary + 1, hidden]: what each token of each codebook adds to the input."""
        shape = self.config.vocabulary + 1, self.config.hidden
        names = [f"{PREFIX}.embed_tokens.{k}.weight" for k in range(self.config.codebooks)]
        return np.stack([self._checkpoint.tensor(name, *shape) for name in names])

    def _cross(self, name: str) -> CrossWeights:
        return CrossWeights(
            self._norm(f"{name}.encoder_attn_layer_norm"), *self._attention(f"{name}.encoder_attn")
        )

    def _attention(self, name: str) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        def square(part: str) -> FloatArray:
            return self._checkpoint.tensor(
                f"{name}.{part}_proj.weight", self.config.hidden, self.config.hidden
            )

        return square("q"), square("k"), square("v"), square("out")

    def _norm(self, name: str) -> NormWeights:
        tensor, hidden = self._checkpoint.tensor, self.config.hidden
        return NormWeights(tensor(f"{name}.weight", hidden), tensor(f"{name}.bias", hidden))
