"""The service's own client and mock of two tracks against the server itself."""

import time

import numpy as np
import urllib3

from lambdas.backends.container import ContainerBackend
from lambdas.backends.mix import mix
from lambdas.core.ports import Failed, Finished, Input, Running, Work
from model_container.tracks.mixing import compare
from tests.engine.serving import Service, Store, samples
from tests.engine.tracks.serving import RATE, recording
from tests.fakes.examples import PIECE

PATIENCE = 60.0  # seconds


def work(store: Store) -> Work:
    piece = PIECE.but(model="cascade", duration=2.0, effective_prompt="")
    inputs = tuple(Input("track", f"{store.url}/track{number}", 2.0) for number in (1, 2))
    urls = f"{store.url}/raw", f"{store.url}/state", f"{store.url}/state"
    return Work("job-1-1", 1, piece, *urls, inputs)


def outcome(service: Service, store: Store) -> Finished | Failed:
    with urllib3.PoolManager() as http:
        backend = ContainerBackend(service.url, http)
        ticket, until = backend.start(work(store)), time.monotonic() + PATIENCE
        while isinstance(state := backend.check(work(store), ticket), Running):
            assert time.monotonic() < until
            time.sleep(0.02)
    return state


def test_two_tracks_that_the_service_hands_over_become_one(service: Service, store: Store) -> None:
    store.files["/track1"], store.files["/track2"] = [recording(2)], [recording(2, 660)]

    state = outcome(service, store)

    assert isinstance(state, Finished), state
    assert state.revision == "r7"
    assert state.report is not None
    assert {"distance_db", "correlation"} <= set(state.report)
    assert samples(store.files["/raw"][0], RATE).shape == (1, 2 * RATE)


def test_a_track_that_is_no_recording_is_final_for_the_service(service: Service, store: Store) -> None:
    store.files["/track1"], store.files["/track2"] = [recording(2)], [b"la la la"]

    state = outcome(service, store)

    assert isinstance(state, Failed), state
    assert not state.transient
    assert "track 2" in state.detail


def test_what_the_mock_makes_is_the_mix_that_results_are_measured_against() -> None:
    tracks = [recording(2), recording(1.5, 660)]
    heard = [samples(track, RATE)[0] / 32768 for track in tracks]
    both = np.stack([np.pad(sound, (0, 2 * RATE - len(sound))) for sound in heard]).astype(np.float32)

    made = samples(mix(tracks, 2.0), RATE)[0].astype(np.float32) / 32768

    assert compare(made, both).distance_db < -60
