"""What 8 and 4 bits do to a model: its next-token distribution beside that of fp32, on a list of prompts.

For people with real weights: python -m bench.quality --weights FOLDER. fp32 makes each song; the others are
given its tokens, and at each position the Kullback–Leibler divergence of their distribution from its own is
taken, after guidance, at temperature 1. Without --weights a random checkpoint shows that it runs; random
weights say nothing of quality.
"""

import subprocess
import sys
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.engine import FOLDER, FULL, prepare
from bench.report import conclude, parser, say
from model_container.engine.delay import DelayedCodes
from model_container.engine.generate import Window, generate
from model_container.engine.model import Model
from model_container.engine.sampling import Sampling

FRAME_RATE = 50
GUIDANCE = np.array([3.0], np.float32)
THREADS = 2
REFERENCE, OTHERS = "fp32", ("int8", "int4")
PROMPTS = (
    "a slow waltz for two violins and a cello",
    "80s pop track with bassy drums and synth",
    "lo-fi hip hop with a mellow piano and vinyl crackle",
    "fast drum and bass with a growling bass line",
    "solo acoustic guitar, fingerpicked, warm and close",
    "epic orchestral trailer with choir and taiko",
    "reggae with an offbeat organ and a deep bass",
    "minimal techno, dark, four on the floor",
)

Tokens = NDArray[np.int64]
Logits = NDArray[np.float32]


@dataclass(frozen=True)
class Distance:
    """Of one model from the reference, a value for each position and codebook of every song."""

    divergence: NDArray[np.float64]  # nats
    agreed: NDArray[np.bool_]  # on the likeliest token
    error: float  # root mean square of the logits, relative to their spread

    def figures(self) -> dict[str, float]:
        return {
            "kl_mean": round(float(self.divergence.mean()), 5),
            "kl_p95": round(float(np.percentile(self.divergence, 95)), 5),
            "top1_agreement": round(float(self.agreed.mean()), 4),
            "relative_rms": round(self.error, 4),
        }


def main() -> None:
    options = _options()
    checkpoint = options.weights or prepare(FULL)[0]
    prompts = options.prompts.read_text().splitlines() if options.prompts else list(PROMPTS)
    seconds, prompts = (0.4, prompts[:1]) if options.quick else (options.seconds, prompts)
    say(f"{len(prompts)} prompts, {seconds:g} s each, by {checkpoint}")
    songs, expected = _reference(_packed(checkpoint, REFERENCE), prompts, round(seconds * FRAME_RATE))
    figures: dict[str, object] = {"real_weights": options.weights is not None, "prompts": len(prompts)}
    for weights in OTHERS:
        model = Model.load(_packed(checkpoint, weights), threads=THREADS, decoder="native")
        given = [_logits(model, prompt, song) for prompt, song in zip(prompts, songs, strict=True)]
        figures[weights] = distance(expected, given).figures()
        say(f"{weights}: {figures[weights]}")
    conclude(figures)


def distance(expected: Sequence[Logits], given: Sequence[Logits]) -> Distance:
    """Both: a song's logits [positions, codebooks, vocabulary] for each song."""
    theirs, ours = np.concatenate(expected).astype(float), np.concatenate(given).astype(float)
    p, q = _log_softmax(theirs), _log_softmax(ours)
    error = np.sqrt(np.mean((theirs - ours) ** 2)) / theirs.std()
    return Distance((np.exp(p) * (p - q)).sum(axis=-1), p.argmax(-1) == q.argmax(-1), float(error))


def _reference(folder: Path, prompts: Sequence[str], frames: int) -> tuple[list[Tokens], list[Logits]]:
    """Each prompt's song, and what fp32 would have sung at each of its positions."""
    model = Model.load(folder, threads=THREADS, decoder="native")
    songs = [_song(model, prompt, frames, seed) for seed, prompt in enumerate(prompts)]
    return songs, [_logits(model, prompt, song) for prompt, song in zip(prompts, songs, strict=True)]


def _song(model: Model, prompt: str, frames: int, seed: int) -> Tokens:
    codes = DelayedCodes(model.config.decoder, frames)
    return generate(model, Window(0, model.conditions(prompt), codes, Sampling(seed=seed)))


def _logits(model: Model, prompt: str, song: Tokens) -> Logits:
    """song [codebooks, frames] → guided logits [frames, codebooks, vocabulary], each of the column after."""
    delayed = DelayedCodes(model.config.decoder, song.shape[1] + 1, song)
    conditions, rows = model.conditions(prompt), []
    offset = 0 if conditions.prefix is None else conditions.prefix.shape[1]
    model.decoder.admit(0, conditions.text)
    if conditions.prefix is not None:
        states = [model.embedding.states(row, np.arange(offset)) for row in conditions.prefix]
        model.decoder.prefill(0, np.stack(states), 0)
    for column in range(song.shape[1]):
        at = np.array([offset + column])
        hidden = model.embedding.tokens(delayed.columns(column, column + 1), at)
        rows.append(model.decoder.step(np.array([0]), hidden, at, GUIDANCE)[0])
    model.decoder.release(0)
    return np.stack(rows)


def _log_softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    shifted = logits - logits.max(axis=-1, keepdims=True)
    result: NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return result


def _packed(checkpoint: Path, weights: str) -> Path:
    folder = FOLDER / "quality" / sha256(str(checkpoint.resolve()).encode()).hexdigest()[:12] / weights
    if not folder.exists():
        say(f"Packing {checkpoint} as {weights} …")
        folder.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "model_container.pack", checkpoint, folder, "--weights", weights]
        subprocess.run(list(map(str, command)), check=True)
    return folder


def _options() -> Namespace:
    made = parser("quality", __doc__)
    made.add_argument("--weights", type=Path, help="a published checkpoint's folder")
    made.add_argument("--prompts", type=Path, help="a file with a prompt a line, instead of our eight")
    made.add_argument("--seconds", type=float, default=5.0, help="of music for each prompt")
    return made.parse_args()


if __name__ == "__main__":
    main()
