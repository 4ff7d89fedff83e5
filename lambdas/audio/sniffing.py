"""What an upload is, told from its first bytes: one of five audio formats, or a refusal with its name.

Only FFmpeg's demuxer for that format is asked to open it, so no playlist, picture or script gets any further.
A file's name and declared type play no part.
"""

from lambdas.core.errors import UnusableAudio

WANTED = "send WAV, MP3, M4A, FLAC or OGG"
UNKNOWN = "of a kind that is not known here"
ID3_HEADER = 10  # bytes
MOST_TAGS = 16  # files have one, or two where a program did not find the first

FOREIGN: tuple[tuple[bytes, str], ...] = (
    (b"#EXTM3U", "a playlist"),
    (b"ffconcat", "a playlist"),
    (b"[playlist]", "a playlist"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"BM", "a picture"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a compressed file"),
    (b"%PDF", "a PDF document"),
    (b"<", "a web page or another text in XML"),
    (b"RIFF", "a RIFF file without sound, such as AVI or WebP"),
    (b"\x1aE\xdf\xa3", "a Matroska or WebM file"),
    (b"FORM", "an AIFF or another IFF file"),
    (b"MThd", "a MIDI file: notes, not sound"),
)


def sniff(raw: bytes) -> tuple[str, bytes]:
    """FFmpeg's name of the format, and the file without the ID3 tags before it.

    Those hold covers and compressed text that nobody here needs. Raises UnusableAudio.
    """
    if not raw:
        raise UnusableAudio("The file is empty.")
    data = _without_id3(raw)
    if data[:4] in (b"RIFF", b"RF64", b"BW64") and data[8:12] == b"WAVE":
        return "wav", data
    if data[:4] == b"fLaC":
        return "flac", data
    if data[:4] == b"OggS":
        return "ogg", data
    if data[4:8] == b"ftyp":
        return "mov", data
    if _is_mp3(data.lstrip(b"\0")[:4]):
        return "mp3", data
    raise UnusableAudio(f"The file is {_foreign(data)}; {WANTED}.")


def _without_id3(raw: bytes) -> bytes:
    start = 0
    for _ in range(MOST_TAGS + 1):
        header = raw[start : start + ID3_HEADER]
        if header[:3] != b"ID3" or len(header) < ID3_HEADER:
            return raw[start:]
        size = int.from_bytes(header[6:])
        start += ID3_HEADER + sum((size >> 8 * place & 0x7F) << 7 * place for place in range(4))
        if start >= len(raw):
            raise UnusableAudio("The file ends within its ID3 tag: it holds no sound.")
    raise UnusableAudio("The file begins with more ID3 tags than any song has.")


def _is_mp3(header: bytes) -> bool:
    """An MPEG audio frame of layer III, with rates that exist (ISO 11172-3, 2.4.2.3)."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return False
    version, layer = header[1] >> 3 & 3, header[1] >> 1 & 3
    bit_rate, rate = header[2] >> 4, header[2] >> 2 & 3
    return version != 1 and layer == 1 and bit_rate not in (0, 15) and rate != 3


def _foreign(data: bytes) -> str:
    text = data[:64].lstrip(b"\xef\xbb\xbf \t\r\n")
    return next((name for magic, name in FOREIGN if text.startswith(magic)), UNKNOWN)
