"""WAV files as they come from hosts of models and go to them, cut without being decoded."""

import io
import wave


def beginning(wav: bytes, seconds: float) -> bytes:
    """The first `seconds` of a PCM WAV; the whole of a shorter one, and of what is no PCM WAV."""
    buffer = io.BytesIO()
    try:
        with wave.open(io.BytesIO(wav), "rb") as whole:
            wanted = round(seconds * whole.getframerate())
            if whole.getnframes() <= wanted:
                return wav
            with wave.open(buffer, "wb") as part:
                part.setparams(whole.getparams()._replace(nframes=wanted))
                part.writeframes(whole.readframes(wanted))
    except (wave.Error, EOFError):
        return wav
    return buffer.getvalue()
