"""The GPU engine's decoder beside the others: the same logits, the same tokens, whoever plays beside."""

import numpy as np
import pytest

from model_container.engine.batch import Batch
from model_container.engine.delay import DelayedCodes
from model_container.engine.generate import CHUNK, PREFILL, Window, decode, generate, prefill
from model_container.engine.model import Model
from model_container.engine.sampling import Sampling
from model_container.engine.song import Request, Song
from model_container.engine.torch_decoder import POSITIONS, TorchDecoder
from model_container.engine.torch_model import device
from model_container.engine.torch_player import TorchPlayer
from model_container.engine.windows import Windows
from tests.engine import tiny
from tests.engine.conftest import Folders
from tests.engine.gpu.conftest import Models
from tests.engine.reference_decoder import RandomWeights, ReferenceDecoder, tiny_config
from tests.engine.test_batch import WINDOWS, Ear, play, request

PROMPT = "calm piano and strings"


def window(model: Model, frames: int, sampling: Sampling, given: int = 0, start: int = 0) -> Window:
    config = model.config.decoder
    prompt = np.random.default_rng(given).integers(0, config.vocabulary, (config.codebooks, given))
    codes = DelayedCodes(config, frames, prompt if given else None)
    return Window(0, model.conditions(PROMPT), codes, sampling, start=start)


@pytest.mark.parametrize(
    "how",
    [
        Sampling(temperature=0),
        Sampling(top_k=20, seed=3),
        Sampling(temperature=1.4, top_k=0, top_p=0.8, seed=4),
    ],
)
@pytest.mark.parametrize("kind", tiny.KINDS)
def test_tokens_are_those_of_the_cpu_engine(
    kind: str, how: Sampling, on_torch: Models, packs: Folders
) -> None:
    ours, cpu = on_torch(kind), Model.load(packs(kind), decoder="onnx")

    expected = generate(cpu, window(cpu, 70, how))
    codes = generate(ours, window(ours, 70, how))

    assert len(np.unique(expected)) > 10
    np.testing.assert_array_equal(codes, expected)


def test_a_continuation_across_a_bucket_of_positions_is_that_of_the_cpu_engine(
    on_torch: Models, packs: Folders
) -> None:
    ours, cpu = on_torch(), Model.load(packs("text"), decoder="onnx")
    frames, given = POSITIONS + 40, POSITIONS - 30

    expected = generate(cpu, window(cpu, frames, Sampling(seed=5), given, start=900))
    codes = generate(ours, window(ours, frames, Sampling(seed=5), given, start=900))

    np.testing.assert_array_equal(codes, expected)


@pytest.mark.parametrize("melody", [False, True])
def test_logits_are_those_of_the_definition_for_rows_that_join_and_leave(melody: bool) -> None:
    weights = RandomWeights(tiny_config(melody=melody), spread=0.1)
    ours, reference = TorchDecoder(weights, slots=4, positions=60, device=device()), ReferenceDecoder(weights)
    draw = np.random.default_rng(0)
    next_at: dict[int, int] = {}

    def admit(slot: int, tokens: int, given: int) -> None:
        text = draw.standard_normal((0 if melody else tokens, 64), np.float32)
        hidden = draw.standard_normal((2, given, 64), np.float32)
        for decoder in (ours, reference):
            decoder.admit(slot, text)
            if given:
                decoder.prefill(slot, hidden, 0)
        next_at[slot] = given

    def step(slots: list[int]) -> None:
        hidden = draw.standard_normal((len(slots), 64), np.float32)
        guidance = draw.uniform(1, 5, len(slots)).astype(np.float32)
        at = np.array([next_at[slot] for slot in slots])
        logits, expected = (d.step(np.array(slots), hidden, at, guidance) for d in (ours, reference))
        np.testing.assert_allclose(logits, expected, atol=1e-4)
        for slot in slots:
            next_at[slot] += 1

    admit(2, 70, 9)
    step([2])
    admit(0, 3, 0)
    step([2, 0])
    admit(3, 0, 20)
    step([3])
    step([0, 2, 3])
    for decoder in (ours, reference):
        decoder.release(2)
    admit(2, 1, 30)
    step([0, 2])
    step([3, 2, 0])


def test_songs_that_join_and_leave_sound_as_alone(on_torch: Models, packs: Folders) -> None:
    cpu, ours = Model.load(packs("text"), decoder="onnx"), on_torch(slots=3)
    expected, ears = [Ear() for _ in range(6)], [Ear() for _ in range(6)]
    for number, ear in enumerate(expected):
        batch = Batch(cpu)
        batch.join(Song(cpu, request(number), WINDOWS), ear)
        play(batch)

    batch = Batch(ours)
    for number, ear in enumerate(ears):
        batch.join(Song(ours, request(number), WINDOWS), ear)
        batch.advance()
        batch.advance()
    play(batch)

    for ear, other in zip(ears, expected, strict=True):
        assert ear.error is None
        np.testing.assert_array_equal(ear.sound, other.sound)
    assert batch.columns < CHUNK * 3 * batch.rounds


def test_a_stopped_song_leaves_nothing_to_the_next(on_torch: Models) -> None:
    model = on_torch()
    expected, first, second = Ear(), Ear(patience=30), Ear()
    alone = Batch(model)
    alone.join(Song(model, request(3), WINDOWS), expected)
    play(alone)

    batch = Batch(model)
    batch.join(Song(model, request(1, frames=500), WINDOWS), first)
    batch.join(Song(model, request(3), WINDOWS), second)
    play(batch)

    assert 30 <= first.made < 30 + 2 * CHUNK
    assert not first.ended
    np.testing.assert_array_equal(second.sound, expected.sound)


def test_a_song_that_is_prefilled_where_one_was_stopped_hears_nothing_of_it(on_torch: Models) -> None:
    sound = np.random.default_rng(1).standard_normal((1, 640 * 300), np.float32)
    asked = Request("after", 340, Sampling(seed=2), recording=sound)
    windows, expected = Windows(400, 200), Ear()
    one, two = on_torch(), on_torch(slots=2)
    alone = Batch(one)
    alone.join(Song(one, asked, windows), expected)
    play(alone)

    batch, stopped, beside, heard = Batch(two), Ear(patience=30), Ear(), Ear()
    for song, ear in ((request(0, frames=380), stopped), (request(1, frames=380), beside), (asked, heard)):
        batch.join(Song(two, song, windows), ear)
    play(batch)

    assert stopped.made < 30 + 2 * CHUNK
    np.testing.assert_array_equal(heard.sound, expected.sound)


def test_a_chunk_is_taken_when_the_next_one_is_under_way(on_torch: Models) -> None:
    model = on_torch()
    made = window(model, 70, Sampling())
    for _ in prefill(model, made):
        pass

    taken = []
    while not made.codes.done:
        assert decode(model, [made]) == [None]
        taken.append(made.codes.next - 1)

    assert taken == [0, CHUNK, 2 * CHUNK, 73]


def test_a_song_whose_logits_are_not_finite_fails_alone_and_leaves_nothing_behind(on_torch: Models) -> None:
    model = on_torch(slots=2)
    player, tune = model.decoder, request(3, frames=60)
    assert isinstance(player, TorchPlayer)
    broken, beside, after, expected = Ear(), Ear(), Ear(), Ear()
    one = on_torch()
    alone = Batch(one)
    alone.join(Song(one, tune, WINDOWS), expected)
    play(alone)

    batch = Batch(model)
    batch.join(Song(model, request(1, frames=400), Windows()), broken)
    batch.join(Song(model, request(0, frames=200), Windows()), beside)
    while not beside.made:
        batch.advance()
    player._past.both[:, :, :2, :, :5] = float("nan")
    batch.join(Song(model, tune, WINDOWS), after)
    play(batch)

    assert isinstance(broken.error, ArithmeticError)
    assert beside.error is None
    assert beside.sound.shape[1] == 200 * 640
    np.testing.assert_array_equal(after.sound, expected.sound)


def test_songs_that_come_together_play_together_from_the_first_chunk_on(on_torch: Models) -> None:
    model = on_torch(slots=3)
    batch, ears = Batch(model), [Ear() for _ in range(3)]
    for number, ear in enumerate(ears):
        batch.join(Song(model, request(number, frames=100), Windows()), ear)

    rounds = play(batch)

    assert batch.columns == 3 * 103 - 11  # one of them goes on from a recording of eleven frames
    assert rounds == 103 // CHUNK + 3  # a chunk is taken a round after it was started, and its end heard out


def test_a_recording_is_prefilled_beside_a_chunk_not_beside_many(on_torch: Models) -> None:
    model = on_torch()
    sound = np.random.default_rng(1).standard_normal((1, 640 * 3 * PREFILL), np.float32)
    batch, ear = Batch(model), Ear()
    batch.join(Song(model, Request("after", 4 * PREFILL, recording=sound), Windows()), ear)

    batch.advance()
    batch.advance()

    assert batch.columns == CHUNK
