"""What Airflow shows and validates about the provider; read through the entry point ``apache_airflow_provider``."""

from __future__ import annotations

from typing import Any

_INTEGRATION = "Darwin"


def get_provider_info() -> dict[str, Any]:
    """The provider's metadata, after Airflow's ``provider_info.schema.json``.

    ``package-name`` has to be the name of the distribution, or ``airflow providers list`` fails.
    """
    return {
        "package-name": "darwin-mlops",
        "name": "Darwin",
        "description": "The compaction step of a training pipeline: a much smaller network, proof and explanation.",
        "integrations": [
            {
                "integration-name": _INTEGRATION,
                "external-doc-url": "https://airflow.apache.org/docs/",
                "tags": ["software"],
            }
        ],
        "operators": [
            {
                "integration-name": _INTEGRATION,
                "python-modules": ["darwin_operators.operators.compaction", "darwin_operators.operators.publish"],
            }
        ],
        "extra-links": ["darwin_operators.links.CompactionReportLink"],
        "config": {
            "darwin": {
                "description": "Where compaction steps run and how people reach their reports.",
                "options": {
                    "python": {
                        "description": "Interpreter of the environment that holds the engine (darwin-mlops[engine]).",
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "/opt/darwin/bin/python",
                        "default": "",
                    },
                    "report_base_url": {
                        "description": (
                            "URL under which the object store's reports can be read. {bucket} and {key} are filled "
                            "in; without them the key is appended."
                        ),
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "https://reports.example.com/{bucket}/{key}",
                        "default": "",
                    },
                },
            }
        },
    }
