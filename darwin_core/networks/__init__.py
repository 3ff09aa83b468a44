"""A Keras network in and out: safe loading, reading its graph, measuring, predicting, exporting."""

from darwin_core.networks.exporting import export_serving as export_serving
from darwin_core.networks.exporting import signature_names as signature_names
from darwin_core.networks.inputs import network_inputs as network_inputs
from darwin_core.networks.latency import measure_latency as measure_latency
from darwin_core.networks.loading import load_network as load_network
from darwin_core.networks.loading import save_network as save_network
from darwin_core.networks.losses import reference_loss as reference_loss
from darwin_core.networks.macs import register_macs as register_macs
from darwin_core.networks.measuring import layer_costs as layer_costs
from darwin_core.networks.measuring import measure_cost as measure_cost
from darwin_core.networks.outputs import output_kind as output_kind
from darwin_core.networks.outputs import to_scores as to_scores
from darwin_core.networks.prediction import Predictor as Predictor
