"""What is no recording, or a harmful one, as nobody should send it; each with the reason that is given."""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping

import numpy as np

from tests.unit.recordings import PNG, bare_wav, encoded, song, tune
from tests.unit.signals import float_wav, wav


def _archive() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("song.wav", bare_wav())
    return file.getvalue()


def _endless_flac() -> bytes:
    """STREAMINFO's 36 bits of total samples, all ones."""
    header = bytearray(song("FLAC"))
    header[21] |= 0x0F
    header[22:26] = b"\xff" * 4
    return bytes(header)


def _pointing_elsewhere(kind: bytes, reference: bytes) -> bytes:
    """An MP4 whose data reference (ISO 14496-12, 8.7.2) says that its sound lies in another file."""
    movie = song("MP4 of AAC")
    own = b"\0\0\0\x0curl \0\0\0\x01"
    assert own in movie
    other = struct.pack(">I", 12 + len(reference)) + kind + bytes(4) + reference
    grown = movie.replace(own, other)
    for atom in (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"):
        at = grown.index(atom) - 4
        size = int.from_bytes(grown[at : at + 4]) + len(other) - len(own)
        grown = grown[:at] + struct.pack(">I", size) + grown[at + 4 :]
    return grown


def by_address(address: str) -> bytes:
    return _pointing_elsewhere(b"url ", address.encode() + b"\0")


def by_alias(path: str) -> bytes:
    """QuickTime's way of naming another file, the one that FFmpeg can be told to follow."""
    place, name = ("M" + path.replace("/", ":")).encode(), path.rpartition("/")[2].encode()
    volume = b"\x01M" + bytes(26)
    file = bytes([len(name)]) + name.ljust(63, b"\0")
    levels = struct.pack(">HH", 1, 1)
    full = struct.pack(">HH", 2, len(place)) + place + bytes(len(place) % 2)
    record = bytes(10) + volume + bytes(12) + file + bytes(16) + levels + bytes(16) + full
    return _pointing_elsewhere(b"alis", record + struct.pack(">HH", 0xFFFF, 0))


def _alac_of_huge_frames() -> bytes:
    """A magic cookie that announces frames of 16 million samples."""
    alac = song("M4A of ALAC")
    at = alac.rindex(b"alac") + 8
    assert alac[at : at + 4] == struct.pack(">I", 4096)
    return alac[:at] + struct.pack(">I", 1 << 24) + alac[at + 4 :]


def _ogg_film() -> bytes:
    """A first page of Theora (its identification header, 16 × 16 points) before those of Opus."""
    head = b"\x80theora\x03\x02\x01\0\x01\0\x01" + bytes.fromhex("0000100000100000") + bytes(22)
    page = b"OggS\0\x02" + bytes(8) + b"film" + bytes(4) + b"%s\x01" + bytes([len(head)]) + head
    return page.replace(b"%s", _ogg_sum(page.replace(b"%s", bytes(4)))) + song("Ogg of Opus")


def _ogg_sum(page: bytes) -> bytes:
    """RFC 3533's checksum: CRC-32 of 04C11DB7, nothing reversed or inverted."""
    total = 0
    for byte in page:
        total ^= byte << 24
        for _ in range(8):
            total = (total << 1 ^ 0x04C11DB7 if total >> 31 else total << 1) & 0xFFFFFFFF
    return struct.pack("<I", total)


def _bomb() -> bytes:
    """A compressed index (QuickTime's `cmov`) that says it unpacks to 2 GB."""

    def atom(kind: bytes, *inner: bytes) -> bytes:
        body = b"".join(inner)
        return struct.pack(">I", 8 + len(body)) + kind + body

    packed = atom(b"cmvd", struct.pack(">I", 0x7FFF_FF00), zlib.compress(bytes(1 << 20)))
    index = atom(b"moov", atom(b"cmov", atom(b"dcom", b"zlib"), packed))
    return atom(b"ftyp", b"M4A \0\0\2\0isomiso2") + index


def _tag_of(size: int) -> bytes:
    return b"ID3\x04\0\0" + bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))


SILENT_FRAME = b"\xff\xf3\x18\xc0" + bytes(32)
"""36 ms of MPEG-2 layer III: 8 kbit/s, 16 kHz, mono."""
SCRIPT = "ffconcat version 1.0\nfile '{path}'\n"
HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{address}\n#EXT-X-ENDLIST\n"

HOSTILE: Mapping[str, tuple[Callable[[str, str], bytes], str]] = {
    "nothing": (lambda path, url: b"", "is empty"),
    "a byte": (lambda path, url: b"R", "not known here"),
    "noise": (lambda path, url: np.random.default_rng(3).bytes(100_000), "not known here"),
    "a playlist of files": (lambda path, url: HLS.format(address=f"file://{path}").encode(), "a playlist"),
    "a playlist of addresses": (lambda path, url: HLS.format(address=url).encode(), "a playlist"),
    "a playlist after a mark": (lambda path, url: b"\xef\xbb\xbf#EXTM3U\n" + url.encode(), "a playlist"),
    "a script of files": (lambda path, url: SCRIPT.format(path=path).encode(), "a playlist"),
    "a script behind a tag": (
        lambda path, url: _tag_of(10) + bytes(10) + SCRIPT.format(path=path).encode(),
        "a playlist",
    ),
    "a DASH manifest": (lambda path, url: f"<MPD><BaseURL>{url}</BaseURL></MPD>".encode(), "a web page"),
    "SVG": (lambda path, url: f'<svg><image href="{url}"/></svg>'.encode(), "a web page"),
    "HTML": (lambda path, url: b"<!doctype html><html>502 Bad Gateway</html>", "a web page"),
    "PNG": (lambda path, url: PNG, "a picture"),
    "GIF": (lambda path, url: b"GIF89a" + bytes(100), "a picture"),
    "JPEG": (lambda path, url: b"\xff\xd8\xff\xe0" + bytes(100), "a picture"),
    "AVI of MJPEG": (
        lambda path, url: encoded(("avi", "pcm_s16le", "s16"), tune(2, 48000), 48000, 0, "mjpeg"),
        "without sound",
    ),
    "ZIP": (lambda path, url: _archive(), "a ZIP archive"),
    "MIDI": (lambda path, url: b"MThd\0\0\0\x06" + bytes(20), "notes"),
    "AIFF": (
        lambda path, url: encoded(("aiff", "pcm_s16be", "s16"), tune(2, 48000), 48000),
        "an AIFF",
    ),
    "Matroska with two streams": (
        lambda path, url: encoded(("matroska", "aac", "fltp"), tune(2, 48000), 48000, 2),
        "a Matroska",
    ),
    "MP4 with two streams": (
        lambda path, url: encoded(("mp4", "aac", "fltp"), tune(2, 48000), 48000, 2),
        "2 streams of sound",
    ),
    "MP4 with a film": (
        lambda path, url: encoded(("mp4", "aac", "fltp"), tune(2, 48000), 48000, 1, "mpeg4"),
        "a film",
    ),
    "MP4 without sound": (
        lambda path, url: encoded(("mp4", "aac", "fltp"), tune(2, 48000), 48000, 0, "mpeg4"),
        "0 streams of sound",
    ),
    "Ogg with a film": (lambda path, url: _ogg_film(), "a film"),
    "MP4 without its index": (lambda path, url: song("MP4 of AAC")[:20_000], "damaged"),
    "MP4 of a bomb": (lambda path, url: _bomb(), "damaged"),
    "ALAC of huge frames": (lambda path, url: _alac_of_huge_frames(), "damaged"),
    "WAV of ADPCM": (
        lambda path, url: encoded(("wav", "adpcm_ms", "s16"), tune(2, 48000), 48000),
        "not read here",
    ),
    "WAV without channels": (lambda path, url: bare_wav(channels=0), "no recording does"),
    "WAV of 65535 channels": (lambda path, url: bare_wav(channels=65535), "no recording does"),
    "WAV of nine channels": (lambda path, url: bare_wav(channels=9), "9 channels"),
    "WAV at 4 GHz": (lambda path, url: bare_wav(rate=4_000_000_000), "damaged"),
    "WAV at 1 Hz": (lambda path, url: bare_wav(rate=1), "1 Hz"),
    "WAV of no bits": (lambda path, url: bare_wav(bits=0), "not read here"),
    "WAV that is a header": (lambda path, url: bare_wav()[:44], "no sound"),
    "WAV cut in its header": (lambda path, url: bare_wav()[:30], "damaged"),
    "WAV of nothing": (lambda path, url: wav(np.zeros((2, 0)), 44100), "no sound"),
    "WAV of a click": (lambda path, url: wav(np.zeros((2, 4000)), 44100), "at least 1 s"),
    "not a number": (lambda path, url: float_wav(np.full((1, 88200), np.nan), 44100), "not finite"),
    "infinity": (lambda path, url: float_wav(np.full((2, 88200), np.inf), 44100), "not finite"),
    "FLAC without an end": (lambda path, url: _endless_flac(), "longer than 20 minutes"),
    "a chain of empty ID3 tags": (lambda path, url: _tag_of(0) * 500_000 + song("MP3"), "more ID3 tags"),
    "an ID3 tag of 200 MB": (lambda path, url: _tag_of(200_000_000) + song("MP3"), "within its ID3 tag"),
    "noise that begins as MP3": (
        lambda path, url: b"\xff\xfb\x90\x64" + np.random.default_rng(1).bytes(300_000),
        "no sound",
    ),
    "an hour of MP3": (lambda path, url: SILENT_FRAME * 100_000, "longer than 20 minutes"),
    "21 minutes of WAV": (lambda path, url: wav(np.zeros((1, 21 * 60 * 8000)), 8000), "longer than 20"),
}
