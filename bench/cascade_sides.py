"""A side of the cascade's benchmark in a process of its own: `python -m bench.cascade_sides SIDE FOLDER`.

Reads the seconds of a clip, a line each, on standard input; makes one of two tracks; answers with a line of
JSON: seconds by stage, and the highest memory so far. A side that nobody asks does nothing, so both can be
measured in turns on one machine.
"""

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

THREADS = 2
RATE = 24_000
STAGES = ("encode", "network", "decode", "finish")

Array = Any
Make = Callable[[Array, Callable[[], None]], object]  # calls at the end of each stage


def tracks(seconds: float) -> Array:
    """[2, samples] at the level of music."""
    random = np.random.default_rng(0)
    return (0.1 * random.standard_normal((2, round(seconds * RATE)))).astype(np.float32)


def ours(folder: Path) -> Make:
    from model_container.engine import wav
    from model_container.tracks.making import ENCODING, Stage, make
    from model_container.tracks.model import TrackModel

    model = TrackModel.load(folder / "packed", threads=THREADS)

    def run(pair: Array, stage_ended: Callable[[], None]) -> object:
        def tell(stage: Stage) -> None:
            if stage != ENCODING:
                stage_ended()

        made = wav.pcm(make(model, pair, tell, lambda: None).sound[None])
        stage_ended()
        return made

    return run


def pytorch(folder: Path) -> Make:
    """As one would write it: transformers' EnCodec, the model, its gain and its limit, a track at a time."""
    import torch
    from transformers import EncodecModel

    from model_container.cascade import load

    torch.set_num_threads(THREADS)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    codec = EncodecModel.from_pretrained(folder / "encodec").eval().to(device)
    model = load(folder / "cascade.pt").to(device)

    def run(pair: Array, stage_ended: Callable[[], None]) -> object:
        sounds = [torch.from_numpy(sound)[None, None].to(device) for sound in pair]
        latents = [codec.encoder(sound) for sound in sounds]
        _settle(device)
        stage_ended()
        blended = model(*latents)
        _settle(device)
        stage_ended()
        sound = codec.decoder(blended)[0, 0].cpu()
        stage_ended()
        wanted = torch.from_numpy(pair).square().mean().sqrt()
        sound = sound * (wanted / sound.square().mean().sqrt()).clamp(max=3)
        peak = sound.abs().max()
        made = ((sound * 0.9 / peak if peak > 1 else sound) * 32767).round().to(torch.int16).numpy().tobytes()
        stage_ended()
        return made

    torch.set_grad_enabled(False)
    return run


def _settle(device: str) -> None:
    if device == "cuda":
        import torch

        torch.cuda.synchronize()


SIDES = {"ours": ours, "pytorch": pytorch}


def main() -> None:
    make = SIDES[sys.argv[1]](Path(sys.argv[2]))
    print(json.dumps({}), flush=True)
    for line in sys.stdin:
        pair, times = tracks(float(line)), [time.perf_counter()]
        make(pair, lambda times=times: times.append(time.perf_counter()))  # type: ignore[misc]
        seconds = dict(zip(STAGES, np.diff(times).tolist(), strict=True))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
        print(json.dumps({"stages": seconds, "peak_rss_mb": round(peak)}), flush=True)


if __name__ == "__main__":
    main()
