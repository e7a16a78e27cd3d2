"""Options of whether sequences are unrolled or a stream is fed, and in what pieces."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unspool.cli.options import (
    DEFAULT_ROUNDS,
    CalibrationRounds,
    States,
    StepsPerCall,
    TimeSteps,
)
from unspool.compilation.budgets import Budget
from unspool.errors import UnspoolError
from unspool.support.progress import Watch
from unspool.support.samples import Samples

if TYPE_CHECKING:
    from unspool.compilation.call_costs import CallCost
    from unspool.deployed import Deployment, Options
    from unspool.stages import Way

AUTO = "auto"
"""Steps per call: the best of some that are tried."""


@dataclass(frozen=True)
class StreamOptions:
    """Whether sequences are unrolled or a stream is fed, and how long a piece of it is."""

    time_steps: TimeSteps = None
    steps_per_call: StepsPerCall = None
    states: States = False
    calibration_rounds: CalibrationRounds = None
    carry_states: Annotated[
        bool,
        typer.Option(
            "--carry-states",
            help="With --states: the device never resets its states; calibrate so.",
        ),
    ] = False
    lookahead: Annotated[
        bool,
        typer.Option(
            "--lookahead",
            help="With --states: accept outputs that come some steps late, as convolutions read "
            "what is to come.",
        ),
    ] = False
    pool_window: Annotated[
        int | None,
        typer.Option(
            "--pool-window",
            metavar="N",
            help="With --states: a pooling over the whole sequence is one over its last N time "
            "steps.",
        ),
    ] = None
    pool_since_reset: Annotated[
        bool,
        typer.Option(
            "--pool-since-reset",
            help="With --pool-window: until so many have come, it pools over those since the "
            "reset.",
        ),
    ] = False

    def check(self) -> None:
        """Check that what has a meaning for streams only was not given for sequences.

        Raises:
            UnspoolError: it was.
        """
        only = {
            "carry-states": self.carry_states,
            "lookahead": self.lookahead,
            "pool-window": self.pool_window is not None,
            "pool-since-reset": self.pool_since_reset,
            "calibration-rounds": self.calibration_rounds,
        }
        for name, value in only.items():
            if value and not self.states:
                raise UnspoolError(f"--{name}: has a meaning with --states only; add --states")
        if self.steps_per_call is None:
            return
        if self.states:
            raise UnspoolError(
                "--steps-per-call and --states: expected at most one; a stream's calls take "
                "--time-steps each, of a sequence that never ends"
            )
        if self.steps_per_call != AUTO and not self.steps_per_call.isdecimal():
            raise UnspoolError(
                f"--steps-per-call {self.steps_per_call}: expected a number of time steps, or "
                f"{AUTO}"
            )

    def settled(
        self,
        model: Any,
        calibration: Samples,
        options: "Options",
        budget: Budget | None,
        watch: Watch,
    ) -> "tuple[StreamOptions, tuple[CallCost, ...]]":
        """The options with a number of steps per call in place of "auto", and what each costs."""
        from unspool.calls import call_costs
        from unspool.compilation.call_costs import choose

        if self.steps_per_call != AUTO:
            return self, ()
        costs = call_costs(
            model, calibration, time_steps=self.time_steps, options=options, watch=watch
        )
        return replace(self, steps_per_call=str(choose(costs, budget).steps_per_call)), costs

    def way(self, model: Any, options: "Options") -> "Way":
        """How a model is unrolled, calibrated and quantized; not with "auto" steps per call."""
        from unspool.deployment import stream_way_of, way_of
        from unspool.frontend.time_first import time_first
        from unspool.unrolling import pieces
        from unspool.unrolling.stream_checks import check_streams

        if not self.states:
            steps = int(self.steps_per_call) if self.steps_per_call else None
            return way_of(self.time_steps, steps, options)
        cut = pieces.stream(self.lookahead, self.pool_window, self.pool_since_reset)
        multiple = check_streams(time_first(model).model, cut).multiple
        rounds = self.calibration_rounds or DEFAULT_ROUNDS
        return stream_way_of(self.time_steps or multiple, cut, rounds, self.carry_states, options)

    def deploy(
        self,
        model: Any,
        calibration: Samples,
        test: tuple[Samples, Samples] | None,
        options: "Options",
        watch: Watch,
    ) -> "Deployment":
        """Deploy a model for sequences, or with --states for a stream."""
        from unspool.deployment import deploy, deploy_stream

        if not self.states:
            return deploy(
                model,
                calibration,
                test=test,
                time_steps=self.time_steps,
                steps_per_call=int(self.steps_per_call) if self.steps_per_call else None,
                options=options,
                watch=watch,
            )
        return deploy_stream(
            model,
            calibration,
            time_steps=self.time_steps,
            test=test,
            calibration_rounds=self.calibration_rounds or DEFAULT_ROUNDS,
            carry_states=self.carry_states,
            lookahead=self.lookahead,
            pool_window=self.pool_window,
            pool_since_reset=self.pool_since_reset,
            options=options,
            watch=watch,
        )

    def takes_parts(self, model: Any) -> bool:
        """Whether one binary cannot do what is asked: a sequence by several calls."""
        from unspool.unrolling.stream_checks import is_one_loop

        return self.steps_per_call is not None and not is_one_loop(model)
