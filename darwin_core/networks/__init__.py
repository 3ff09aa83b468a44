"""A Keras network in and out: safe loading, reading its graph, measuring, predicting, exporting."""

from darwin_core.networks.macs import register_macs as register_macs
from darwin_core.networks.measuring import layer_costs as layer_costs
from darwin_core.networks.measuring import measure_cost as measure_cost
