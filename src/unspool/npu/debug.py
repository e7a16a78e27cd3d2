"""The operators' names from Vela's debug database (`vela --enable-debug-db`, `*_debug.xml`).

The file holds tables as CSV. `queue` says which operator of Vela's graph each operation of the
stream came from, `perf` and `optimised` name it, `source` names the operator of the network.
"""

import csv
import io
import re
from dataclasses import dataclass

from unspool.errors import UnspoolError

_TABLE = re.compile(r"""<table name=["'](\w+)["']>\s*<!\[CDATA\[(.*?)\]\]>""", re.DOTALL)


@dataclass(frozen=True)
class Origin:
    """Where an operation of the stream comes from.

    Attributes:
        operator: Vela's operator, such as Add.
        source: the network's operator, such as Sigmoid; empty where unknown.
        name: of the tensor that the network's operator writes; empty where unknown.
    """

    operator: str
    source: str
    name: str


def read_debug(data: bytes) -> dict[int, Origin]:
    """Where operations come from, by the byte offset of each in the command stream.

    Raises:
        UnspoolError: the bytes are not a debug database.
    """
    tables = read_tables(data)
    if "queue" not in tables or "optimised" not in tables:
        raise UnspoolError(
            f"not a Vela debug database: it has the tables {sorted(tables)},"
            " expected queue and optimised among them"
        )
    optimised, source, perf = (_by_id(tables.get(t, [])) for t in ("optimised", "source", "perf"))
    origins = {}
    for row in tables["queue"]:
        operator = optimised.get(row.get("optimised_id", ""), {})
        scheduled = perf.get(row.get("scheduled_id", ""), {})
        origin = source.get(operator.get("source_id", ""), {})
        if row.get("offset", "").isdecimal():
            origins[int(row["offset"])] = Origin(
                operator=scheduled.get("operator") or operator.get("operator", ""),
                source=origin.get("operator", ""),
                name=scheduled.get("name", ""),
            )
    return origins


def read_tables(data: bytes) -> dict[str, list[dict[str, str]]]:
    """The tables of a debug database: name -> rows, each column -> value; none in other bytes."""
    text = data.decode("utf-8", "replace")
    return {name: _rows(body) for name, body in _TABLE.findall(text)}


def _rows(body: str) -> list[dict[str, str]]:
    lines = io.StringIO(body.strip())
    return [{k: v or "" for k, v in row.items() if k} for row in csv.DictReader(lines)]


def _by_id(rows: list[dict[str, str]]) -> dict[str, dict[str, str]]:
    return {row.get("id", ""): row for row in rows}
