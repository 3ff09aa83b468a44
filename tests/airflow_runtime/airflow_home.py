"""A private AIRFLOW_HOME for the tests of this process. Import before anything imports Airflow."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile


def use_private_home() -> None:
    """Point Airflow at an empty folder that is removed at exit; the second call changes nothing.

    Airflow reads its settings once and creates its home on import, so this has to come first.
    """
    if os.environ.get("AIRFLOW_HOME", "").startswith(_PREFIX):
        return
    assert "airflow" not in sys.modules, "too late: Airflow has read its settings"
    home = tempfile.mkdtemp(prefix="darwin-airflow-")
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    os.environ["AIRFLOW_HOME"] = home
    os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
    os.environ["AIRFLOW__CORE__UNIT_TEST_MODE"] = "True"


_PREFIX = os.path.join(tempfile.gettempdir(), "darwin-airflow-")  # noqa: PTH118 - compared with text
