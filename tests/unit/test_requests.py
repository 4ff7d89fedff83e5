"""What callers may ask: normalised text, strict types, addresses on the open internet."""

import math
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lambdas.core.requests import PROMPT_LENGTH, RAW_LENGTH, SEEDS, GenerateRequest, PatchRequest, normalise

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
FIELDS = list(GenerateRequest.model_fields)


def prompt(text: str) -> str | None:
    return GenerateRequest(prompt=text).prompt


@given(st.text())
def test_normal_text_holds_no_control_characters_and_single_spaces(text):
    line = normalise(text)

    assert isinstance(line, str)
    assert not {unicodedata.category(char) for char in line} & {"Cc", "Cs", "Zl", "Zp"}
    assert line == " ".join(line.split())
    assert unicodedata.is_normalized("NFC", line)


@given(st.text())
def test_normalising_twice_is_normalising_once(text):
    assert normalise(normalise(text)) == normalise(text)


@given(st.text(alphabet=st.characters(categories=["L", "N", "P", "So"]), min_size=1, max_size=50))
def test_letters_of_any_script_are_kept(text):
    assert normalise(text) == unicodedata.normalize("NFC", text)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("  rain\t\n on   a tin roof \r\n", "rain on a tin roof"),
        ("bell\x07 and\x00 null\x1b[31m", "bell and null[31m"),
        ("\u202eesrever\u202c \u2066isolate\u2069", "esrever isolate"),  # bidirectional overrides
        ("soft\u00adhyphen zero\u200bwidth \ufeffmark", "softhyphen zerowidth mark"),
        ("ניגון חסידי שמח", "ניגון חסידי שמח"),
        ("موسيقى هادئة", "موسيقى هادئة"),
        ("می\u200cخواهم", "می\u200cخواهم"),  # a non-joiner that Persian spelling needs
        ("👩\u200d🎤 sings", "👩\u200d🎤 sings"),  # one emoji of two, joined
        ("cafe\u0301", "café"),
        ("half \ud800 a pair", "half a pair"),
        ("ideographic\u3000space\u2028line", "ideographic space line"),
    ],
)
def test_text_becomes_one_clean_line(text, line):
    assert prompt(text) == line


@pytest.mark.parametrize("text", ["", " ", "\n\t", "\x00", "\u200b", "\u202e", "\u200d", "\u200c \u200d"])
def test_a_prompt_with_nothing_to_see_is_no_prompt(text):
    with pytest.raises(ValidationError):
        GenerateRequest(prompt=text)


def test_a_prompt_holds_five_hundred_characters_once_it_is_normalised():
    assert prompt("x" * PROMPT_LENGTH + "   \n" * 100) == "x" * PROMPT_LENGTH
    with pytest.raises(ValidationError):
        GenerateRequest(prompt="x" * (PROMPT_LENGTH + 1))


@pytest.mark.parametrize("length", [RAW_LENGTH + 1, 10**6])
def test_a_prompt_far_too_long_is_refused_unread(length):
    with pytest.raises(ValidationError):
        GenerateRequest(prompt=" " * length)


@pytest.mark.parametrize(
    "fields",
    [
        {"duration": 0}, {"duration": -1}, {"duration": 10**9}, {"duration": math.nan},
        {"duration": math.inf}, {"duration": "30"}, {"duration": True}, {"duration": None},
        {"prompt": 7}, {"prompt": ["x"]}, {"prompt": {}}, {"seed": -1}, {"seed": SEEDS}, {"seed": 1.5},
        {"seed": "1"}, {"seed": True}, {"variations": 0}, {"variations": 5}, {"variations": 1.5},
        {"format": "aiff"}, {"format": "WAV"}, {"key": "H minor"}, {"key": "C\n"}, {"bpm": 0},
        {"instrumental": "yes"}, {"instrumental": 1}, {"top_p": 1.1}, {"guidance": -0.1},
        {"lyrics": "x" * 5001},
        {"unknown": 1}, {"Prompt": "rain"}, {"genre": ""}, {"genre": "x" * 51}, {"model": "m" * 65},
        {"lyrics": "\ud800"},
    ],
    ids=lambda fields: str(fields)[:40],
)  # fmt: skip
def test_what_is_not_as_it_should_be_is_refused(fields):
    with pytest.raises(ValidationError):
        GenerateRequest(**{"prompt": "rain", **fields})


@given(st.dictionaries(st.sampled_from([*FIELDS, "other"]), ANYTHING, max_size=5))
def test_no_body_does_worse_than_being_refused(body):
    try:
        request = GenerateRequest.model_validate(body)
    except ValidationError:
        return
    assert 1 <= request.duration <= 300
    assert request.prompt is None or 1 <= len(request.prompt) <= PROMPT_LENGTH
    assert request.model_dump_json()


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com", "https://example.com/hook?to=me#part", "https://example.com:443/",
        "https://sub.example.co.uk/ü", "https://1.1.1.1/", "https://[2606:4700:4700::1111]/", "HTTPS://EXAMPLE.COM",
        "https://xn--bcher-kva.example/",
    ],
)  # fmt: skip
def test_a_webhook_is_an_https_address(url):
    assert GenerateRequest(prompt="rain", webhook_url=url).webhook_url == url


@pytest.mark.parametrize(
    "url",
    [
        "", "example.com", "http://example.com", "ftp://example.com", "javascript:alert(1)", "https://",
        "https:///path", "https://user:word@example.com/", "https://user@example.com/",
        "https://example.com:8443/", "https://example.com:99999/", "https://example.com:x/", "https://[::1",
        "https://localhost/", "https://db.internal/", "https://printer.local", "https://a.localhost./",
        "https://intranet/", "https://127.0.0.1/", "https://10.1.2.3/", "https://169.254.169.254/latest",
        "https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://[fd00:ec2::254]/", "https://0x7f.1/",
        "https://2130706433/", "https://127.1/", "https://a b.example/", "https://example.com/a b",
        "https://example.com/\r\nx-evil: 1", "https://exa\tmple.com/", "https://a..example.com/",
        f"https://{'a' * 64}.example.com/", "https://example.com/" + "x" * 2000, "https://\ud800.example/",
    ],
)  # fmt: skip
def test_a_webhook_that_is_not_on_the_open_internet_is_refused(url):
    with pytest.raises(ValidationError):
        GenerateRequest(prompt="rain", webhook_url=url)


@given(st.text(max_size=50).map("https://{}".format))
def test_no_address_does_worse_than_being_refused(url):
    try:
        GenerateRequest(prompt="rain", webhook_url=url)
    except ValidationError:
        return


def test_a_patch_says_only_what_it_changes():
    assert PatchRequest.model_validate({"title": " Hail "}).model_dump(exclude_unset=True) == {
        "title": "Hail"
    }
    assert PatchRequest.model_validate({"title": None}).model_dump(exclude_unset=True) == {"title": None}
    assert PatchRequest.model_validate({}).model_dump(exclude_unset=True) == {}


@pytest.mark.parametrize(
    "body", [{"title": ""}, {"title": "x" * 201}, {"favourite": 1}, {"favourite": None}, {"status": "failed"}]
)
def test_a_patch_that_is_not_as_it_should_be_is_refused(body):
    with pytest.raises(ValidationError):
        PatchRequest.model_validate(body)


def test_every_number_of_a_request_publishes_its_range() -> None:
    fields = GenerateRequest.model_json_schema()["properties"]
    kinds = [(name, kind) for name, field in fields.items() for kind in field.get("anyOf", [field])]
    numbers = {name: kind for name, kind in kinds if kind.get("type") in ("number", "integer")}

    assert numbers.keys() >= {"duration", "seed", "variations", "top_k"}
    for name, kind in numbers.items():
        assert {"minimum", "maximum"} <= kind.keys(), name
