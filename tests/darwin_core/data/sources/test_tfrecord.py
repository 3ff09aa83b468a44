from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from support.data import opened, png, rows_of

from darwin_core.contracts import ColumnKind
from darwin_core.data.columns import column_schema
from darwin_core.data.sources import align
from darwin_core.errors import DataError

PICTURE = png(np.full((4, 5, 3), 7, np.uint8))


def example(**values: Any) -> bytes:
    feature = {}
    for name, value in values.items():
        items = value if isinstance(value, list) else [value]
        if not items or items[0] is None:
            continue
        if isinstance(items[0], bytes):
            feature[name] = tf.train.Feature(bytes_list=tf.train.BytesList(value=items))
        elif isinstance(items[0], float):
            feature[name] = tf.train.Feature(float_list=tf.train.FloatList(value=items))
        else:
            feature[name] = tf.train.Feature(int64_list=tf.train.Int64List(value=items))
    data: bytes = tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()
    return data


def write(folder: Path, records: list[bytes], compression: str = "") -> Path:
    path = folder / "rows.tfrecord"
    with tf.io.TFRecordWriter(str(path), tf.io.TFRecordOptions(compression_type=compression)) as writer:
        for record in records:
            writer.write(record)
    return path


@pytest.mark.parametrize("compression", ["", "GZIP"])
def test_features_are_columns(tmp_path: Path, compression: str) -> None:
    records = [
        example(image=PICTURE, word="ä".encode(), real=1.5 if k % 2 else None, whole=k, array=[1.0, float(k)])
        for k in range(300)
    ]
    source = opened(write(tmp_path, records, compression))
    found = {name: (column_schema(field).kind, column_schema(field).shape) for name, field in align(source).items()}
    assert found == {
        "array": (ColumnKind.TENSOR, (2,)),
        "image": (ColumnKind.IMAGE, (4, 5, 3)),
        "real": (ColumnKind.NUMBER, ()),
        "whole": (ColumnKind.INTEGER, ()),
        "word": (ColumnKind.STRING, ()),
    }
    rows = rows_of(source)
    assert len(rows) == 300
    assert rows[0] == {"array": [1.0, 0.0], "image": PICTURE, "real": None, "whole": 0, "word": "ä"}
    assert rows[299]["real"] == 1.5


def test_lists_of_different_lengths_are_set_aside(tmp_path: Path) -> None:
    source = opened(write(tmp_path, [example(a=[1, 2], b=1), example(a=[1], b=2)]))
    assert list(source.fields) == ["b"]
    assert set(source.unusable) == {"a"}


def test_truncated_files_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, [example(a=k) for k in range(1000)])
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(DataError, match=r"rows\.tfrecord.*truncated"):
        rows_of(opened(path))


def test_records_that_are_no_examples_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"rows\.tfrecord row 1 is no tf\.train\.Example"):
        opened(write(tmp_path, [example(a=1), b"\xff\xff\xff"]))


def test_a_second_value_far_down_names_its_row(tmp_path: Path) -> None:
    records = [example(a=k) for k in range(400)]
    records[350] = example(a=[1, 2])
    with pytest.raises(DataError, match=r"rows\.tfrecord row 350.*'a', got 2"):
        rows_of(opened(write(tmp_path, records)))


def test_a_feature_that_changes_its_type_is_refused(tmp_path: Path) -> None:
    records = [example(a=k) for k in range(400)]
    records[350] = example(a=1.5)
    with pytest.raises(DataError, match=r"types of the first records"):
        rows_of(opened(write(tmp_path, records)))
