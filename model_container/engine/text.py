"""From a prompt to the states that the decoder attends to.

Knows the tokenizer and T5's packed graph. Must not know what the states are used for.
"""

from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from model_container.engine.checkpoint import FloatArray
from model_container.engine.config import CheckpointError
from model_container.engine.session import open_session

MAX_TOKENS = 512  # what T5 was trained on; a longer prompt is cut


class TextEncoder:
    def __init__(self, folder: Path, threads: int) -> None:
        file = folder / "tokenizer.json"
        try:
            self._tokenizer = Tokenizer.from_file(str(file))
        except Exception as error:  # the library raises Exception itself
            raise CheckpointError(f"{file} cannot be read: {error}") from error
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._session = open_session(folder / "text.onnx", threads, prepack=False, spin=False)

    def encode(self, prompt: str) -> FloatArray:
        """[T, decoder's hidden]: one state for each token of the prompt, the end mark included."""
        tokens = np.array(self._tokenizer.encode(prompt).ids, np.int64)
        states: FloatArray = self._session.run(None, {"tokens": tokens})[0]
        return states
