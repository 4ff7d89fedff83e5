"""Train the two-track model on a folder of songs; the defaults are the published recipe.

    python -m model_container.train SONGS --encodec FOLDER --out FOLDER [--resume]
    torchrun --standalone --nproc-per-node=4 -m model_container.train SONGS …      (several GPUs)
    python -m model_container.train s3://bucket/songs … --remote --role ARN …      (a rented machine)

OUT receives best_model.pt (for our loader, and the published one), last.pt (for --resume), checkpoints,
TensorBoard's curves and evaluation.json: the model beside the plain mix of both tracks.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_container.engine.config import CheckpointError
from model_container.training.recipe import Option, Recipe, TrainingError, flag, options
from model_container.training.remote import Machine


@dataclass(frozen=True)
class Places:
    """Where a training reads and writes."""

    songs: Path
    encodec: Path
    out: Path
    cache: Path


def train(recipe: Recipe, places: Places, *, resume: bool) -> None:
    """Train, keep, evaluate; in every process that torchrun started."""
    from model_container.training import state
    from model_container.training.codec import load_codec
    from model_container.training.loop import Loop
    from model_container.training.player import Player
    from model_container.training.processes import started
    from model_container.training.reporting import Reporting

    with started() as processes:
        going_on = processes.once(lambda: state.prepare(places.out, resume=resume))
        corpus = processes.once(lambda: _corpus(recipe, places))
        codec = load_codec(places.encodec).to(processes.device)
        player = Player(recipe, codec, processes)
        loop = Loop(player, corpus, processes, places.out, None)
        if going_on:
            loop.restore()
        with Reporting(places.out, loop.progress.epoch) if processes.leads else nullcontext() as reporter:
            loop.reporter = reporter
            progress = loop.run()
        if processes.leads:
            print(f"validation: {progress.first_val_loss:.4f} at first, {progress.best_val_loss:.4f} at best")
            _evaluate(recipe, places, codec, corpus.validation, processes.device)


def _corpus(recipe: Recipe, places: Places) -> Any:
    from tqdm import tqdm

    from model_container.training import pairs, songs

    files = songs.find(places.songs)
    bar: Iterable[Path] = tqdm(files, desc="songs", unit="song", leave=False)
    decoded = list(songs.decoded(bar, places.cache, tqdm.write))
    made = pairs.corpus(decoded, recipe)
    print(f"{len(decoded)} songs: {len(made.training)} pairs to train on, {len(made.validation)} to validate")
    return made


def _evaluate(recipe: Recipe, places: Places, codec: Any, pairs: Any, device: Any) -> None:
    from model_container.cascade import load
    from model_container.training import evaluation, state

    model = load(places.out / state.BEST).to(device)
    sides = evaluation.evaluate(model, codec, pairs, recipe, device)
    (places.out / state.EVALUATION).write_text(json.dumps(sides, indent=1) + "\n")
    print(evaluation.summary(sides))


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m model_container.train",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("songs", metavar="SONGS", help="folder of songs, or its S3 URI with --remote")
    made.add_argument("--encodec", required=True, metavar="FOLDER", help="facebook/encodec_24khz's files")
    made.add_argument("--out", required=True, metavar="FOLDER", help="where everything goes")
    made.add_argument("--cache", type=Path, metavar="FOLDER", help="decoded songs; OUT/audio if not given")
    made.add_argument("--resume", action="store_true", help="go on with the training in OUT, if there is one")
    recipe = made.add_argument_group("recipe")
    for each in options():
        _add(recipe, each)
    Machine.add_arguments(made.add_argument_group("rented machine (SageMaker)"))
    return made


def _add(group: Any, option: Option) -> None:
    default = getattr(Recipe, option.name)
    told: dict[str, Any] = {"default": default, "help": f"{option.help} ({default})"}
    if option.kind is bool:
        group.add_argument(flag(option.name), action=argparse.BooleanOptionalAction, **told)
    elif option.choices:
        group.add_argument(flag(option.name), choices=option.choices, **told)
    else:
        group.add_argument(flag(option.name), type=option.kind, metavar=option.kind.__name__.upper(), **told)


def main(words: list[str] | None = None) -> int:
    arguments = parser().parse_args(words)
    try:
        recipe = Recipe(**{each.name: getattr(arguments, each.name) for each in options()})
        if arguments.remote:
            print(Machine.of(arguments).submit(recipe, arguments))
            return 0
        out = Path(arguments.out)
        places = Places(Path(arguments.songs), Path(arguments.encodec), out, arguments.cache or out / "audio")
        train(recipe, places, resume=arguments.resume)
    except (TrainingError, CheckpointError) as error:
        if os.environ.get("RANK", "0") == "0":  # of several processes, which all know of it
            print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped; the same command with --resume goes on after the last whole epoch.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
