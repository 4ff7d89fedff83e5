"""The table of genres: pure data. Figures are explained in accompaniment.py, rhythms in melody.py."""

from lambdas.backends.composer.styles import Style, Tonality, arpeggio, bass, chords, lead, pad, riff

_POP = Tonality("major", ("I V vi IV", "vi IV I V", "I vi IV V", "IV V iii vi", "I IV vi V"), "IV/V", "I")
_POP_MINOR = Tonality(
    "minor", ("i bVI bIII bVII", "i iv bVI bVII", "bVI bVII i i", "i bVII bVI bVII"), "iv/V", "i"
)
_CLUB = Tonality("major", ("vi IV I V", "I V vi IV", "IV I V vi"), "IV/V", "I")
_CLUB_MINOR = Tonality("minor", ("i bVI bIII bVII", "i bVII bVI bVI", "i bIII bVII iv"), "bVI/bVII", "i")
_HOUSE = Tonality(
    "major", ("Imaj7 vi7 ii7 V7sus4", "IVmaj7 iii7 vi7 vi7", "ii7 iii7 IVmaj7 V7sus4"), "V7sus4", "Imaj7"
)
_HOUSE_MINOR = Tonality("dorian", ("i9 iv7 i9 bVII7", "i7 bIIImaj7 iv7 v7", "i9 i9 iv7 v7"), "v7", "i9")
_DRONE = Tonality("minor", ("i i i bVI", "i i iv i", "i bII i i"), "v", "i")
_ROCK = Tonality("major", ("I IV V IV", "I bVII IV I", "I V IV IV", "vi IV I V"), "IV/V", "I")
_ROCK_MINOR = Tonality("minor", ("i bVII bVI bVII", "i bIII bVII iv", "i i bVI bVII"), "bVI/V", "i")
_METAL = Tonality("phrygian", ("i i bII i", "i bVI bVII i", "i bII bIII bII", "i i bVI v"), "bII", "i")
_JAZZ = Tonality(
    "major",
    ("ii7 V7 Imaj7 vi7", "Imaj7 vi7 ii7 V7", "iii7 vi7 ii7 V7", "Imaj7 IVmaj7 iii7/vi7 ii7/V7"),
    "ii7/V7",
    "Imaj9",
)
_JAZZ_MINOR = Tonality(
    "minor",
    ("i7 iv7 iim7b5/V7 i7", "iim7b5 V7 i7 i7", "i7 bVImaj7 iim7b5 V7", "iv7 bVII7 bIIImaj7 V7"),
    "iim7b5/V7",
    "i9",
)
_BLUES = Tonality(
    "mixolydian",
    ("I7 I7 I7 I7 IV7 IV7 I7 I7 V7 IV7 I7 V7", "I7 IV7 I7 I7 IV7 IV7 I7 I7 V7 IV7 I7 V7"),
    "IV7/V7",
    "I7",
)
_BLUES_MINOR = Tonality(
    "minor",
    ("i7 i7 i7 i7 iv7 iv7 i7 i7 bVI7 V7 i7 V7", "i7 iv7 i7 i7 iv7 iv7 i7 i7 bVI7 V7 i7 i7"),
    "V7",
    "i7",
)
_CLASSICAL = Tonality(
    "major", ("I IV/V I vi/V", "I V vi iii IV I ii V", "I ii V I", "vi ii V I"), "ii/V7", "I"
)
_CLASSICAL_MINOR = Tonality(
    "minor", ("i iv/V i bVI/V", "i V i bVII bIII iv i V", "i bVI iv V", "bVI bIII iv V"), "iv/V7", "i"
)
_EPIC_MAJOR = Tonality("major", ("I V vi IV", "vi IV I V", "IV vi I V"), "IV/V", "I")
_EPIC = Tonality("minor", ("i bVI bIII bVII", "i bVII bVI iv", "i iv bVI V", "bVI bVII i i"), "bVI/V", "i")
_AIR = Tonality("lydian", ("Imaj9 II Imaj9 vi7", "Iadd9 iii7 Imaj9 V", "Imaj9 vi7 iii7 II"), "V", "Iadd9")
_AIR_MINOR = Tonality(
    "minor", ("i9 bVImaj7 i9 iv7", "i9 bIIImaj7 bVImaj7 iv7", "bVImaj7 iv7 i9 i9"), "iv7", "i9"
)
_SOUL = Tonality(
    "major", ("Imaj7 vi7 ii7 iii7", "IVmaj7 iii7 ii7 Imaj7", "Imaj9 IVmaj7 iii7 vi7"), "ii7/V7", "Imaj9"
)
_SOUL_MINOR = Tonality("minor", ("i9 iv9 i9 v7", "i7 bVImaj7 iv7 v7", "bVImaj7 v7 i9 i9"), "iv7/v7", "i9")
_FUNK = Tonality("mixolydian", ("I9 I9 I9 IV9", "I7 IV9 I7 IV9", "IV9 IV9 I7 I7"), "IV9", "I9")
_FUNK_MINOR = Tonality("dorian", ("i7 i7 IV9 i7", "i9 IV9 i9 IV9", "i7 bIII iv7 IV9"), "IV9", "i9")
_ROOTS = Tonality("major", ("I V vi IV", "I IV I V", "ii V I I", "I I IV V"), "IV/V", "I")
_ROOTS_MINOR = Tonality("minor", ("i bVII i bVII", "i iv i v", "bVI bVII i i"), "v", "i")
_LATIN = Tonality(
    "major", ("Imaj7 ii7/V7 Imaj7 ii7/V7", "Imaj7 vi7 ii7 V7", "IVmaj7 iii7 ii7 V7"), "ii7/V7", "Imaj7"
)
_LATIN_MINOR = Tonality("minor", ("i7 iv7 V7 i7", "i7 bVII7 bVImaj7 V7", "iv7 i7 V7 i7"), "V7", "i6")
_FOLK = Tonality("major", ("I V vi IV", "I IV I V", "IV I V I", "I I IV V"), "IV/V", "I")
_FOLK_MINOR = Tonality("dorian", ("i bVII i bVII", "i bIII bVII IV", "i IV i bVII"), "bVII", "i")
_COUNTRY = Tonality("major", ("I IV V I", "I I IV V", "I V IV I", "IV I V I"), "V7", "I6")

_EIGHTHS = "R-R-R-R-R-R-R-R-"
_STABS = ("x--.....x--.....", "x--x--..x--x--..", "x--x--x-..x--x-.", "x-x--x-xx-x--x-x")
_STRUM = ("X---x---X---x---", "X---x-x-x-x-x---", "X---x-x-.-x-x-x-", "X-x-x-xxX-x-x-xx")
_PICK = ("0---2---1---2---", "0-2-1-2-3-2-1-2-", "0-2-3-2-1-2-3-2-", "0-2132103-213210")

GENRES: dict[str, Style] = {
    "pop": Style(
        ("pop", "indie", "singer songwriter", "k pop", "chart"), (98, 118), 0.3, _POP, _POP_MINOR,
        (bass("electric bass", "R-----R-R-------", "R--R--R-R--R--R-", _EIGHTHS),
         chords("piano", "x-------x-------", "x---x---x---x---", "x--x--x-x--x--x-", "x-x-x-x-x-x-x-x-"),
         pad("strings", -15, entry=0.6), arpeggio("clean guitar", *_PICK, level=-9, entry=0.75),
         lead("saw lead", "song", -3)), ("pop",)),
    "electronic": Style(
        ("electronic", "edm", "dance", "electro", "trance", "eurodance", "rave", "dubstep"), (124, 132), 0.6,
        _CLUB, _CLUB_MINOR,
        (bass("synth bass", "..R-..R-..R-..R-", "..RR..RR..RR..RR", ".RRR.RRR.RRR.RR8", level=6),
         chords("stab", *_STABS, level=-2, entry=0.3, echo=0.2), pad("analog pad", -13),
         arpeggio("synth pluck", "0.2.1.2.3.2.1.2.", "0120312031203120", "0123210301232103", level=-3,
                  entry=0.4),
         lead("supersaw", "hook", 0, entry=0.8, echo=0.25)),
        ("four on the floor",), "electronic", energy=0.8, density=0.6, pump=0.7),
    "house": Style(
        ("house", "deep house", "tech house", "garage", "nu disco"), (120, 125), 0.65, _HOUSE, _HOUSE_MINOR,
        (bass("square bass", "R-..R-.R..R-R...", "..R-.R8-..R-.R5-", "R.RR..R8.R.RR.8.", level=6),
         chords("organ", "...x--.x--......", "..x-..x-.x-...x-", "x..x..x.x..x.x..", level=-4, entry=0.2),
         pad("warm pad", -12), lead("electric piano", "hook", 1, 70, entry=0.8, echo=0.3)),
        ("house",), "electronic", swing=0.54, swing_unit=2, pump=0.6),
    "techno": Style(
        ("techno", "minimal", "industrial", "acid", "hardstyle"), (130, 138), 1.0, _DRONE, _DRONE,
        (bass("acid bass", "R.R.R.RRR.R.R.R8", "RRR8RR.RRR5RRR8R", "RRRRR8RRR3RRR8RR", level=4, centre=38),
         chords("stab", "...x.......x....", "...x..x....x..x.", level=-3, entry=0.6, echo=0.35),
         pad("warm pad", -16, 48)),
        ("techno",), "warehouse", energy=0.75, density=0.55, pump=0.5, space=1.3, brightness=-0.3),
    "drum and bass": Style(
        ("drum and bass", "drum n bass", "dnb", "d n b", "jungle", "breakbeat", "liquid"), (170, 176), 0.85,
        _CLUB, _CLUB_MINOR,
        (bass("reese bass", "R---------------", "R-----R---R-----", "R--R--R---8-5---", level=5, centre=33),
         pad("glass pad", -13, 62), chords("electric piano", "x-----..........", "x-----x---......",
                                           level=-4),
         lead("soft lead", "air", -4, 74, echo=0.3)),
        ("break",), "electronic", energy=0.8, space=1.3),
    "synthwave": Style(
        ("synthwave", "retrowave", "eighties", "80s", "vaporwave", "outrun", "synth pop"), (88, 104), 0.75,
        _POP, _POP_MINOR,
        (bass("synth bass", "R-R-R-R-R-R-R-R-", "RRRRRRRRRRRRRRRR", "RR8RRR8RRR8RRR8R", level=3),
         pad("analog pad", -13), arpeggio("square lead", "0.1.2.1.0.1.2.3.", "0123210301232103", level=-6),
         lead("saw lead", "song", -2, entry=0.6, echo=0.35)),
        ("synthwave",), "gated", space=1.4, density=0.6, pump=0.2),
    "hip hop": Style(
        ("hip hop", "hiphop", "rap", "trap", "boom bap", "drill", "r n b", "rnb", "urban"), (84, 94), 0.9,
        _SOUL, _SOUL_MINOR,
        (bass("sub bass", "R-----..R---....", "R---..R--.R-....", "R--R--..R-R--.5-", level=6, centre=33),
         chords("electric piano", "x-------........", "x-----..x-----..", "x-.x-...x-.x-.x-", level=-6),
         lead("bells", "sixteenth", -6, 76, entry=0.8, echo=0.3), pad("strings", -20)),
        ("boom bap", "trap"), "boom bap", swing=0.58, swing_unit=2, brightness=-0.4),
    "lo-fi": Style(
        ("lo fi", "lofi", "chillhop", "study beats", "chill beats"), (72, 84), 0.5, _SOUL, _SOUL_MINOR,
        (bass("upright bass", "R-----....R-----", "R-----R-..5---..", level=4),
         chords("electric piano", "x-------x-----..", "x-----x---x-----", level=-7, strum=0.012),
         arpeggio("vibraphone", "..2-..1-....3-..", "2-1-..3-2---1-..", level=-10, entry=0.7),
         pad("warm pad", -19)),
        ("dusty",), "boom bap", swing=0.6, swing_unit=2, energy=0.6, density=0.4, brightness=-0.9,
        drum_level=-3),
    "ambient": Style(
        ("ambient", "drone", "new age", "meditation", "meditative", "soundscape", "atmospheric", "space"),
        (58, 70), 0.5,
        _AIR, _AIR_MINOR,
        (pad("warm pad", -6, 55), pad("glass pad", -10, 70), bass("sub bass", "R---------------", level=-3,
                                                                  entry=0.3),
         arpeggio("harp", "0-------2-------", "0---2---3---....", level=-8, echo=0.5, send=0.7),
         lead("soft lead", "air", -9, 74, entry=0.6, echo=0.4, send=0.7)),
        energy=0.6, density=0.25, space=2.2, brightness=-0.3),
    "classical": Style(
        ("classical", "baroque", "chamber", "sonata", "waltz", "string quartet", "mozart", "bach",
         "romantic era"),
        (84, 112), 0.4, _CLASSICAL, _CLASSICAL_MINOR,
        (arpeggio("piano", "0---2-1-2-------", "0-2-1-2-0-2-1-2-", "0212021202120212", level=-4, pan=-0.1,
                  centre=57, echo=0),
         bass("pizzicato", "R-------5-------", "R---5---R---5---", level=-1, centre=40),
         pad("strings", -14, 62, entry=0.4), lead("violin", "march", -4, 76, entry=0.4, echo=0)),
        energy=0.7, space=1.4),
    "cinematic": Style(
        ("cinematic", "orchestral", "orchestra", "film", "movie", "soundtrack", "trailer", "symphony",
         "symphonic", "score"),
        (76, 96), 0.75, _EPIC_MAJOR, _EPIC,
        (chords("spiccato", "x-x-x-x-x-x-x-x-", "X-xxX-xxX-xxX-xx", "XxxxXxxxXxxxXxxx", level=-3, pan=0.15,
                centre=55),
         bass("horns", "R-------R-------", "R-----R-R-------", level=0, centre=38), pad("slow strings", -7,
                                                                                        64),
         pad("choir", -14, 62, entry=0.8), lead("horns", "march", 1, 64, entry=0.6, echo=0, send=0.5)),
        ("epic",), energy=0.75, space=1.8),
    "rock": Style(
        ("rock", "punk", "grunge", "alternative", "indie rock", "garage rock", "hard rock"), (118, 142),
        0.45, _ROCK, _ROCK_MINOR,
        (bass("picked bass", _EIGHTHS, _EIGHTHS, "R-R-R-R-R-R-5-a-", level=2),
         riff("overdriven guitar", "R-------R-------", "R---R-R-R---R-R-", "R-R-R-R-R-R-R-R-", level=1,
              pan=-0.35),
         chords("twang guitar", *_STRUM, level=-7, pan=0.45, strum=0.01),
         lead("lead guitar", "hook", -1, 69, entry=0.8)),
        ("rock",), energy=0.8, density=0.55),
    "metal": Style(
        ("metal", "heavy metal", "metalcore", "thrash", "djent", "deathcore", "doom"), (150, 176), 1.0,
        _METAL, _METAL,
        (bass("picked bass", "R-RRR-RRR-RRR-RR", "RRRRRRRRRRRRRRRR", level=4, centre=33),
         riff("chugging guitar", "R-RRR-RRR-RRR-RR", "RRRRRR3RRRRRRR5R", "RRRRRRRRRRRRRR35", level=5,
              pan=-0.3, centre=40),
         riff("overdriven guitar", "R---------------", "R-------R-------", level=0, pan=0.35, centre=45),
         lead("lead guitar", "sixteenth", 4, 74, entry=0.85)),
        ("metal",), "metal", energy=0.9, density=0.7, space=0.7),
    "jazz": Style(
        ("jazz", "swing", "bebop", "big band", "smooth jazz", "noir"), (112, 148), 0.35, _JAZZ, _JAZZ_MINOR,
        (bass("upright bass", "R---w---5---a---", "R---3---5---a---", "R---w---5---w-a-", level=4, entry=0.3),
         chords("piano", "x-....x-........", "..x-......x-x-..", "x-..x-..x-....x-", level=-8),
         lead("saxophone", "swung", -2, 69, entry=0.5, echo=0), arpeggio("vibraphone", "....2-..3-..1-..",
                                                                         level=-8, entry=0.8)),
        ("swing",), "brushes", swing=0.65, energy=0.7, density=0.6, brightness=-0.2),
    "blues": Style(
        ("blues", "bluesy", "delta blues", "boogie"), (76, 104), 0.2, _BLUES, _BLUES_MINOR,
        (bass("electric bass", "R---5---6---5---", "R---3---5---6---", "R-R-3-3-5-5-6-5-", level=3),
         chords("organ", "..x-..x-..x-..x-", "x-..x-..x-..x-x-", level=-12), riff("clean guitar",
                                                                                  "R-5-R-6-R-5-R-6-",
                                                                                  level=-5, pan=0.3),
         lead("harmonica", "swung", -4, 70, echo=0.1)),
        ("shuffle",), swing=0.65, brightness=-0.1),
    "funk": Style(
        ("funk", "funky", "disco", "soul", "motown", "groove"), (100, 114), 0.5, _FUNK, _FUNK_MINOR,
        (bass("electric bass", "R--R..8.R..R.58.", "R.RR..8.R.8R.57.", "RR.8R.R8.RR.875.", level=5),
         chords("muted guitar", "x.xx..x.x.xx.x..", "xxxx.xxxx.xx.xxx", level=-2, pan=0.4, entry=0.2),
         pad("organ", -18, 62, entry=0.6), arpeggio("brass", "............2.2.", "2.......2..2....",
                                                    level=0, pan=-0.2, centre=64, entry=0.85, echo=0),
         lead("clean guitar", "sixteenth", 0, 69, entry=0.8)),
        ("funk",), swing=0.53, swing_unit=2, energy=0.75, density=0.6, space=0.7),
    "reggae": Style(
        ("reggae", "dub", "ska", "dancehall", "roots reggae", "island"), (70, 80), 0.35, _ROOTS, _ROOTS_MINOR,
        (bass("sub bass", "R--R..5-3-......", "R-.R-.5-R-.3-.5-", "..R-R-5-..R-8-5-", level=6),
         chords("muted guitar", "....x.......x...", "..x...x...x...x.", level=4, pan=0.35), pad("organ", -20,
                                                                                                58,
                                                                                                entry=0.5),
         arpeggio("organ", "..1.2...1...2...", level=-11, pan=-0.4, centre=60), lead("trumpet", "song", -6,
                                                                                     70, entry=0.8,
                                                                                     echo=0.35)),
        ("one drop",), swing=0.56, swing_unit=2, energy=0.65, density=0.45),
    "latin": Style(
        ("latin", "salsa", "bossa", "bossa nova", "samba", "cumbia", "tango", "mambo", "flamenco", "rumba"),
        (112, 132), 0.45,
        _LATIN, _LATIN_MINOR,
        (bass("upright bass", "R-----5-R-----5-", "R-----5---8---5-", "R--5--8-R--5--a-", level=4),
         chords("nylon guitar", "x--x--x---x--x--", "x-.x-.x-..x-.x-.", "x.xx.xx.x.xx.xx.", level=-4,
                strum=0.006),
         arpeggio("piano", "2.3..3.2.3..3.2.", "3.23.23.3.23.23.", level=-4, entry=0.7, echo=0),
         lead("flute", "song", -3, 76, entry=0.6)),
        ("bossa", "salsa"), energy=0.7, density=0.5),
    "folk": Style(
        ("folk", "acoustic", "celtic", "ballad", "campfire", "americana", "medieval"), (88, 108), 0.3, _FOLK,
        _FOLK_MINOR,
        (arpeggio("acoustic guitar", *_PICK, level=-2, pan=-0.2, centre=57, entry=0, echo=0),
         chords("nylon guitar", *_STRUM, level=-11, pan=0.35, strum=0.014, entry=0.6),
         bass("upright bass", "R-------5-------", "R-----R-5-------", level=0), lead("flute", "song", -4, 74,
                                                                                     echo=0),
         pad("violin", -21, 66, entry=0.85)),
        ("stomp",), energy=0.6, density=0.45, drum_level=-6),
    "country": Style(
        ("country", "bluegrass", "western", "cowboy", "honky tonk", "nashville"), (104, 124), 0.05, _COUNTRY,
        _FOLK_MINOR,
        (bass("electric bass", "R-------5-------", "R-------5-----a-", "R---R---5---5-a-", level=4),
         chords("acoustic guitar", "....x-......x-..", "..x-X-x-..x-X-x-", "..x-X-xx..x-X-xx", level=-3,
                strum=0.01),
         arpeggio("banjo", "0.2.3.2.0.2.3.2.", "0213021302130213", level=-4, entry=0.6, echo=0),
         lead("twang guitar", "song", 0, 67)),
        ("train",), energy=0.7),
}  # fmt: skip
