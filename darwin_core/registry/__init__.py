"""Published versions, the pointers to them, and the append-only history.

A version is immutable and complete before anything points at it; pointers move by conditional writes only.
"""

from darwin_core.registry.history import append_history as append_history
from darwin_core.registry.history import append_once as append_once
from darwin_core.registry.history import holdout_looks as holdout_looks
from darwin_core.registry.history import read_history as read_history
from darwin_core.registry.pointers import move_pointer as move_pointer
from darwin_core.registry.pointers import read_pointer as read_pointer
from darwin_core.registry.rollback import rollback as rollback
from darwin_core.registry.versions import publish_version as publish_version
from darwin_core.registry.versions import read_version as read_version
