"""What the composer understands of a prompt."""

import pytest

from lambdas.backends.composer import Score, perform, plan
from lambdas.backends.composer.genres import GENRES


@pytest.mark.parametrize("genre", GENRES)
def test_speed_words_order_the_tempi(genre):
    slow, plain, fast = (plan(f"{word} {genre}", 3).tempo for word in ("slow", "", "fast"))

    assert slow < plain < fast


@pytest.mark.parametrize(
    ("prompt", "tempo"),
    [("techno at 128 bpm", 128), ("90BPM rock", 90), ("house 124.5 beats per minute", 124.5)],
)
def test_a_stated_tempo_is_kept(prompt, tempo):
    assert plan(prompt, 1).tempo == tempo


@pytest.mark.parametrize(
    ("prompt", "genre"),
    [
        ("JAZZ!", "jazz"),
        ("ｊａｚｚ", "jazz"),
        ("hip-hop", "hip hop"),
        ("Drum and Bass", "drum and bass"),
        ("synth pop", "synthwave"),
        ("electronic music: upbeat electronic dance music with heavy bass", "electronic"),
        ("rocket science, popcorn, metallic", "pop"),
        ("", "pop"),
        ("🎵🎶", "pop"),
        ("שיר שמח", "pop"),
    ],
)
def test_genres_are_whole_words_in_any_script(prompt, genre):
    assert plan(prompt, 1).genre == genre


def voices(score: Score) -> set[str]:
    return {part.voice for part in score.parts}


def test_named_instruments_play_and_refused_ones_do_not():
    assert {"organ", "saxophone"} <= voices(plan("rock with organ and sax", 1))
    assert "acoustic guitar" not in voices(plan("folk song, no guitar", 1))
    assert "bass" not in {part.role for part in plan("pop, no bass", 1).parts}
    assert plan("house, no drums", 1).groove.beat is None
    assert plan("ambient with drums", 1).groove.beat is not None


def test_a_soloist_plays_alone():
    score = plan("solo piano, melancholic", 1)

    assert voices(score) == {"piano"}
    assert score.groove.beat is None


def test_explicit_tempo_and_key_win_and_nonsense_is_refused():
    score = plan("sad song at 90 bpm in A minor", 1, bpm=140, key="F# major")

    assert str(score) == "pop in F# major, 140 bpm"
    assert str(plan("a song in c sharp minor", 1).key) == "C# minor"
    with pytest.raises(ValueError, match="not a key"):
        plan("pop", 1, key="H dur")
    with pytest.raises(ValueError, match="bpm"):
        plan("pop", 1, bpm=1000)
    with pytest.raises(ValueError, match="seconds"):
        perform(score, 301)
