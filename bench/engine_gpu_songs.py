"""Whole songs through the engine as a server runs it: T5, the decoder's loop, EnCodec beside it, listeners.

The decoder is the one that is measured by itself elsewhere. The rest is packed and loaded as any checkpoint
is, with random weights of the published shapes.
"""

import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

import torch
from transformers import (
    EncodecConfig,
    MusicgenConfig,
    MusicgenDecoderConfig,
    MusicgenForConditionalGeneration,
    T5Config,
)

from bench.engine_gpu_sides import Ours, Size
from bench.engine_weights import tokenizer
from bench.report import Spread, say
from model_container.engine.config import load_config
from model_container.engine.embedding import Embedding
from model_container.engine.live import Engine, Live
from model_container.engine.model import Model, max_positions
from model_container.engine.sampling import Sampling
from model_container.engine.song import Request
from model_container.engine.text import TextEncoder
from model_container.engine.torch_model import load_codec
from model_container.pack import pack

PROMPT = "a slow waltz for two violins"
THREADS = 4  # of T5, once a song


@dataclass(frozen=True)
class Heard:
    first: float  # seconds from asking for all songs to this one's first sound
    last: float
    samples: int


def measure(ours: Ours, size: Size, counts: list[int], frames: int) -> dict[str, object]:
    """For each number of songs that are asked for at once: music made in a second, and when it begins."""
    with loaded(ours, size) as model:
        play(model, 1, 60)  # kernels are loaded when they are first needed
        return {str(count): figures(model, count, frames) for count in counts}


def figures(model: Model, count: int, frames: int) -> dict[str, object]:
    heard = play(model, count, frames)
    music = sum(each.samples for each in heard) / model.config.codec.rate
    first = Spread.of([each.first for each in heard])
    rate = music / max(each.last for each in heard)
    say(
        f"{count} songs of {music / count:.0f} s: {rate:.1f} s of music a second, first sound after {first} s"
    )
    return {"music_s_per_s": round(rate, 1), "first_sound_s": first.rounded()}


def play(model: Model, count: int, frames: int) -> list[Heard]:
    """Ask for so many songs at once, and listen to all of them."""
    with Engine(model, queue_size=0) as engine, ThreadPoolExecutor(count) as listeners:
        began = perf_counter()
        lives = [engine.play(Request(PROMPT, frames, Sampling(seed=seed))) for seed in range(count)]
        return list(listeners.map(lambda live: listen(live, began), lives))


def listen(live: Live, began: float) -> Heard:
    first, samples = 0.0, 0
    for sound in live:
        first = first or perf_counter() - began
        samples += sound.shape[1]
    return Heard(first, perf_counter() - began, samples)


@contextmanager
def loaded(ours: Ours, size: Size) -> Iterator[Model]:
    """A model with this decoder; the packed checkpoint around it has one layer in its place."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        torch.manual_seed(0)
        MusicgenForConditionalGeneration(config(size)).save_pretrained(folder / "published")
        tokenizer().save(str(folder / "published" / "tokenizer.json"))
        pack(folder / "published", folder / "packed", "fp16")
        known = load_config(folder / "packed")
        ours.clear()
        yield Model(
            replace(known, decoder=size.config),
            TextEncoder(folder / "packed", THREADS),
            None,
            Embedding(ours.table, max_positions(known)),
            ours.player,
            load_codec(folder / "packed", known.codec, channels=1, threads=THREADS),
        )


def config(size: Size) -> MusicgenConfig:
    bits = (size.vocabulary - 1).bit_length()
    text = T5Config(vocab_size=32128, d_model=768, d_ff=3072, num_layers=12, num_heads=12)
    if size.hidden < 1024:
        text = T5Config(vocab_size=64, d_model=16, d_ff=32, num_layers=1, num_heads=2, d_kv=8)
    return MusicgenConfig(
        text_encoder=text,
        audio_encoder=EncodecConfig(
            sampling_rate=32_000,
            num_filters=64 if size.hidden >= 1024 else 4,
            upsampling_ratios=[8, 5, 4, 4],
            use_causal_conv=False,
            use_conv_shortcut=False,
            codebook_size=size.vocabulary,
            target_bandwidths=[50 * size.codebooks * bits / 1000],
        ),
        decoder=MusicgenDecoderConfig(
            vocab_size=size.vocabulary,
            hidden_size=size.hidden,
            num_hidden_layers=1,
            num_attention_heads=size.heads,
            ffn_dim=size.hidden,
            pad_token_id=size.vocabulary,
            bos_token_id=size.vocabulary,
        ),
    )
