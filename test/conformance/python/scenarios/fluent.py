import os

import mlflow
from harness import plain, scenario

F = "fluent"


def _run_of(s, run_id):
    run = s.client.get_run(run_id)
    return {
        "info": {k: v for k, v in plain(run.info).items() if k not in ("user_id", "artifact_uri")},
        "metrics": run.data.metrics,
        "params": run.data.params,
        "tags": {k: v for k, v in run.data.tags.items() if not k.startswith("mlflow.") or k in ("mlflow.note.content", "mlflow.source.type", "mlflow.runName")},
    }


@scenario(F, "set_experiment makes it once")
def _(s):
    first, second = mlflow.set_experiment(s.name), mlflow.set_experiment(s.name)
    return [first.experiment_id == second.experiment_id, first.name, first.lifecycle_stage, mlflow.get_experiment_by_name(s.name).name]


@scenario(F, "set_experiment on a deleted one")
def _(s):
    s.client.delete_experiment(s.client.create_experiment(s.name))
    mlflow.set_experiment(s.name)


@scenario(F, "start_run and log everything")
def _(s):
    mlflow.set_experiment(s.name)
    with mlflow.start_run(run_name="all", description="a note", tags={"x": "y"}) as run:
        mlflow.log_param("C", 1.0)
        mlflow.log_params({"solver": "lbfgs", "none": None})
        mlflow.log_metric("acc", 0.5)
        mlflow.log_metric("acc", 0.75, step=1)
        mlflow.log_metrics({"a": 1, "b": 2}, step=3)
        mlflow.set_tag("one", 1)
        mlflow.set_tags({"two": 2, "three": True})
        mlflow.log_text("hello", "a.txt")
        mlflow.log_dict({"a": 1}, "a.json")
        active = mlflow.active_run().info.run_id == run.info.run_id
    return [active, _run_of(s, run.info.run_id), sorted(a.path for a in s.client.list_artifacts(run.info.run_id))]


@scenario(F, "an exception makes the run FAILED")
def _(s):
    mlflow.set_experiment(s.name)
    try:
        with mlflow.start_run(run_name="x") as run:
            mlflow.log_metric("a", 1)
            raise RuntimeError("on purpose")
    except RuntimeError:
        pass
    info = s.client.get_run(run.info.run_id).info
    return [info.status, info.end_time is not None]


@scenario(F, "end_run with a status")
def _(s):
    mlflow.set_experiment(s.name)
    run = mlflow.start_run()
    mlflow.end_run("KILLED")
    return s.client.get_run(run.info.run_id).info.status


@scenario(F, "nested runs know their parent")
def _(s):
    mlflow.set_experiment(s.name)
    with mlflow.start_run(run_name="parent") as parent:
        with mlflow.start_run(run_name="child", nested=True) as child:
            with mlflow.start_run(run_name="grandchild", nested=True) as grandchild:
                mlflow.log_metric("a", 1)
    found = s.client.search_runs([parent.info.experiment_id], f"tags.mlflow.parentRunId = '{parent.info.run_id}'")
    return [
        [r.info.run_name for r in found],
        s.client.get_run(grandchild.info.run_id).data.tags["mlflow.parentRunId"] == child.info.run_id,
        mlflow.get_parent_run(child.info.run_id).info.run_name,
        mlflow.get_parent_run(parent.info.run_id),
    ]


@scenario(F, "resume by run id")
def _(s):
    mlflow.set_experiment(s.name)
    with mlflow.start_run(run_name="x") as run:
        mlflow.log_param("a", 1)
    first = s.client.get_run(run.info.run_id).info
    with mlflow.start_run(run_id=run.info.run_id):
        during = s.client.get_run(run.info.run_id).info
        mlflow.log_param("b", 2)
    after = s.client.get_run(run.info.run_id)
    return [first.status, during.status, during.end_time == first.end_time, after.info.status, after.info.end_time > first.end_time, after.data.params]


@scenario(F, "MLFLOW_RUN_ID continues the run somebody else made")
def _(s):
    run = s.run(run_name="x")
    os.environ["MLFLOW_RUN_ID"] = run
    try:
        with mlflow.start_run() as active:
            mlflow.log_metric("a", 1)
    finally:
        os.environ.pop("MLFLOW_RUN_ID", None)
    return [active.info.run_id == run, _run_of(s, run)]


@scenario(F, "resume a deleted run")
def _(s):
    run = s.run()
    s.client.delete_run(run)
    mlflow.start_run(run_id=run)


@scenario(F, "resume a run of another experiment")
def _(s):
    run = s.run()
    mlflow.set_experiment(s.name)
    mlflow.start_run(run_id=run)


@scenario(F, "last_active_run, get_run, delete_run")
def _(s):
    mlflow.set_experiment(s.name)
    with mlflow.start_run(run_name="x") as run:
        pass
    same = mlflow.last_active_run().info.run_id == run.info.run_id
    mlflow.delete_run(run.info.run_id)
    return [same, mlflow.get_run(run.info.run_id).info.lifecycle_stage]


@scenario(F, "experiments by the fluent functions")
def _(s):
    made = mlflow.create_experiment(s.name, tags={"a": "1"})
    mlflow.set_experiment(experiment_id=made)
    mlflow.set_experiment_tag("b", "2")
    found = [e.name for e in mlflow.search_experiments(filter_string=f"name = '{s.name}'")]
    tags = mlflow.get_experiment(made).tags
    mlflow.delete_experiment(made)
    return [found, tags, mlflow.get_experiment(made).lifecycle_stage]


@scenario(F, "a run in an experiment by id and by name")
def _(s):
    made = mlflow.create_experiment(s.name)
    with mlflow.start_run(experiment_id=made, run_name="x") as run:
        pass
    return [r.info.run_name for r in mlflow.search_runs(experiment_names=[s.name], output_format="list")] + [run.info.experiment_id == made]


@scenario(F, "delete_tag and set_tag")
def _(s):
    mlflow.set_experiment(s.name)
    with mlflow.start_run(run_name="x") as run:
        mlflow.set_tag("a", "1")
        mlflow.delete_tag("a")
        refused = s.attempt(mlflow.delete_tag, "a")
    return [_run_of(s, run.info.run_id)["tags"], refused]


@scenario(F, "a changed param ends in a refusal that says how")
def _(s):
    mlflow.set_experiment(s.name)
    with mlflow.start_run():
        mlflow.log_param("C", 1)
        return s.attempt(mlflow.log_param, "C", 2)


@scenario(F, "more params and metrics than one batch holds")
def _(s):
    mlflow.set_experiment(s.name)
    with mlflow.start_run() as run:
        mlflow.log_params({f"p{i}": i for i in range(100)})
        mlflow.log_metrics({f"m{i}": i for i in range(1000)})
        answer = s.attempt(mlflow.log_params, {f"q{i}": i for i in range(250)})
    data = s.client.get_run(run.info.run_id).data
    return [len(data.params), len(data.metrics), answer]


@scenario(F, "asynchronous logging loses nothing")
def _(s):
    mlflow.set_experiment(s.name)
    with mlflow.start_run() as run:
        for step in range(200):
            mlflow.log_metric("a", step, step=step, synchronous=False)
            mlflow.log_param(f"p{step}", step, synchronous=False)
        mlflow.flush_async_logging()
    data = s.client.get_run(run.info.run_id).data
    return [len(s.client.get_metric_history(run.info.run_id, "a")), len(data.params), data.metrics]


def _autolog(s, model, data, log_models=True):
    import mlflow.sklearn
    import sklearn.datasets

    features, target = getattr(sklearn.datasets, data)(return_X_y=True, as_frame=True)
    mlflow.set_experiment(s.name)
    mlflow.sklearn.autolog(silent=True, log_models=log_models)
    try:
        with mlflow.start_run(run_name="x") as run:
            model.fit(features, target)
            model.score(features, target)
    finally:
        mlflow.sklearn.autolog(disable=True)
    got = s.client.get_run(run.info.run_id)
    inputs = [[i.dataset.source_type, sorted(t.value for t in i.tags)] for i in got.inputs.dataset_inputs]
    return {
        "status": got.info.status,
        "params": got.data.params,
        "metrics": {key: round(value, 4) for key, value in got.data.metrics.items()},
        "artifacts": sorted(a.path for a in s.client.list_artifacts(run.info.run_id)),
        "inputs": inputs,
        "tags": sorted(got.data.tags),
    }


@scenario(F, "autolog of a classifier")
def _(s):
    from sklearn.linear_model import LogisticRegression

    return _autolog(s, LogisticRegression(max_iter=300), "load_iris")


@scenario(F, "autolog of a regressor")
def _(s):
    from sklearn.linear_model import Ridge

    return _autolog(s, Ridge(), "load_diabetes", log_models=False)


@scenario(F, "autolog of a grid search makes children")
def _(s):
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV

    result = _autolog(s, GridSearchCV(LogisticRegression(max_iter=300), {"C": [0.1, 1.0, 10.0]}, cv=3), "load_iris", log_models=False)
    experiment = s.client.get_experiment_by_name(s.name)
    result["children"] = len(s.client.search_runs([experiment.experiment_id], "tags.mlflow.parentRunId LIKE '%'"))
    result.pop("metrics")
    return result
