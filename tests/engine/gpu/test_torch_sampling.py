"""Sampling in torch: the same tokens as on the host, for every way to sample, each song its own."""

import numpy as np
import pytest
import torch

from model_container.engine import sampling
from model_container.engine.sampling import Sampling
from model_container.engine.torch_model import device
from model_container.engine.torch_sampling import Choices, choose, exponential

WAYS = [
    Sampling(temperature=0),
    Sampling(seed=1),
    Sampling(temperature=1.7, top_k=20, top_p=0.9, seed=2),
    Sampling(temperature=0.6, top_k=0, top_p=0.5, seed=-(2**70)),
    Sampling(top_k=1, seed=4),
    Sampling(top_k=0, seed=2**63 + 5),
    Sampling(top_k=5000, top_p=0.01, seed=6),
]


def choices_of(ways: list[Sampling], vocabulary: int) -> Choices:
    choices = Choices.empty(len(ways), torch.device(device()))
    for song, way in enumerate(ways):
        choices.put(song, way, vocabulary)
    return choices


def test_noise_is_that_of_the_host() -> None:
    seeds, steps, tokens = [0, 7, 2**64 - 1], [1, 900, 15_003], np.arange(64)
    keys = choices_of([Sampling(seed=seed) for seed in seeds], 64).key

    noise = exponential(keys, torch.tensor(steps, device=device()), 8, 64).cpu().numpy()

    expected = [
        [sampling.exponential(seed, step, k, tokens) for k in range(8)]
        for seed, step in zip(seeds, steps, strict=True)
    ]
    np.testing.assert_allclose(noise, expected, rtol=1e-12)


@pytest.mark.parametrize("vocabulary", [40, 2048])
def test_songs_side_by_side_choose_as_each_would_on_the_host(vocabulary: int) -> None:
    choices = choices_of(WAYS, vocabulary)
    draw = np.random.default_rng(vocabulary)

    for step in range(30):
        logits = draw.standard_normal((len(WAYS), 4, vocabulary), np.float32) * 3
        steps = torch.arange(len(WAYS), device=device()) * 100 + step
        tokens = choose(torch.tensor(logits, device=device()), choices, steps).cpu().numpy()
        expected = [
            sampling.sample(row, way, 100 * song + step)
            for song, (row, way) in enumerate(zip(logits, WAYS, strict=True))
        ]
        np.testing.assert_array_equal(tokens, expected)


@pytest.mark.parametrize(
    "way", [Sampling(top_k=3), Sampling(top_k=0, top_p=0.6), Sampling(top_k=3, top_p=0.5)]
)
def test_equal_scores_are_kept_or_left_out_as_on_the_host(way: Sampling) -> None:
    logits = np.array([[1, 3, 2, 2, 2, 0, 2]], np.float32)
    choices = choices_of([way], 7)

    scores = torch.tensor(logits[None], device=device())
    tokens = [int(choose(scores, choices, torch.tensor([s], device=device()))) for s in range(200)]

    assert tokens == [int(sampling.sample(logits, way, step)[0]) for step in range(200)]
    assert 1 < len(set(tokens)) < 7
