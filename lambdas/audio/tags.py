"""What every file says of its origin, in the words each container knows. Writes nothing itself."""

from collections.abc import Mapping
from dataclasses import dataclass

from lambdas.core.recordings import Format, Label

# RIFF INFO has a fixed vocabulary of four-letter names, so what it has no word for goes into the comment.
INFO_KEYWORDS = "IKEY"
AI_GENERATED = "AI-generated"


@dataclass(frozen=True, slots=True)
class Generator:
    """The program that made the file, beside the model that made the music."""

    name: str
    version: str


def tags(label: Label, form: Format, generator: Generator) -> Mapping[str, str]:
    """Return FFmpeg metadata: ID3v2 frames in MP3, Vorbis comments in FLAC and Ogg, INFO in WAV."""
    told = {
        "title": label.title,
        "encoded_by": f"{generator.name} {generator.version}",
        "comment": _sentence(label),
        "copyright": f"Licence of the model: {label.licence}",
    }
    if form is Format.WAV:
        return {**told, INFO_KEYWORDS: AI_GENERATED}
    return {**told, AI_GENERATED: "true", **_fields(label)}


def _fields(label: Label) -> Mapping[str, str]:
    fields = {
        "MODEL": label.model,
        "MODEL_REVISION": label.model_revision,
        "LICENSE": label.licence,
        "SEED": str(label.seed),
        "JOB_ID": label.job_id,
    }
    return {**fields, "MOCK": "true"} if label.mock else fields


def _sentence(label: Label) -> str:
    """One line that a person reads and a program splits at the semicolons."""
    return "; ".join([AI_GENERATED, *(f"{name.lower()}={value}" for name, value in _fields(label).items())])
