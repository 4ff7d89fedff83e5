"""What callers may ask, field by field. Wrong types, unknown fields and wrong values get no further."""

import unicodedata
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from lambdas.core.addresses import may_be_public
from lambdas.core.recordings import LONGEST_RECORDING, SHORTEST_PART

PROMPT_LENGTH = 500
RAW_LENGTH = 10_000  # characters looked at before normalising
MAX_VARIATIONS = 4
SEEDS = 2**32
MOST_BYTES = 50 * 2**20

_JOINERS = "\u200c\u200d"  # build emoji and some scripts' letters; every other format character is dropped


def normalise(text: object) -> object:
    """Single spaces, no control or invisible format characters, canonical composition (NFC)."""
    if not isinstance(text, str) or len(text) > RAW_LENGTH:
        return text
    spaced = "".join(" " if char.isspace() else char for char in text)
    kept = (
        char for char in spaced if unicodedata.category(char) not in ("Cc", "Cf", "Cs") or char in _JOINERS
    )
    line = unicodedata.normalize("NFC", " ".join("".join(kept).split()))
    return line if line.strip(_JOINERS + " ") else ""


def _https(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or parts.username or parts.password:
        raise ValueError("must be an https address with a host and without credentials")
    if parts.port not in (None, 443):
        raise ValueError("must use port 443")
    if not url.isprintable() or " " in url:
        raise ValueError("must not hold spaces or control characters")
    if not may_be_public(parts.hostname):
        raise ValueError("must not lead into a private network")
    return url


def _integral(value: object) -> object:
    """To JSON and its Schema 7.0 is an integer."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Line = Annotated[str, BeforeValidator(normalise), Field(min_length=1, max_length=PROMPT_LENGTH)]
Finite = Annotated[float, Field(strict=True, allow_inf_nan=False)]
WHOLE = BeforeValidator(_integral)
Identifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,64}$")]
Moment = Annotated[Finite, Field(ge=0, le=LONGEST_RECORDING)]

UploadType = Literal[
    "audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave",
    "audio/mpeg", "audio/mp3",
    "audio/mp4", "audio/m4a", "audio/x-m4a",
    "audio/flac", "audio/x-flac",
    "audio/ogg", "audio/opus", "application/ogg",
]  # fmt: skip
"""What browsers and systems call WAV, MP3, M4A, FLAC and OGG. What a file is, its content says later."""


class Request(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    def __repr_args__(self) -> tuple[()]:
        """Nothing: what a caller wrote belongs in no log, and frameworks print the arguments they pass on."""
        return ()


class SourceRequest(Request):
    """A part of a recording: of an upload of yours, or of a finished job's audio."""

    upload_id: Identifier | None = None
    job_id: Identifier | None = None
    start_time: Moment = Field(0.0, description="Seconds.")
    end_time: Moment | None = Field(None, description="Seconds; when absent, the recording's end.")

    @model_validator(mode="after")
    def _one_part_of_one_recording(self) -> Self:
        if (self.upload_id is None) == (self.job_id is None):
            raise ValueError("give upload_id or job_id, one of them")
        if self.end_time is not None and self.end_time < self.start_time + SHORTEST_PART:
            raise ValueError("end_time must lie at least a second after start_time")
        return self


class ReferenceRequest(SourceRequest):
    role: Literal["melody", "continue", "reference"] = Field(
        description="A tune to follow, a beginning to carry on, a sound to be like."
    )


class GenerateRequest(Request):
    """`POST /generate`."""

    prompt: Line | None = Field(
        None,
        description="What the music should be like; required unless `tracks` are given. Its length counts "
        "with white space normalised and control characters removed.",
    )
    model: Annotated[str, Field(max_length=64)] | None = Field(None, description="An id of `GET /models`.")
    duration: Annotated[Finite, Field(ge=1, le=300)] = Field(
        30.0, description="Seconds. When absent, at most as many as the model makes."
    )
    genre: Annotated[str, BeforeValidator(normalise), Field(min_length=1, max_length=50)] | None = None
    lyrics: Annotated[str, Field(max_length=5000)] | None = None
    negative_prompt: Line | None = None
    bpm: Annotated[Finite, Field(ge=20, le=300)] | None = None
    key: Annotated[str, Field(pattern=r"^[A-G](#|b)?( ?(major|minor|maj|min|m))?$")] | None = Field(
        None, description="Such as `C`, `F# minor`, `Bb major`."
    )
    instrumental: Annotated[bool, Field(strict=True)] | None = None
    seed: Annotated[int, Field(strict=True, ge=0, le=SEEDS - 1), WHOLE] | None = Field(
        None, description="Drawn when absent."
    )
    temperature: Annotated[Finite, Field(ge=0, le=10)] | None = None
    top_k: Annotated[int, Field(strict=True, ge=0, le=10_000), WHOLE] | None = None
    top_p: Annotated[Finite, Field(ge=0, le=1)] | None = None
    guidance: Annotated[Finite, Field(ge=0, le=30)] | None = None
    tracks: Annotated[tuple[SourceRequest, ...], Field(min_length=2, max_length=2)] | None = Field(
        None, description="Two recordings to blend, for models that take them."
    )
    audio: ReferenceRequest | None = Field(None, description="A recording to build on, by its role.")
    format: Literal["wav", "mp3", "flac", "ogg"] = "wav"
    variations: Annotated[int, Field(strict=True, ge=1, le=MAX_VARIATIONS), WHOLE] = 1
    webhook_url: Annotated[str, Field(max_length=2000), AfterValidator(_https)] | None = None


class UploadRequest(Request):
    """`POST /uploads`."""

    filename: Annotated[str, BeforeValidator(normalise), Field(min_length=1, max_length=255)] = Field(
        description="For display alone."
    )
    content_type: UploadType
    bytes: Annotated[int, Field(strict=True, ge=1, le=MOST_BYTES), WHOLE] = Field(
        description="The file's size: the form takes this much and no more."
    )


class PatchRequest(Request):
    """`PATCH /jobs/{id}`. `null` gives the title back to the prompt."""

    title: Annotated[str, BeforeValidator(normalise), Field(min_length=1, max_length=200)] | None = None
    favourite: Annotated[bool, Field(strict=True)] = False
