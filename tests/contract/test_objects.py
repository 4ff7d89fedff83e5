"""The contract of ports.ObjectStore and ports.Links."""

import pytest

from tests.contract.adapters import Adapters

KEY = "audio/1d/job-1/job-1.wav"
BYTES = bytes(range(256)) * 100


def write(adapters: Adapters, key: str = KEY, data: bytes = BYTES) -> None:
    adapters.objects.write(key, data, "audio/wav", "Regen 🎵.wav")


def test_a_file_is_read_as_it_was_written(adapters: Adapters) -> None:
    write(adapters)

    assert adapters.objects.read(KEY) == BYTES


def test_a_file_that_is_not_there_is_none(adapters: Adapters) -> None:
    assert adapters.objects.read(KEY) is None


def test_the_last_writing_counts(adapters: Adapters) -> None:
    write(adapters)
    write(adapters, data=b"")

    assert adapters.objects.read(KEY) == b""


def test_a_copy_is_a_file_of_its_own(adapters: Adapters) -> None:
    write(adapters)

    assert adapters.objects.copy(KEY, "audio/1d/job-2/job-2.wav")
    adapters.objects.remove([KEY])

    assert adapters.objects.read("audio/1d/job-2/job-2.wav") == BYTES


def test_a_copy_of_what_is_gone_says_so(adapters: Adapters) -> None:
    assert not adapters.objects.copy(KEY, "audio/1d/job-2/job-2.wav")

    assert adapters.objects.read("audio/1d/job-2/job-2.wav") is None


def test_files_are_removed_and_what_is_not_there_is_no_obstacle(adapters: Adapters) -> None:
    write(adapters)
    write(adapters, "raw/job-1/1")

    adapters.objects.remove([KEY, "audio/1d/job-9/absent.wav"])
    adapters.objects.remove([])

    assert adapters.objects.read(KEY) is None
    assert adapters.objects.read("raw/job-1/1") == BYTES


def test_more_files_than_one_call_takes_are_removed(adapters: Adapters) -> None:
    write(adapters)

    adapters.objects.remove([*(f"raw/job-1/{nth}" for nth in range(1000)), KEY])

    assert adapters.objects.read(KEY) is None


@pytest.mark.parametrize("filename", [None, "song.wav", 'Re"gen;\r\n 🎵 שיר' + "x" * 300 + ".wav"])
def test_a_download_link_leads_to_the_file(adapters: Adapters, filename: str | None) -> None:
    write(adapters)

    assert adapters.fetch(adapters.objects.download(KEY, 60, filename)) == BYTES


def test_a_download_link_to_nothing_leads_to_nothing(adapters: Adapters) -> None:
    assert adapters.fetch(adapters.objects.download(KEY, 60)) is None


def test_what_is_sent_to_an_upload_link_is_the_file(adapters: Adapters) -> None:
    assert adapters.send(adapters.objects.upload("raw/job-1/1", 60), BYTES)

    assert adapters.objects.read("raw/job-1/1") == BYTES


def test_an_upload_link_may_be_used_again_and_the_last_counts(adapters: Adapters) -> None:
    link = adapters.objects.upload("raw/job-1/1", 60)

    assert adapters.send(link, b"first")
    assert adapters.send(link, b"second")

    assert adapters.objects.read("raw/job-1/1") == b"second"
