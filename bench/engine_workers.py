"""One engine in a process of its own: `python -m bench.engine_workers KIND CHECKPOINT PACKS`.

Reads a command a line on standard input and answers with a line of JSON. An engine that nobody commands does
nothing, so several can be measured in turns on one machine.

    seek POSITION [N] give N songs so many columns of tokens each → {}
    play STEPS        steps of all those songs, sampling included → {"seconds": …}
    logits COLUMNS F  guided logits of given tokens, to a file → {}
    clip SECONDS      a whole song, from prompt to samples → {"seconds": …, "first": …}
    facts             → {"peak_rss_mb": …, …}
"""

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any, Protocol

import numpy as np

THREADS = 2
SONGS = 8  # at most, at a time
PROMPT = "a slow waltz for two violins and a cello"
KINDS = ("native", "onnx", "onnx-fp32", "transformers-fp32", "transformers-bf16")


class Player(Protocol):
    def seek(self, position: int, songs: int = 1) -> None: ...
    def play(self, steps: int) -> None: ...
    def logits(self, columns: int) -> Any: ...
    def clip(self, seconds: float) -> float: ...
    def facts(self) -> dict[str, float]: ...


def codes(position: int, codebooks: int = 4) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 2048, (codebooks, position))


class Ours:
    def __init__(self, folder: Path, decoder: str) -> None:
        from model_container.engine.model import Model

        self._model = Model.load(folder, slots=SONGS, threads=THREADS, decoder=decoder)
        self._conditions = self._model.conditions(PROMPT)

    def seek(self, position: int, songs: int = 1) -> None:
        from model_container.engine.delay import DelayedCodes
        from model_container.engine.generate import Window, prefill
        from model_container.engine.sampling import Sampling

        given = codes(position) if position else None
        self._windows = []
        for slot in range(songs):
            delayed = DelayedCodes(self._model.config.decoder, 1500, given)
            window = Window(slot, self._conditions, delayed, Sampling())
            for _ in prefill(self._model, window):
                pass
            self._windows.append(window)

    def play(self, steps: int) -> None:
        from model_container.engine.generate import decode

        for _ in range(steps):
            for error in filter(None, decode(self._model, self._windows)):
                raise error

    def logits(self, columns: int) -> np.ndarray:
        self.seek(0)
        rows, model = [], self._model
        for column, tokens in enumerate(codes(columns).T):
            at = np.array([column])
            hidden = model.embedding.tokens(tokens[None], at)
            rows.append(model.decoder.step(np.array([0]), hidden, at, np.array([3.0], np.float32))[0])
        return np.stack(rows)

    def clip(self, seconds: float) -> float:
        from model_container.engine.live import Engine
        from model_container.engine.song import Request

        began = time.perf_counter()
        first = 0.0
        with Engine(self._model) as engine:
            for _ in engine.play(Request(PROMPT, round(seconds * 50))):
                first = first or time.perf_counter() - began
        return first

    def facts(self) -> dict[str, float]:
        decoder = self._model.decoder
        return {name: getattr(decoder, name) for name in ("step_bytes",) if hasattr(decoder, name)}


class Transformers:
    """The layers and the sampling, without generate()'s loop: that favours it by a millisecond."""

    def __init__(self, folder: Path, dtype: str) -> None:
        import torch
        from tokenizers import Tokenizer
        from transformers import MusicgenForConditionalGeneration

        torch.set_num_threads(THREADS)
        model = MusicgenForConditionalGeneration.from_pretrained(folder, dtype=getattr(torch, dtype)).eval()
        for parameter in model.parameters():
            parameter.data = parameter.data.clone()  # out of the mapped file, whose pages may be taken away
        self._torch, self._model = torch, model
        self._tokens = torch.tensor([Tokenizer.from_file(str(folder / "tokenizer.json")).encode(PROMPT).ids])

    def seek(self, position: int, songs: int = 1) -> None:
        from transformers.cache_utils import DynamicCache, EncoderDecoderCache

        torch, model = self._torch, self._model
        with torch.no_grad():
            text = model.enc_to_dec_proj(model.text_encoder(self._tokens).last_hidden_state)
        # All songs' conditional rows, then all unconditional ones, as generate() lays them.
        self._songs = songs
        self._text = torch.cat([text.repeat(songs, 1, 1), torch.zeros_like(text).repeat(songs, 1, 1)])
        self._mask = torch.tensor([[1], [0]]).repeat_interleave(songs, 0).expand(2 * songs, text.shape[1])
        self._cache = EncoderDecoderCache(DynamicCache(), DynamicCache())
        self._last = torch.full((4 * songs, 1), 2048)
        for start in range(0, position, 100):
            self._forward(torch.tensor(codes(position)[:, start : start + 100]).repeat(songs, 1))

    def play(self, steps: int) -> None:
        torch = self._torch
        for _ in range(steps):
            conditional, unconditional = (
                self._forward(self._last)[:, -1].float().reshape(2, 4 * self._songs, -1)
            )
            scores, tokens = torch.topk(unconditional + (conditional - unconditional) * 3, 250)
            chosen = torch.multinomial(scores.softmax(dim=-1), 1)
            self._last = tokens.gather(1, chosen)

    def logits(self, columns: int) -> np.ndarray:
        self.seek(0)
        both = self._forward(self._torch.tensor(codes(columns))).float()
        conditional, unconditional = both.reshape(2, 4, columns, -1).transpose(1, 2).numpy()
        guided: np.ndarray = unconditional + (conditional - unconditional) * 3
        return guided

    def clip(self, seconds: float) -> float:
        steps = round(seconds * 50) + 3
        with self._torch.no_grad():
            self._model.generate(
                input_ids=self._tokens, do_sample=True, guidance_scale=3.0, max_new_tokens=steps
            )
        return 0.0

    def facts(self) -> dict[str, float]:
        return {}

    def _forward(self, tokens: Any) -> Any:
        """tokens [songs * codebooks, n] → logits [2 * songs * codebooks, n, vocabulary]."""
        with self._torch.no_grad():
            return self._model.decoder(
                input_ids=tokens.repeat(2, 1),
                encoder_hidden_states=self._text,
                encoder_attention_mask=self._mask,
                past_key_values=self._cache,
                use_cache=True,
            ).logits


def player(kind: str, checkpoint: Path, packs: Path) -> Player:
    match kind:
        case "native" | "onnx":
            return Ours(packs / "int8", kind)
        case "onnx-fp32":
            return Ours(packs / "fp32", "onnx")
        case _:
            dtype = {"fp32": "float32", "bf16": "bfloat16"}[kind.removeprefix("transformers-")]
            return Transformers(checkpoint, dtype)


def obey(made: Player, command: str) -> dict[str, Any]:
    match command.split():
        case ["seek", position, *songs]:
            made.seek(int(position), *map(int, songs))
        case ["play", steps]:
            began = time.perf_counter()
            made.play(int(steps))
            return {"seconds": time.perf_counter() - began}
        case ["logits", columns, file]:
            np.save(file, made.logits(int(columns)))
        case ["clip", seconds]:
            began = time.perf_counter()
            first = made.clip(float(seconds))
            return {"seconds": time.perf_counter() - began, "first": first}
        case ["facts"]:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            return {"peak_rss_mb": round(peak), **made.facts()}
        case _:
            raise ValueError(command)
    return {}


def main() -> None:
    kind, checkpoint, packs = sys.argv[1:]
    began = time.perf_counter()
    made = player(kind, Path(checkpoint), Path(packs))
    print(json.dumps({"seconds": time.perf_counter() - began}), flush=True)
    for line in sys.stdin:
        print(json.dumps(obey(made, line)), flush=True)


if __name__ == "__main__":
    main()
