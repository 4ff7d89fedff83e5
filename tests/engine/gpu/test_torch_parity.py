"""The GPU engine's decoder against transformers' in full precision."""

from copy import deepcopy

import numpy as np
import pytest
import torch

from model_container.engine.delay import DelayedCodes
from model_container.engine.generate import Window, generate
from model_container.engine.sampling import Sampling
from tests.engine import tiny
from tests.engine.gpu.conftest import Models
from tests.engine.parity.conftest import References
from tests.engine.parity.test_generate import PROMPT, codes_of
from tests.engine.parity.test_parts import logits_of_both, relative_error


@pytest.mark.parametrize("kind", tiny.KINDS)
def test_logits_are_those_of_transformers(kind: str, references: References, on_torch: Models) -> None:
    expected, logits = logits_of_both(references(kind), on_torch(kind), 60)

    np.testing.assert_allclose(logits, expected, atol=1e-4)


@pytest.mark.parametrize("kind", tiny.KINDS)
def test_the_likeliest_tokens_are_those_of_transformers(
    kind: str, references: References, on_torch: Models
) -> None:
    model = on_torch(kind)
    delayed = DelayedCodes(model.config.decoder, 50)

    expected, _ = codes_of(references(kind), 50, do_sample=False, guidance_scale=3.0)
    codes = generate(model, Window(0, model.conditions(PROMPT), delayed, Sampling(temperature=0)))

    assert len(np.unique(expected)) > 10
    np.testing.assert_array_equal(codes, expected)


@pytest.mark.parametrize(("dtype", "limit"), [(torch.float16, 0.003), (torch.bfloat16, 0.015)])
@pytest.mark.parametrize("kind", tiny.KINDS)
def test_logits_in_16_bits_are_closer_to_those_in_32_than_transformers_are(
    kind: str, dtype: torch.dtype, limit: float, references: References, on_torch: Models
) -> None:
    model, rounded = on_torch(kind, dtype=dtype), deepcopy(references(kind)).to(dtype)

    expected, logits = logits_of_both(references(kind), model, 60)
    theirs, _ = logits_of_both(rounded, model, 60)

    error = relative_error(logits, expected)
    assert 1e-4 < error < (limit * 4 / 3 if "melody" in kind else limit)  # as their logits are smaller
    assert error < relative_error(theirs, expected)


def test_songs_in_16_bits_are_the_same_again(on_torch: Models) -> None:
    model = on_torch(dtype=torch.bfloat16)
    first, second = (
        generate(
            model,
            Window(0, model.conditions(PROMPT), DelayedCodes(model.config.decoder, 50), Sampling(seed=8)),
        )
        for _ in range(2)
    )

    np.testing.assert_array_equal(first, second)
    assert len(np.unique(first)) > 10
