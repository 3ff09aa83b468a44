"""Streaming readers: Parquet, CSV, TFRecord and NPZ files as record batches of canonical columns."""

from darwin_core.data.sources.base import LocalFile as LocalFile
from darwin_core.data.sources.opening import is_data_file as is_data_file
from darwin_core.data.sources.opening import open_source as open_source
from darwin_core.data.sources.rows import RowSource as RowSource
from darwin_core.data.sources.rows import SourceBatch as SourceBatch
from darwin_core.data.sources.rows import align as align
