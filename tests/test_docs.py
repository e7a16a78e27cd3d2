"""The pages: links that work on GitHub too, and every public name in the reference."""

import re
from pathlib import Path

import pytest

import unspool

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*.md")])


def documented() -> list[str]:
    return re.findall(r"^\.\. auto\w+:: (\w+)", (ROOT / "docs" / "api.md").read_text(), re.M)


def test_the_reference_has_every_public_name_once() -> None:
    assert sorted(documented()) == sorted(unspool.__all__)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_that_exist(page: Path) -> None:
    """Sphinx sees the pages of the site alone; README and the like are read on GitHub."""
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text())
    missing = [link for link in links if ":" not in link and not (page.parent / link).exists()]
    assert not missing


def test_every_page_is_in_the_navigation() -> None:
    index = (ROOT / "docs" / "index.md").read_text()
    listed = set(re.findall(r"^[\w ]+ <([\w-]+)>$", index, re.M))
    assert listed | {"index"} == {page.stem for page in ROOT.glob("docs/*.md")}
