"""The reference: transformers with the same checkpoints."""

import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from tests.engine.conftest import Folders

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # they are about the reference's own future
    torch = pytest.importorskip("torch", reason="model_container/requirements-dev.txt is not installed")
    transformers = pytest.importorskip(
        "transformers", reason="model_container/requirements-dev.txt is not installed"
    )

References = Callable[[str], Any]


@pytest.fixture(scope="session")
def references(checkpoints: Folders) -> References:
    """references(kind) → transformers' model of the tiny checkpoint, in which every tensor has its place."""
    torch.set_num_threads(1)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()

    @cache
    def model(kind: str) -> Any:
        name = "MusicgenMelody" if "melody" in kind else "Musicgen"
        kind_of = getattr(transformers, f"{name}ForConditionalGeneration")
        loaded, report = kind_of.from_pretrained(checkpoints(kind), output_loading_info=True)
        assert not report["missing_keys"], report
        assert not report["unexpected_keys"], report
        loaded.generation_config.decoder_start_token_id = loaded.config.decoder.pad_token_id
        return loaded.eval()

    return model
