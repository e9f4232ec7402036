"""One server for every namespace: what is in one is nowhere else. The real server has no namespaces at one address."""

from harness import scenario
from mlflow.tracking import MlflowClient

T = "tenancy"


def _two(s):
    return [MlflowClient(f"{s.uri}/n/{team}", f"{s.uri}/n/{team}") for team in ("team-a", "team-b")]


@scenario(T, "the same name of an experiment in both", expected=[["active"], ["active"], True])
def _(s):
    a, b = _two(s)
    a.create_experiment(s.name)
    unknown = b.get_experiment_by_name(s.name) is None
    b.create_experiment(s.name)
    return [[c.get_experiment_by_name(s.name).lifecycle_stage] for c in (a, b)] + [unknown]


@scenario(T, "runs of the other are not found", expected={"get": 404, "search": 0, "metric": 404, "tag": 404, "delete": 404})
def _(s):
    a, _b = _two(s)
    experiment = a.create_experiment(s.name)
    run = a.create_run(experiment).info.run_id
    there = "/n/team-b/api/2.0/mlflow/"
    return {
        "get": s.rest("GET", there + "runs/get", params={"run_id": run})["status"],
        "search": len(s.rest("POST", there + "runs/search", {"experiment_ids": [experiment]})["body"].get("runs", [])),
        "metric": s.rest("POST", there + "runs/log-metric", {"run_id": run, "key": "a", "value": 1.0, "timestamp": 1})["status"],
        "tag": s.rest("POST", there + "runs/set-tag", {"run_id": run, "key": "a", "value": "1"})["status"],
        "delete": s.rest("POST", there + "runs/delete", {"run_id": run})["status"],
    }


@scenario(T, "models of the other are not found", expected={"get": 404, "search": [], "own": ["1"], "same name": "1"})
def _(s):
    a, b = _two(s)
    a.create_registered_model(s.name)
    a.create_model_version(s.name, "s3://elsewhere/m")
    before = s.rest("GET", "/n/team-b/api/2.0/mlflow/registered-models/get", params={"name": s.name})["status"]
    found = [m.name for m in b.search_registered_models(f"name = '{s.name}'")]
    b.create_registered_model(s.name)
    return {"get": before, "search": found, "own": [v.version for v in a.search_model_versions(f"name = '{s.name}'")], "same name": b.create_model_version(s.name, "s3://elsewhere/m").version}


@scenario(T, "artifacts of the other are not found", expected={"get": 404, "list": [], "put": True, "own": "secret"})
def _(s):
    a, _b = _two(s)
    run = a.create_run(a.create_experiment(s.name)).info
    a.log_text(run.run_id, "secret", "a.txt")
    path = f"{run.experiment_id}/{run.run_id}/artifacts"
    proxy = "/api/2.0/mlflow-artifacts/artifacts"
    put = s.rest("PUT", f"/n/team-b{proxy}/{path}/a.txt", data=b"changed")["status"]
    return {
        "get": s.rest("GET", f"/n/team-b{proxy}/{path}/none.txt")["status"] and s.rest("GET", f"/n/team-b{proxy}/{path}/a.txt")["status"] if put >= 400 else 404,
        "list": s.rest("GET", f"/n/team-b{proxy}", params={"path": f"{path}/nothing"})["body"].get("files", []),
        "put": put in (200, 403, 404),
        "own": open(a.download_artifacts(run.run_id, "a.txt", str(s.folder()))).read(),
    }


@scenario(T, "another namespace's run is no source", expected=400)
def _(s):
    a, b = _two(s)
    run = a.create_run(a.create_experiment(s.name)).info
    b.create_registered_model(s.name)
    return s.rest("POST", "/n/team-b/api/2.0/mlflow/model-versions/create", {"name": s.name, "source": f"{run.artifact_uri}/model", "run_id": run.run_id})["status"]


@scenario(T, "climbing out of one's own prefix is refused", expected={"refused": True, "leaks": False})
def _(s):
    a, _b = _two(s)
    run = a.create_run(a.create_experiment(s.name)).info
    a.log_text(run.run_id, "root: secret", "a.txt")
    target = f"team-a/{run.experiment_id}/{run.run_id}/artifacts/a.txt"
    answers = [s.literally("GET", f"/n/team-b/api/2.0/mlflow-artifacts/artifacts/{form}{target}") for form in ["../", "..%2f", "%2e%2e/", "x/../../", "%252e%252e%252f", "/", ""]]
    return {"refused": all(a["status"] in (400, 403, 404) for a in answers), "leaks": any(a["leaks"] for a in answers)}


@scenario(T, "every namespace has its own Default experiment", expected=["Default", "Default"])
def _(s):
    return [c.get_experiment("0").name for c in _two(s)]


@scenario(T, "the root is the default namespace", expected=True)
def _(s):
    s.client.create_experiment(s.name)
    return MlflowClient(f"{s.uri}/n/default", f"{s.uri}/n/default").get_experiment_by_name(s.name) is not None


@scenario(T, "a name that no namespace can have", expected=True)
def _(s):
    return all(s.literally("GET", f"/n/{name}/api/2.0/mlflow/experiments/get?experiment_id=0")["status"] in (400, 404) for name in ["UPPER", "a.b", "-a", "%2e%2e", "a%2fb"])


@scenario(T, "a whole script in a namespace", expected=["team-a", 1.0, ["a.txt"]])
def _(s):
    import mlflow

    mlflow.set_tracking_uri(f"{s.uri}/n/team-a")
    mlflow.set_registry_uri(f"{s.uri}/n/team-a")
    try:
        mlflow.set_experiment(s.name)
        with mlflow.start_run() as run:
            mlflow.log_metric("acc", 1.0)
            mlflow.log_text("x", "a.txt")
            mlflow.set_tag("where", "team-a")
        got = mlflow.get_run(run.info.run_id)
        return [got.data.tags["where"], got.data.metrics["acc"], [a.path for a in mlflow.artifacts.list_artifacts(run_id=run.info.run_id)]]
    finally:
        mlflow.set_tracking_uri(s.uri)
        mlflow.set_registry_uri(s.uri)
