"""The components' declarations, one module per step: a container component and its twin for the subprocess runner.

The bodies are the same everywhere. A container is started with the executor input, from which the launcher reads every
argument; a twin hands its own arguments to the same launcher. Both forms of a step have the same inputs and outputs.
"""
