"""What a neural network does to images before its first layer."""

from __future__ import annotations

from collections.abc import Mapping

from archscope.errors import DataError
from archscope.importers.coreml.activations import line
from archscope.importers.coreml.features import Feature
from archscope.importers.coreml.messages import Message
from archscope.importers.coreml.neural_network import NeuralNetwork

BGR = 30
"""The color space in which blue comes first."""


def prepare(t: NeuralNetwork, entry: Message, features: Mapping[str, Feature]) -> None:
    """Write a factor and addends of an image, or subtract a mean image. Raises DataError."""
    feature = features.get(entry.text("featureName")) or next(iter(features.values()))
    name = feature.name
    value, dims = t.values[name], t.dims(t.values[name])
    t.label = t.title = f"{name}_preprocessing"
    if "meanImage" in entry:
        places = entry.message("meanImage").places("meanImage")
        stored = t.weights.floats(places, tuple(dims[-3:]))
        mean = t.number(stored.read(), value)
        t.values[name] = str(t.op("Sub", value, mean))
        return
    s = entry.message("scaler")
    words = ("red", "green", "blue") if feature.colors != BGR else ("blue", "green", "red")
    biases = [s.number(f"{word}Bias") for word in words]
    if dims[-3] == 1:
        biases = [s.number("grayBias")]
    scale = s.number("channelScale", 1)
    if len(set(biases)) == 1:
        if scale != 1 or biases[0]:
            t.values[name] = line(t, value, scale, biases[0])
        return
    if dims[-3] != len(biases):
        raise DataError(f"its input '{name[-60:]}' has {dims[-3]} channels, expected {len(biases)}")
    made = line(t, value, scale, 0) if scale != 1 else value
    import numpy

    addends = t.number(numpy.reshape(biases, (len(biases), 1, 1)), value)
    t.values[name] = str(t.op("Add", made, addends))
