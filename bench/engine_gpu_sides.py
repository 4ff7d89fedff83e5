"""The two sides of the GPU benchmark on one set of random weights: the engine's player, and transformers."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from transformers import MusicgenDecoderConfig, MusicgenForCausalLM
from transformers.cache_utils import DynamicCache, EncoderDecoderCache

from model_container.engine.checkpoint import Checkpoint, FloatArray
from model_container.engine.config import DecoderConfig
from model_container.engine.player import OPEN, Part
from model_container.engine.sampling import Sampling
from model_container.engine.torch_player import TorchPlayer
from model_container.engine.weights import CheckpointWeights

TEXT = 12  # tokens of a prompt
GUIDANCE = 3.0
TOP_K = 250


@dataclass(frozen=True)
class Size:
    hidden: int
    layers: int
    heads: int
    vocabulary: int = 2048
    codebooks: int = 4

    @property
    def config(self) -> DecoderConfig:
        ffn = 4 * self.hidden
        return DecoderConfig(
            self.hidden, self.heads, self.layers, ffn, self.codebooks, self.vocabulary, 1, None
        )

    @property
    def weight_bytes(self) -> int:
        """What a step reads of the layers and heads, in 16 bits; cross-attention's text side is not in it."""
        layer = (4 + 2 + 8) * self.hidden**2
        return 2 * (self.layers * layer + self.codebooks * self.vocabulary * self.hidden)

    @property
    def cache_bytes(self) -> int:
        """Of a position of a song in 16 bits: keys and values of two rows."""
        return 2 * 2 * 2 * self.layers * self.hidden


SHAPES = {
    "small": Size(1024, 24, 16),
    "medium": Size(1536, 48, 24),
    "large": Size(2048, 48, 32),
    "tiny": Size(64, 2, 4, 64),
}


def build(size: Size, device: str) -> Any:
    """transformers' decoder with random weights: in fp16, or in fp32 on a CPU."""
    torch.manual_seed(0)
    config = MusicgenDecoderConfig(
        vocab_size=size.vocabulary,
        hidden_size=size.hidden,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        ffn_dim=4 * size.hidden,
        num_codebooks=size.codebooks,
        pad_token_id=size.vocabulary,
        bos_token_id=size.vocabulary,
    )
    with torch.device(device):
        model = MusicgenForCausalLM(config).eval()
    return model.half() if device == "cuda" else model


def given(columns: int, size: DecoderConfig) -> np.ndarray:
    return np.random.default_rng(0).integers(0, size.vocabulary, (columns, size.codebooks))


def prompt(hidden: int) -> FloatArray:
    return np.random.default_rng(1).standard_normal((TEXT, hidden), np.float32) * np.float32(0.3)


class Weights(Checkpoint):
    """A model's tensors as if they came from a checkpoint."""

    def __init__(self, model: Any) -> None:
        self._state = model.state_dict()

    def tensor(self, name: str, *shape: int) -> FloatArray:
        array: FloatArray = self._state[name.removeprefix("decoder.")].float().cpu().numpy()
        return array.reshape(shape)


class Side(Protocol):
    def seek(self, position: int) -> None: ...
    def play(self, steps: int) -> None: ...


class Ours:
    def __init__(self, model: Any, size: Size, device: str, *, songs: int) -> None:
        weights = CheckpointWeights(Weights(model), size.config)
        dtype = torch.float16 if device == "cuda" else torch.float32
        self.table = weights.embeddings()
        self.player = TorchPlayer(
            weights, self.table, slots=songs, positions=1504, device=device, dtype=dtype
        )
        self.step_bytes = size.weight_bytes

    def seek(self, position: int, songs: int = 1) -> None:
        """Every song starts with so many given columns; their keys are noise, which costs as much to read."""
        config, noise = self.player.config, np.random.default_rng(2)
        columns = np.full((1504, config.codebooks), OPEN)
        columns[: position + 1] = given(position + 1, config)
        self.clear()
        for slot in range(songs):
            self.player.admit(slot, prompt(config.hidden))
            for start in range(0, position, 128):
                size = (2, min(128, position - start), config.hidden)
                self.player.prefill(slot, noise.standard_normal(size, np.float32), start)
            part = Part(columns, position + 1, 0, 0, Sampling(top_k=TOP_K, seed=slot), GUIDANCE)
            self.player.begin(slot, part)

    def clear(self) -> None:
        for slot in range(self.player.slots):
            self.player.release(slot)

    def play(self, steps: int) -> None:
        self.player.play(steps)

    def clip(self, columns: int) -> None:
        self.seek(0)
        self.play(columns)

    def logits(self, columns: int) -> FloatArray:
        """[columns, codebooks, vocabulary], guided, of given tokens."""
        from model_container.engine.embedding import Embedding

        player, embedding = self.player, Embedding(self.table, 1504)
        player.admit(0, prompt(player.config.hidden))
        tokens, scale = given(columns, player.config), np.array([GUIDANCE], np.float32)
        rows = []
        for column in range(columns):
            at = np.array([column])
            rows.append(player.step(np.array([0]), embedding.tokens(tokens[at], at), at, scale)[0])
        return np.stack(rows)


class Transformers:
    """The layers and the sampling, without generate()'s loop: that favours it."""

    def __init__(self, model: Any) -> None:
        self._model, self._config = model, model.config
        text = torch.tensor(prompt(model.config.hidden_size)).to(model.device, model.dtype)
        self._text = torch.stack([text, torch.zeros_like(text)])
        self._mask = torch.tensor([[1], [0]], device=model.device).expand(2, TEXT)

    def seek(self, position: int) -> None:
        self._cache = EncoderDecoderCache(DynamicCache(), DynamicCache())
        self._last = torch.full((self._config.num_codebooks, 1), self._config.vocab_size).to(
            self._model.device
        )
        tokens = self._given(position)
        for start in range(0, position, 128):
            self._forward(tokens[:, start : start + 128])

    def play(self, steps: int) -> None:
        for _ in range(steps):
            logits = self._guided(self._forward(self._last))[:, -1]
            scores, tokens = torch.topk(logits, min(TOP_K, self._config.vocab_size))
            self._last = tokens.gather(1, torch.multinomial(scores.softmax(dim=-1), 1))

    def logits(self, columns: int) -> FloatArray:
        self.seek(0)
        guided = self._guided(self._forward(self._given(columns)))
        array: FloatArray = guided.transpose(0, 1).cpu().numpy()
        return array

    def _given(self, columns: int) -> Any:
        codes = np.random.default_rng(0).integers(
            0, self._config.vocab_size, (columns, self._config.num_codebooks)
        )
        return torch.tensor(codes.T).to(self._model.device)

    def _guided(self, logits: Any) -> Any:
        """[2 * codebooks, n, vocabulary] → [codebooks, n, vocabulary]."""
        conditional, unconditional = logits.float().chunk(2)
        return unconditional + (conditional - unconditional) * GUIDANCE

    def _forward(self, tokens: Any) -> Any:
        with torch.no_grad():
            return self._model(
                input_ids=tokens.repeat(2, 1),
                encoder_hidden_states=self._text,
                encoder_attention_mask=self._mask,
                past_key_values=self._cache,
                use_cache=True,
            ).logits
