"""The page: whole without anything else, safe with any name, with unit and origin everywhere."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reports import CASES, HOSTILE, gru, lstm_stream, page

from unspool.compilation import allocations
from unspool.compilation.compiled import Operator, Traffic
from unspool.page.charts.accuracy import Point, interval
from unspool.page.charts.layering import lay_out
from unspool.page.html import add_drift, as_html
from unspool.report.bounds import bound, by_kind, by_step
from unspool.report.limits import limits
from unspool.report.report import Report
from unspool.report.step_graph import step_graphs
from unspool.tflite import flatbuffer
from unspool.tflite.names import Steps, state

VOID = {"meta", "link", "br", "img", "input", "hr"}
EVERY = pytest.mark.parametrize("case", CASES)


class Element:
    def __init__(self, tag: str, attributes: dict[str, str], parent: "Element | None") -> None:
        self.tag, self.attributes, self.parent = tag, attributes, parent
        self.content: list[Element | str] = []  # in order

    @property
    def children(self) -> "list[Element]":
        return [part for part in self.content if isinstance(part, Element)]

    @property
    def own(self) -> str:
        return "".join(part for part in self.content if isinstance(part, str))

    def find(self, tag: str) -> "Iterator[Element]":
        for child in self.children:
            if child.tag == tag:
                yield child
            yield from child.find(tag)

    @property
    def text(self) -> str:
        return "".join(part if isinstance(part, str) else part.text for part in self.content)


class Document(HTMLParser):
    """A page as a tree; an element that is not closed, or closed twice, is an error."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.root = self.here = Element("root", {}, None)
        self.every: list[Element] = []
        self.feed(text)
        self.close()
        assert self.here is self.root, f"<{self.here.tag}> is not closed"

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attributes}, self.here)
        self.here.content.append(element)
        self.every.append(element)
        if tag not in VOID:
            self.here = element

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.here.tag == tag, f"</{tag}> closes <{self.here.tag}>"
        assert self.here.parent is not None
        self.here = self.here.parent

    def handle_data(self, data: str) -> None:
        self.here.content.append(data)


@EVERY
def test_it_needs_no_network_and_no_script(case: str) -> None:
    document = Document(page(case))
    for element in document.every:
        assert element.tag not in ("script", "img", "iframe", "object", "base")
        for name, value in element.attributes.items():
            assert not name.startswith("on"), f"{element.tag} {name}"
            if name in ("src", "href", "action", "data"):
                assert value.startswith("#") or value == "data:,", value
    style = "".join(style.text for style in document.root.find("style"))
    assert "@import" not in style and "url(" not in style
    assert not re.search(r"url\((?!#)", page(case).replace(HOSTILE, ""))


@EVERY
def test_it_is_marked_up_for_everybody(case: str) -> None:
    document = Document(page(case))
    (html,) = document.root.find("html")
    assert html.attributes["lang"] == "en"
    assert len(list(document.root.find("main"))) == 1
    ids = [e.attributes["id"] for e in document.every if "id" in e.attributes]
    assert len(ids) == len(set(ids)), "an id stands for one element"
    for element in document.every:
        for name in element.attributes.get("aria-labelledby", "").split():
            assert name in ids
        if element.attributes.get("href", "").startswith("#"):
            assert element.attributes["href"][1:] in ids
    levels = [int(e.tag[1]) for e in document.every if re.fullmatch(r"h\d", e.tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(b <= a + 1 for a, b in pairwise(levels)), levels
    for table in document.root.find("table"):
        (caption,) = table.find("caption")
        assert caption.text.strip()
        assert all(th.attributes["scope"] in ("row", "col") for th in table.find("th"))


@EVERY
def test_every_picture_says_what_it_shows_its_unit_and_its_origin(case: str) -> None:
    document = Document(page(case))
    pictures = list(document.root.find("svg"))
    for svg in pictures:
        assert svg.attributes["role"] == "img"
        title, description = svg.children[:2]
        assert (title.tag, description.tag) == ("title", "desc")
        assert title.text.strip() and len(description.text) > 20
    figures = list(document.root.find("figure"))
    for figure in figures:
        (caption,) = figure.find("figcaption")
        assert re.match(r"\s*Unit: \S.*(measured|simulated|estimated) \S", caption.text, re.DOTALL)
        assert list(figure.find("h3"))
    inside = [svg for figure in figures for svg in figure.find("svg")]
    assert len(inside) == len(pictures), "no picture stands without a caption"
    for key in (e for e in document.every if e.attributes.get("class") == "keys"):
        for card in key.children:
            assert re.search("(measured|simulated|estimated)$", card.text.strip())


@pytest.mark.parametrize(
    ("case", "there", "absent"),
    [
        ("deployed", "accuracy cycles memory ranges graph details", "stream drift compression"),
        ("stream", "accuracy cycles memory ranges stream drift graph details", "compression"),
        (
            "bidirectional int16 regression",
            "accuracy cycles memory ranges graph details",
            "compression",
        ),
        ("nothing on the NPU", "graph details", "accuracy cycles ranges"),
        ("compiled alone", "cycles memory graph details", "accuracy ranges drift"),
        ("2 classes", "accuracy cycles", "compression"),
        ("no pictures", "details", "accuracy cycles memory ranges graph"),
        ("hostile", "accuracy compression cycles memory ranges graph details", "drift"),
    ],
)
def test_it_has_the_sections_that_there_is_something_for(
    case: str, there: str, absent: str
) -> None:
    document = Document(page(case))
    sections = {e.attributes.get("id") for e in document.root.find("section")}
    links = {e.attributes["href"][1:] for e in next(document.root.find("nav")).find("a")}
    assert set(there.split()) <= sections and not set(absent.split()) & sections
    assert set(there.split()) <= links and not set(absent.split()) & links


VERDICTS = {
    "deployed": ("run on the NPU", "gives TFLM's bytes on all 40 samples", "sets no limit"),
    "stream": ("Accuracy is not measured", "error", "grants 384 KiB"),
    "bidirectional int16 regression": ("was not simulated", "grants 384 KiB"),
    "nothing on the NPU": ("operators stay on the CPU", "compiled, not run"),
    "no pictures": ("was not simulated: an operation that is not simulated.",),
    "hostile": ("differs from TFLM on 6 of 9 samples, first at </title><script>", "flash: </ti"),
}


@pytest.mark.parametrize("case", VERDICTS)
def test_the_verdict_says_what_was_found(case: str) -> None:
    document = Document(page(case))
    verdict = next(e for e in document.every if e.attributes.get("id") == "verdict")
    for words in VERDICTS[case]:
        assert words in verdict.text


def test_names_of_users_are_texts_and_nothing_else() -> None:
    document = Document(page("hostile"))
    assert HOSTILE in next(document.root.find("h1")).text
    assert sum(HOSTILE in e.own for e in document.every) > 50
    assert (
        not list(document.root.find("script")) and "49" not in next(document.root.find("h1")).text
    )


def test_codes_and_marks_in_names_are_shown_and_not_obeyed() -> None:
    """ESC would colour the terminal of who prints the page, U+202E turn the words around."""
    text = as_html(replace(gru(), model={**gru().model, "name": "a\x1b[2J\u202eb\x00"}))
    assert "a\\x1b[2J\\u202eb\\x00" in next(Document(text).root.find("h1")).text
    assert not set("\x1b\u202e\x00") & set(text)


def test_figures_are_those_of_the_report() -> None:
    report = gru()
    text = Document(page("deployed")).root.text
    assert f"{report.compiled.cycles:,}" in text
    assert f"{report.accuracies[2].percent:.2f} % in TFLM" in text
    assert "guide 80.50 %" in text
    confusion = report.accuracies[2].confusion
    cells = [
        [cell.text for cell in row.find("td")]
        for row in next(
            t for t in Document(page("deployed")).root.find("table") if "Confusion" in t.text
        ).find("tr")
    ][1:]
    assert cells == [[str(n) if n else "·" for n in row] for row in confusion]


def test_the_same_report_gives_the_same_page() -> None:
    assert as_html(gru()) == as_html(gru())


def test_drift_is_added_to_a_page_and_replaced() -> None:
    report, state_drift = lstm_stream(), lstm_stream().drift
    assert state_drift is not None
    without = as_html(replace(report, drift=None))
    assert 'id="drift"' not in without
    once = add_drift(without, state_drift)
    document = Document(once)
    assert "Drift of the states" in next(document.root.find("nav")).text
    assert 'id="drift"' in once and add_drift(once, state_drift) == once
    assert add_drift("<p>another page</p>", state_drift) == "<p>another page</p>"


def operator(
    kind: str = "Add",
    name: str = "x",
    npu: int = 0,
    sram: int = 0,
    dram: int = 0,
    flash: int = 0,
    macs: int = 0,
) -> Operator:
    return Operator(kind, name, True, max(npu, sram, dram, flash), npu, sram, dram, flash, macs)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"kind": "FullyConnected", "npu": 9, "sram": 3, "flash": 8, "macs": 64}, "MACs"),
        ({"kind": "FullyConnected", "npu": 9, "sram": 3, "flash": 10, "macs": 64}, "flash"),
        ({"kind": "Conv2D", "npu": 9, "sram": 12, "flash": 10, "macs": 64}, "SRAM"),
        ({"kind": "Add", "npu": 9, "sram": 8}, "other arithmetic"),
        ({"kind": "Sigmoid", "npu": 9, "sram": 9, "macs": 512}, "other arithmetic"),
        ({"kind": "Mul", "npu": 1, "sram": 2, "dram": 3}, "DRAM"),
    ],
)
def test_an_operator_is_bound_by_its_longest_part(parts: dict[str, Any], expected: str) -> None:
    assert bound(operator(**parts)) == expected


def test_cycles_are_added_up_by_kind_and_by_step() -> None:
    operators = [
        operator("FullyConnected", "gru/xproj", npu=5),
        operator("FullyConnected", "gru/step_000/MatMul;gru/step_000/hproj", flash=100),
        operator("Add", "gru/step_000/h", npu=7),
        operator("FullyConnected", "gru/step_001/hproj", flash=90),
        operator("Add", "gru/h_out", npu=3),  # the last step's state, under its signature's name
    ]
    kinds = by_kind(operators)
    assert [(row.label, row.operators, row.total) for row in kinds] == [
        ("FullyConnected", 3, 5 + 100 + 90),
        ("Add", 2, 7 + 3),
    ]
    (layer,), outside = by_step(operators, Steps(("gru",), (state("gru", "h"),)))
    assert [(s.label, s.total) for s in layer.steps] == [("0", 100 + 7), ("1", 90 + 3)]
    assert outside.total == 5
    report = gru()
    layers, rest = by_step(report.compiled.operators, report.steps)
    total = rest.total + sum(step.total for layer in layers for step in layer.steps)
    assert total == sum(row.total for row in by_kind(report.compiled.operators))
    assert total == report.compiled.cycles, "what Vela says for the whole"


def test_limits_are_work_divided_by_rate() -> None:
    compiled = replace(
        gru().compiled,
        cycles=1000,
        macs=12_800,
        weights_kib=0.5,
        operators=(operator("FullyConnected", npu=300, sram=20, flash=900),),
        traffic=(Traffic("SRAM", 160, 0, 8.0), Traffic("off-chip flash", 1536, 1536, 2.0)),
    )
    bounds = limits(compiled)
    assert bounds is not None
    assert [(row.label, row.cycles, row.ideal) for row in bounds.rows] == [
        ("Arithmetic", 300, 12_800 / 128),  # ethos-u55-128
        ("SRAM", 20, 160 / 8),
        ("Off-chip flash", 900, 1536 / 2),
        ("Weights once, off-chip flash", None, 512 / 2),
    ]
    assert bounds.tightest.label == "Off-chip flash"
    assert bounds.weight_reads == 3  # 1536 / 512
    assert bounds.mac_percent == 10  # 12,800 of 128,000


def test_traffic_is_that_of_vela_at_the_configurations_bandwidth() -> None:
    by_memory = {t.memory: t for t in gru().compiled.traffic}
    # Ethos_U55_High_End_Embedded: 4 GB/s and 0.5 GB/s at 500 MHz
    assert by_memory["SRAM"].bytes_per_cycle == pytest.approx(8)
    assert by_memory["off-chip flash"].bytes_per_cycle == pytest.approx(1)


def test_the_interval_is_wilsons() -> None:
    low, high = interval(Point("", 100.0, 10))
    assert low == pytest.approx(100 * 10 / (10 + 1.96**2)) and high == pytest.approx(100)
    low, high = interval(Point("", 50.0, 100))  # 0.5 +- 1.96 * sqrt(...) / (1 + z^2 / n)
    assert low == pytest.approx(40.38, abs=0.01) and high == pytest.approx(59.62, abs=0.01)


LOG = """
Allocation, memory Sram, usage mask: FeatureMap|Staging
Start Time - End Time  : Start Addr -   End Addr: Tensor Size: Memory Usage: Format         : Name
         0 -          7:      0x400 -      0x710:         784:        23056: NHWC           : image
         4 -         13:      0x300 -      0x400:         256:        23056: NHCWB16        : g/c
         4 -         13:      0x300 -      0x400:         256:        23056: NHCWB16        : g/rh
         5 -          6:        0x0 -       0x90:         144:        23056: Unknown        : WB_1
Allocation Peak Tensor Size: 23552 bytes == 23 KiB
Tensor Allocation for read-only NPU tensors:
         0 -          1:        0x0 -       0x10:          16:           16: NHWC           : tanh
"""


def test_allocations_are_read_from_velas_log() -> None:
    image, shared, weights = allocations.read(LOG)
    assert (image.start, image.end, image.address, image.size) == (0, 7, 0x400, 784)
    assert shared.name == "g/rh", "operators that work in place share one"
    assert weights.staged and not image.staged
    assert allocations.read("nothing of the kind") == ()


@pytest.mark.parametrize("report", [gru, lstm_stream])
def test_the_plan_ends_where_vela_says(report: Callable[[], Report]) -> None:
    compiled = report().compiled
    ends = [a.address + a.size for a in compiled.allocations if a.memory == "Sram"]
    assert max(ends) <= 1024 * compiled.tensors_sram_kib <= max(ends) + 16


def test_the_step_graph_has_the_operators_of_one_step() -> None:
    tflite = gru().quantized_tflite
    (graph,) = step_graphs(tflite)
    assert (graph.layer, graph.step, graph.steps) == ("gru", 1, 6)
    names = [name for _, name in flatbuffer.operators(flatbuffer.read(tflite))]
    expected = [name for name in names if "gru/step_001/" in name]
    assert [node.full for node in graph.nodes if node.kind != "input"] == expected
    edges = {(graph.nodes[a].title, graph.nodes[b].title) for a, b in graph.edges}
    assert {("c_sum", "c"), ("hproj_zr", "zr_sum"), ("z_h_minus_c", "h")} <= edges
    (state,) = (node for node in graph.nodes if node.kind == "state")
    assert state.full == "gru/step_001/h"
    inputs = {node.title: node.detail for node in graph.nodes if node.kind == "input"}
    assert inputs["h"] == "state of the step before → 1×8"


def test_the_states_of_a_stream_are_in_its_only_step() -> None:
    (graph,) = step_graphs(lstm_stream().quantized_tflite)
    assert {n.title for n in graph.nodes if n.kind == "state"} == {"c_out", "h_out"}
    assert {"h_in", "c_in"} <= {n.title for n in graph.nodes if n.kind == "input"}


Graph: TypeAlias = tuple[list[float], list[tuple[int, int]]]
"""Widths of boxes, and arrows between them."""


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    count = draw(st.integers(1, 14))
    pairs = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1))
    edges = draw(st.sets(pairs.filter(lambda p: p[0] < p[1]), max_size=30))
    widths = draw(st.lists(st.floats(10, 200), min_size=count, max_size=count))
    return widths, sorted(edges)


@settings(max_examples=60)
@given(graphs())
def test_boxes_do_not_touch_and_arrows_point_down(graph: Graph) -> None:
    widths, edges = graph
    layout = lay_out(widths, edges, gap=12)
    for a, (x, layer) in enumerate(layout.places):
        assert widths[a] / 2 - 1e-6 <= x <= layout.width - widths[a] / 2 + 1e-6
        for b, (other, same) in enumerate(layout.places):
            if a < b and layer == same:
                assert abs(x - other) >= (widths[a] + widths[b]) / 2 + 12 - 1e-6
    for (source, sink), route in zip(edges, layout.routes, strict=True):
        assert route[0] == layout.places[source] and route[-1] == layout.places[sink]
        assert [layer for _, layer in route] == list(range(route[0][1], route[-1][1] + 1))
