"""The operators' names from Vela's debug database (`vela --enable-debug-db`, `*_debug.xml`).

The file holds tables as CSV. `queue` says which operator of Vela's graph each operation of the
stream came from, `perf` and `optimised` name it, `source` names the operator of the network.
"""

import csv
import re
from dataclasses import dataclass
from itertools import zip_longest

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
    """The tables of a debug database: name -> rows, each column -> value; none in other bytes.

    Raises:
        UnspoolError: a table is damaged.
    """
    text = data.decode("utf-8", "replace")
    try:
        return {name: _rows(body) for name, body in _TABLE.findall(text)}
    except csv.Error as error:
        raise UnspoolError(f"the Vela debug database is damaged ({error})") from None


def _rows(body: str) -> list[dict[str, str]]:
    """Rows, each of a line: Vela puts names in quotes as they are, with quotes in them."""
    heads, *rows = (next(csv.reader([line]), []) for line in body.strip().split("\n"))
    return [dict(zip_longest(heads, row[: len(heads)], fillvalue="")) for row in rows]


def _by_id(rows: list[dict[str, str]]) -> dict[str, dict[str, str]]:
    return {row.get("id", ""): row for row in rows}
