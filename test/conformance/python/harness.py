"""What a scenario is, what it may use, and how whatever came of it becomes JSON that two servers can be compared by."""

import hashlib
import math
import re
import signal
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable
from urllib.parse import urlsplit

import mlflow
import requests
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

CLIENT_MAJOR = int(mlflow.__version__.split(".")[0])
SECONDS_PER_SCENARIO = 120
MISTAKES = (TypeError, AttributeError, NameError, KeyError, IndexError, ImportError, AssertionError)


@dataclass(frozen=True)
class Scenario:
    category: str
    name: str
    run: Callable[["Setting"], Any]
    """Where the real server cannot be asked (tenants) or answers by luck (races): what must come out instead."""
    expected: Any = None


SCENARIOS: list[Scenario] = []


def scenario(category: str, name: str, since: int = 0, expected: Any = None):
    """Adds a function to the table. `since`: the first major version of the client that can do it."""

    def add(run):
        if CLIENT_MAJOR >= since:
            if any(s.category == category and s.name == name for s in SCENARIOS):
                raise ValueError(f"two scenarios are called {category}: {name}")
            SCENARIOS.append(Scenario(category, name, run, expected))
        return run

    return add


def table(category: str, rows: dict[str, Callable[["Setting"], Any]], since: int = 0) -> None:
    """Many scenarios of one line each."""
    for name, run in rows.items():
        scenario(category, name, since)(run)


_last = threading.local()
_send = requests.Session.send


def _remembering_send(self, request, **options):
    response = _send(self, request, **options)
    _last.status = response.status_code
    return response


requests.Session.send = _remembering_send


def plain(value: Any) -> Any:
    """Entities of mlflow, lists of pages and floats that JSON has no word for, as JSON."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if hasattr(value, "token") and isinstance(value, list):
        return {"items": [plain(item) for item in value], "more": bool(value.token)}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted(plain(item) for item in value)
    if hasattr(value, "_properties"):
        return {key: plain(item) for key, item in value}
    return str(value)


def refusal(error: Exception) -> dict[str, Any]:
    if isinstance(error, MlflowException):
        status = getattr(_last, "status", None)
        return {"error_code": error.error_code, "status": status, "message": error.message}
    return {"exception": type(error).__name__, "message": str(error)}


class Setting:
    """The server under test as one scenario sees it. Names are the scenario's own and the same on every server."""

    def __init__(self, uri: str, label: str, scratch: Path):
        self.uri = uri.rstrip("/")
        self.label = label
        self.scratch = scratch
        self.client = MlflowClient(self.uri)
        self.name = ""
        self._made = 0
        self._shared: dict[str, Any] = {}

    def enter(self, scenario: Scenario) -> None:
        slug = re.sub(r"[^a-z0-9]+", "-", scenario.name.lower()).strip("-")[:60]
        mark = hashlib.sha256(scenario.name.encode()).hexdigest()[:5]
        self.name = f"{scenario.category.replace(' ', '-')}-{slug}-x{mark}-{self.label}"
        self._made = 0
        _last.status = None

    def fresh(self, what: str = "thing") -> str:
        self._made += 1
        return f"{self.name}-{what}-{self._made}"

    def shared(self, key: str, make: Callable[[], Any]) -> Any:
        """Made once for every scenario that asks: data that is only read."""
        if key not in self._shared:
            self._shared[key] = make()
        return self._shared[key]

    def folder(self) -> Path:
        path = self.scratch / self.fresh("folder")
        path.mkdir(parents=True)
        return path

    def experiment(self) -> str:
        return self.client.create_experiment(self.fresh("experiment"))

    def run(self, experiment: str | None = None, **options) -> str:
        """The id of a run that is going on."""
        return self.client.create_run(experiment or self.experiment(), **options).info.run_id

    def model(self, **options) -> str:
        return self.client.create_registered_model(self.fresh("model"), **options).name

    def version(self, model: str, **options) -> str:
        options.setdefault("source", "s3://elsewhere/model")
        return self.client.create_model_version(model, **options).version

    def attempt(self, call: Callable[..., Any], *args, **options) -> Any:
        """What it gave, or how it was refused."""
        _last.status = None
        try:
            return plain(call(*args, **options))
        except MISTAKES:
            raise
        except Exception as error:
            return refusal(error)

    def rest(self, method: str, path: str, body: Any = None, **options) -> dict[str, Any]:
        """A bare HTTP call; a path without a leading slash lies below /api/2.0/mlflow."""
        url = self.uri + (path if path.startswith("/") else f"/api/2.0/mlflow/{path}")
        if body is not None:
            options["json"] = body
        response = requests.request(method, url, timeout=60, **options)
        try:
            content = response.json()
        except ValueError:
            content = response.text
        if response.status_code >= 400 and isinstance(content, dict):
            # What clients read; "every field of a refusal" looks at the rest.
            content = {key: content[key] for key in ("error_code", "message") if key in content}
        return {"status": response.status_code, "body": content}

    def literally(self, method: str, path: str) -> dict[str, Any]:
        """A path sent as it is written: no client tidies its dots and percent signs."""
        import http.client

        parts = urlsplit(self.uri)
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
        try:
            connection.putrequest(method, parts.path + path, skip_accept_encoding=True)
            connection.putheader("Content-Length", "0")
            connection.endheaders()
            response = connection.getresponse()
            text = response.read().decode("utf-8", "replace")
            return {"status": response.status, "leaks": "root:" in text or "Traceback" in text}
        finally:
            connection.close()


class TookTooLong(Exception):
    pass


def _alarm(_signal, _frame):
    raise TookTooLong(f"longer than {SECONDS_PER_SCENARIO} s")


def _leave() -> None:
    while mlflow.active_run():
        mlflow.end_run()


def outcome_of(scenario: Scenario, setting: Setting) -> dict[str, Any]:
    """Runs it. A mistake of the scenario's own is told apart from a refusal by the server."""
    signal.signal(signal.SIGALRM, _alarm)
    signal.alarm(SECONDS_PER_SCENARIO)
    try:
        setting.enter(scenario)
        return {"result": plain(scenario.run(setting))}
    except MISTAKES as error:
        import traceback

        where = traceback.extract_tb(error.__traceback__)[-1]
        return {"broken": f"{type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})"}
    except Exception as error:
        return refusal(error)
    finally:
        signal.alarm(0)
        _leave()
