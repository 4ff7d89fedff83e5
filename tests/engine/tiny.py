"""Checkpoints of the real architectures with few, random weights, under the names of the published ones."""

import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer, models, pre_tokenizers, processors

KINDS = ("text", "stereo", "melody", "stereo-melody")
TEXT = {"vocab_size": 64, "d_model": 48, "d_kv": 8, "d_ff": 80, "num_layers": 2, "num_heads": 4}
HIDDEN, FFN, LAYERS, VOCABULARY = 64, 96, 2, 64
RATIOS, FILTERS, CODEC_HIDDEN, BOOKS = (8, 5, 4, 4), 2, 8, 4
BINS, CHROMA_LENGTH = 12, 17

Tensors = dict[str, NDArray[np.float32]]


def write(folder: Path, kind: str = "text", *, half: bool = False, shards: bool = False) -> Path:
    """Write a checkpoint of one of KINDS; in 16 bits if `half`, in two files if `shards`."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config(kind)))
    tokenizer().save(str(folder / "tokenizer.json"))
    every = tensors(kind)
    if not shards:
        save(folder / "model.safetensors", every, half=half)
        return folder
    names = sorted(every)
    files = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
    for file, part in files.items():
        save(folder / file, {name: every[name] for name in part}, half=half)
    weight_map = {name: file for file, part in files.items() for name in part}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    return folder


def config(kind: str) -> dict[str, Any]:
    melody, channels = "melody" in kind, 2 if "stereo" in kind else 1
    own = {"model_type": "musicgen_melody", "num_chroma": BINS, "chroma_length": CHROMA_LENGTH}
    return {
        **(own if melody else {"model_type": "musicgen"}),
        "text_encoder": {**_text_config(), **TEXT},
        "audio_encoder": codec_config(),
        "decoder": {
            "model_type": "musicgen_melody_decoder" if melody else "musicgen_decoder",
            "activation_function": "gelu",
            "audio_channels": channels,
            "bos_token_id": VOCABULARY,
            "ffn_dim": FFN,
            "hidden_size": HIDDEN,
            "num_attention_heads": 4,
            "num_codebooks": BOOKS * channels,
            "num_hidden_layers": LAYERS,
            "pad_token_id": VOCABULARY,
            "scale_embedding": False,
            "vocab_size": VOCABULARY,
        },
    }


def tensors(kind: str) -> Tensors:
    """Every tensor of the checkpoint; each depends on its name alone."""
    shapes = dict([*_text(), *_decoder(kind), *_codec()])
    return {name: random(name, shape) for name, shape in shapes.items()}


def tokenizer() -> Tokenizer:
    """A token for each letter, and T5's end mark."""
    words = ["<pad>", "</s>", "<unk>", *(chr(ord("a") + i) for i in range(26)), " "]
    made = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    made.post_processor = processors.TemplateProcessing("$A </s>", special_tokens=[("</s>", 1)])
    return made


def save(file: Path, every: Tensors, *, half: bool = False) -> None:
    header, offset, parts = {}, 0, []
    for name, array in every.items():
        data = array.astype(np.float16 if half else np.float32).tobytes()
        kind = "F16" if half else "F32"
        header[name] = {"dtype": kind, "shape": array.shape, "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
        parts.append(data)
    text = json.dumps(header).encode()
    file.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(parts))


def random(name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    values = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape, np.float32)
    if name.endswith(("norm.weight", "weight_g")):
        return 1 + 0.2 * values
    if len(shape) == 1:
        return 0.1 * values
    if name.endswith(("codebook.embed", "embed_tokens.0.weight", "shared.weight", "attention_bias.weight")):
        return values
    inputs = int(np.prod(shape[1:]))
    return values / np.float32(np.sqrt(inputs)) * np.float32(1.5)


def _text_config() -> dict[str, Any]:
    return {
        "model_type": "t5",
        "feed_forward_proj": "relu",
        "layer_norm_epsilon": 1e-6,
        "relative_attention_max_distance": 128,
        "relative_attention_num_buckets": 32,
    }


def codec_config() -> dict[str, Any]:
    return {
        "model_type": "encodec",
        "audio_channels": 1,
        "chunk_length_s": None,
        "codebook_dim": CODEC_HIDDEN,
        "codebook_size": VOCABULARY,
        "compress": 2,
        "dilation_growth_rate": 2,
        "hidden_size": CODEC_HIDDEN,
        "kernel_size": 7,
        "last_kernel_size": 7,
        "norm_type": "weight_norm",
        "normalize": False,
        "num_filters": FILTERS,
        "num_lstm_layers": 2,
        "num_residual_layers": 1,
        "pad_mode": "reflect",
        "residual_kernel_size": 3,
        "sampling_rate": 32000,
        "target_bandwidths": [50 * 6 * BOOKS / 1000],
        "upsampling_ratios": list(RATIOS),
        "use_causal_conv": False,
        "use_conv_shortcut": False,
    }


Shapes = Iterator[tuple[str, tuple[int, ...]]]


def _text() -> Shapes:
    hidden, inner, ffn = TEXT["d_model"], TEXT["d_kv"] * TEXT["num_heads"], TEXT["d_ff"]
    yield "text_encoder.shared.weight", (TEXT["vocab_size"], hidden)
    yield "text_encoder.encoder.final_layer_norm.weight", (hidden,)
    for i in range(TEXT["num_layers"]):
        name = f"text_encoder.encoder.block.{i}.layer"
        for part in "qkv":
            yield f"{name}.0.SelfAttention.{part}.weight", (inner, hidden)
        yield f"{name}.0.SelfAttention.o.weight", (hidden, inner)
        if i == 0:
            yield f"{name}.0.SelfAttention.relative_attention_bias.weight", (32, TEXT["num_heads"])
        yield f"{name}.0.layer_norm.weight", (hidden,)
        yield f"{name}.1.DenseReluDense.wi.weight", (ffn, hidden)
        yield f"{name}.1.DenseReluDense.wo.weight", (hidden, ffn)
        yield f"{name}.1.layer_norm.weight", (hidden,)
    yield "enc_to_dec_proj.weight", (HIDDEN, hidden)
    yield "enc_to_dec_proj.bias", (HIDDEN,)


def _decoder(kind: str) -> Shapes:
    for k in range(BOOKS * (2 if "stereo" in kind else 1)):
        yield f"decoder.lm_heads.{k}.weight", (VOCABULARY, HIDDEN)
        yield f"decoder.model.decoder.embed_tokens.{k}.weight", (VOCABULARY + 1, HIDDEN)
    attentions = ("self_attn",) if "melody" in kind else ("self_attn", "encoder_attn")
    norms = ["decoder.model.decoder.layer_norm"]
    for i in range(LAYERS):
        name = f"decoder.model.decoder.layers.{i}"
        for attention in attentions:
            for part in ("q", "k", "v", "out"):
                yield f"{name}.{attention}.{part}_proj.weight", (HIDDEN, HIDDEN)
            norms.append(f"{name}.{attention}_layer_norm")
        yield f"{name}.fc1.weight", (FFN, HIDDEN)
        yield f"{name}.fc2.weight", (HIDDEN, FFN)
        norms.append(f"{name}.final_layer_norm")
    for norm in norms:
        yield f"{norm}.weight", (HIDDEN,)
        yield f"{norm}.bias", (HIDDEN,)
    if "melody" in kind:
        yield "audio_enc_to_dec_proj.weight", (HIDDEN, BINS)
        yield "audio_enc_to_dec_proj.bias", (HIDDEN,)


def _codec() -> Shapes:
    width = FILTERS * 2 ** len(RATIOS)
    for k in range(BOOKS):
        book = f"audio_encoder.quantizer.layers.{k}.codebook"
        yield f"{book}.embed", (VOCABULARY, CODEC_HIDDEN)
        yield f"{book}.embed_avg", (VOCABULARY, CODEC_HIDDEN)
        yield f"{book}.cluster_size", (VOCABULARY,)
        yield f"{book}.inited", (1,)
    for name, shape, bias in convolutions(RATIOS, FILTERS, CODEC_HIDDEN):
        yield from convolution(name, shape, bias)
    for level in range(len(RATIOS)):
        layer = 3 * (len(RATIOS) - 1 - level)
        yield from residual(f"decoder.layers.{3 * level + 4}", width >> (level + 1))
        yield from residual(f"encoder.layers.{layer + 1}", width >> (level + 1))
    for name in ("encoder.layers.13", "decoder.layers.1"):
        yield from lstm(f"audio_encoder.{name}.lstm", width)


def convolutions(
    ratios: tuple[int, ...], filters: int, hidden: int
) -> Iterator[tuple[str, tuple[int, int, int], int]]:
    """EnCodec's convolutions outside residual blocks: name, weight, bias."""
    width = filters * 2 ** len(ratios)
    yield "encoder.layers.0", (filters, 1, 7), filters
    yield "encoder.layers.15", (hidden, width, 7), hidden
    yield "decoder.layers.0", (width, hidden, 7), width
    yield "decoder.layers.15", (1, filters, 7), 1
    for level, ratio in enumerate(ratios):
        wide = width >> level
        yield f"decoder.layers.{3 * level + 3}", (wide, wide // 2, 2 * ratio), wide // 2
        layer = 3 * (len(ratios) - 1 - level)
        yield f"encoder.layers.{layer + 3}", (wide, wide // 2, 2 * ratio), wide


def residual(name: str, width: int, prefix: str = "audio_encoder.") -> Shapes:
    yield from convolution(f"{name}.block.1", (width // 2, width, 3), width // 2, prefix)
    yield from convolution(f"{name}.block.3", (width, width // 2, 1), width, prefix)


def convolution(name: str, shape: tuple[int, int, int], bias: int, prefix: str = "audio_encoder.") -> Shapes:
    yield f"{prefix}{name}.conv.weight_g", (shape[0], 1, 1)
    yield f"{prefix}{name}.conv.weight_v", shape
    yield f"{prefix}{name}.conv.bias", (bias,)


def lstm(name: str, width: int) -> Shapes:
    for layer in range(2):
        for kind in ("ih", "hh"):
            yield f"{name}.weight_{kind}_l{layer}", (4 * width, width)
            yield f"{name}.bias_{kind}_l{layer}", (4 * width,)
