"""How the next token is chosen from logits.

Knows temperature, top-k, top-p and noise. Must not know songs, batches or models.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model_container.engine.decoder import FloatArray, IntArray

UnsignedArray = NDArray[np.uint64]

COLD = 1e-9  # a temperature at which the least difference between logits outweighs all noise


@dataclass(frozen=True)
class Sampling:
    """temperature 0 takes the likeliest token, and so does one below COLD, by which scores might overflow.
    top_k 0 and top_p 1 leave all tokens in.
    """

    temperature: float = 1.0
    top_k: int = 250
    top_p: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not (self.temperature >= 0 and self.top_k >= 0 and 0 < self.top_p <= 1):
            raise ValueError(f"not a way to sample: {self}")

    @property
    def greedy(self) -> bool:
        return self.temperature < COLD


def sample(logits: FloatArray, sampling: Sampling, step: int) -> IntArray:
    """One token for each codebook: logits [codebooks, vocabulary] → [codebooks].

    The winner of an exponential race: the largest p / e, with e from the exponential distribution, is token i
    with probability p_i. Noise is a function of seed, step, codebook and token, so that it is drawn only for
    tokens that are left in, and is the same whatever else runs beside.
    """
    if sampling.greedy:
        likeliest: IntArray = np.argmax(logits, axis=1)
        return likeliest
    scores = logits / np.float32(sampling.temperature)
    tokens = np.empty(len(logits), np.int64)
    for codebook, row in enumerate(scores):
        candidates = _candidates(row, sampling)
        noise = exponential(sampling.seed, step, codebook, candidates)
        tokens[codebook] = candidates[np.argmax(row[candidates] - np.log(noise))]
    return tokens


def exponential(seed: int, step: int, codebook: int, tokens: IntArray) -> NDArray[np.float64]:
    """Independent draws from the exponential distribution, one for each token [n]; always the same."""
    place = np.uint64(_mix_int(key_of(seed) ^ (step << 8 | codebook)))
    bits = _mix(_mix(tokens.astype(np.uint64) ^ place) + place)
    uniform = ((bits >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    noise: NDArray[np.float64] = -np.log(uniform)
    return noise


def key_of(seed: int) -> int:
    """The 64 bits of a seed that its noise goes by."""
    return _mix_int(seed)


def _candidates(scores: FloatArray, sampling: Sampling) -> IntArray:
    """The tokens left in: those not below the k-th best, and of these the likeliest that reach top_p."""
    kept = np.arange(len(scores))
    if 0 < sampling.top_k < len(scores):
        threshold = np.partition(scores, -sampling.top_k)[-sampling.top_k]
        kept = np.flatnonzero(scores >= threshold)
    if sampling.top_p < 1:
        ascending = kept[np.argsort(scores[kept], kind="stable")]
        weights = np.exp(scores[ascending] - scores[ascending[-1]])
        stays = np.cumsum(weights / weights.sum()) > 1 - sampling.top_p
        stays[-1] = True  # the likeliest, whatever rounding says
        kept = np.sort(ascending[stays])
    return kept


MASK = (1 << 64) - 1


def _mix(values: UnsignedArray) -> UnsignedArray:
    """SplitMix64's step and finalizer (Steele, Lea and Flood 2014): any change of input changes all bits."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _mix_int(value: int) -> int:
    return int(_mix(np.array([value & MASK], np.uint64))[0])
