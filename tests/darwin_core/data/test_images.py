import io

import numpy as np
import pytest
from PIL import Image
from support.data import png

from darwin_core.data.factors import factor_names, image_factors
from darwin_core.data.images import decode_images, image_shape, looks_like_image
from darwin_core.errors import DataError

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (6, 5, 3), dtype=np.uint8)


def row(position: int) -> str:
    return f"row {position}"


@pytest.mark.parametrize("form", ["PNG", "WEBP", "BMP"])
def test_lossless_forms_give_back_every_pixel(form: str) -> None:
    data = png(COLOUR, form)
    assert looks_like_image(data)
    assert image_shape(data, "here") == (6, 5, 3)
    assert np.array_equal(decode_images([data, data], (6, 5, 3), row), np.stack([COLOUR, COLOUR]))


def test_jpeg_comes_close() -> None:
    smooth = np.tile(np.linspace(0, 255, 16, dtype=np.uint8)[:, None, None], (1, 16, 3))
    decoded = decode_images([png(smooth, "JPEG")], (16, 16, 3), row)[0]
    assert np.abs(decoded.astype(int) - smooth).mean() < 4


def test_grey_and_colour_convert_into_the_channels_asked_for() -> None:
    grey = RNG.integers(0, 256, (4, 4), dtype=np.uint8)
    assert image_shape(png(grey), "here") == (4, 4, 1)
    assert np.array_equal(decode_images([png(grey)], (4, 4, 3), row)[0], np.repeat(grey[..., None], 3, axis=2))
    assert decode_images([png(COLOUR)], (6, 5, 1), row).shape == (1, 6, 5, 1)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (png(COLOUR)[:-30], ["row 1", "do not decode"]),
        (b"not an image at all", ["row 1", "do not decode"]),
        (None, ["row 1", "missing"]),
        (b"", ["row 1", "missing"]),
        (png(np.zeros((7, 5, 3), np.uint8)), ["row 1", "6x5", "7x5"]),
    ],
)
def test_images_that_cannot_be_used_name_their_row(data: bytes | None, words: list[str]) -> None:
    with pytest.raises(DataError) as caught:
        decode_images([png(COLOUR), data], (6, 5, 3), row)
    for word in words:
        assert word in str(caught.value)


def test_sixteen_bit_images_are_refused_instead_of_clipped() -> None:
    buffer = io.BytesIO()
    Image.fromarray(np.full((4, 4), 40_000, np.uint16)).save(buffer, "PNG")
    with pytest.raises(DataError, match="8 bits"):
        decode_images([buffer.getvalue()], (4, 4, 1), row)


def test_factors_measure_what_they_say() -> None:
    images = np.zeros((3, 4, 4, 3), np.uint8)
    images[1] = 255
    images[2, :, ::2, 0] = 255  # red stripes
    found = image_factors(images)
    assert set(found) == set(factor_names((4, 4, 3)))
    assert found["brightness"].tolist() == pytest.approx([0, 1, 1 / 6])
    assert found["contrast"].tolist()[:2] == pytest.approx([0, 0])
    assert found["sharpness"].tolist() == pytest.approx([0, 0, 1 / 3])
    assert found["red"].tolist() == pytest.approx([0, 1, 0.5])
    assert found["green"].tolist() == pytest.approx([0, 1, 0])


def test_grey_images_have_no_colours() -> None:
    assert set(image_factors(np.ones((2, 4, 4), np.uint8))) == set(factor_names((4, 4)))
