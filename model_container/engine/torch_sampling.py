"""`sampling.sample` for many songs at once, on the device where the logits are: the same tokens.

Knows the arithmetic of sampling.py in torch. Must not know columns' patterns, caches, or hosts.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from model_container.engine.sampling import Sampling, key_of


@dataclass(frozen=True, eq=False)
class Choices:
    """How each of some songs chooses, [songs]: `Sampling`, so that no branch depends on it."""

    temperature: Tensor  # fp32, 1 for the likeliest token
    noisy: Tensor  # fp64, 1, or 0 for the likeliest token
    top_k: Tensor  # int64, at most the vocabulary
    below: Tensor  # fp32: what the sum of the odds up to a token must be above for it to stay
    key: Tensor  # int64, the seed's bits

    @staticmethod
    def empty(songs: int, device: torch.device) -> "Choices":
        ones = torch.ones(songs, device=device)
        integers = ones.long()
        return Choices(ones, ones.double(), integers, ones.clone(), integers.clone())

    def put(self, song: int, sampling: Sampling, vocabulary: int) -> None:
        """By `fill_`, as assigning a number would first copy it, and wait until the device has."""
        self.temperature[song].fill_(1.0 if sampling.greedy else sampling.temperature)
        self.noisy[song].fill_(0.0 if sampling.greedy else 1.0)
        self.top_k[song].fill_(min(sampling.top_k, vocabulary) or vocabulary)
        self.below[song].fill_(1 - sampling.top_p if sampling.top_p < 1 else -1.0)
        self.key[song].fill_(_signed(key_of(sampling.seed)))

    def first(self, songs: int) -> "Choices":
        return Choices(*(part[:songs] for part in vars(self).values()))


def choose(logits: Tensor, choices: Choices, steps: Tensor) -> Tensor:
    """logits [songs, codebooks, vocabulary] in fp32, steps [songs] → tokens [songs, codebooks]."""
    scores = logits / choices.temperature[:, None, None]
    noise = exponential(choices.key, steps, logits.shape[1], logits.shape[2])
    race = scores - noise.log() * choices.noisy[:, None, None]
    return race.masked_fill(~_candidates(scores, choices), float("-inf")).argmax(dim=-1)


def exponential(keys: Tensor, steps: Tensor, codebooks: int, tokens: int) -> Tensor:
    """keys, steps [songs] → `sampling.exponential` for all, [songs, codebooks, tokens]."""
    books, every = (torch.arange(count, device=keys.device) for count in (codebooks, tokens))
    place = _mix(keys[:, None] ^ (steps[:, None] << 8 | books))[:, :, None]
    bits = _mix(_mix(every ^ place) + place)
    return -(((_shift(bits, 11)).double() + 0.5) * 2.0**-53).log()


def _candidates(scores: Tensor, choices: Choices) -> Tensor:
    """Whether each token is left in; one sort serves top-k and top-p."""
    ascending, order = scores.sort(dim=-1, stable=True)
    size = scores.shape[-1]
    rank = (size - choices.top_k)[:, None, None].expand(-1, scores.shape[1], 1)
    kept = ascending >= ascending.gather(-1, rank)
    odds = (ascending - ascending[..., -1:]).exp() * kept
    below = (odds / odds.sum(dim=-1, keepdim=True)).cumsum(dim=-1)
    stays = kept & (below > choices.below[:, None, None])
    stays[..., -1] = True  # the likeliest stays, whatever rounding says
    return torch.zeros_like(stays).scatter(-1, order, stays)


def _mix(values: Tensor) -> Tensor:
    """`sampling._mix` on signed integers, which wrap around in the same way."""
    values = values + _signed(0x9E3779B97F4A7C15)
    values = (values ^ _shift(values, 30)) * _signed(0xBF58476D1CE4E5B9)
    values = (values ^ _shift(values, 27)) * _signed(0x94D049BB133111EB)
    return values ^ _shift(values, 31)


def _shift(values: Tensor, bits: int) -> Tensor:
    """To the right, with zeros coming in: torch's own shift keeps the sign."""
    return (values >> bits) & ((1 << (64 - bits)) - 1)


def _signed(value: int) -> int:
    """The signed 64-bit integer of the same bits."""
    return value - (1 << 64) if value >> 63 else value
