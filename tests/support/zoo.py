"""Tiny networks, one per family of layers, with the dependency groups they must have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import keras
import numpy as np
from keras import layers, ops

from darwin_core.networks.inputs import as_structure, as_tensor, network_inputs
from darwin_core.networks.wiring import input_name, read_wiring


@dataclass(frozen=True)
class Specimen:
    """A network to build, and its groups: name -> channels.

    ``mixes``: a layer computes statistics over channels, so that removing silent channels still changes the others.
    """

    build: Callable[[], keras.Model]
    groups: dict[str, int]
    mixes: bool = False
    frozen: set[str] = field(default_factory=lambda: {"out"})

    def make(self) -> keras.Model:
        """The network with weights that are all different and not zero."""
        keras.utils.set_random_seed(7)
        return unlike(self.build(), 11)


def unlike(model: keras.Model, seed: int) -> keras.Model:
    """The same network with random weights everywhere, normalisation included."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        if not weight.path.startswith("normalization"):  # adapted statistics have been derived from already
            low, high = (0.5, 1.5) if "variance" in weight.path else (-1.0, 1.0)
            weight.assign(rng.uniform(low, high, weight.shape))
    return model


def sample(model: keras.Model, rows: int = 3) -> dict[str, np.ndarray]:
    """Random rows for a network's inputs."""
    rng = np.random.default_rng(5)
    found = {}
    for tensor in model.inputs:
        shape = (rows, *(size or 4 for size in tensor.shape[1:]))
        name = input_name(tensor)
        if tensor.dtype == "string":
            found[name] = rng.choice(["red", "green", "blue", "?"], shape).astype(object)
        elif "int" in tensor.dtype:
            found[name] = rng.integers(0, 5, shape)
        else:
            found[name] = rng.uniform(-1, 1, shape).astype("float32")
    return found


def run(model: keras.Model, rows: dict[str, np.ndarray]) -> np.ndarray:
    """Outputs without building a graph function first; several outputs of a row one behind the other."""
    values = {item.name: as_tensor(item, rows[item.name]) for item in network_inputs(model)}
    outputs = keras.tree.flatten(model(as_structure(read_wiring(model), values), training=False))
    found = [keras.ops.convert_to_numpy(output) for output in outputs]
    return (
        found[0] if len(found) == 1 else np.concatenate([values.reshape(len(values), -1) for values in found], axis=1)
    )


def _net(body: Callable[[keras.KerasTensor], keras.KerasTensor], shape: tuple[int | None, ...]) -> keras.Model:
    x = keras.Input(shape, name="x")
    return keras.Model(x, layers.Dense(2, name="out")(body(x)), name="specimen")


def _image(body: Callable[[keras.KerasTensor], keras.KerasTensor]) -> keras.Model:
    return _net(lambda x: layers.GlobalAveragePooling2D()(body(x)), (6, 6, 3))


def mlp() -> keras.Model:
    return _net(lambda x: layers.Dense(6, "relu", name="b")(layers.Dense(8, "tanh", name="a")(x)), (4,))


def sequential() -> keras.Model:
    stack = [keras.Input((4,), name="x"), layers.Dense(8, name="a"), layers.ReLU(), layers.Dense(2, name="out")]
    return keras.Sequential(stack, name="specimen")


def dense_on_sequences() -> keras.Model:
    return _net(lambda x: layers.Flatten()(layers.Dense(6, name="a")(x)), (5, 3))


def flattened_map() -> keras.Model:
    def body(x: keras.KerasTensor) -> keras.KerasTensor:
        x = layers.MaxPooling2D()(layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(8, 3, name="a")(x))))
        return layers.Dense(6, "relu", name="b")(layers.Dropout(0.5)(layers.Flatten(name="flatten")(x)))

    return _net(body, (6, 6, 3))


def residual() -> keras.Model:
    def body(x: keras.KerasTensor) -> keras.KerasTensor:
        x = layers.Conv2D(8, 3, padding="same", name="stem")(x)
        y = layers.ReLU()(layers.Conv2D(6, 3, padding="same", name="inner")(x))
        y = layers.Conv2D(8, 3, padding="same", name="back")(y)
        return layers.ReLU()(layers.Add()([x, y]))

    return _image(body)


def inception() -> keras.Model:
    def body(x: keras.KerasTensor) -> keras.KerasTensor:
        branches = [layers.Conv2D(4, 1, name="a")(x), layers.Conv2D(6, 3, padding="same", name="b")(x)]
        x = layers.BatchNormalization()(layers.Concatenate()(branches))
        return layers.Conv2D(5, 1, name="c")(x)

    return _image(body)


def mixed_sum_of_concatenation() -> keras.Model:
    def body(x: keras.KerasTensor) -> keras.KerasTensor:
        joined = layers.Concatenate()([layers.Dense(3, name="a")(x), layers.Dense(5, name="b")(x)])
        return layers.Add()([layers.Dense(8, name="c")(x), joined])

    return _net(body, (4,))


def depthwise() -> keras.Model:
    def body(x: keras.KerasTensor) -> keras.KerasTensor:
        x = layers.Conv2D(6, 1, name="a")(x)
        x = layers.DepthwiseConv2D(3, depth_multiplier=2, name="dw")(x)
        return layers.ReLU()(layers.BatchNormalization()(x))

    return _image(body)


def separable() -> keras.Model:
    def body(x: keras.KerasTensor) -> keras.KerasTensor:
        x = layers.Conv2D(6, 1, name="a")(x)
        return layers.SeparableConv2D(4, 3, depth_multiplier=2, name="s")(x)

    return _image(body)


def grouped_wide() -> keras.Model:
    def body(x: keras.KerasTensor) -> keras.KerasTensor:
        x = layers.Conv2D(8, 1, name="a")(x)
        return layers.Conv2D(12, 3, groups=2, name="g")(x)

    return _image(body)


def grouped_narrow() -> keras.Model:
    def body(x: keras.KerasTensor) -> keras.KerasTensor:
        x = layers.Conv2D(8, 1, name="a")(x)
        return layers.Conv2D(12, 3, groups=4, name="g")(x)

    return _image(body)


def squeeze_excite() -> keras.Model:
    def body(x: keras.KerasTensor) -> keras.KerasTensor:
        x = layers.Conv2D(8, 3, name="a")(x)
        gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
        gate = layers.Conv2D(4, 1, activation="relu", name="squeeze")(gate)
        gate = layers.Conv2D(8, 1, activation="sigmoid", name="excite")(gate)
        return layers.Multiply()([x, gate])

    return _image(body)


def spatial_gate() -> keras.Model:
    def body(x: keras.KerasTensor) -> keras.KerasTensor:
        x = layers.Conv2D(6, 3, name="a")(x)
        return layers.Multiply()([x, layers.Conv2D(1, 1, activation="sigmoid", name="gate")(x)])

    return _image(body)


def gate_of_lower_rank() -> keras.Model:
    def body(x: keras.KerasTensor) -> keras.KerasTensor:
        x = layers.Conv2D(6, 3, name="a")(x)
        return layers.Multiply()([x, layers.Dense(6, name="gate")(layers.GlobalMaxPooling2D()(x))])

    return _image(body)


def sequences() -> keras.Model:
    def body(x: keras.KerasTensor) -> keras.KerasTensor:
        x = layers.Conv1D(6, 3, padding="same", name="a")(x)
        x = layers.UpSampling1D()(layers.AveragePooling1D(2)(layers.ZeroPadding1D(1)(x)))
        x = layers.Conv1DTranspose(4, 3, name="t")(layers.Cropping1D(1)(x))
        x = layers.SeparableConv1D(6, 3, name="s")(layers.SpatialDropout1D(0.1)(x))
        return layers.GlobalMaxPooling1D()(layers.DepthwiseConv1D(3, padding="same")(x))

    return _net(body, (8, 3))


def volumes() -> keras.Model:
    def body(x: keras.KerasTensor) -> keras.KerasTensor:
        x = layers.MaxPooling3D(padding="same")(layers.Conv3D(4, 2, padding="same", name="a")(x))
        x = layers.Conv3DTranspose(6, 2, name="t")(layers.UpSampling3D()(x))
        return layers.GlobalAveragePooling3D()(layers.Cropping3D(1)(layers.ZeroPadding3D(1)(x)))

    return _net(body, (3, 3, 3, 2))


def transposed() -> keras.Model:
    def body(x: keras.KerasTensor) -> keras.KerasTensor:
        x = layers.Conv2DTranspose(6, 3, strides=2, name="t")(layers.Conv2D(4, 3, name="a")(x))
        return layers.UpSampling2D()(layers.Cropping2D(1)(layers.ZeroPadding2D(1)(x)))

    return _image(body)


def decoder() -> keras.Model:
    def body(x: keras.KerasTensor) -> keras.KerasTensor:
        x = layers.Reshape((2, 2, 6))(layers.Dense(24, name="a")(x))
        return layers.GlobalAveragePooling2D()(layers.Conv2DTranspose(4, 2, name="t")(x))

    return _net(body, (5,))


def permuted() -> keras.Model:
    def body(x: keras.KerasTensor) -> keras.KerasTensor:
        x = layers.Permute((2, 1))(layers.Dense(6, name="a")(x))
        return layers.Flatten()(layers.Permute((2, 1))(layers.ReLU()(x)))

    return _net(body, (4, 3))


def mixed_axes() -> keras.Model:
    def body(x: keras.KerasTensor) -> keras.KerasTensor:
        x = layers.Permute((2, 1))(layers.Dense(6, name="mixed")(x))
        return layers.Flatten()(layers.Dense(5, name="b")(x))

    return _net(body, (4, 3))


def normalised() -> keras.Model:
    def body(x: keras.KerasTensor) -> keras.KerasTensor:
        x = layers.LayerNormalization()(layers.Dense(8, name="a")(x))
        x = layers.RMSNormalization()(layers.Dense(6, name="b")(x))
        return layers.UnitNormalization()(layers.Dense(4, name="c")(x))

    return _net(body, (5,))


def normalised_maps() -> keras.Model:
    def body(x: keras.KerasTensor) -> keras.KerasTensor:
        x = layers.GroupNormalization(4)(layers.Conv2D(8, 1, name="whole")(x))
        x = layers.GroupNormalization(2)(layers.Conv2D(8, 1, name="inside")(x))
        x = layers.GroupNormalization(-1)(layers.Conv2D(5, 1, name="each")(x))
        x = layers.GroupNormalization(1)(layers.Conv2D(5, 1, name="all")(x))
        return layers.LayerNormalization(axis=[1, 2, 3])(layers.Conv2D(6, 1, name="map")(x))

    return _image(body)


def activations() -> keras.Model:
    def body(x: keras.KerasTensor) -> keras.KerasTensor:
        x = layers.PReLU(shared_axes=[1, 2])(layers.Conv2D(6, 3, name="a")(x))
        x = layers.PReLU()(layers.Conv2D(5, 1, name="b")(x))
        for layer in (layers.LeakyReLU(), layers.ELU(), layers.Activation("gelu"), layers.GaussianNoise(0.1)):
            x = layer(x)
        return x

    return _image(body)


def merged() -> keras.Model:
    def body(x: keras.KerasTensor) -> keras.KerasTensor:
        a, b, c = (layers.Dense(6, name=name)(x) for name in "abc")
        x = layers.Subtract()([layers.Average()([a, b]), c])
        x = layers.Maximum()([x, layers.Minimum()([a, c])])
        steps = [layers.RepeatVector(2)(x), layers.Reshape((1, 6))(layers.Dense(6, name="d")(x))]
        return layers.GlobalAveragePooling1D()(layers.Concatenate(axis=1)(steps))

    return _net(body, (4,))


def shared() -> keras.Model:
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    tower = layers.Dense(8, "relu", name="tower")
    joined = layers.Concatenate()([tower(a), tower(b)])
    return keras.Model([a, b], layers.Dense(2, name="out")(joined), name="specimen")


def shared_in_turn() -> keras.Model:
    def body(x: keras.KerasTensor) -> keras.KerasTensor:
        again = layers.Dense(6, name="again")
        return again(again(layers.Dense(6, name="first")(x)))

    return _net(body, (4,))


def nested() -> keras.Model:
    stack = [keras.Input((4,)), layers.Dense(6, name="a"), layers.BatchNormalization(name="norm")]
    inner = keras.Sequential(stack, name="inner")
    twice = keras.Input((6,), name="y")
    block = keras.Model(twice, layers.ReLU(name="relu")(layers.Dense(6, name="a")(twice)), name="block")
    return _net(lambda x: block(block(inner(x))), (4,))


def embedded() -> keras.Model:
    word, amount = keras.Input((1,), name="word", dtype="string"), keras.Input((1,), name="amount")
    lookup = layers.StringLookup(vocabulary=["red", "green", "blue"])
    code = layers.Flatten()(layers.Embedding(4, 6, name="embedding")(lookup(word)))
    scaled = layers.Normalization(mean=0.5, variance=2.0)(amount)
    joined = layers.Concatenate()([code, scaled])
    return keras.Model(
        {"word": word, "amount": amount},
        layers.Dense(2, name="out")(layers.Dense(5, "relu", name="a")(joined)),
        name="specimen",
    )


def prepared() -> keras.Model:
    word, age, code = (
        keras.Input((1,), name="word", dtype="string"),
        keras.Input((1,), name="age"),
        keras.Input((1,), name="code", dtype="int64"),
    )
    lookup = layers.StringLookup(output_mode="one_hot")
    lookup.adapt(np.asarray([["red"], ["green"], ["red"]], dtype=object))
    bins = layers.Discretization(num_bins=3, output_mode="one_hot")
    bins.adapt(np.linspace(-1, 1, 30)[:, None])
    statistics = layers.Normalization()
    statistics.adapt(np.linspace(-1, 2, 30)[:, None])
    hashed = layers.CategoryEncoding(num_tokens=4)(layers.Hashing(4)(code))
    known = layers.IntegerLookup(vocabulary=[1, 2, 3], output_mode="multi_hot")(code)
    parts = [lookup(word), bins(age), statistics(age), hashed, known]
    x = layers.Dense(6, "relu", name="a")(layers.Concatenate()(parts))
    return keras.Model({"word": word, "age": age, "code": code}, layers.Dense(2, name="out")(x), name="specimen")


def attention() -> keras.Model:
    def body(x: keras.KerasTensor) -> keras.KerasTensor:
        x = layers.Dense(6, name="a")(x)
        y = layers.MultiHeadAttention(3, 4, value_dim=2, name="mha")(x, x)
        return layers.GlobalAveragePooling1D()(layers.Add()([x, y]))

    return _net(body, (5, 3))


def cross_attention() -> keras.Model:
    def body(x: keras.KerasTensor) -> keras.KerasTensor:
        memory = layers.Dense(5, name="memory")(x)
        y = layers.MultiHeadAttention(2, 4, output_shape=7, use_bias=False, name="mha")(x, memory)
        queries, values = layers.Dense(4, name="queries")(y), layers.Dense(4, name="values")(y)
        return layers.GlobalAveragePooling1D()(layers.Attention()([queries, values]))

    return _net(body, (5, 3))


def recurrent() -> keras.Model:
    def body(x: keras.KerasTensor) -> keras.KerasTensor:
        x = layers.LSTM(6, return_sequences=True, name="lstm")(x)
        x = layers.GRU(5, return_sequences=True, name="gru")(x)
        x = layers.GRU(4, return_sequences=True, reset_after=False, name="old")(x)
        x = layers.Bidirectional(layers.LSTM(3, return_sequences=True), name="both")(x)
        x = layers.TimeDistributed(layers.Dense(4), name="each")(x)
        x = layers.Bidirectional(layers.GRU(3, return_sequences=True), merge_mode="sum", name="sum")(x)
        return layers.SimpleRNN(3, name="rnn")(x)

    return _net(body, (4, 3))


def einsum() -> keras.Model:
    def body(x: keras.KerasTensor) -> keras.KerasTensor:
        x = layers.EinsumDense("abc,cd->abd", output_shape=(5, 6), bias_axes="d", name="a")(x)
        x = layers.EinsumDense("abc,cde->abde", output_shape=(5, 2, 4), bias_axes="de", name="b")(x)
        return layers.Flatten()(x)

    return _net(body, (5, 3))


def operations() -> keras.Model:
    def body(x: keras.KerasTensor) -> keras.KerasTensor:
        a, b = layers.Conv2D(6, 3, name="a")(x), layers.Conv2D(6, 3, name="b")(x)
        y = ops.concatenate([ops.relu(a + b) * 0.5, ops.tanh(a - b)], axis=-1)
        y = ops.transpose(ops.mean(y, axis=1), (0, 2, 1))
        y = ops.squeeze(ops.expand_dims(ops.transpose(y, (0, 2, 1)), 1), 1)
        return ops.reshape(y, (-1, 4 * 12))

    return _net(body, (6, 6, 3))


def first_step() -> keras.Model:
    return _net(lambda x: layers.Dense(6, name="a")(x)[:, 0], (5, 3))


def channel_sum() -> keras.Model:
    return _net(lambda x: ops.sum(layers.Dense(6, name="a")(x), axis=-1), (5, 3))


def every_other_channel() -> keras.Model:
    return _net(lambda x: layers.Dense(6, name="a")(x)[:, ::2], (4,))


def unknown_operation() -> keras.Model:
    def body(x: keras.KerasTensor) -> keras.KerasTensor:
        return layers.Dense(3, name="c")(ops.cumsum(layers.Dense(4, name="a")(layers.Dense(5, name="z")(x)), axis=1))

    return _net(body, (4,))


def augmented() -> keras.Model:
    def body(x: keras.KerasTensor) -> keras.KerasTensor:
        x = layers.RandomFlip("horizontal")(layers.Rescaling([0.5, 0.5, 2.0])(x))
        return layers.Conv2D(6, 3, name="a")(layers.Resizing(8, 8)(layers.CenterCrop(4, 4)(x)))

    return _image(body)


SPECIMENS: dict[str, Specimen] = {
    "mlp": Specimen(mlp, {"a": 8, "b": 6}),
    "sequential": Specimen(sequential, {"a": 8}),
    "dense_on_sequences": Specimen(dense_on_sequences, {"a": 6}),
    "flattened_map": Specimen(flattened_map, {"a": 8, "b": 6}),
    "residual": Specimen(residual, {"stem": 8, "inner": 6}),
    "inception": Specimen(inception, {"a": 4, "b": 6, "c": 5}),
    "mixed_sum_of_concatenation": Specimen(mixed_sum_of_concatenation, {"c+a": 3, "c+b": 5}),
    "depthwise": Specimen(depthwise, {"a": 6}),
    "separable": Specimen(separable, {"a": 6, "s": 4}),
    "grouped_wide": Specimen(grouped_wide, {"a": 4, "g": 6}),
    "grouped_narrow": Specimen(grouped_narrow, {"a": 4}),
    "squeeze_excite": Specimen(squeeze_excite, {"a": 8, "squeeze": 4}),
    "spatial_gate": Specimen(spatial_gate, {"a": 6, "gate": 1}),
    "gate_of_lower_rank": Specimen(gate_of_lower_rank, {"a": 6}),
    "sequences": Specimen(sequences, {"a": 6, "t": 4, "s": 6}),
    "volumes": Specimen(volumes, {"a": 4, "t": 6}),
    "transposed": Specimen(transposed, {"a": 4, "t": 6}),
    "decoder": Specimen(decoder, {"a": 6, "t": 4}),
    "permuted": Specimen(permuted, {"a": 6}),
    "mixed_axes": Specimen(mixed_axes, {"b": 5}, frozen={"mixed", "out"}),
    "normalised": Specimen(normalised, {"a": 8, "b": 6, "c": 4}, mixes=True),
    "normalised_maps": Specimen(normalised_maps, {"whole": 4, "inside": 4, "each": 5, "all": 5, "map": 6}, mixes=True),
    "activations": Specimen(activations, {"a": 6, "b": 5}),
    "merged": Specimen(merged, {"a": 6}),
    "shared": Specimen(shared, {"tower": 8}),
    "shared_in_turn": Specimen(shared_in_turn, {"first": 6}),
    "nested": Specimen(nested, {"a": 6}),
    "embedded": Specimen(embedded, {"embedding": 6, "a": 5}),
    "prepared": Specimen(prepared, {"a": 6}),
    "attention": Specimen(attention, {"a": 6, "mha/heads": 3, "mha/key_width": 4, "mha/value_width": 2}),
    "cross_attention": Specimen(
        cross_attention,
        {"memory": 5, "mha/heads": 2, "mha/key_width": 4, "mha/value_width": 4, "mha": 7, "queries": 4},
    ),
    "recurrent": Specimen(recurrent, {"lstm": 6, "gru": 5, "old": 4, "both": 3, "each": 4, "sum": 3, "rnn": 3}),
    "einsum": Specimen(einsum, {"a": 6, "b": 4}),
    "operations": Specimen(operations, {"a": 6}),
    "first_step": Specimen(first_step, {"a": 6}),
    "channel_sum": Specimen(channel_sum, {"a": 6}),
    "every_other_channel": Specimen(every_other_channel, {}, frozen={"a", "get_item", "out"}),
    "unknown_operation": Specimen(unknown_operation, {"z": 5, "c": 3}, frozen={"a", "cumsum", "out"}),
    "augmented": Specimen(augmented, {"a": 6}),
}
