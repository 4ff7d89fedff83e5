"""The waveform's outline, read as a player reads it."""

import json

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.audio.peaks import peaks
from lambdas.audio.waveform import Waveform
from tests.unit.signals import music


@settings(max_examples=30, deadline=None)
@given(length=st.integers(2400, 2_000_000), channels=st.sampled_from([1, 2]))
def test_any_song_has_about_one_point_per_pixel(length, channels):
    outline = json.loads(peaks(Waveform(np.zeros((channels, length), np.float32), 44100)))

    assert 800 <= outline["length"] <= 1800
    assert len(outline["data"]) == 2 * outline["length"]
    assert (outline["length"] - 1) * outline["samples_per_pixel"] < length
    assert length <= outline["length"] * outline["samples_per_pixel"]


def test_each_point_spans_the_samples_it_stands_for():
    samples = music(1, 44100).astype(np.float32)

    outline = json.loads(peaks(Waveform(samples, 44100)))

    step = outline["samples_per_pixel"]
    for point in (0, 7, outline["length"] - 1):
        part = samples[:, point * step : (point + 1) * step]
        lowest, highest = outline["data"][2 * point : 2 * point + 2]
        assert lowest == round(float(part.min()) * 127)
        assert highest == round(float(part.max()) * 127)


def test_the_document_is_audiowaveforms_and_small():
    document = peaks(Waveform(music(3, 48000).astype(np.float32), 48000))

    outline = json.loads(document)
    assert (outline["version"], outline["bits"], outline["channels"]) == (2, 8, 1)
    assert outline["sample_rate"] == 48000
    assert all(-128 <= value <= 127 for value in outline["data"])
    assert len(document) < 16_000
