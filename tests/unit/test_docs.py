"""The documentation names things that exist: files, commands, test phrases."""

import re
from pathlib import Path

import pytest

from lambdas.backends.mock import PHRASE

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])


def names(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_every_link_to_a_file_leads_somewhere(page):
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())

    missing = [link for link in links if not (page.parent / link).exists()]

    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_every_make_command_is_a_target(page):
    targets = set(re.findall(r"^([a-z0-9]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    commands = re.findall(r"(?:^|`|; )make ([a-z0-9]+)", page.read_text(), re.MULTILINE)

    assert set(commands) <= targets


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_every_file_of_ours_that_is_named_is_there(page):
    folders = "infra|lambdas|local|tests|bench|web|docs|core|model_container"
    named = re.findall(rf"`((?:{folders})/[\w/.-]+)`(?!, a new file)", page.read_text())

    def there(name: str) -> bool:
        return (ROOT / name).exists() or (ROOT / "lambdas" / name).exists()

    assert [name for name in named if not there(name)] == []


def test_the_readme_names_every_folder():
    table = (ROOT / "README.md").read_text().split("## Folders")[1]
    folders = {path.name for path in ROOT.iterdir() if path.is_dir() and any(path.glob("**/*.py"))}
    ours = folders - {name for name in folders if name.startswith(".")} - {"build", "cdk.out", "node_modules"}

    assert {name for name in ours if f"`{name}/" not in table} == set()


def test_every_test_phrase_is_documented_and_every_documented_one_works():
    documented = set(re.findall(r"`(\[\[[^`]+\]\])`", (ROOT / "docs/backends.md").read_text()))

    works = [found[1] for phrase in documented if (found := PHRASE.fullmatch(phrase))]

    assert len(works) == len(documented)
    assert set(works) == {"fail", "slow", "bug"}


def test_the_readmes_curl_line_is_the_one_that_make_run_prints():
    from local.__main__ import EXAMPLE

    assert EXAMPLE in (ROOT / "README.md").read_text()
