"""The finder: factors that a class taught the network though they should decide nothing."""
