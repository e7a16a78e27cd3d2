"""Advice: what each figure calls for, its reason, and commands that can be run as they are."""

import shlex
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from unspool.cli.trained import training_of
from unspool.compilation import vela
from unspool.compilation.budgets import Budget, check
from unspool.compilation.compiled import Compiled, Operator
from unspool.compilation.residency.keeping import Resident, keep_resident, repeating_kib
from unspool.compilation.targets import target
from unspool.compilation.waiting import Wait, wait
from unspool.report.advice import advise
from unspool.report.commands import Request, model
from unspool.report.compression import Compression
from unspool.report.making import of_compiled
from unspool.report.report import Advice, Report
from unspool.report.verdict import verdict
from unspool.runtime.measuring import PLACES, Measured
from unspool.runtime.scores import Accuracy, Regression
from unspool.support._tensorflow import keras

SUBJECT = Request(quantized="out/model_int8.tflite", out="out", model="my model.keras")
DEPLOYED = replace(SUBJECT, again="unspool deploy m.keras --calibration x.npy", activations="int8")
DATA = "--data X.npy --labels Y.npy"


@pytest.fixture(scope="module")
def compiled(int8_tflite: bytes) -> Compiled:
    """Vela's network for flash at 0.5 GB/s; the recurrent kernel is read in each of 5 steps."""
    return vela.compile(int8_tflite, target("ethos-u55-128"))


def operator(kind: str = "FullyConnected", on_npu: bool = True, **cycles: int) -> Operator:
    parts = {"npu_cycles": 10, "sram_cycles": 5, "dram_cycles": 0, "flash_cycles": 0, **cycles}
    reason = "" if on_npu else "Unsupported opType"
    return Operator(kind, f"{kind}_1", on_npu, max(parts.values()), macs=1, reason=reason, **parts)


def bound(compiled: Compiled, *operators: Operator) -> Compiled:
    """The network with other figures of Vela's."""
    return replace(compiled, operators=operators, cycles=sum(op.cycles for op in operators))


def report_of(
    compiled: Compiled, budget: Budget | None = None, resident: Resident | None = None
) -> Report:
    return of_compiled("m.tflite", compiled, b"", SUBJECT, budget, resident)


def advice_on(
    compiled: Compiled, budget: Budget | None = None, resident: Resident | None = None
) -> tuple[Advice, ...]:
    return report_of(compiled, budget, resident).advice


def waiting(compiled: Compiled) -> Wait:
    """How long the network waits, where it does."""
    waits = wait(compiled)
    assert waits is not None
    return waits


FLASH = operator(flash_cycles=100)
ARITHMETIC = operator(npu_cycles=100)


def test_the_wait_is_what_the_flash_takes_longer_than_all_else(compiled: Compiled) -> None:
    waits = waiting(bound(compiled, FLASH, FLASH, ARITHMETIC))
    # Two operators of 100 cycles whose arithmetic takes 10: 180 of 300 cycles are waiting.
    assert (waits.memory, waits.bound, waits.cycles) == ("OffChipFlash", 200, 180)
    assert waits.share == pytest.approx(2 / 3)


def test_without_the_wait_it_is_as_with_all_weights_in_sram(
    compiled: Compiled, int8_tflite: bytes
) -> None:
    """Vela's own figure for the same network in Sram_Only; for a GRU(256), it is 0.2 % off."""
    in_sram = vela.compile(int8_tflite, target("ethos-u55-128", memory_mode="Sram_Only"))
    assert compiled.cycles - waiting(compiled).cycles == pytest.approx(in_sram.cycles, rel=0.12)
    assert wait(in_sram) is None


def test_weights_that_wait_in_dram_are_seen(int8_tflite: bytes) -> None:
    assert waiting(vela.compile(int8_tflite, target("ethos-u65-256"))).memory == "Dram"


def test_what_would_be_copied_is_what_is_copied(compiled: Compiled, int8_tflite: bytes) -> None:
    assert repeating_kib(compiled) == keep_resident(compiled, int8_tflite).kept_kib > 0


def test_flash_bound_and_fits_is_resident_weights(compiled: Compiled) -> None:
    (advice,) = advice_on(compiled, budget=Budget(max_sram_kib=64))
    assert "% of the cycles are spent waiting for OffChipFlash" in advice.text
    assert advice.gain == pytest.approx(waiting(compiled).cycles / compiled.cycles)
    assert "fits the budget's 64 KiB" in advice.text
    assert shlex.split(advice.command)[:4] == [
        *("unspool", "compile", "out/model_int8.tflite", "--resident-weights")
    ]
    assert set(advice.because) <= set(report_of(compiled).values)


def test_flash_bound_and_does_not_fit_is_compression(compiled: Compiled) -> None:
    little = compiled.sram_kib + 0.01
    (advice,) = advice_on(compiled, budget=Budget(max_sram_kib=little))
    assert "KiB of SRAM in all, more than the budget's" in advice.text
    assert advice.command == f"unspool compress 'my model.keras' {DATA} --max-accuracy-drop 0.2"


def test_where_the_sram_is_not_known_that_is_said(compiled: Compiled) -> None:
    resident, compress = advice_on(compiled)
    assert "if the device has that much (not known: no budget says it)" in resident.text
    assert compress.text.startswith("Or, if it has not, compress the weights")


def test_the_memory_modes_own_limit_is_taken(int8_tflite: bytes) -> None:
    chosen = target("ethos-u65-256", "Ethos_U65_High_End", "Dedicated_Sram_384KB")
    (advice,) = advice_on(bound(vela.compile(int8_tflite, chosen), operator(dram_cycles=99)))
    assert "waiting for Dram" in advice.text
    assert "fits the 384 KiB of Dedicated_Sram_384KB (its arena_cache_size)" in advice.text


def test_where_nothing_can_be_resident_all_weights_in_sram_are_named(int8_tflite: bytes) -> None:
    chosen = target("ethos-u85-256", "Ethos_U85_SYS_Flash_High", "Shared_Sram")
    network = bound(vela.compile(int8_tflite, chosen), FLASH)
    (advice,) = advice_on(network, budget=Budget(max_sram_kib=100))
    assert "--memory-mode Sram_Only" in advice.command and "ethos-u85-256" in advice.command


def test_a_configuration_without_sram_only_leaves_compression(
    int8_tflite: bytes, tmp_path: Path
) -> None:
    mine = tmp_path / "board.ini"
    mine.write_text(target().config.read_text().replace("Memory_Mode.Sram_Only", "Memory_Mode.X"))
    chosen = target("ethos-u85-256", "Ethos_U85_SYS_Flash_High", "Shared_Sram", mine)
    (advice,) = advice_on(bound(vela.compile(int8_tflite, chosen), FLASH))
    assert "Compress the weights" in advice.text and "SRAM in all" not in advice.text


@pytest.mark.parametrize(
    "operators",
    [
        (ARITHMETIC,),
        (operator(flash_cycles=60, npu_cycles=50), ARITHMETIC),  # 10 of 160 cycles
        (operator(flash_cycles=99, npu_cycles=90),),  # all wait, for 9 of 99
        (operator(sram_cycles=50),),
    ],
)
def test_what_saves_less_than_a_tenth_gets_no_advice(
    compiled: Compiled, operators: tuple[Operator, ...]
) -> None:
    assert advice_on(bound(compiled, *operators)) == ()


def test_weights_that_are_resident_already_get_no_advice(
    compiled: Compiled, int8_tflite: bytes
) -> None:
    resident = keep_resident(compiled, int8_tflite)
    assert advice_on(compiled, resident=resident) == ()


def test_too_many_resident_weights_become_fewer(compiled: Compiled, int8_tflite: bytes) -> None:
    big = replace(keep_resident(compiled, int8_tflite), kept_kib=100.0, sram_kib=104.5)
    first = advice_on(compiled, Budget(max_sram_kib=64), big)[0]
    # 104.5 - 100 = 4.5 KiB are for the rest; 59.5 are left.
    assert "--resident-weights 59 " in first.command


def accuracies(before: int, after: int, output: str = "") -> tuple[Accuracy, ...]:
    """Of 1,000 samples, so many right."""
    return tuple(
        Accuracy(runtime, ((right, 1000 - right), (0, 0)), output)
        for runtime, right in (("keras", before), ("tflm", after))
    )


@pytest.mark.parametrize(("after", "count"), [(976, 0), (975, 0), (974, 2), (985, 0)])
def test_half_a_point_of_accuracy_may_be_lost_without_a_word(
    compiled: Compiled, after: int, count: int
) -> None:
    report = report_of(bound(compiled, ARITHMETIC))
    report = replace(report, measured=Measured(accuracies=accuracies(980, after)))
    given = advise(report, DEPLOYED)
    assert len(given) == count
    if count:
        assert given[0].command == f"unspool compress 'my model.keras' {DATA} --quantization-aware"
        assert given[1].command == f"{DEPLOYED.again} --activations int16"
        assert given[0].because == ("accuracy_keras", "accuracy_tflm")
        assert len(advise(report, replace(DEPLOYED, activations="int16"))) == 1


def test_of_several_outputs_the_one_that_loses_most_counts(compiled: Compiled) -> None:
    scores = (*accuracies(900, 901, "voice"), *accuracies(990, 960, "word"))
    report = replace(report_of(bound(compiled, ARITHMETIC)), measured=Measured(accuracies=scores))
    first = advise(report, DEPLOYED)[0]
    assert first.text.startswith("Quantization loses 3.00 points of accuracy of output 'word'.")
    assert first.because == ("accuracy_keras_word", "accuracy_tflm_word")
    states = {check.text: check.state for check in verdict(report)}
    assert (
        states[
            "Accuracy of output 'word' 96.00 % in TFLM, 3.00 points below the trained model "
            "(1,000 samples)."
        ]
        == "bad"
    )
    assert (
        states[
            "Accuracy of output 'voice' 90.10 % in TFLM, 0.10 points above the trained model "
            "(1,000 samples)."
        ]
        == "good"
    )


def test_a_compressed_model_is_held_against_the_one_that_the_user_had(compiled: Compiled) -> None:
    """Not against itself in float, which had lost all of it already."""
    values = [Regression(runtime, 10, 500.0, 400.0, None, (), "level") for runtime in PLACES]
    measured = Measured(accuracies=accuracies(959, 958), regressions=tuple(values))
    before = {"accuracy_keras": 100.0, "accuracy_tflm": 99.9, "rmse_keras_level": 267.0}
    report = replace(report_of(compiled), measured=measured, compression=Compression(before, ()))
    states = {check.text: check.state for check in verdict(report)}
    assert (
        states[
            "Accuracy 95.80 % in TFLM, 4.20 points below the model before it was compressed "
            "(1,000 samples)."
        ]
        == "bad"
    )
    assert (
        "RMSE of output 'level' 500 in TFLM, 267 in the model before it was compressed "
        "(10 samples)." in states
    )
    assert not any("Quantization loses" in advice.text for advice in advise(report, DEPLOYED))


def head(name: str, width: int, activation: str | None) -> Any:
    return keras.layers.Dense(width, activation=activation, name=name)


# losses of the outputs "word" (softmax) and "level" (a value) -> what compress is told
TRAININGS: dict[str, tuple[dict[str, str | None], str]] = {
    "classes": (
        {"word": "sparse_categorical_crossentropy", "level": None},
        "--data X.npy --labels Y.npy --max-accuracy-drop 0.2",
    ),
    "values": (
        {"word": None, "level": "mse"},
        "--data X.npy --labels Y.npy --metric mae --max-metric-increase 2%",
    ),
    "both": (
        {"word": "sparse_categorical_crossentropy", "level": "mse"},
        "--data X.npy --labels Y.npz",
    ),
    "none": ({"word": None, "level": None}, "--data X.npy"),
}


@pytest.mark.parametrize("case", TRAININGS)
def test_a_search_is_advised_for_what_the_model_was_trained_for(case: str) -> None:
    """A model of values has no accuracy, and a search measures one output."""
    x = keras.Input((6, 5))
    seen = keras.layers.GRU(4)(x)
    outputs = {"word": head("word", 3, "softmax")(seen), "level": head("level", 1, None)(seen)}
    model = keras.Model(x, outputs)
    losses, expected = TRAININGS[case]
    model.compile(loss={name: loss for name, loss in losses.items() if loss})
    training = training_of(model)
    assert " ".join(filter(None, (training.data, training.search))) == expected


def test_operators_on_the_cpu_are_named_with_velas_reason(compiled: Compiled) -> None:
    cpu = tuple(operator(kind, on_npu=False) for kind in ("Gather", "Cast", "Neg", "Tile"))
    network = replace(bound(compiled, ARITHMETIC), cpu_operators=cpu)
    (advice,) = advice_on(network)
    assert advice.text.startswith(
        "4 operators run on the CPU: Gather Gather_1, Cast Cast_1, Neg Neg_1 and 1 more. "
    )
    assert "Unsupported opType" in advice.text
    assert advice.command.startswith("unspool inspect out/model_int8.tflite --target ethos-u55-128")


def test_a_budget_that_is_broken_asks_which_target_keeps_it(compiled: Compiled) -> None:
    budget = Budget(max_ms=1e-6, no_cpu=True)
    (advice,) = advice_on(bound(compiled, ARITHMETIC), budget=budget)
    assert advice.command == (
        "unspool sweep out/model_int8.tflite --max-ms 1e-06 --no-cpu --out out/sweep"
    )
    assert check({"milliseconds": 1, "cpu_operators": 0}, budget)


@pytest.mark.parametrize(("steps", "count"), [(28, 1), (1, 0), (0, 0)])
def test_streams_are_a_question_where_they_are_possible(
    compiled: Compiled, steps: int, count: int
) -> None:
    report = replace(
        report_of(bound(compiled, ARITHMETIC)),
        created=datetime.now(timezone.utc),
    )
    given = advise(report, replace(DEPLOYED, time_steps=steps))
    assert len(given) == count
    for advice in given:
        assert advice.text.startswith("If you run this on sliding windows of a stream: ")
        assert "1 step, not 28" in advice.text
        assert advice.command == f"{DEPLOYED.again} --states --time-steps 1"


@pytest.mark.parametrize(("chunk", "count"), [(None, 1), (1, 2)])
def test_what_cannot_be_a_stream_can_be_called_in_parts(
    compiled: Compiled, chunk: int | None, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    mostly = replace(bound(compiled, ARITHMETIC), tflite=compiled.tflite)
    report = replace(report_of(mostly), created=datetime.now(timezone.utc))
    monkeypatch.setattr("unspool.report.advice.MANY_KIB", 0)
    monkeypatch.setattr(type(mostly), "command_stream_kib", mostly.flash_kib * 0.9)
    given = advise(report, replace(DEPLOYED, time_steps=28, chunk=chunk))
    assert len(given) == count
    assert f"{DEPLOYED.again} --steps-per-call auto" in [advice.command for advice in given]
    budget = Budget(max_flash_kib=mostly.flash_kib / 2)
    over = replace(report, budget=budget, breaches=check(report.values, budget))
    first, second, *_ = advise(over, replace(DEPLOYED, time_steps=28, chunk=chunk))
    assert first.command == f"{DEPLOYED.again} --steps-per-call auto", "no target has less flash"
    assert second.command.startswith("unspool sweep")


def test_commands_for_weights_without_layers_name_both_files() -> None:
    request = replace(SUBJECT, config="my layers.json")
    assert model(request) == "'my model.keras' --config 'my layers.json'"
    assert model(SUBJECT) == "'my model.keras'"


@pytest.mark.parametrize(("chunk", "count"), [(4, 1), (28, 0), (56, 0)])
def test_a_stream_takes_whole_windows_at_once(compiled: Compiled, chunk: int, count: int) -> None:
    report = replace(
        report_of(bound(compiled, ARITHMETIC)),
        created=datetime.now(timezone.utc),
    )
    given = advise(report, replace(DEPLOYED, time_steps=28, chunk=chunk))
    assert len(given) == count
    for advice in given:
        assert "a call computes 4 steps, not 28" in advice.text
        assert advice.command == f"{DEPLOYED.again} --states --time-steps 4"
