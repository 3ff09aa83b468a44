"""The five steps. The only package that joins data, networks, synthesis, evaluation, explanation and registry."""
