"""Data checks: what is wrong with the data, with effect, interval and the rows concerned; silent on clean data.

Importing the package registers the built-in checks.
"""

from darwin_core.explanation.checks import constant_columns as constant_columns
from darwin_core.explanation.checks import duplicate_columns as duplicate_columns
from darwin_core.explanation.checks import label_conflicts as label_conflicts
from darwin_core.explanation.checks import leaking_column as leaking_column
from darwin_core.explanation.checks import near_duplicates as near_duplicates
from darwin_core.explanation.checks import overlap as overlap
from darwin_core.explanation.checks import shift as shift
from darwin_core.explanation.checks import skew as skew
from darwin_core.explanation.checks.base import CheckedData as CheckedData
from darwin_core.explanation.checks.base import DataCheck as DataCheck
from darwin_core.explanation.checks.base import Fingerprints as Fingerprints
from darwin_core.explanation.checks.base import ServingRows as ServingRows
from darwin_core.explanation.checks.base import Sketches as Sketches
from darwin_core.explanation.checks.base import consists_of_rows as consists_of_rows
from darwin_core.explanation.checks.base import register_check as register_check
from darwin_core.explanation.checks.base import registered_checks as registered_checks
from darwin_core.explanation.checks.base import rows_behind as rows_behind
from darwin_core.explanation.checks.base import run_checks as run_checks
from darwin_core.explanation.checks.columns import Column as Column
