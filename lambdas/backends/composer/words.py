"""Words to musical meaning: moods, speeds, instruments. Matches whole words in any case; knows no styles."""

import re
import unicodedata
from dataclasses import dataclass


@dataclass(frozen=True)
class Mood:
    """What a word changes. `minor` decides the mode (None leaves it); the rest adds up over the words."""

    words: tuple[str, ...]
    minor: bool | None = None
    tempo: float = 1.0
    brightness: float = 0.0
    density: float = 0.0
    register: int = 0
    energy: float = 0.0
    space: float = 1.0


@dataclass(frozen=True)
class Instrument:
    """What a word asks for: a voice for one role of the band."""

    words: tuple[str, ...]
    role: str
    voice: str


MOODS: dict[str, Mood] = {
    "happy": Mood(("happy", "cheerful", "joyful", "joyous", "fun", "sunny", "playful", "bright", "summer"),
                  False, 1.06, 0.3, 0.1, 2, 0.05),
    "sad": Mood(("sad", "sorrowful", "heartbreak", "tearful", "mournful", "gloomy", "grief", "lonely",
                 "crying"),
                True, 0.82, -0.5, -0.2, -2, -0.15, 1.2),
    "melancholic": Mood(("melancholic", "melancholy", "wistful", "bittersweet", "nostalgic", "moody",
                         "longing"),
                        True, 0.9, -0.3, -0.12, 0, -0.1, 1.2),
    "dark": Mood(("dark", "sinister", "ominous", "evil", "gothic", "spooky", "scary", "horror", "haunting"),
                 True, 0.96, -0.7, 0.0, -5, 0.0, 1.3),
    "calm": Mood(("calm", "relaxing", "relaxed", "peaceful", "gentle", "soft", "soothing", "quiet", "mellow",
                  "chill", "chilled", "serene", "tranquil", "sleepy", "tender"), None, 0.86, -0.4, -0.3, 0,
                  -0.25, 1.2),
    "energetic": Mood(("energetic", "energy", "powerful", "driving", "intense", "exciting", "wild", "party",
                       "pumping", "hype", "workout"), None, 1.08, 0.25, 0.25, 1, 0.25, 0.9),
    "upbeat": Mood(("upbeat", "lively", "bouncy", "groovy", "catchy"), None, 1.05, 0.15, 0.12, 1, 0.1),
    "aggressive": Mood(("aggressive", "angry", "furious", "brutal", "rage", "violent"), True, 1.08, 0.2, 0.3,
                       -3, 0.3, 0.8),
    "epic": Mood(("epic", "heroic", "triumphant", "majestic", "grand", "victorious", "dramatic"),
                 None, 1.0, 0.2, 0.1, 0, 0.25, 1.5),
    "dreamy": Mood(("dreamy", "ethereal", "floating", "hazy", "heavenly", "magical", "celestial"),
                   None, 0.92, -0.2, -0.15, 3, -0.1, 1.8),
    "tense": Mood(("tense", "suspense", "suspenseful", "mysterious", "mystery", "eerie", "anxious"),
                  True, 1.0, -0.4, 0.0, -2, -0.05, 1.5),
    "hopeful": Mood(("hopeful", "uplifting", "inspiring", "inspirational", "motivational", "optimistic",
                     "positive"),
                    False, 1.03, 0.2, 0.05, 2, 0.1, 1.2),
    "romantic": Mood(("romantic", "love", "sensual", "intimate", "warm"), None, 0.93, -0.3, -0.1, 0, -0.1,
                     1.2),
}  # fmt: skip

SPEEDS: dict[str, float] = {
    "slow": 0.76, "slowly": 0.76, "downtempo": 0.82, "slower": 0.85, "lento": 0.7, "adagio": 0.75,
    "largo": 0.65,
    "fast": 1.25, "faster": 1.15, "quick": 1.18, "rapid": 1.25, "uptempo": 1.15, "up tempo": 1.15,
    "speedy": 1.2, "allegro": 1.15, "presto": 1.35, "mid tempo": 1.0,
}  # fmt: skip

INSTRUMENTS: tuple[Instrument, ...] = (
    Instrument(("electric piano", "rhodes", "wurlitzer"), "chords", "electric piano"),
    Instrument(("piano", "grand piano", "keys", "keyboard"), "chords", "piano"),
    Instrument(("organ", "hammond"), "chords", "organ"),
    Instrument(("acoustic guitar", "guitar", "guitars", "ukulele"), "chords", "acoustic guitar"),
    Instrument(("electric guitar", "distorted guitar", "guitar riff", "guitar riffs"), "riff",
               "overdriven guitar"),
    Instrument(("guitar solo", "lead guitar"), "lead", "lead guitar"),
    Instrument(("classical guitar", "nylon guitar", "spanish guitar"), "chords", "nylon guitar"),
    Instrument(("banjo",), "arpeggio", "banjo"),
    Instrument(("harp",), "arpeggio", "harp"),
    Instrument(("marimba", "vibraphone", "xylophone"), "arpeggio", "vibraphone"),
    Instrument(("bells", "bell", "glockenspiel", "music box", "celesta"), "arpeggio", "bells"),
    Instrument(("arpeggio", "arpeggios", "arp", "plucks", "pluck"), "arpeggio", "synth pluck"),
    Instrument(("strings", "string section", "orchestra strings"), "pad", "strings"),
    Instrument(("choir", "vocals", "voices", "chant"), "pad", "choir"),
    Instrument(("pad", "pads"), "pad", "warm pad"),
    Instrument(("violin", "fiddle", "cello"), "lead", "violin"),
    Instrument(("flute", "whistle", "recorder"), "lead", "flute"),
    Instrument(("saxophone", "sax", "clarinet"), "lead", "saxophone"),
    Instrument(("trumpet", "trombone"), "lead", "trumpet"),
    Instrument(("brass", "horn section", "horns"), "arpeggio", "brass"),
    Instrument(("harmonica", "accordion"), "lead", "harmonica"),
    Instrument(("synth", "synths", "synthesizer", "synthesizers", "synth lead"), "lead", "saw lead"),
    Instrument(("808", "sub bass"), "bass", "sub bass"),
    Instrument(("upright bass", "double bass"), "bass", "upright bass"),
    Instrument(("synth bass",), "bass", "synth bass"),
    Instrument(("slap bass", "bass guitar"), "bass", "electric bass"),
)  # fmt: skip

HEAVY_BASS = ("heavy bass", "deep bass", "big bass", "sub bass", "bass heavy", "strong bass", "booming bass",
              "fat bass",
              "thick bass", "bass boosted", "booming", "bass drop", "heavy 808", "heavy basslines",
              "heavy bassline")  # fmt: skip
DRUMS = ("drums", "drum", "percussion", "beat", "beats")
NAMES_OF_ROLES = {"melody": "lead", "lead": "lead", "bass": "bass", "bassline": "bass", "chords": "chords"}
_NEGATION = re.compile(r" (?:no|without|not|non|minus) (\w+)(?: (?:or|and) (\w+))?(?= )")
_DRUMLESS = ("drumless", "beatless", "no percussion", "no beat", "no beats", "a cappella", "unaccompanied")
_BPM = re.compile(r"(?<![\w.])(\d{2,3}(?:\.\d+)?)\s*-?\s*(?:bpm|beats per minute)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Text:
    """A prompt made ready: lower-case words between single spaces, and the words it takes back."""

    plain: str
    refused: frozenset[str]

    @classmethod
    def read(cls, prompt: str) -> "Text":
        folded = unicodedata.normalize("NFKC", prompt).casefold()
        plain = " " + " ".join(re.findall(r"[^\W_]+", folded)) + " "
        refused = frozenset(word for found in _NEGATION.findall(plain) for word in found if word)
        if any(f" {phrase} " in plain for phrase in _DRUMLESS):
            refused |= {"drums"}
        return cls(_NEGATION.sub("", plain), refused)

    def place(self, phrases: tuple[str, ...]) -> tuple[int, int] | None:
        """Where the first of these phrases stands, and its length negated: earliest first, longest first."""
        found = [(self.plain.find(f" {phrase} "), -len(phrase)) for phrase in phrases]
        return min((place for place in found if place[0] >= 0), default=None)

    def has(self, phrases: tuple[str, ...]) -> bool:
        return self.place(phrases) is not None

    def moods(self) -> dict[str, Mood]:
        """The moods it names, in the order of the prompt."""
        found = {name: self.place(mood.words) for name, mood in MOODS.items()}
        ordered = sorted((place, name) for name, place in found.items() if place is not None)
        return {name: MOODS[name] for _, name in ordered}

    def instruments(self) -> list[Instrument]:
        """The instruments it names; "electric guitar" is not also a guitar."""
        found = [(place, one) for one in INSTRUMENTS if (place := self.place(one.words)) is not None]
        ends: dict[int, Instrument] = {}
        for (start, length), one in sorted(found, key=lambda item: (item[0][0], item[0][1])):
            ends.setdefault(start - length, one)
        return list(ends.values())

    def alone(self) -> Instrument | None:
        """The instrument that is to play by itself: "solo piano", "piano only", "just a guitar"."""
        for one in self.instruments():
            for word in one.words:
                if self.has(
                    (f"solo {word}", f"{word} only", f"{word} alone", f"just {word}", f"just a {word}")
                ):
                    return one
        return None

    def speed(self) -> float:
        factor = 1.0
        for word, change in SPEEDS.items():
            if self.has((word,)):
                factor *= change
        return min(max(factor, 0.6), 1.5)


def tempo_in(prompt: str) -> float | None:
    """The tempo that the prompt states outright ("120 bpm"), held between 40 and 240."""
    match = _BPM.search(unicodedata.normalize("NFKC", prompt))
    return min(max(float(match.group(1)), 40.0), 240.0) if match else None
