"""Tables and images: streaming readers, deterministic splits, memory-mapped arrays for training and evaluation."""

from darwin_core.data.binding import BoundInput as BoundInput
from darwin_core.data.binding import bind_inputs as bind_inputs
from darwin_core.data.columns import ROW_ID as ROW_ID
from darwin_core.data.decoding import map_split as map_split
from darwin_core.data.mapped import Batch as Batch
from darwin_core.data.mapped import MappedSplit as MappedSplit
from darwin_core.data.parquet import read_columns as read_columns
