"""Synthesis: the search for the compact network.

A generator proposes designs, an inquisitor probes networks with real rows and steers it, requirements say what must
hold and a performance function ranks what does. ``Search`` joins them; each part stands alone in its module.
"""

from darwin_core.synthesis.generators import BlocksGenerator as BlocksGenerator
from darwin_core.synthesis.generators import Generator as Generator
from darwin_core.synthesis.generators import ImportanceGenerator as ImportanceGenerator
from darwin_core.synthesis.generators import LearnedGenerator as LearnedGenerator
from darwin_core.synthesis.generators import RandomGenerator as RandomGenerator
from darwin_core.synthesis.generators import SeparableGenerator as SeparableGenerator
from darwin_core.synthesis.generators import Situation as Situation
from darwin_core.synthesis.generators import UniformGenerator as UniformGenerator
from darwin_core.synthesis.generators import generator_named as generator_named
from darwin_core.synthesis.generators import register_generator as register_generator
from darwin_core.synthesis.inquisitor import Inquisitor as Inquisitor
from darwin_core.synthesis.performance import Standing as Standing
from darwin_core.synthesis.performance import performance_function as performance_function
from darwin_core.synthesis.performance import primary_quality as primary_quality
from darwin_core.synthesis.performance import register_performance_function as register_performance_function
from darwin_core.synthesis.picking import PickedPoint as PickedPoint
from darwin_core.synthesis.requirements import RequirementsIndicator as RequirementsIndicator
from darwin_core.synthesis.requirements import complete_requirements as complete_requirements
from darwin_core.synthesis.requirements import metric_value as metric_value
from darwin_core.synthesis.rivalry import best_search as best_search
from darwin_core.synthesis.rivalry import chosen_of as chosen_of
from darwin_core.synthesis.search import Search as Search
from darwin_core.synthesis.task import Aim as Aim
from darwin_core.synthesis.task import Part as Part
from darwin_core.synthesis.task import Reference as Reference
from darwin_core.synthesis.task import SearchOutcome as SearchOutcome
