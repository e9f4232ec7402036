import json

import requests
from harness import scenario, table

W = "wire"


def _raw(method, path, data=None, **headers):
    def run(s):
        answer = requests.request(method, s.uri + path, data=data, headers=headers, timeout=30)
        try:
            body = answer.json()
            if isinstance(body, dict):
                body = {k: v for k, v in body.items() if k not in ("sqlstate", "error_class")}
        except ValueError:
            body = "text"
        return [answer.status_code, body]

    return run


SEARCH = "/api/2.0/mlflow/runs/search"
JSON = {"Content-Type": "application/json"}
table(
    W,
    {
        "malformed JSON": _raw("POST", SEARCH, "{bad", **JSON),
        "malformed JSON to create": _raw("POST", "/api/2.0/mlflow/registered-models/create", "{bad", **JSON),
        "a JSON list": _raw("POST", "/api/2.0/mlflow/registered-models/create", "[]", **JSON),
        "a JSON number": _raw("POST", "/api/2.0/mlflow/registered-models/create", "5", **JSON),
        "JSON null": _raw("POST", "/api/2.0/mlflow/registered-models/create", "null", **JSON),
        "no body": _raw("POST", "/api/2.0/mlflow/registered-models/create", None, **JSON),
        "no body and no content type": _raw("POST", "/api/2.0/mlflow/registered-models/create"),
        "a content type of text": _raw("POST", "/api/2.0/mlflow/registered-models/create", "{}", **{"Content-Type": "text/plain"}),
        "a content type of a form": _raw("POST", "/api/2.0/mlflow/registered-models/create", "name=x", **{"Content-Type": "application/x-www-form-urlencoded"}),
        "no content type": _raw("POST", "/api/2.0/mlflow/registered-models/create", b"{}"),
        "a content type with charset": _raw("POST", "/api/2.0/mlflow/registered-models/create", "{}", **{"Content-Type": "application/json; charset=utf-8"}),
        "invalid UTF-8": _raw("POST", "/api/2.0/mlflow/registered-models/create", b'{"name":"\xff"}', **JSON),
        "deeply nested JSON": _raw("POST", "/api/2.0/mlflow/registered-models/create", "[" * 100_000, **JSON),
        "an unknown endpoint": _raw("POST", "/api/2.0/mlflow/nonsense/create", "{}", **JSON),
        "an unknown path": _raw("GET", "/nonsense"),
        "a wrong method": _raw("GET", "/api/2.0/mlflow/runs/create"),
        "DELETE where there is POST": _raw("DELETE", "/api/2.0/mlflow/runs/search", "{}", **JSON),
        "/health": _raw("GET", "/health"),
        "the health's text": lambda s: requests.get(s.uri + "/health").text,
        "/version": lambda s: requests.get(s.uri + "/version").text,
        "the preview prefix": _raw("POST", "/api/2.0/preview/mlflow/experiments/search", '{"max_results": 1}', **JSON),
        "the server's abilities": lambda s: s.rest("GET", "/api/3.0/mlflow/server-info")["status"] in (200, 404),
    },
)


@scenario(W, "every field of a refusal")
def _(s):
    return requests.get(f"{s.uri}/api/2.0/mlflow/runs/get", params={"run_id": "0" * 32}).json()


@scenario(W, "JSON that was encoded twice")
def _(s):
    body = json.dumps(json.dumps({"name": s.name}))
    answer = requests.post(f"{s.uri}/api/2.0/mlflow/registered-models/create", data=body, headers=JSON)
    return [answer.status_code, answer.json().get("registered_model", {}).get("name")]


@scenario(W, "unknown fields are passed over")
def _(s):
    return s.rest("POST", "registered-models/create", {"name": s.name, "colour": "red"})["status"]


@scenario(W, "the ajax prefix is the same server")
def _(s):
    experiment = s.experiment()
    run = s.run(experiment, run_name="x")
    return [
        s.rest("POST", "/ajax-api/2.0/mlflow/runs/search", {"experiment_ids": [experiment]})["body"]["runs"][0]["info"]["run_name"],
        s.rest("GET", "/ajax-api/2.0/mlflow/runs/get", params={"run_id": run})["status"],
        s.rest("GET", "/ajax-api/2.0/mlflow/experiments/search", params={"max_results": 1})["status"],
        s.rest("GET", "/ajax-api/2.0/mlflow/registered-models/search", params={"max_results": 1})["status"],
        s.rest("GET", "/ajax-api/2.0/mlflow-artifacts/artifacts", params={"path": f"{experiment}/{run}/artifacts"})["status"],
    ]


@scenario(W, "a parameter given twice in the query")
def _(s):
    return s.rest("GET", "runs/get", params=[("run_id", "a"), ("run_id", "b")])["status"]


@scenario(W, "GET of a list of one in the query")
def _(s):
    return s.rest("GET", "experiments/search", params={"max_results": 1, "order_by": "name ASC"})["status"]


@scenario(W, "a host that is not ours")
def _(s):
    return requests.get(s.uri + "/api/2.0/mlflow/experiments/get", params={"experiment_id": "0"}, headers={"Host": "evil.example"}).status_code


@scenario(W, "a page of another origin writes")
def _(s):
    return requests.post(s.uri + "/api/2.0/mlflow/registered-models/create", json={"name": s.name}, headers={"Origin": "http://evil.example"}).status_code


@scenario(W, "a body of ten megabytes is not an error of the server")
def _(s):
    answer = requests.post(f"{s.uri}/api/2.0/mlflow/registered-models/create", json={"name": s.name, "description": "x" * 10_000_000})
    return answer.status_code < 500


_required = {
    "experiments/create": "POST", "experiments/get": "GET", "experiments/get-by-name": "GET", "experiments/delete": "POST",
    "experiments/restore": "POST", "experiments/update": "POST", "experiments/set-experiment-tag": "POST",
    "runs/create": "POST", "runs/update": "POST", "runs/get": "GET", "runs/delete": "POST", "runs/restore": "POST",
    "runs/log-metric": "POST", "runs/log-parameter": "POST", "runs/set-tag": "POST", "runs/delete-tag": "POST",
    "runs/log-batch": "POST", "runs/log-inputs": "POST", "metrics/get-history": "GET", "artifacts/list": "GET",
    "registered-models/create": "POST", "registered-models/get": "GET", "registered-models/rename": "POST",
    "registered-models/update": "PATCH", "registered-models/delete": "DELETE", "registered-models/get-latest-versions": "POST",
    "registered-models/set-tag": "POST", "registered-models/delete-tag": "DELETE", "registered-models/alias": "GET",
    "model-versions/create": "POST", "model-versions/get": "GET", "model-versions/update": "PATCH",
    "model-versions/delete": "DELETE", "model-versions/transition-stage": "POST", "model-versions/set-tag": "POST",
    "model-versions/delete-tag": "DELETE", "model-versions/get-download-uri": "GET",
}  # fmt: skip
table(
    "nothing given",
    {
        f"{method} {path}": (lambda s, method=method, path=path: s.rest(method, path) if method == "GET" else s.rest(method, path, {}))
        for path, method in _required.items()
        if path != "runs/create"
    },
)
