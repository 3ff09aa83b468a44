"""Whole networks of the usual families, small, with the dependency groups they must have."""

from __future__ import annotations

import keras
from keras import layers, ops

from support.rarities import RARITIES
from support.zoo import SPECIMENS, Specimen


def _conv(x: keras.KerasTensor, width: int, name: str) -> keras.KerasTensor:
    x = layers.Conv2D(width, 3, padding="same", use_bias=False, name=name)(x)
    return layers.ReLU()(layers.BatchNormalization()(x))


def unet() -> keras.Model:
    x = keras.Input((8, 8, 3), name="picture")
    fine = _conv(x, 4, "fine")
    coarse = _conv(layers.MaxPooling2D()(fine), 6, "coarse")
    deep = _conv(layers.MaxPooling2D()(coarse), 8, "deep")
    up = layers.Conv2DTranspose(6, 2, strides=2, name="up")(deep)
    y = _conv(layers.Concatenate()([up, coarse]), 6, "joined")
    y = layers.Concatenate()([layers.UpSampling2D(interpolation="bilinear")(y), fine])
    return keras.Model(x, layers.Conv2D(2, 1, activation="softmax", name="out")(y), name="unet")


def transformer_encoder() -> keras.Model:
    words, places = (keras.Input((6,), dtype="int32", name=name) for name in ("words", "places"))
    coded = layers.Embedding(20, 8, mask_zero=True, name="word")(words)
    x = layers.Add()([coded, layers.Embedding(6, 8, name="place")(places)])
    for number in (1, 2):
        y = layers.LayerNormalization()(x)
        x = layers.Add()([x, layers.MultiHeadAttention(2, 4, name=f"mha{number}")(y, y)])
        y = layers.Dense(12, "gelu", name=f"wide{number}")(layers.LayerNormalization()(x))
        x = layers.Add()([x, layers.Dense(8, name=f"narrow{number}")(y)])
    pooled = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(x))
    return keras.Model({"words": words, "places": places}, layers.Dense(2, name="out")(pooled), name="encoder")


def text_classifier() -> keras.Model:
    text = keras.Input((1,), dtype="string", name="text")
    tokens = layers.TextVectorization(vocabulary=["red", "green", "blue"], output_sequence_length=4)(text)
    x = layers.Embedding(5, 6, mask_zero=True, name="embedding")(tokens)
    x = layers.Bidirectional(layers.LSTM(4, return_sequences=True), name="both")(x)
    x = layers.Dense(3, "relu", name="hidden")(layers.GRU(5, name="gru")(x))
    return keras.Model(text, layers.Dense(2, name="out")(x), name="text")


def siamese() -> keras.Model:
    face = keras.Input((6, 6, 3))
    y = layers.GlobalAveragePooling2D()(_conv(_conv(face, 4, "edges"), 6, "shapes"))
    tower = keras.Model(face, layers.Dense(5, name="code")(y), name="tower")
    left, right = keras.Input((6, 6, 3), name="left"), keras.Input((6, 6, 3), name="right")
    a, b = tower(left), tower(right)
    joined = [ops.abs(a - b), layers.Dot(axes=1, normalize=True)([a, b])]
    return keras.Model([left, right], layers.Dense(1, name="out")(layers.Concatenate()(joined)), name="siamese")


def two_inputs_two_outputs() -> keras.Model:
    picture, facts = keras.Input((6, 6, 1), name="picture"), keras.Input((4,), name="facts")
    x = layers.Flatten()(layers.MaxPooling2D()(_conv(picture, 4, "seen")))
    y = layers.Dense(6, "relu", name="known")(facts)
    both = layers.Dense(8, "relu", name="both")(layers.Concatenate()([x, y]))
    outputs = {
        "kind": layers.Dense(3, name="kind")(both),
        "value": layers.Dense(1, name="value")(layers.Add()([both, both])),
    }
    return keras.Model({"picture": picture, "facts": facts}, outputs, name="pair")


def wide_and_deep() -> keras.Model:
    colour, shade = (keras.Input((1,), dtype="string", name=name) for name in ("colour", "shade"))
    size, age = (keras.Input((1,), name=name) for name in ("size", "age"))
    words = ["red", "green", "blue"]
    crossed = layers.HashedCrossing(6, output_mode="one_hot")((colour, shade))
    known = layers.StringLookup(vocabulary=words, output_mode="one_hot")(colour)
    wide = layers.Dense(1, name="wide")(layers.Concatenate()([crossed, known]))
    codes = [
        layers.Flatten()(
            layers.Embedding(4, 3, name=f"{tensor.name}_code")(layers.StringLookup(vocabulary=words)(tensor))
        )
        for tensor in (colour, shade)
    ]
    numbers = layers.Normalization(mean=[0.1, 0.2], variance=[1.0, 2.0])(layers.Concatenate()([size, age]))
    deep = layers.Dense(6, "relu", name="hidden")(layers.Concatenate()([*codes, numbers]))
    out = layers.Activation("sigmoid")(layers.Add()([wide, layers.Dense(1, name="deep")(deep)]))
    inputs = {"colour": colour, "shade": shade, "size": size, "age": age}
    return keras.Model(inputs, out, name="wide_and_deep")


FAMILIES: dict[str, Specimen] = {
    "unet": Specimen(unet, {"fine": 4, "coarse": 6, "deep": 8, "up": 6, "joined": 6}),
    "transformer_encoder": Specimen(
        transformer_encoder,
        {
            "word": 8,
            **{
                name: width
                for number in (1, 2)
                for name, width in {
                    f"mha{number}/heads": 2,
                    f"mha{number}/key_width": 4,
                    f"mha{number}/value_width": 4,
                    f"wide{number}": 12,
                }.items()
            },
        },
        mixes=True,
    ),
    "text_classifier": Specimen(text_classifier, {"embedding": 6, "both": 4, "gru": 5, "hidden": 3}),
    "siamese": Specimen(siamese, {"edges": 4, "shapes": 6, "code": 5}),
    "two_inputs_two_outputs": Specimen(
        two_inputs_two_outputs, {"seen": 4, "known": 6, "both": 8}, frozen={"kind", "value"}
    ),
    "wide_and_deep": Specimen(wide_and_deep, {"colour_code": 3, "shade_code": 3, "hidden": 6}, frozen={"wide", "deep"}),
}

ALL: dict[str, Specimen] = {**FAMILIES, **SPECIMENS, **RARITIES}
"""Every network of the tests."""
