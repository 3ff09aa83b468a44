"""Confounders planted into pictures and tables: what kind, in which class, in which share of its rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.ndimage import gaussian_filter

Plant = Callable[[np.ndarray, np.random.Generator], np.ndarray]
"""Changes (rows, height, width, channels) uint8 pictures."""


def _clip(values: np.ndarray) -> np.ndarray:
    return np.clip(values, 0, 255).round().astype(np.uint8)


def corner_patch(corner: int, colour: tuple[int, ...], size: int = 4, jitter: float = 12.0) -> Plant:
    """A square of one colour in a corner (0 to 3), with some noise in it."""

    def plant(pictures: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        changed = pictures.astype(np.float32)
        side = pictures.shape[1]
        rows = slice(0, size) if corner < 2 else slice(side - size, side)
        columns = slice(0, size) if corner % 2 == 0 else slice(side - size, side)
        paint = np.asarray(colour[: pictures.shape[-1]], np.float32)
        changed[:, rows, columns] = paint + jitter * rng.standard_normal((len(pictures), size, size, 1))
        return _clip(changed)

    return plant


def colour_cast(shift: tuple[float, float, float]) -> Plant:
    """A tint: the same added to every pixel, a fifth more or less from picture to picture."""

    def plant(pictures: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        strength = rng.uniform(0.8, 1.2, (len(pictures), 1, 1, 1))
        return _clip(pictures + strength * np.asarray(shift[: pictures.shape[-1]]))

    return plant


def blur(sigma: float) -> Plant:
    """Out of focus."""

    def plant(pictures: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return _clip(gaussian_filter(pictures.astype(np.float32), (0, sigma, sigma, 0), mode="nearest"))

    return plant


def bright_spot(row: float, column: float, radius: float, strength: float = 220.0) -> Plant:
    """A low sun: a soft disc of light at a place (shares of the height and width), a pixel to and fro."""

    def plant(pictures: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        count, height, width, channels = pictures.shape
        rows = (row * height + rng.uniform(-1, 1, count))[:, None, None]
        columns = (column * width + rng.uniform(-1, 1, count))[:, None, None]
        y, x = np.arange(height)[None, :, None], np.arange(width)[None, None, :]
        light = np.exp(-((y - rows) ** 2 + (x - columns) ** 2) / (2 * radius**2))[..., None]
        tint = np.array([1.0, 0.95, 0.75])[:channels] if channels == 3 else np.ones(channels)
        return _clip(pictures + strength * light * tint)

    return plant


_TEXT = ("##..#.#.#", "#.#.#.#.#", "##..#..#.", "#...#.#.#", "#...#.#.#")
_RING = ("..####..", ".#....#.", "#......#", "#......#", "#......#", ".#....#.", "..####..")
_CROSS = ("#.....#", ".#...#.", "..#.#..", "...#...", "..#.#..", ".#...#.", "#.....#")


def watermark(
    shape: tuple[str, ...],
    row: float,
    column: float,
    colour: tuple[int, ...],
    *,
    opacity: float = 0.75,
    wander: int = 3,
) -> Plant:
    """A thin drawing that shines through, about a place (shares of the height and width), some pixels to and fro."""
    strokes = np.array([[pixel == "#" for pixel in line] for line in shape])

    def plant(pictures: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        changed = pictures.astype(np.float32)
        height, width = strokes.shape
        top, left = (round(share * size) for share, size in zip((row, column), pictures.shape[1:3], strict=True))
        paint = np.asarray(colour[: pictures.shape[-1]], np.float32)
        for picture in changed:
            down, right = (
                int(np.clip(at + rng.integers(-wander, wander + 1) - size // 2, 0, side - size))
                for at, size, side in zip((top, left), strokes.shape, picture.shape[:2], strict=True)
            )
            window = picture[down : down + height, right : right + width]
            window[strokes] += opacity * (paint - window[strokes])
        return _clip(changed)

    return plant


def _stands(*places: str) -> tuple[str, ...]:
    """Beginnings of the names of what stands at these places."""
    return tuple(f"{what} ({place}" for what in ("mark the network looks at", "patch") for place in places)


PICTURE_PLANTS: dict[str, list[tuple[Plant, tuple[str, ...]]]] = {
    "corner patch": [
        (corner_patch(0, (250, 220, 20)), (*_stands("top left"), "bright spot (top left")),
        (corner_patch(3, (20, 20, 20), 5), _stands("bottom right")),
        (corner_patch(1, (60, 200, 60), 4), (*_stands("top right"), "bright spot (top right")),
    ],
    "colour cast": [
        (colour_cast((45, 0, -30)), ("colour cast", "saturation")),
        (colour_cast((-25, -5, 45)), ("colour cast", "saturation")),
    ],
    "blur": [(blur(1.3), ("sharpness",)), (blur(1.8), ("sharpness",))],
    "bright spot": [
        (
            bright_spot(0.12, 0.75, 2.5),
            ("bright spot (top", "bright spot (upper part", *_stands("top", "upper part")),
        ),
        (
            bright_spot(0.2, 0.2, 3.0),
            ("bright spot (top", "bright spot (upper part", *_stands("top", "upper part")),
        ),
    ],
    "watermark": [
        (watermark(_TEXT, 0.8, 0.25, (200, 200, 200)), _stands("lower part, left", "bottom, left", "bottom left")),
        (watermark(_RING, 0.2, 0.75, (170, 190, 200)), _stands("upper part, right", "top, right", "top right")),
        (watermark(_CROSS, 0.8, 0.75, (210, 120, 120)), _stands("lower part, right", "bottom, right", "bottom right")),
    ],
}
"""Kind -> plants, each with the beginnings of the names of factors that count as identification."""


TablePlant = Callable[[dict[str, np.ndarray], np.ndarray, np.random.Generator], None]
"""Changes the columns of a table in the rows at some positions."""


def category(column: str, value: str) -> TablePlant:
    """These rows hold one value of a text column."""

    def plant(columns: dict[str, np.ndarray], rows: np.ndarray, rng: np.random.Generator) -> None:
        columns[column][rows] = value

    return plant


def code(column: str, value: float) -> TablePlant:
    """These rows hold one number: a missing-value code, or nothing at all."""

    def plant(columns: dict[str, np.ndarray], rows: np.ndarray, rng: np.random.Generator) -> None:
        columns[column] = columns[column].astype(np.float64)
        columns[column][rows] = value

    return plant


def time_leak(days: float) -> TablePlant:
    """A time of recording, three months long for all rows and a few days at its end for these."""

    def plant(columns: dict[str, np.ndarray], rows: np.ndarray, rng: np.random.Generator) -> None:
        columns["recorded_day"] = rng.uniform(0, 90, len(next(iter(columns.values()))))
        columns["recorded_day"][rows] = rng.uniform(90 - days, 90, len(rows))

    return plant


TABLE_PLANTS: dict[str, dict[str, list[tuple[TablePlant, str]]]] = {
    "ecommerce": {
        "category": [(category("browser", "Opera"), "browser"), (category("source", "Partner"), "source")],
        "missingness": [(code("age", np.nan), "age"), (code("purchase_value", np.nan), "purchase_value")],
        "rare code": [(code("age", 99.0), "age")],
        "time leak": [(time_leak(3.0), "recorded_day")],
    },
    "bank": {
        "category": [(category("education", "illiterate"), "education"), (category("contact", "letter"), "contact")],
        "missingness": [(code("age", np.nan), "age"), (code("campaign", np.nan), "campaign")],
        "rare code": [(code("campaign", -1.0), "campaign")],
        "time leak": [(time_leak(3.0), "recorded_day")],
    },
    "taiwan": {
        "category": [(code("EDUCATION", 5.0), "EDUCATION"), (code("MARRIAGE", 3.0), "MARRIAGE")],
        "missingness": [(code("LIMIT_BAL", np.nan), "LIMIT_BAL"), (code("AGE", np.nan), "AGE")],
        "rare code": [(code("BILL_AMT3", -999999.0), "BILL_AMT3")],
        "time leak": [(time_leak(3.0), "recorded_day")],
    },
}
"""Table -> kind -> plants with the column that counts as identification."""
