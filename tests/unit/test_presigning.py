"""Where presigned links, uploads and forms lead: to the bucket's own region, whatever the region."""

from collections.abc import Callable, Iterator
from contextlib import closing
from urllib.parse import urlsplit

import pytest

from lambdas.aws import clients
from lambdas.aws.objects import S3Objects

Sign = Callable[[S3Objects], str]
SIGNED: list[Sign] = [
    lambda objects: objects.download("audio/1d/a/a.wav", 60),
    lambda objects: objects.upload("raw/a/1", 60),
    lambda objects: objects.offer("uploads/a/b", "audio/wav", 1000, 60).url,
]


@pytest.fixture
def objects(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Objects]:
    """As a function of that region makes them; with an emulator's address where one is given."""
    region, emulator = request.param
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    if emulator is not None:
        monkeypatch.setenv("AWS_ENDPOINT_URL", emulator)
    for made in (clients.s3, clients.session):
        made.cache_clear()
    with closing(clients.s3()) as client:
        yield S3Objects(client, "music")
    for made in (clients.s3, clients.session):
        made.cache_clear()


@pytest.mark.parametrize("sign", SIGNED)
@pytest.mark.parametrize(
    ("objects", "host"),
    [
        (("eu-west-1", None), "music.s3.eu-west-1.amazonaws.com"),
        (("us-east-1", None), "music.s3.us-east-1.amazonaws.com"),
        (("cn-north-1", None), "music.s3.cn-north-1.amazonaws.com.cn"),
    ],
    indirect=["objects"],
)
def test_a_signed_address_is_of_the_buckets_own_region(objects: S3Objects, sign: Sign, host: str) -> None:
    found = urlsplit(sign(objects))

    assert (found.scheme, found.netloc) == ("https", host)


@pytest.mark.parametrize("sign", SIGNED)
@pytest.mark.parametrize("objects", [("us-east-1", "http://127.0.0.1:4601")], indirect=True)
def test_an_emulators_bucket_is_found_by_its_path(objects: S3Objects, sign: Sign) -> None:
    found = urlsplit(sign(objects))

    assert found.netloc == "127.0.0.1:4601"
    assert found.path.split("/")[1] == "music"
