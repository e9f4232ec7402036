"""
Runs every scenario against one server and prints one JSON line for each: {name, category, seconds, outcome[, expected]}.

usage: driver.py --uri URI --label LABEL [--only REGEX] [--ours]
"""

import argparse
import importlib
import json
import os
import pkgutil
import re
import sys
import tempfile
import time
import warnings
from pathlib import Path

os.environ.update(
    MLFLOW_DISABLE_TELEMETRY="true",
    DO_NOT_TRACK="true",
    GIT_PYTHON_REFRESH="quiet",
    MPLBACKEND="Agg",
    # A server's mistake shall be seen at once, not after minutes of trying again.
    MLFLOW_HTTP_REQUEST_MAX_RETRIES="1",
    MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR="0",
    MLFLOW_HTTP_REQUEST_TIMEOUT="60",
    MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR="false",
    MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT="true",
)


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--uri", required=True)
    arguments.add_argument("--label", required=True)
    arguments.add_argument("--only", default="")
    arguments.add_argument("--ours", action="store_true", help="also what the real server cannot be asked")
    options = arguments.parse_args()

    # Whatever libraries print must not get between the lines of the answer.
    lines = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    warnings.simplefilter("ignore")

    import logging

    import harness
    import mlflow
    import scenarios

    logging.getLogger("mlflow").setLevel(logging.ERROR)
    for module in pkgutil.iter_modules(scenarios.__path__):
        importlib.import_module(f"scenarios.{module.name}")
    mlflow.set_tracking_uri(options.uri)
    mlflow.set_registry_uri(options.uri)

    with tempfile.TemporaryDirectory() as scratch:
        setting = harness.Setting(options.uri, options.label, Path(scratch))
        for scenario in harness.SCENARIOS:
            if not re.search(options.only, f"{scenario.category}: {scenario.name}"):
                continue
            if scenario.expected is not None and not options.ours:
                continue
            started = time.monotonic()
            outcome = harness.outcome_of(scenario, setting)
            line = {"name": scenario.name, "category": scenario.category, "outcome": outcome}
            if scenario.expected is not None:
                line["expected"] = scenario.expected
            line["seconds"] = round(time.monotonic() - started, 2)
            print(json.dumps(line), file=lines)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    main()
