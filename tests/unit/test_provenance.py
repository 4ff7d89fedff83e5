"""Signed origin, read by the reader of the C2PA library."""

import io

import c2pa
import pytest

from lambdas.audio.mastering import Mastering
from lambdas.audio.provenance import Signer
from lambdas.core.recordings import CONTENT_TYPES, Format, Label, Recording
from local.certificate import development_certificate
from tests.unit.signals import heard, music, wav

LABEL = Label("Lied 🎵", "01JOB", "mock-composer", "r1", "CC0-1.0", 2**63 - 1, mock=True)
SIGNED = [Format.WAV, Format.MP3, Format.FLAC]
RAW = wav(music(1, 44100), 44100)


@pytest.fixture(scope="module")
def signer() -> Signer:
    return Signer(*development_certificate("Cadenza tests"))


@pytest.fixture(scope="module")
def recording(signer: Signer) -> Recording:
    return Mastering(signer, "0.1.0").master(RAW, LABEL)


def read(file: bytes, form: Format) -> c2pa.Reader:
    return c2pa.Reader(CONTENT_TYPES[form], io.BytesIO(file))


def failures(reader: c2pa.Reader) -> set[str]:
    results = reader.get_validation_results()
    return {failure["code"] for failure in results["activeManifest"]["failure"]}


def test_all_formats_that_can_be_signed_are(recording):
    assert recording.signed == set(SIGNED)


@pytest.mark.parametrize("form", SIGNED)
def test_the_signature_is_valid_though_its_issuer_is_unknown(recording, form):
    with read(recording.files[form], form) as reader:
        assert reader.get_validation_state() == "Valid"
        assert failures(reader) == {"signingCredential.untrusted"}


@pytest.mark.parametrize("form", SIGNED)
def test_the_manifest_says_that_a_trained_model_made_it(recording, form):
    with read(recording.files[form], form) as reader:
        manifest = reader.get_active_manifest()

    assertions = {assertion["label"]: assertion["data"] for assertion in manifest["assertions"]}
    (created,) = assertions["c2pa.actions.v2"]["actions"]
    assert created["action"] == "c2pa.created"
    assert (
        created["digitalSourceType"]
        == "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
    )
    assert created["softwareAgent"] == {"name": "mock-composer", "version": "r1"}
    assert assertions["org.cadenza.generation"] == {
        "model": "mock-composer",
        "modelRevision": "r1",
        "licence": "CC0-1.0",
        "seed": 2**63 - 1,
        "jobId": "01JOB",
        "mock": True,
    }


@pytest.mark.parametrize("form", SIGNED)
def test_the_manifest_names_the_song_and_who_signed(recording, form):
    with read(recording.files[form], form) as reader:
        manifest = reader.get_active_manifest()

    generator = manifest["claim_generator_info"][0]
    assert (generator["name"], generator["version"]) == ("Cadenza", "0.1.0")
    assert manifest["title"] == LABEL.title
    assert manifest["signature_info"]["alg"] == "Es256"
    assert manifest["signature_info"]["issuer"] == "Cadenza tests"


@pytest.mark.parametrize("form", SIGNED)
def test_changing_one_byte_of_the_audio_is_found_out(recording, form):
    file = bytearray(recording.files[form])
    file[len(file) * 3 // 4] ^= 1

    with read(bytes(file), form) as reader:
        assert reader.get_validation_state() == "Invalid"
        assert "assertion.dataHash.mismatch" in failures(reader)


@pytest.mark.parametrize("form", list(Format))
def test_signing_changes_neither_sound_nor_tags(recording, form):
    unsigned = heard(Mastering(None, "0.1.0").master(RAW, LABEL).files[form])

    signed = heard(recording.files[form])

    assert (signed.samples == unsigned.samples).all()
    assert signed.metadata == unsigned.metadata


def test_ogg_has_no_place_for_a_manifest(recording):
    with pytest.raises(c2pa.C2paError):
        read(recording.files[Format.OGG], Format.OGG)


CHAIN, KEY = development_certificate()
UNFIT = {
    "nothing": Signer("", ""),
    "no PEM": Signer("certificate", "key"),
    "another's key": Signer(CHAIN, development_certificate()[1]),
    "a certificate cut short": Signer(CHAIN[:400], KEY),
}


@pytest.mark.parametrize("name", UNFIT)
def test_a_song_that_cannot_be_signed_is_delivered_unsigned(name, caplog):
    recording = Mastering(UNFIT[name], "0.1.0").master(RAW, LABEL)

    assert recording.signed == frozenset()
    assert heard(recording.files[Format.MP3]).metadata["JOB_ID"] == "01JOB"
    assert "stays unsigned" in caplog.text
    with pytest.raises(c2pa.C2paError.ManifestNotFound):
        read(recording.files[Format.WAV], Format.WAV)


def test_the_key_never_shows_in_a_log(signer):
    assert "PRIVATE" not in repr(signer)
