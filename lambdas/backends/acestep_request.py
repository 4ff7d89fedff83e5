"""A piece in the words of ACE-Step's `/release_task`.

Knows that request's fields (docs/en/API.md, section 4, of ace-step/ACE-Step-1.5) and nothing of HTTP. A
caller's words go into `prompt`, `lyrics` and `lm_negative_prompt` alone; no field names a file: recordings
are uploaded.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lambdas.core.errors import PermanentError, Unfit
from lambdas.core.pieces import Piece
from lambdas.core.ports import Input

INSTRUMENTAL = "[Instrumental]"
PLAIN = "text2music"
TASKS = {
    "reference": (PLAIN, "reference_audio"),
    "melody": ("cover", "src_audio"),
    "continue": ("repaint", "src_audio"),
}
"""Role of a recording → the task, and the form field that takes the file."""

PLANNING = {
    "negative_prompt": "lm_negative_prompt",
    "temperature": "lm_temperature",
    "top_k": "lm_top_k",
    "top_p": "lm_top_p",
}
"""What only the language model heeds that plans a song; the catalogue lets no cover or repaint have it."""

KEY = re.compile(r"([A-G][#b]?) ?(.*)")
MINOR = {"minor", "min", "m"}


@dataclass(frozen=True, slots=True)
class Asked:
    fields: Mapping[str, object]
    upload: str | None = None  # the form field that takes the recording
    recording: Input | None = None
    seconds: float | None = None  # of the recording that are wanted


def asked(piece: Piece, inputs: Sequence[Input], *, planning: bool) -> Asked:
    """`planning`: whether the server has its language model.

    Raises PermanentError for what the model cannot do, Unfit for what this server cannot.
    """
    recording = inputs[0] if inputs else None
    if len(inputs) > 1 or (recording is not None and recording.role not in TASKS):
        raise PermanentError(
            "unsupported_input", "ACE-Step takes one recording: a melody, a beginning or a model."
        )
    task, upload = TASKS[recording.role] if recording else (PLAIN, None)
    if not planning:
        _refuse_planning(piece)
    fields = _song(piece, planning) | {"task_type": task, "thinking": planning and task == PLAIN}
    if recording is None:
        return Asked(fields)
    if task == "repaint":
        fields |= _extension(piece, recording)
    return Asked(fields, upload, recording, piece.duration if task == "cover" else None)


def _song(piece: Piece, planning: bool) -> dict[str, object]:
    return {
        "prompt": piece.effective_prompt,
        "lyrics": INSTRUMENTAL if piece.instrumental or not piece.lyrics else piece.lyrics,
        "vocal_language": "unknown",
        "audio_duration": piece.duration,
        "audio_format": "wav",
        "batch_size": 1,
        "use_random_seed": False,
        "seed": piece.seed,
        "use_cot_caption": False,  # the prompt that the job shows is the one that the model hears
        "use_cot_language": planning,
        **_said(piece),
    }


def _refuse_planning(piece: Piece) -> None:
    for name in PLANNING:
        if getattr(piece, name) is not None:
            raise Unfit("no_language_model", f"This ACE-Step server has no model that heeds {name}.")


def _said(piece: Piece) -> dict[str, object]:
    said: dict[str, object] = {field: getattr(piece, name) for name, field in PLANNING.items()}
    said["bpm"] = None if piece.bpm is None else round(piece.bpm)
    said["key_scale"] = None if piece.key is None else _key_scale(piece.key)
    return {name: value for name, value in said.items() if value is not None}


def _key_scale(key: str) -> str:
    """`F#m` → `F# minor`: the server's own spelling (acestep/constants.py)."""
    found = KEY.fullmatch(key)
    if found is None:
        raise PermanentError("unsupported_key", f"ACE-Step does not know the key {key!r}.")
    return f"{found[1]} {'minor' if found[2] in MINOR else 'major'}"


def _extension(piece: Piece, recording: Input) -> dict[str, object]:
    """Repainting what lies beyond a recording's end extends it; the result begins with the recording."""
    if recording.seconds >= piece.duration:
        reason = f"The recording is {recording.seconds:g} s long: ask for more than that to continue it."
        raise PermanentError("nothing_to_continue", reason)
    return {"repainting_start": recording.seconds, "repainting_end": piece.duration}
