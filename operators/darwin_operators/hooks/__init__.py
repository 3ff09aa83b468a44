"""The connection type ``darwin``: an object store, and the key pair for it."""
