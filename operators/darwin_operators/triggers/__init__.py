"""Triggers: waiting without holding a worker's slot."""
