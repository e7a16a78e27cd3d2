"""The page in a real browser: nothing overflows, at a phone's width and a desk's, light and dark.

`make test-all` keeps screenshots in test-screenshots/, for a person to look at.
"""

from pathlib import Path

import pytest
import slow
from browser import BINARY, Browser
from reports import CASES, HOSTILE, page

pytestmark = pytest.mark.skipif(BINARY is None, reason="no chromium here: apt-get install chromium")
PICTURES = Path(__file__).parents[2] / "test-screenshots"
WIDTHS = (375, 1280)
OFTEN = ("stream", "1,000 classes", "searched", "hostile")

OVERFLOWING = """
(() => {
  const width = document.documentElement.clientWidth, found = [];
  if (document.documentElement.scrollWidth > width) found.push('the page itself');
  for (const element of document.body.querySelectorAll('*')) {
    if (element.closest('.scroll, nav ul, .said, .skip, defs, details:not([open])')) continue;
    const box = element.getBoundingClientRect();
    if (box.width && (box.right > width + 1 || box.left < -1))
      found.push(element.tagName + ' ' + element.textContent.trim().slice(0, 60));
  }
  return found;
})()
"""

# Text that leaves its picture, and a label that leaves its box.
CUT = """
(() => {
  const found = [];
  for (const svg of document.querySelectorAll('svg.picture')) {
    const frame = svg.getBoundingClientRect();
    for (const text of svg.querySelectorAll('text')) {
      const box = text.getBoundingClientRect();
      if (box.left < frame.left - 2 || box.right > frame.right + 2 || box.top < frame.top - 2
          || box.bottom > frame.bottom + 2)
        found.push(svg.querySelector('title').textContent + ': ' + text.textContent);
      const around = text.closest('.box')?.querySelector('rect').getBoundingClientRect();
      if (around && (box.left < around.left || box.right > around.right))
        found.push('outside of its box: ' + text.textContent);
    }
  }
  return found;
})()
"""

# Pairs of what is read and what is behind it, as WCAG 2 has contrast.
FAINT = """
(() => {
  const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, k) => sum + v * [0.2126, 0.7152, 0.0722][k], 0);
  const found = new Set();
  for (const element of document.querySelectorAll('p, h1, h2, h3, th, td, a, summary, .origin,'
      + ' .unit, .beside, dt, figcaption, svg text')) {
    if (element.closest('.matrix')) continue;
    let under = element, back = [0, 0, 0, 0];
    while (under && back[3] === 0) {
      const value = numbers(getComputedStyle(under).backgroundColor);
      back = value.length === 3 ? [...value, 1] : value;
      under = under.parentElement;
    }
    const style = getComputedStyle(element);
    const fore = numbers(element.tagName === 'text' ? style.fill : style.color);
    const [a, b] = [light(fore), light(back)].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) found.add(element.tagName + '.' + element.className
      + ' ' + ((a + 0.05) / (b + 0.05)).toFixed(2));
  }
  return [...found];
})()
"""


@pytest.mark.parametrize("case", slow.unless(OFTEN, CASES))
@pytest.mark.one_in(2)
def test_nothing_overflows_and_the_console_is_silent(
    case: str, browser: Browser, tmp_path: Path
) -> None:
    file = tmp_path / "report.html"
    file.write_text(page(case), encoding="utf-8")
    for width in WIDTHS:
        for scheme in ("light", "dark"):
            browser.open(file, width, scheme)
            at = f"{width} pixels, {scheme}"
            assert browser.run("document.compatMode") == "CSS1Compat", "standards mode"
            assert browser.run(OVERFLOWING) == [], at
            assert browser.run(CUT) == [], at
            assert browser.run(FAINT) == [], at
            browser.run("document.querySelectorAll('details').forEach(d => d.open = true)")
            assert browser.run(OVERFLOWING) == [], f"{at}, unfolded"
            assert browser.complaints() == []
            assert browser.requests() == [file.resolve().as_uri()], "nothing else is loaded"


def test_names_are_text_in_tables_and_pictures(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(page("hostile"), encoding="utf-8")
    browser.open(file, 1280, "light")
    assert HOSTILE in browser.run("document.querySelector('h1').textContent")
    for places in ("th, td", "svg text, svg title, svg desc"):
        texts = browser.run(f"[...document.querySelectorAll('{places}')].map(e => e.textContent)")
        assert any(HOSTILE in text for text in texts), places
    assert browser.run("document.scripts.length + document.images.length") == 0
    assert browser.complaints() == []
    assert browser.requests() == [file.resolve().as_uri()]


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_screenshots(case: str, browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(page(case), encoding="utf-8")
    PICTURES.mkdir(exist_ok=True)
    name = case.replace(" ", "-").replace(",", "")
    for width in WIDTHS:
        for scheme in ("light", "dark"):
            browser.open(file, width, scheme)
            browser.screenshot(PICTURES / f"{name}-{width}-{scheme}.png")


def test_colours_follow_the_scheme(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(page("deployed"), encoding="utf-8")
    colours = {}
    for scheme in ("light", "dark"):
        browser.open(file, 1280, scheme)
        for what in ("getComputedStyle(document.body).backgroundColor", CHART_TEXT, CHART_BAR):
            colours[scheme, what] = browser.run(what)
    for what in {what for _, what in colours}:
        assert colours["light", what] != colours["dark", what], what


CHART_TEXT = "getComputedStyle(document.querySelector('svg text')).fill"
CHART_BAR = "getComputedStyle(document.querySelector('.band')).fill"


def test_it_can_be_printed(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(page("deployed"), encoding="utf-8")
    browser.open(file, 1280, "dark")
    PICTURES.mkdir(exist_ok=True)
    browser.print(PICTURES / "deployed.pdf")
    assert (PICTURES / "deployed.pdf").read_bytes().startswith(b"%PDF")
