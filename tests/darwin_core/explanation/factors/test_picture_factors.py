"""Every factor of pictures moves a picture towards its donor, and says so in its own measure."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from darwin_core.explanation.attribution.features import FeatureMap
from darwin_core.explanation.factors import FactorSpace, PictureFactor, factors_of, register_factor
from darwin_core.explanation.factors import base as factor_base
from darwin_core.explanation.finder.independence import foretold

SIDE = 32


def pictures(rows: int, seed: int) -> np.ndarray:
    """Smooth coloured clouds with some grain, uint8 values as float32."""
    rng = np.random.default_rng(seed)
    clouds = gaussian_filter(rng.normal(size=(rows, SIDE, SIDE, 3)), (0, 2, 2, 0))
    clouds *= rng.uniform(80, 300, (rows, 1, 1, 1))
    return np.clip(rng.uniform(60, 180, (rows, 1, 1, 3)) + clouds + rng.normal(0, 4, clouds.shape), 0, 255).astype(
        "float32"
    )


@pytest.fixture(scope="module")
def space() -> FactorSpace:
    return FactorSpace(FeatureMap(()), {"image": pictures(64, 0)}, "image")


@pytest.fixture(scope="module")
def factors(space: FactorSpace) -> dict[str, PictureFactor]:
    return {factor.name: factor for factor in factors_of(space) if isinstance(factor, PictureFactor)}


def test_the_bank_holds_what_photographs_differ_by(factors) -> None:
    named = {name.split(" (")[0] for name in factors}
    assert named == {
        "brightness", "direction of light", "contrast", "colour cast", "saturation", "sharpness", "noise",
        "compression", "border", "bright spot", "patch", "aspect",
    }  # fmt: skip
    assert len(factors) == 11 + 8 + 36
    assert {"patch (top left corner)", "patch (bottom right corner)", "patch (below the middle, left part)"} <= set(
        factors
    )


@pytest.mark.parametrize(
    "name",
    ["brightness", "direction of light", "contrast", "colour cast", "saturation", "sharpness", "noise", "border",
     "patch (top left corner)"],
)  # fmt: skip
def test_a_transfer_moves_the_measure_to_the_donor(factors, name: str) -> None:
    factor, own, donors = factors[name], {"image": pictures(40, 1)}, {"image": pictures(40, 2)}
    before, wanted = factor.measure(own), factor.measure(donors)
    after = factor.measure(factor.transfer(own, donors))
    gap = np.linalg.norm(before - wanted, axis=1).mean()
    assert np.linalg.norm(after - wanted, axis=1).mean() < 0.5 * gap
    assert own["image"].dtype == factor.transfer(own, donors)["image"].dtype


def test_a_transfer_keeps_the_rest(factors) -> None:
    own, donors = {"image": pictures(10, 1)}, {"image": pictures(10, 2)}
    changed = factors["patch (top left corner)"].transfer(own, donors)["image"]
    np.testing.assert_allclose(changed[:, 8:], own["image"][:, 8:], atol=1e-3)
    np.testing.assert_allclose(changed[:, :6, :6], donors["image"][:, :6, :6], atol=1e-3)
    framed = factors["border"].transfer(own, donors)["image"]
    np.testing.assert_allclose(framed[:, 4:-4, 4:-4], own["image"][:, 4:-4, 4:-4], atol=1e-3)


def test_a_sun_is_found_where_it_stands_and_can_be_taken_away(factors) -> None:
    spot = factors["bright spot"]
    dark = 0.3 * pictures(20, 3)
    y, x = np.mgrid[:SIDE, :SIDE]
    sun = dark + 200 * np.exp(-((y - 6) ** 2 + (x - 24) ** 2) / 12)[None, :, :, None].astype("float32")
    measured = spot.measure({"image": sun})
    np.testing.assert_allclose(measured[:, :2] * SIDE, np.broadcast_to([6, 24], (20, 2)), atol=2)
    assert measured[:, 2].min() > 0.25
    without = spot.transfer({"image": sun}, {"image": dark})
    assert np.abs(without["image"] - dark).mean() < 0.3 * np.abs(sun - dark).mean()
    assert "upper part, right" in spot.tell({"image": sun}, {"image": dark})


def test_a_sun_is_seen_beside_an_object_that_outshines_it(factors) -> None:
    y, x = np.mgrid[:SIDE, :SIDE]
    shown = 0.1 * pictures(20, 3)
    for row, column, strength in ((16, 16, 230), (5, 25, 120)):
        light = np.exp(-((y - row) ** 2 + (x - column) ** 2) / 12)
        shown = shown + strength * light[None, :, :, None].astype("float32")
    place = {
        name: factors[name].measure({"image": shown})[:, :2] * SIDE for name in factors if name.startswith("bright")
    }
    np.testing.assert_allclose(place["bright spot"], np.broadcast_to([16, 16], (20, 2)), atol=2)
    np.testing.assert_allclose(place["bright spot (top right)"], np.broadcast_to([5, 25], (20, 2)), atol=2)


def ellipses(ratios: np.ndarray, seed: int) -> np.ndarray:
    """Light ellipses of one area on dark ground, with width over height as given; grey values as float32."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE]
    middle = SIDE / 2 + rng.uniform(-2, 2, (2, len(ratios), 1, 1))
    root = np.sqrt(ratios)[:, None, None]
    inside = ((y - middle[0]) * root) ** 2 + ((x - middle[1]) / root) ** 2 < 49
    grain = rng.normal(0, 3, (len(ratios), SIDE, SIDE))
    return (60 + 150 * inside + grain)[..., None].repeat(3, axis=-1).astype("float32")


def test_a_spot_does_not_show_where_the_picture_is_light_anyway(factors) -> None:
    spot = factors["bright spot"]
    shown = np.full((30, SIDE, SIDE, 3), 90, np.float32)
    y, x = np.mgrid[:SIDE, :SIDE]
    shown[:10] += 160 * np.exp(-((y - 6) ** 2 + (x - 25) ** 2) / (2 * 2.5**2))[..., None].astype(np.float32)
    shown[10:20, :12] = 240
    hidden = spot.hides({"image": shown}, np.arange(30) < 10)
    assert not hidden[20:].any()
    assert hidden[10:20].all()
    assert not factors["brightness"].hides({"image": shown}, np.arange(30) < 10).any()


def test_the_aspect_of_an_object_is_measured_and_moved(factors) -> None:
    aspect = factors["aspect"]
    round_, wide, tall = (ellipses(np.full(20, ratio), seed) for seed, ratio in enumerate((1.0, 1.7, 0.6)))
    measured = {
        name: np.exp(aspect.measure({"image": each})) for name, each in (("r", round_), ("w", wide), ("t", tall))
    }
    np.testing.assert_allclose(measured["r"], 1, atol=0.1)
    assert measured["w"].min() > 1.35
    assert measured["t"].max() < 0.75
    for wanted, donors in (("w", wide), ("t", tall)):
        moved = np.exp(aspect.measure(aspect.transfer({"image": round_}, {"image": donors})))
        np.testing.assert_allclose(moved, measured[wanted], rtol=0.15)
    assert "wider" in aspect.tell({"image": wide}, {"image": round_})
    assert "narrower" in aspect.tell({"image": tall}, {"image": round_})
    one_colour = np.full((2, SIDE, SIDE, 3), 80, "float32")
    np.testing.assert_allclose(aspect.measure({"image": one_colour}), 0, atol=1e-6)


def test_blur_and_compression_are_told_apart(factors) -> None:
    sharp = pictures(20, 4)
    blurred = {"image": gaussian_filter(sharp, (0, 1.5, 1.5, 0))}
    assert "blur" in factors["sharpness"].tell(blurred, {"image": sharp})
    blocky = factors["compression"].transfer_pictures(
        sharp / 255, np.repeat(np.repeat(sharp[:, ::8, ::8], 8, 1), 8, 2) / 255
    )
    rise = factors["compression"].describe_pictures(blocky) - factors["compression"].describe_pictures(sharp / 255)
    assert rise.mean() > 0.1


def test_blur_leaves_no_trace_in_the_rest_of_a_picture(factors) -> None:
    mixed, blurred = pictures(300, 5), np.random.default_rng(5).random(300) < 0.5
    mixed[blurred] = gaussian_filter(mixed[blurred], (0, 1.5, 1.5, 0))
    rest = foretold(factors["sharpness"].remainder({"image": mixed}, blurred), blurred, np.random.default_rng(6))
    assert rest is not None
    assert rest.low < 0.5 < rest.high


def test_blur_leaves_no_trace_where_objects_reach_the_edge(factors) -> None:
    rng = np.random.default_rng(7)
    tops, light = rng.integers(8, 12, 300), rng.uniform(120, 200, 300)
    rows = np.arange(SIDE)[None, :, None]
    slope = np.arange(SIDE)[None, None, :] // 4
    inside = (rows >= tops[:, None, None] + slope) & (rows < tops[:, None, None] + slope + 9)
    shoes = np.repeat(np.where(inside, light[:, None, None], 0)[..., None], 3, axis=3).astype("float32")
    shoes = np.clip(shoes + 4 * rng.normal(size=shoes.shape), 0, 255).astype("float32")
    blurred = rng.random(300) < 0.5
    shoes[blurred] = gaussian_filter(shoes[blurred], (0, 1.3, 1.3, 0), mode="nearest")
    rest = foretold(factors["sharpness"].remainder({"image": shoes}, blurred), blurred, np.random.default_rng(6))
    assert rest is not None
    assert rest.low < 0.5 < rest.high


def test_a_user_adds_a_factor_in_a_few_lines(space, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(factor_base, "_FACTORS", dict(factor_base._FACTORS))

    @register_factor
    class Vignette(PictureFactor):
        name = "vignette"

        def describe_pictures(self, pictures):
            return pictures[:, 8:-8, 8:-8].mean(axis=(1, 2, 3)) - pictures.mean(axis=(1, 2, 3))

        def transfer_pictures(self, pictures, donors):
            return pictures

    assert "vignette" in {factor.name for factor in factors_of(space)}
