"""Names in a model are data: none is obeyed by a terminal, HTML, JSON, Markdown or C."""

import html
import json
import pickle
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import shared
from browser import BINARY, Browser
from command_files import Deployed
from commands import unspool
from hypothesis import given
from hypothesis import strategies as st
from in_c import STRICT, run

from unspool.firmware.identifiers import distinct, in_markdown, printable
from unspool.support import text

ESCAPES = "\x1b[2J\x1b]0;t\x07"
LAYERS = (
    *("a,b", "A", "a", "..", "%s{0}${x}`id`", "\u202egnp.exe", '*|> """', "[red]x[bold]"),
    *("<script>alert(1)", ESCAPES, "\n# head\n", "x" * 10_000, "é漢'\\"),
)
OUTPUTS = ("out*<script>alert(1)", "out* <script>alert(1)", f"[red]{ESCAPES}\u202e|`")
OUT = "[red]<b>*"
RUNNING = """
[...document.querySelectorAll('*')]
  .filter(e => [...e.attributes].some(a => a.name.startsWith('on')))
  .map(e => e.outerHTML)
"""


@pytest.fixture(scope="module")
def deployed() -> Deployed:
    """A model of which everything has such a name, in a file and a folder of such names."""
    folder = shared.folder("hostile-names", _fill)
    return folder / OUT, pickle.loads((folder / "run").read_bytes())


def _fill(folder: Path) -> None:
    from unspool.support._tensorflow import keras

    h = x = keras.Input((2, 3), name="in[b] <i>")
    for name in LAYERS:
        h = keras.layers.Dense(3, name=name)(h)
    h = keras.layers.GRU(3, name="_my gru(1)\t")(h)
    heads = {name: keras.layers.Dense(2)(h) for name in OUTPUTS}
    keras.Model(x, heads, name="<script>").save(folder / "[m]<b>.keras")
    np.save(folder / "x.npy", np.random.default_rng(0).normal(size=(9, 2, 3)).astype(np.float32))
    given = ("--calibration", folder / "x.npy", "--out", folder / OUT)
    run = unspool("deploy", folder / "[m]<b>.keras", *given)
    (folder / "run").write_bytes(pickle.dumps(run))


def test_the_terminal_gets_names_and_no_codes(
    deployed: Deployed,
) -> None:
    folder, done = deployed
    assert done.returncode == 0, done.stderr
    assert f"/{OUT}: model_float.tflite" in done.stdout
    for shown in (done.stdout, done.stderr, unspool("check", folder, "--no-cpu").stdout):
        assert not set(shown) & {"\x1b", "\x07", "\u202e"}


def test_json_and_html_have_the_names(deployed: Deployed) -> None:
    folder, _ = deployed
    report = json.loads((folder / "report.json").read_text())
    assert {output["name"] for output in report["model"]["outputs"]} == set(OUTPUTS)
    page = (folder / "report.html").read_text()
    tags: list[str] = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attrs: tags.append(tag)  # type: ignore[method-assign]
    parser.feed(page)
    assert "table" in tags and "script" not in tags
    assert not set(page) & {"\x1b", "\x07", "\u202e"} and html.escape(OUTPUTS[0]) in page


@pytest.mark.skipif(BINARY is None, reason="no chromium here: apt-get install chromium")
def test_a_browser_shows_the_names_where_they_belong_and_runs_none(
    deployed: Deployed, browser: Browser, tmp_path: Path
) -> None:
    file = tmp_path / "<img src=x onerror=alert(1)>.tflite"
    file.write_bytes((deployed[0] / "model_int8.tflite").read_bytes())
    swept = unspool("sweep", file, "--target", "ethos-u55-128", "--out", tmp_path)
    assert swept.returncode == 0, swept.stderr
    shown = "[...document.querySelectorAll('{}')].map(e => e.textContent)"
    for page, head, scripts in (
        (deployed[0] / "report.html", "<script> on ethos-u55-128", 0),
        (tmp_path / "sweep.html", file.name, 1),  # its own, which sorts the table
    ):
        browser.open(page, 1280, "light")
        assert head in browser.run("document.querySelector('h1').textContent")
        assert browser.run("document.scripts.length + document.images.length") == scripts
        assert browser.run(RUNNING) == []
        assert browser.complaints() == [] and browser.requests() == [page.resolve().as_uri()]
        if page.name == "report.html":
            paragraphs, heads = browser.run(shown.format("p")), browser.run(shown.format("th"))
            assert any("in[b] <i> 1×2×3" in text for text in paragraphs)
            assert {*OUTPUTS[:2], "[red]\\x1b[2J\\x1b]0;t\\x07\\u202e|`"} <= set(heads)


def test_c_compiles_and_markdown_shows_them(deployed: Deployed, tmp_path: Path) -> None:
    firmware = deployed[0] / "firmware"
    for source in ("network_io.c", "network_model.c"):
        run("gcc", "-std=c99", *STRICT, "-c", source, "-o", str(tmp_path / "it.o"), at=firmware)
    header = (firmware / "network_io.h").read_text()
    assert "dequantize_out_script_alert_1(" in header and "out_script_alert_1_2(" in header
    assert "`out*<script>alert(1)`" in (firmware / "README.md").read_text()


NAMES = st.lists(
    st.one_of(st.text(), st.sampled_from([*LAYERS, *OUTPUTS, "*/", "/*", "??/", "]("]))
)


@given(NAMES)
def test_each_place_has_a_form_that_is_safe(names: list[str]) -> None:
    for name in names:
        comment, markdown = printable(name), in_markdown(name)
        assert all(" " <= c <= "~" for c in comment + markdown)
        assert not any(end in comment for end in ("*/", "/*", "??", "\\", "`", "|"))
        assert not set(markdown) & set("<[`|")
        assert text.printable(name).isprintable() and "\x1b" not in text.visible(name)
    identifiers = distinct(names)
    assert len(set(identifiers.values())) == len(identifiers) == len(set(names))
    assert all(f"a_{chosen}".isidentifier() for chosen in identifiers.values())
