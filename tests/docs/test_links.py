"""Links of the built pages: those to pages and parts of pages lead there; the others are known."""

import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

pytest.importorskip("sphinx", reason="Sphinx is missing (asysg[docs])")

ROOT = Path(__file__).parents[2]
#: Hosts that the pages link to. No test asks them anything.
HOSTS = {
    "arxiv.org",
    "doi.org",
    "github.com",
    "numpy.org",
    "benchopt.github.io",
    "cibuildwheel.pypa.io",
    "docs.iterative.ai",
    "docs.scipy.org",
    "www.sphinx-doc.org",
    "pydata-sphinx-theme.readthedocs.io",
    "sphinx-gallery.github.io",
}


class Page(HTMLParser):
    """The links of a page, and the parts of it that can be linked to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.parts: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag, attrs) -> None:
        given = dict(attrs)
        self.parts |= {given[name] for name in ("id", "name") if given.get(name)}
        for name in ("href", "src"):
            if given.get(name):
                self.links.append(given[name])


@cache
def parse(path: Path) -> Page:
    return Page(path.read_text())


def dead(folder: Path) -> list[str]:
    """Return the links of the pages in a folder that lead nowhere."""
    found = []
    for path in sorted(folder.rglob("*.html")):
        if path.relative_to(folder).parts[0].startswith("_"):
            continue
        for link in parse(path).links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = path if not parts.path else (path.parent / unquote(parts.path)).resolve()
            if target.is_dir():
                target /= "index.html"
            part = unquote(parts.fragment) if target.suffix == ".html" else ""
            if not target.is_file() or (part and part not in parse(target).parts):
                found.append(f"{path.relative_to(folder)}: {link}")
    return found


def test_every_internal_link_leads_somewhere(html):
    assert dead(html) == []


def test_links_to_other_hosts_are_known(html):
    pages = [path for path in html.rglob("*.html") if path.parent.name != "_static"]
    links = {link for path in pages for link in parse(path).links if urlsplit(link).netloc}
    assert {link for link in links if not re.match("https://", link)} == set()
    assert {urlsplit(link).netloc for link in links} <= HOSTS


def test_every_example_has_a_picture(html):
    examples = sorted((ROOT / "docs" / "examples").glob("plot_*.py"))
    assert len(examples) >= 12
    pictures = {path.name for path in (html / "_images").iterdir()}
    assert [path.stem for path in examples if f"sphx_glr_{path.stem}_001.png" not in pictures] == []


def test_a_dead_link_would_be_seen(tmp_path):
    Path(tmp_path, "index.html").write_text("<p id=here><a href='#here'></a><a href='#there'></a>")
    Path(tmp_path, "other.html").write_text("<a href='index.html#here'></a><img src='none.png'>")
    assert dead(tmp_path) == ["index.html: #there", "other.html: none.png"]
