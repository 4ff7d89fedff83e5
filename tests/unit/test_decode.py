"""What mastering takes in, and what it refuses."""

import io
from pathlib import Path

import av
import numpy as np
import pytest

from lambdas.audio.decode import decode
from lambdas.audio.encode import encode
from lambdas.audio.waveform import Waveform
from lambdas.core.errors import UnusableAudio
from lambdas.core.recordings import Format
from tests.unit.signals import float_wav, music, noise, wav

GOOD = wav(music(1, 44100), 44100)
UNUSABLE = {
    "nothing": b"",
    "text": b"<html>502 Bad Gateway</html>" * 50,
    "a header alone": wav(np.zeros((2, 0)), 44100),
    "a click": wav(np.zeros((2, 100)), 44100),
    "a cut": GOOD[:-500],
    "a cut in the header": GOOD[:30],
    "not a number": float_wav(np.full((1, 44100), np.nan), 44100),
    "infinity": float_wav(np.where(np.arange(44100) == 9, np.inf, 0.1)[None], 44100),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_what_is_not_a_song_is_refused_with_a_reason(name):
    with pytest.raises(UnusableAudio, match=r"\w+ \w+"):
        decode(UNUSABLE[name])


def test_a_flac_cut_short_is_refused():
    whole = encode(Waveform(music(1, 44100).astype(np.float32), 44100), Format.FLAC, {})

    with pytest.raises(UnusableAudio):
        decode(whole[: len(whole) // 2])


def test_more_than_the_longest_song_is_refused_before_it_fills_the_memory():
    with pytest.raises(UnusableAudio, match=r"longer than 0\.5 seconds"):
        decode(GOOD, max_seconds=0.5)


@pytest.mark.parametrize(
    "playlist",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{path}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile '{path}'\n",
    ],
)
def test_a_playlist_cannot_make_us_open_another_file(tmp_path: Path, playlist: str) -> None:
    secret = tmp_path / "secret.wav"
    secret.write_bytes(GOOD)

    with pytest.raises(UnusableAudio):
        decode(playlist.format(path=secret).encode())


def test_two_streams_in_one_file_are_refused():
    file = io.BytesIO()
    with av.open(file, "w", format="mov") as container:
        streams = [container.add_stream("pcm_s16le", 44100, layout="mono") for _ in range(2)]
        for stream in streams:
            for frame in Waveform(noise(1, 44100, 1).astype(np.float32), 44100).frames():
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))

    with pytest.raises(UnusableAudio, match="exactly one audio stream"):
        decode(file.getvalue())


def test_samples_arrive_as_they_were_written():
    samples = music(1, 44100) * 3

    waveform = decode(float_wav(samples, 44100))

    assert waveform.rate == 44100
    assert np.array_equal(waveform.samples, samples.astype(np.float32))


def test_a_wav_written_to_a_pipe_ends_where_it_ends():
    unknown = b"\xff\xff\xff\xff"

    waveform = decode(GOOD[:4] + unknown + GOOD[8:40] + unknown + GOOD[44:])

    assert waveform.length == 44100
