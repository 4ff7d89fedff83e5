"""A checkpoint's config.json as types, strictly: what is not understood is refused, not guessed.

Knows MusicGen's and MusicGen Melody's configuration files. Must not know weights or how anything is computed.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any


class CheckpointError(ValueError):
    """The checkpoint is not one that this engine can load; the message says what is wrong with it."""


@dataclass(frozen=True)
class TextConfig:
    """T5's encoder (Raffel et al. 2020, arXiv:1910.10683)."""

    vocabulary: int
    hidden: int
    head: int
    heads: int
    ffn: int
    layers: int
    buckets: int
    max_distance: int
    epsilon: float
    gated: bool


@dataclass(frozen=True)
class MelodyConfig:
    """Chroma conditioning: so many bins, and the prefix's fixed length in frames."""

    bins: int
    length: int


@dataclass(frozen=True)
class DecoderConfig:
    """MusicGen's transformer (Copet et al. 2023, arXiv:2306.05284). `melody` is None for the text models."""

    hidden: int
    heads: int
    layers: int
    ffn: int
    codebooks: int
    vocabulary: int
    channels: int
    melody: MelodyConfig | None

    @property
    def head(self) -> int:
        return self.hidden // self.heads

    @property
    def pad(self) -> int:
        """The token of a codebook that has nothing to say yet; the one past the vocabulary."""
        return self.vocabulary


@dataclass(frozen=True)
class CodecConfig:
    """EnCodec for one channel (Défossez et al. 2022, arXiv:2210.13438); `causal` ones look only back."""

    rate: int
    hidden: int
    filters: int
    ratios: tuple[int, ...]
    residual_layers: int
    kernel: int
    last_kernel: int
    residual_kernel: int
    dilation_growth: int
    compress: int
    lstm_layers: int
    codebooks: int
    codebook_size: int
    shortcut: bool
    causal: bool = False

    @property
    def hop(self) -> int:
        """Samples in a frame of codes."""
        return prod(self.ratios)

    @property
    def frame_rate(self) -> int:
        return self.rate // self.hop


@dataclass(frozen=True)
class ModelConfig:
    text: TextConfig
    decoder: DecoderConfig
    codec: CodecConfig


class Section:
    """One object of a configuration file; a missing or unsupported value is an error."""

    def __init__(self, values: Mapping[str, Any], path: str) -> None:
        self._values = values
        self._path = path

    def section(self, name: str) -> "Section":
        return Section(self._get(name, dict), f"{self._path}.{name}")

    def integer(self, name: str, default: int | None = None) -> int:
        return int(self._get(name, int, default))

    def number(self, name: str) -> float:
        return float(self._get(name, (int, float)))

    def numbers(self, name: str) -> tuple[float, ...]:
        return tuple(float(value) for value in self._get(name, list))

    def flag(self, name: str, default: bool | None = None) -> bool:
        return bool(self._get(name, bool, default))

    def require(self, name: str, *allowed: object, default: object = None) -> Any:
        value = self._values.get(name, default)
        if value not in allowed:
            raise CheckpointError(f"{self._path}.{name} is {value!r}; this engine supports {allowed}")
        return value

    def _get(self, name: str, kinds: type | tuple[type, ...], default: object = None) -> Any:
        value = self._values.get(name, default)
        if not isinstance(value, kinds) or (isinstance(value, bool) and kinds is not bool):
            raise CheckpointError(f"{self._path}.{name} is {value!r}, and that cannot be")
        return value


def load_config(folder: Path) -> ModelConfig:
    """Read folder/config.json. Raises CheckpointError for a model that this engine does not know."""
    root = _root(folder)
    codec = _codec(root.section("audio_encoder"), causal=False)
    decoder = _decoder(root.section("decoder"), _melody(root))
    if decoder.codebooks != codec.codebooks * decoder.channels or decoder.vocabulary != codec.codebook_size:
        raise CheckpointError(f"the decoder's codebooks do not fit the audio encoder's: {decoder}, {codec}")
    return ModelConfig(_text(root.section("text_encoder")), decoder, codec)


def load_codec_config(folder: Path) -> CodecConfig:
    """Read EnCodec's own folder/config.json, as published for 24 kHz: causal. Raises CheckpointError."""
    return _codec(_root(folder), causal=True)


def _root(folder: Path) -> Section:
    file = folder / "config.json"
    try:
        return Section(json.loads(file.read_text()), "config")
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{file} cannot be read: {error}") from error


def _text(section: Section) -> TextConfig:
    section.require("model_type", "t5")
    projection = section.require("feed_forward_proj", "relu", "gated-gelu")
    return TextConfig(
        vocabulary=section.integer("vocab_size"),
        hidden=section.integer("d_model"),
        head=section.integer("d_kv"),
        heads=section.integer("num_heads"),
        ffn=section.integer("d_ff"),
        layers=section.integer("num_layers"),
        buckets=section.integer("relative_attention_num_buckets"),
        max_distance=section.integer("relative_attention_max_distance", 128),
        epsilon=section.number("layer_norm_epsilon"),
        gated=projection == "gated-gelu",
    )


def _melody(root: Section) -> MelodyConfig | None:
    if root.require("model_type", "musicgen", "musicgen_melody") == "musicgen":
        return None
    return MelodyConfig(root.integer("num_chroma"), root.integer("chroma_length"))


def _decoder(section: Section, melody: MelodyConfig | None) -> DecoderConfig:
    section.require("activation_function", "gelu")
    section.require("scale_embedding", False)
    vocabulary = section.integer("vocab_size")
    section.require("pad_token_id", vocabulary)
    return DecoderConfig(
        hidden=section.integer("hidden_size"),
        heads=section.integer("num_attention_heads"),
        layers=section.integer("num_hidden_layers"),
        ffn=section.integer("ffn_dim"),
        codebooks=section.integer("num_codebooks"),
        vocabulary=vocabulary,
        channels=section.require("audio_channels", 1, 2, default=1),
        melody=melody,
    )


def _codec(section: Section, *, causal: bool) -> CodecConfig:
    section.require("model_type", "encodec")
    section.require("audio_channels", 1)
    section.require("norm_type", "weight_norm")
    section.require("pad_mode", "reflect")
    section.require("use_causal_conv", causal)
    section.require("trim_right_ratio", 1.0, default=1.0)
    section.require("normalize", False)
    section.require("chunk_length_s", None)
    ratios = tuple(int(ratio) for ratio in section.numbers("upsampling_ratios"))
    size, rate, hidden = (section.integer(name) for name in ("codebook_size", "sampling_rate", "hidden_size"))
    section.require("codebook_dim", None, hidden)
    hop, bits = prod(ratios), (size - 1).bit_length()
    bandwidth = section.numbers("target_bandwidths")[-1]  # kbit/s
    return CodecConfig(
        rate=rate,
        hidden=hidden,
        filters=section.integer("num_filters"),
        ratios=ratios,
        residual_layers=section.integer("num_residual_layers"),
        kernel=section.integer("kernel_size"),
        last_kernel=section.integer("last_kernel_size"),
        residual_kernel=section.integer("residual_kernel_size"),
        dilation_growth=section.integer("dilation_growth_rate"),
        compress=section.integer("compress"),
        lstm_layers=section.integer("num_lstm_layers"),
        codebooks=int(1000 * bandwidth // (-(-rate // hop) * bits)),
        codebook_size=size,
        shortcut=section.flag("use_conv_shortcut", True),
        causal=causal,
    )
