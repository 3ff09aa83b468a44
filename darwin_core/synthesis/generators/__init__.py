"""Generators: strategies that propose the design of an offspring. One strategy per module."""

from darwin_core.synthesis.generators.base import Generator as Generator
from darwin_core.synthesis.generators.base import Situation as Situation
from darwin_core.synthesis.generators.blocks import BlocksGenerator as BlocksGenerator
from darwin_core.synthesis.generators.importance import ImportanceGenerator as ImportanceGenerator
from darwin_core.synthesis.generators.learned import LearnedGenerator as LearnedGenerator
from darwin_core.synthesis.generators.random import RandomGenerator as RandomGenerator
from darwin_core.synthesis.generators.registry import generator_named as generator_named
from darwin_core.synthesis.generators.registry import register_generator as register_generator
from darwin_core.synthesis.generators.separable import SeparableGenerator as SeparableGenerator
from darwin_core.synthesis.generators.uniform import UniformGenerator as UniformGenerator
