"""What a job's owner reads while it goes on: a message, and per cent that never go back.

A blend of two tracks tells the progress table that its model's first service published, word for word:
queued 0, 10, 30, then 50, 70, 85 and 95 from the model's host, completed 100. Where ours goes on otherwise:

* What the host tells is read as often as it is checked, so a stage that is over by then is not shown; a host
  that tells no stages, like the mock, goes from 30 to 95.
* Between 30 and 50 a message may say what is waited for: a place, an instance, another try.
* The last 95, "Saving output...", lasts while the blend is mastered, which that service did not do.
* A second attempt's stages are told by their names, at the per cent that were reached before.

Must not know hosts, or how a job comes from one step to the next.
"""

from dataclasses import dataclass

from lambdas.core.pieces import Piece

CONVERTING = (10, "Converting audio to WAV...")
EXTRACTING = (30, "Extracting audio segments...")
MADE = 95  # per cent: the model is done, and mastering begins


@dataclass(frozen=True, slots=True)
class Words:
    """`starting` and `making`: None where the message before still holds. `failed` has a place for {why}."""

    queued: str
    starting: str | None
    making: str | None
    mastering: str
    completed: str
    failed: str


MUSIC = Words("Waiting for a model", "Starting the model", "Making music", "Mastering", "Ready", "Failed")
BLEND = Words(
    "Upload received, queued for processing...",
    None,
    None,
    "Saving output...",
    "Music generation complete!",
    "Error: {why}",
)


def words(piece: Piece) -> Words:
    return BLEND if piece.tracks else MUSIC
