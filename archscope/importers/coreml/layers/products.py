"""Matrix products, look-ups and norms."""

from __future__ import annotations

from archscope.importers.coreml.neural_network import NeuralNetwork, layer
from archscope.importers.coreml.norms import instance_norm, layer_norm, unit_length
from archscope.importers.coreml.stored import INDEX


@layer("innerProduct")
def inner_product(t: NeuralNetwork) -> str:
    """Write a product with weights: of the last axis, or of all axes of images together."""
    s = t.settings
    outer = s.integer("outputChannels")
    weight = t.weight("weights", [outer, s.integer("inputChannels")])
    bias = [t.weight("bias", [outer])] if s.flag("hasBias") else []
    x = t.value()
    rank = t.rank(x)
    if rank == 1:
        made = t.linear(str(t.op("Unsqueeze", x, t.constant([0]))), weight, bias)
        return str(t.op("Squeeze", made, t.constant([0])))
    if rank < 4:
        return t.linear(x, weight, bias)
    lead = t.known_dims(x)[:-3]
    made = t.linear(t.flat(x, rank - 3), weight, bias)
    return t.reshaped(made, [*lead, outer, 1, 1]) if t.exact else made


@layer("batchedMatmul")
def batched_matmul(t: NeuralNetwork) -> str:
    """Write a product of two values, or of one and weights."""
    s = t.settings
    turns = s.flag("transposeA"), s.flag("transposeB")
    values = [
        t.turned(value, [*range(t.rank(value) - 2), t.rank(value) - 1, t.rank(value) - 2])
        if turn and t.rank(value) > 1
        else value
        for value, turn in zip(t.inputs, turns, strict=False)
    ]
    if len(values) == 2:
        return str(t.op("MatMul", *values))
    shape = [s.integer(f"weightMatrix{word}Dimension") for word in ("First", "Second")]
    # The file has the transpose of the matrix.
    weight = t.weight("weights", shape[::-1])
    bias = [t.weight("bias", shape[1:])] if s.flag("hasBias") else []
    return t.linear(values[0], weight, bias)


@layer("embedding", "embeddingND")
def embedding(t: NeuralNetwork) -> str:
    """Write rows of a matrix of weights, by places."""
    s = t.settings
    nd = t.layer.kind == "embeddingND"
    rows, width = (
        s.integer("vocabSize" if nd else "inputDim"),
        s.integer("embeddingSize" if nd else "outputChannels"),
    )
    weight = t.weight("weights", [width, rows])
    x = t.value()
    places = t.op("Cast", x, to=INDEX)
    dims = t.known_dims(x)
    lead = dims[:-1] if nd or not t.exact else dims[:-3]
    found = t.op("Gather", t.turned(weight, (1, 0)), t.reshaped(places, lead), axis=0)
    if s.flag("hasBias"):
        found = t.op("Add", found, t.weight("bias", [width]))
    return t.reshaped(found, [*lead, width, *[1] * (len(dims) - len(lead) - 1)])


@layer("batchnorm")
def batch_norm(t: NeuralNetwork) -> str:
    """Write a norm with fixed statistics, or with those of each image."""
    s = t.settings
    count = [s.integer("channels")]
    epsilon = s.number("epsilon", 1e-5)
    x, back = (t.value(), _same) if not t.exact and t.rank(t.value()) == 2 else t.image()
    factors = [
        t.weight(word, count) if word in s else t.filled(plain, count, x)
        for word, plain in (("gamma", 1), ("beta", 0))
    ]
    if s.flag("computeMeanVar"):
        return back(instance_norm(t, x, factors, epsilon))
    statistics = [t.weight(word, count) for word in ("mean", "variance")]
    return back(str(t.op("BatchNormalization", x, *factors, *statistics, epsilon=epsilon)))


def _same(value: str) -> str:
    return value


@layer("layerNormalization")
def layer_normalization(t: NeuralNetwork) -> str:
    """Write a norm over the last axes."""
    s = t.settings
    shape = s.integers("normalizedShape")
    x = t.value()
    axes = [*range(t.rank(x) - len(shape), t.rank(x))]
    factors = [t.weight(word, shape) if word in s else "" for word in ("gamma", "beta")]
    return layer_norm(t, x, axes, factors, s.number("eps"))


@layer("mvn")
def mean_variance(t: NeuralNetwork) -> str:
    """Write a norm with the mean of images or channels, and maybe the variance."""
    s = t.settings
    x, back = t.image()
    axes = [1, 2, 3] if s.flag("acrossChannels") else [2, 3]
    if not s.flag("normalizeVariance"):
        return back(str(t.op("Sub", x, t.op("ReduceMean", x, t.constant(axes), keepdims=1))))
    epsilon = s.number("epsilon", 1e-5)
    if axes == [2, 3]:
        return back(instance_norm(t, x, ["", ""], epsilon))
    count = t.known_dims(x)[1:2]
    plain = (t.filled(1, count, x), t.filled(0, count, x))
    return back(str(t.op("GroupNormalization", x, *plain, num_groups=1, epsilon=epsilon)))


@layer("l2normalize")
def length(t: NeuralNetwork) -> str:
    """Write the division by the Euclidean norm of an image."""
    x, back = t.image()
    return back(unit_length(t, x, [1, 2, 3], t.settings.number("epsilon", 1e-6)))


@layer("lrn")
def local_response_norm(t: NeuralNetwork) -> str:
    """Write a norm over neighbouring channels."""
    s = t.settings
    x, back = t.image()
    made = t.op("LRN", x, size=s.integer("localSize"), alpha=s.number("alpha"),
                beta=s.number("beta"), bias=s.number("k"))  # fmt: skip
    return back(str(made))


@layer("softmax", "softmaxND")
def softmax(t: NeuralNetwork) -> str:
    """Write a softmax, of channels unless another axis is given."""
    if t.layer.kind == "softmaxND":
        x = t.whole()
        return str(t.op("Softmax", x, axis=t.axis(t.settings.integer("axis"))))
    x = t.value()
    return str(t.op("Softmax", x, axis=-3 if t.exact else 1))


@layer("dot")
def dot(t: NeuralNetwork) -> str:
    """Write the product of two vectors of channels, or the cosine of their angle."""
    first, second = (t.image(place)[0] for place in (0, 1))
    axis = t.constant([1])
    if t.settings.flag("cosineSimilarity"):
        first, second = (
            str(t.op("Div", value, t.op("ReduceL2", value, axis, keepdims=1)))
            for value in (first, second)
        )
    return str(t.op("ReduceSum", t.op("Mul", first, second), axis, keepdims=1))
