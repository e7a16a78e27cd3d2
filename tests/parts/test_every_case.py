"""Every network of docs/supported.md in parts: run in Keras, they give what it gives."""

import numpy as np
import pytest
import slow
from cases import CASES
from cases.trial import given

from unspool.frontend.inference_form import for_inference
from unspool.frontend.structure import predict
from unspool.parts.cutting import cut
from unspool.runtime import linked

LONG = "Sequences of sequences, TimeDistributed(Bidirectional(LSTM))"  # 66 loops, traced twice
BY_NAME = {f"{case.group}, {case.name}": case for case in CASES}


@pytest.mark.one_in(2)
@pytest.mark.parametrize(
    "name", slow.unless([n for n in BY_NAME if slow.is_drawn(n, 20) and n != LONG], BY_NAME)
)
def test_parts_give_what_the_network_gives(name: str) -> None:
    case = BY_NAME[name]
    steps = case.lengths[-1]
    trained, data = given(case, steps)
    data = [array[:6] for array in data]
    model = for_inference(trained)
    made = cut(model, steps if case.is_open else None)
    values = linked.fed(made.ends, data)
    for part in made.parts:
        read = linked.taken(part.inputs, values)
        values |= linked.given_by(part.outputs, predict(part.model, read, 32))
    for output, wanted in zip(made.ends.outputs, predict(model, data, 32), strict=True):
        np.testing.assert_allclose(values[output], wanted, atol=1e-5)
