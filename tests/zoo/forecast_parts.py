"""Networks that say what comes next: weather, power, prices, rivers, air."""

from typing import Any

import numpy as np

from unspool.support._tensorflow import keras
from zoo.core import seeded
from zoo.signals import FIXED, classes, column, one_hot, real, uniform, wander

L = keras.layers
GROUP = "Forecasts"
HANDS_ON = (
    "https://github.com/ageron/handson-ml2/blob/master/15_processing_sequences_using_rnns_and_cnns"
    ".ipynb"
)


def jena(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Five days of 14 measurements an hour, standardised, and the temperature a day later."""
    hour = np.arange(144) + uniform(rng, count, 0, 24)
    season = uniform(rng, count, -1.2, 1.2)
    front = wander(rng, (count, 144), 0.985)
    heat = season + 0.45 * np.sin(2 * np.pi * hour / 24) + 0.55 * front
    mixing = np.random.default_rng(FIXED).normal(0, 0.5, (4, 14))
    parts = np.stack([heat, front, np.sin(2 * np.pi * hour / 24), wander(rng, heat.shape, 0.9)], -1)
    x = parts @ mixing
    x[..., 1] = heat
    x += 0.12 * rng.normal(0, 1, x.shape)
    return real(x[:, :120]), real(9 + 8 * heat[:, 143:])


def household(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Two weeks of a household's daily sums in eight columns (kWh, V), and the week after."""
    day = np.arange(21) + rng.integers(0, 7, (count, 1))
    level = uniform(rng, count, 14, 40) * (1 + 0.18 * (day % 7 >= 5))
    level = level * np.exp(0.12 * wander(rng, (count, 21), 0.6))
    shares = np.random.default_rng(FIXED).uniform(0.05, 0.4, 5)
    parts = level[..., None] * shares * np.exp(0.2 * rng.normal(0, 1, (count, 21, 5)))
    volts = 240 - 0.05 * level + rng.normal(0, 1, level.shape)
    x = np.concatenate([level[..., None], 0.1 * parts[..., :1], volts[..., None], parts], -1)
    return real(x[:, :14]), real(level[:, 14:, None])


def prices(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """60 days of a price in [0, 1], and the next."""
    walk = np.cumsum(rng.normal(0, 0.012, (count, 61)) + uniform(rng, count, -0.004, 0.004), axis=1)
    x = np.clip(uniform(rng, count, 0.15, 0.85) + walk, 0, 1)
    return real(x[:, :60, None]), real(x[:, 60:])


def two_sines(rng: np.random.Generator, count: int, steps: int) -> np.ndarray:
    t = np.linspace(0, 1, steps)
    x = 0.1 * (rng.random((count, steps)) - 0.5)
    for low, width, level in ((10, 10, 0.5), (20, 20, 0.2)):
        rate = low + width * rng.random((count, 1))
        x += level * np.sin((t - rng.random((count, 1))) * rate)
    return x


def next_ten(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """50 steps of two sine waves, and after each of them the next ten."""
    x = two_sines(rng, count, 60)
    return real(x[:, :50, None]), real(x[:, 1 + np.arange(50)[:, None] + np.arange(10)])


def every_other_ten(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    x, y = next_ten(rng, count)
    return x, y[:, 3::2]


@keras.saving.register_keras_serializable("zoo")
class LNSimpleRNNCell(keras.layers.Layer):  # type: ignore[misc]
    """A SimpleRNN that normalises before it activates."""

    def __init__(self, units: int, activation: str = "tanh", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = self.state_size = self.output_size = units
        self.simple_rnn_cell = L.SimpleRNNCell(units, activation=None)
        self.layer_norm = L.LayerNormalization()
        self.activation = keras.activations.get(activation)

    def build(self, shape: Any) -> None:
        self.simple_rnn_cell.build(shape)
        self.layer_norm.build((None, self.units))

    def call(self, inputs: Any, states: Any, training: bool = False) -> Any:
        outputs, _ = self.simple_rnn_cell(inputs, states)
        outputs = self.activation(self.layer_norm(outputs))
        return outputs, [outputs]

    def get_config(self) -> dict[str, Any]:
        activation = keras.activations.serialize(self.activation)
        return {**super().get_config(), "units": self.units, "activation": activation}


@seeded
def normalised_cells() -> Any:
    x = keras.Input((50, 1), name="series")
    y = L.RNN(LNSimpleRNNCell(20), return_sequences=True)(x)
    y = L.RNN(LNSimpleRNNCell(20), return_sequences=True)(y)
    return keras.Model(x, L.TimeDistributed(L.Dense(10))(y), name="ln_rnn")


def sines_again(rng: np.random.Generator, count: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """15 steps of two sine waves and 15 zeros, and the next 15."""
    x = 2 * two_sines(rng, count, 60)[:, 15:45]
    zeros = np.zeros((count, 15, 1), np.float32)
    return {"encoder_inputs": real(x[:, :15, None]), "decoder_inputs": zeros}, real(x[:, 15:, None])


@seeded
def encoder_decoder() -> Any:
    """Stacks of cells; the decoder goes on from the states of the encoder, on zeros."""
    seen = keras.Input((None, 1), name="encoder_inputs")
    zeros = keras.Input((None, 1), name="decoder_inputs")
    _, *states = L.RNN([L.GRUCell(35), L.GRUCell(35)], return_state=True)(seen)
    decoder = L.RNN([L.GRUCell(35), L.GRUCell(35)], return_sequences=True, return_state=True)
    y, *_ = decoder(zeros, initial_state=states)
    return keras.Model([seen, zeros], L.Dense(1, activation="linear")(y), name="seq2seq")


def cities(rng: np.random.Generator, count: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """60 days of mean temperature in tens of degrees C, in one of 20 cities, and the next day's."""
    city = classes(rng, count, 20)
    fixed = np.random.default_rng(FIXED)
    mean, swing, keep = (
        fixed.uniform(-0.2, 2.6, 20),
        fixed.uniform(0.2, 1.5, 20),
        fixed.uniform(0.2, 0.95, 20),
    )
    day = np.arange(61) + uniform(rng, count, 0, 365)
    away = np.zeros((count, 61))
    for step in range(1, 61):
        away[:, step] = keep[city] * away[:, step - 1] + rng.normal(0, 0.15, count)
    x = column(mean[city]) + column(swing[city]) * np.sin(2 * np.pi * day / 365) + away
    inputs = {"temperature": real(x[:, :60, None]), "city": one_hot(city, 20)}
    return inputs, real(x[:, 60:])


@seeded
def conditional() -> Any:
    """What does not change over time sets the states that the LSTM begins with."""
    x, city = keras.Input((60, 1), name="temperature"), keras.Input((20,), name="city")
    start = L.Dense(64)(city)
    y = L.LSTM(64)(x, initial_state=[start, start])
    return keras.Model([x, city], L.Dense(1)(y), name="conditional")


def rivers(rng: np.random.Generator, count: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """CAMELS: 270 days of five forcings, 27 attributes of the basin, and today's discharge."""
    basin = rng.normal(0, 1, (count, 27))
    slow, loss = 1 / (1 + np.exp(-basin[:, 0])), 1 / (1 + np.exp(-basin[:, 1]))
    rain = np.maximum(0, wander(rng, (count, 270), 0.7) - 0.6) * np.exp(
        0.5 * wander(rng, (count, 270), 0.2)
    )
    warm = np.sin(2 * np.pi * (np.arange(270) / 365 + rng.random((count, 1))))
    stored = np.full(count, 1.0)
    for day in range(270):
        out = stored * (0.02 + 0.2 * slow)
        dry = 0.3 * loss * (1 + warm[:, day]) * stored / (1 + stored)
        stored = stored + 3 * rain[:, day] - out - 0.3 * dry
    heat = warm[..., None] + 0.2 * rng.normal(0, 1, (count, 270, 4))
    x = np.concatenate([2.5 * rain[..., None], heat], -1)
    return {"forcings": real(x), "basin": real(basin)}, real(1.6 * out)[:, None]


@seeded
def rainfall_runoff() -> Any:
    x, basin = keras.Input((270, 5), name="forcings"), keras.Input((27,), name="basin")
    y = L.LSTM(256)(L.Concatenate()([x, L.RepeatVector(270)(basin)]))
    return keras.Model([x, basin], L.Dense(1)(L.Dropout(0.4)(y)), name="rainfall_runoff")


def smog(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """A day of eight columns an hour in [0, 1], and the PM2.5 of the next hour."""
    wind = np.clip(0.25 + 0.18 * wander(rng, (count, 25), 0.85), 0, 1)
    air = uniform(rng, count, 0.02, 0.45)
    dust = np.zeros((count, 25))
    for hour in range(25):
        air = np.clip(0.93 * air + 0.045 - 0.13 * wind[:, hour : hour + 1], 0.01, 1)
        air = air + 0.01 * rng.normal(0, 1, air.shape)
        dust[:, hour] = air[:, 0]
    rest = np.clip(0.5 + 0.15 * wander(rng, (count, 25, 6), 0.97), 0, 1)
    x = np.concatenate([dust[..., None], rest, wind[..., None]], -1)
    return real(x[:, :24]), real(dust[:, 24:])


def rooms(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """An hour of degrees C, % of humidity, lux, ppm of CO2 and kg/kg; is somebody in?"""
    y = classes(rng, count, 2)[:, None]
    came = uniform(rng, count, 0, 55)
    inside = np.where(y == 1, np.arange(60) > came, np.arange(60) < came - 20).astype(float)
    day = rng.random((count, 1)) < 0.75
    light = 430 * inside * (rng.random((count, 1)) < 0.85) + day * uniform(rng, count, 0, 250)
    carbon = uniform(rng, count, 420, 700) + 6 * np.cumsum(inside - 0.25, 1).clip(-8)
    heat = 20.3 + 0.02 * np.cumsum(inside, 1) + 0.5 * rng.normal(0, 1, (count, 1))
    damp = 26 + 3 * rng.normal(0, 1, (count, 1)) + 0.02 * np.cumsum(inside, 1)
    x = np.stack([heat + 0 * light, damp, light, carbon, 1.5e-4 * damp], -1)
    return real(x + rng.normal(0, 1, x.shape) * np.array([0.05, 0.1, 6, 8, 2e-5])), y
