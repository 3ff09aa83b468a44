"""The benchmark's cases: which reference, which rows, which options of `darwin compact`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from references import train_picture_reference

from darwin_core.demo.reference import Recipe, train_table_reference

Prepared = tuple[str, str, str | None, str | None]
"""Train, test and validation source, and the reference network; None for a network that is still to be trained."""


@dataclass(frozen=True)
class Case:
    """One line of the results table."""

    name: str
    prepare: Callable[[Path, Path, Path], Prepared]
    options: tuple[str, ...]
    label: str
    exclude: tuple[str, ...] = field(default=())
    positive_label: str | None = None
    train_reference: Callable[..., object] = train_table_reference
    """Trains the reference where ``prepare`` names none."""
    reference_epochs: int = 0
    """Epochs that a given reference was trained for."""


def _signs(network: str) -> Callable[[Path, Path, Path], Prepared]:
    def prepare(data: Path, references: Path, _: Path) -> Prepared:
        table = data / "gtsrb_32x32.parquet"
        return (
            f"{table}#split=train",
            f"{table}#split=test",
            f"{table}#split=valid",
            str(references / f"gtsrb_{network}.keras"),
        )

    return prepare


def _table(
    file: str, *, latest_by: str | None = None, derive: Callable[[pa.Table], pa.Table] = lambda table: table
) -> Callable[[Path, Path, Path], Prepared]:
    """A quarter of the rows is the test set, an eighth validates: the latest by a column, else drawn with a fixed seed.

    The reference is not fitted to the validation rows, so they judge fairly between it and smaller networks.
    """

    def prepare(data: Path, _: Path, work: Path) -> Prepared:
        files = [work / f"{part}.parquet" for part in ("train", "validation", "test")]
        if not files[-1].exists():
            table = derive(pq.read_table(data / file))
            if latest_by is None:
                order = np.random.default_rng(20_261_122).permutation(table.num_rows)
            else:
                order = np.asarray(pc.sort_indices(table, sort_keys=[(latest_by, "ascending")]))
            parts = np.split(order, [table.num_rows * 5 // 8, table.num_rows * 6 // 8])
            for path, rows in zip(files, parts, strict=True):
                pq.write_table(table.take(pa.array(np.sort(rows))), path)
        train, validation, test = map(str, files)
        return train, test, validation, None

    return prepare


def _fashion(data: Path, _: Path, work: Path) -> Prepared:
    """The official test set; the last sixth of the training rows validates and the reference is not fitted to it."""
    files = [work / f"{part}.parquet" for part in ("train", "validation", "test")]
    if not files[-1].exists():
        table = pq.read_table(data / "fashion_mnist.parquet")
        official = pc.equal(table["split"], "test")
        order = np.random.default_rng(20_261_122).permutation(60_000)
        known = table.filter(pc.invert(official))
        parts = (known.take(np.sort(order[:50_000])), known.take(np.sort(order[50_000:])), table.filter(official))
        for path, rows in zip(files, parts, strict=True):
            pq.write_table(rows, path)
    train, validation, test = map(str, files)
    return train, test, validation, None


def _minutes_to_purchase(table: pa.Table) -> pa.Table:
    """The column any analyst of this table adds: times of sign-up and purchase mean nothing one by one."""
    minutes = pc.minutes_between(table["signup_time"], table["purchase_time"])
    return table.append_column("log_minutes_to_purchase", pc.log1p(minutes.cast("float64")))


_SMALL_BATCHES = partial(train_table_reference, recipe=Recipe(batch_size=64))
"""For tables of so few rows that the usual batches leave a reference unfinished."""


_SIGNS_EPOCHS = {"vgg": 5, "resnet": 6, "inception": 7}


def _signs_case(
    name: str, network: str, generator: str, *, parameters: int = 20_000, macs: float = 2.5e6, samples: int = 1_200_000
) -> Case:
    """One offspring, straight to the ceilings: two shared cores have no time for a wider search over pictures.

    Bounded in rows, not in seconds, so that a seed gives the same network again, whatever else the machine does.
    """
    ceilings = ("--require", f"parameters<={parameters}", "--require", f"macs<={macs:g}")
    effort = ("--generator", generator, "--generations", "1", "--offspring", "1", "--final-samples", str(samples))
    options = ("--feature", "image", *ceilings, *effort, "--no-control", "--export", "litert-int8")
    return Case(name, _signs(network), options, label="label", reference_epochs=_SIGNS_EPOCHS[network])


CASES = (
    _signs_case("gtsrb_vgg", "vgg", "separable"),
    _signs_case("gtsrb_resnet", "resnet", "separable"),
    _signs_case("gtsrb_inception", "inception", "separable"),
    # What 25 kB in int8 leave room for: each channel takes some twenty bytes beside its weights.
    _signs_case("gtsrb_vgg_25kb", "vgg", "importance", parameters=12_000),
    # Short, because every peer of peers.py gets as many rows as the candidate.
    _signs_case("gtsrb_vgg_short", "vgg", "importance", samples=300_000),
    _signs_case("gtsrb_vgg_99", "vgg", "importance", parameters=100_000, macs=5e6),
    # Half of what the aim allows, from the two references that lose nothing at the aim.
    _signs_case("gtsrb_resnet_10k", "resnet", "separable", parameters=10_000, macs=1.25e6),
    _signs_case("gtsrb_inception_10k", "inception", "separable", parameters=10_000, macs=1.25e6),
    Case(
        "bank_marketing",
        _table("bank_marketing_additional_full.parquet"),
        ("--slice", "marital", "--slice", "age:30,45,60"),
        label="y",
        exclude=("duration",),
        positive_label="yes",
    ),
    Case(
        "santander",
        _table("santander_satisfaction.parquet"),
        ("--row-id", "ID", "--alert-budget", "0.05"),
        label="TARGET",
        exclude=("ID",),
    ),
    Case(
        "card_transactions",
        _table("simulated_card_transactions_21days.parquet", latest_by="TX_DATETIME"),
        ("--row-id", "TRANSACTION_ID", "--alert-budget", "0.02"),
        label="TX_FRAUD",
        exclude=(
            "TRANSACTION_ID",
            "TX_DATETIME",
            "TX_FRAUD_SCENARIO",
            "TX_TIME_SECONDS",
            "TX_TIME_DAYS",
            "CUSTOMER_ID",
            "TERMINAL_ID",
        ),
    ),
    Case(
        "fashion_mnist",
        _fashion,
        (
            *("--feature", "image", "--require", "parameters<=50000", "--generator", "separable"),
            *("--generations", "1", "--offspring", "1", "--final-samples", "2400000", "--no-control"),
        ),
        label="label",
        train_reference=train_picture_reference,
    ),
    Case("taiwan_credit", _table("taiwan_credit_default.parquet"), (), "default.payment.next.month", exclude=("ID",)),
    Case(
        "ulb_credit_card",
        _table("creditcard_ulb_casecontrol.parquet"),
        (),
        "Class",
        train_reference=_SMALL_BATCHES,
    ),
    Case(
        "ecommerce",
        _table("ecommerce_fraud_sample.parquet", derive=_minutes_to_purchase),
        (),
        "class",
        exclude=("user_id", "device_id", "signup_time", "purchase_time"),
        train_reference=_SMALL_BATCHES,
    ),
)
