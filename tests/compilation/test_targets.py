"""Targets: Vela's names and defaults, and what each accelerator does not have."""

from pathlib import Path
from typing import Any

import pytest

from unspool.compilation.targets import ACCELERATORS, memory_modes, system_configs, target
from unspool.errors import UnspoolError

U55, U65, U85 = (
    ("Ethos_U55_High_End_Embedded", "Shared_Sram"),
    ("Ethos_U65_Client_Server", "Dedicated_Sram_384KB"),
    ("Ethos_U85_SYS_DRAM_Mid", "Dedicated_Sram_384KB"),
)


@pytest.mark.parametrize(
    ("accelerator", "defaults"),
    [
        *((f"ethos-u55-{n}", U55) for n in (32, 64, 128, 256)),
        *((f"ethos-u65-{n}", U65) for n in (256, 512)),
        *((f"ethos-u85-{n}", U85) for n in (128, 256, 512, 1024, 2048)),
    ],
)
def test_defaults_are_velas_own(accelerator: str, defaults: tuple[str, str]) -> None:
    chosen = target(accelerator)
    assert (chosen.system_config, chosen.memory_mode) == defaults
    assert chosen.config.name == "vela.ini"


def test_the_accelerators_are_those_that_vela_lists() -> None:
    from ethosu.vela.architecture_features import Accelerator

    assert set(ACCELERATORS) == set(Accelerator.member_list())


def test_what_an_accelerator_has() -> None:
    config = target().config
    assert memory_modes("ethos-u55-64", config) == ["Sram_Only", "Shared_Sram"]
    assert "Dedicated_Sram_512KB" in memory_modes("ethos-u65-256", config)
    assert system_configs("ethos-u55-64", config) == [
        "Ethos_U55_Deep_Embedded",
        "Ethos_U55_High_End_Embedded",
    ]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("ethos-u99",), "target 'ethos-u99': expected one of ethos-u55-32, "),
        (("ethos-u55-128", "Nope"), "system configuration 'Nope': expected, for ethos-u55-128"),
        (("ethos-u55-128", "Ethos_U65_Embedded"), "'Ethos_U65_Embedded': expected"),
        (
            ("ethos-u55-128", None, "Dedicated_Sram"),
            "memory mode 'Dedicated_Sram': expected, for ethos-u55-128 with "
            "Ethos_U55_High_End_Embedded, one of Sram_Only, Shared_Sram$",
        ),
        (("ethos-u65-512", "Ethos_U65_Embedded", "Dedicated_Sram"), "one of Sram_Only, Shared"),
        (("ethos-u85-256", None, "Nope"), "memory mode 'Nope'"),
    ],
)
def test_names_that_do_not_fit_are_answered_with_those_that_do(names: Any, message: str) -> None:
    with pytest.raises(UnspoolError, match=message):
        target(*names)


def test_a_users_configuration_file_is_read(tmp_path: Path) -> None:
    text = target().config.read_text()
    mine = tmp_path / "board.ini"
    mine.write_text(text + "\n[Memory_Mode.Mine]\ninherit=Memory_Mode.Shared_Sram\n")
    assert target("ethos-u55-64", memory_mode="Mine", config=mine).memory_mode == "Mine"


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "No such file"), (b"no section", "not an .ini file"), (b"\xff\xfe", "not an .ini")],
)
def test_a_bad_configuration_file_is_named(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / "bad.ini"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UnspoolError, match=f"bad.ini: .*{message}"):
        target(config=path)
