import mlflow
from harness import CLIENT_MAJOR, scenario, table

L = "log and load models"
PINNED = ["scikit-learn"]


def _iris():
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    features, target = load_iris(return_X_y=True)
    return LogisticRegression(max_iter=300).fit(features, target), features


def _onnx(model, features):
    from skl2onnx import to_onnx

    return to_onnx(model, features[:1].astype("float32"))


def _name(name):
    return {"name": name} if CLIENT_MAJOR >= 3 else {"artifact_path": name}


def _log_sklearn(name="model", **options):
    model, _features = _iris()
    return mlflow.sklearn.log_model(model, **_name(name), pip_requirements=PINNED, **options)


def _predicts(model):
    _model, features = _iris()
    return [int(i) for i in model.predict(features[::30])]


def _trusted(uri, flavor=mlflow.sklearn):
    return flavor.load_model(uri)


def _registered(s, count=1):
    """A model of the scenario's own name with versions out of one run each."""
    mlflow.set_experiment(s.name)
    for _ in range(count):
        with mlflow.start_run():
            _log_sklearn(registered_model_name=s.name)
    return s.name


@scenario(L, "sklearn by runs:/")
def _(s):
    mlflow.set_experiment(s.name)
    with mlflow.start_run() as run:
        logged = _log_sklearn()
    return [_predicts(mlflow.sklearn.load_model(f"runs:/{run.info.run_id}/model")), _predicts(mlflow.sklearn.load_model(logged.model_uri)), _predicts(mlflow.pyfunc.load_model(logged.model_uri))]


@scenario(L, "sklearn by number, latest, stage and alias")
def _(s):
    name = _registered(s, 2)
    s.client.transition_model_version_stage(name, "1", "Production")
    s.client.set_registered_model_alias(name, "champion", "2")
    return {uri: _predicts(mlflow.pyfunc.load_model(f"models:/{name}{uri}")) for uri in ["/1", "/latest", "/Production", "@champion"]}


@scenario(L, "what log_model registers")
def _(s):
    name = _registered(s)
    version = s.client.get_model_version(name, "1")
    return [version, s.client.get_registered_model(name)]


@scenario(L, "the model's tags after it was registered", since=3)
def _(s):
    import json

    mlflow.set_experiment(s.name)
    with mlflow.start_run():
        logged = _log_sklearn(registered_model_name=s.name)
    found = json.loads(s.client.get_logged_model(logged.model_id).tags["mlflow.modelVersions"])
    return sorted({(entry["name"], str(entry["version"])) for entry in found})


@scenario(L, "load of what is not there")
def _(s):
    name = _registered(s)
    uris = [f"models:/{name}/77", f"models:/{name}/Staging", f"models:/{name}@nope", "models:/no such model/1", f"runs:/{'0' * 32}/model"]
    return {uri: s.attempt(lambda uri=uri: str(mlflow.pyfunc.load_model(uri))) for uri in uris}


@scenario(L, "register_model of a run's model")
def _(s):
    mlflow.set_experiment(s.name)
    with mlflow.start_run() as run:
        _log_sklearn()
    first = mlflow.register_model(f"runs:/{run.info.run_id}/model", s.name, tags={"a": "1"})
    second = mlflow.register_model(f"runs:/{run.info.run_id}/model", s.name)
    return [first, second, _predicts(mlflow.pyfunc.load_model(f"models:/{s.name}/2"))]


@scenario(L, "register_model of a logged model", since=3)
def _(s):
    mlflow.set_experiment(s.name)
    with mlflow.start_run():
        logged = _log_sklearn()
    version = mlflow.register_model(f"models:/{logged.model_id}", s.name)
    return [version, _predicts(mlflow.pyfunc.load_model(f"models:/{s.name}/1"))]


@scenario(L, "register_model of a run that is not there")
def _(s):
    mlflow.register_model(f"runs:/{'0' * 32}/model", s.name)


@scenario(L, "onnx with the default ZipMap, by runs:/ and models:/")
def _(s):
    import mlflow.onnx

    model, features = _iris()
    mlflow.set_experiment(s.name)
    with mlflow.start_run() as run:
        mlflow.onnx.log_model(_onnx(model, features), **_name("model"), registered_model_name=s.name, pip_requirements=["onnx"])
    proto = mlflow.onnx.load_model(f"models:/{s.name}/1")
    answer = mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/model").predict(features[:2].astype("float32"))
    return [[o.name for o in proto.graph.output], [int(v) for v in answer["output_label"]]]


@scenario(L, "what is in the model's folder")
def _(s):
    name = _registered(s)
    uri = s.client.get_model_version_download_uri(name, "1")
    return sorted(a.path for a in mlflow.artifacts.list_artifacts(uri))


@scenario(L, "signature and input example")
def _(s):
    model, features = _iris()
    mlflow.set_experiment(s.name)
    with mlflow.start_run():
        mlflow.sklearn.log_model(model, **_name("model"), pip_requirements=PINNED, registered_model_name=s.name, signature=mlflow.models.infer_signature(features, model.predict(features)))
    info = mlflow.models.get_model_info(f"models:/{s.name}/1")
    return [info.signature.to_dict(), sorted(info.flavors)]


@scenario(L, "metrics logged before a model belong to it", since=3)
def _(s):
    mlflow.set_experiment(s.name)
    with mlflow.start_run() as run:
        mlflow.log_params({"C": 1.0, "solver": "x"})
        mlflow.log_metric("acc", 0.5, step=1)
        mlflow.log_metric("bad", float("nan"))
        logged = _log_sklearn()
        mlflow.log_metric("later", 0.75, model_id=logged.model_id)
    model = s.client.get_logged_model(logged.model_id)
    return [model.status, model.params, sorted([m.key, str(m.value), m.step, m.run_id == run.info.run_id] for m in model.metrics or []), [o.step for o in s.client.get_run(run.info.run_id).outputs.model_outputs]]


@scenario(L, "the same name twice in one run", since=3)
def _(s):
    mlflow.set_experiment(s.name)
    with mlflow.start_run() as run:
        first, second = _log_sklearn(), _log_sklearn()
    models = mlflow.search_logged_models([run.info.experiment_id], output_format="list")
    return [first.model_id != second.model_id, len(models), _predicts(mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/model"))]


@scenario(L, "a python function of one's own")
def _(s):
    class Doubles(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            return [2 * x for x in model_input]

    mlflow.set_experiment(s.name)
    with mlflow.start_run():
        mlflow.pyfunc.log_model(**_name("model"), python_model=Doubles(), pip_requirements=["mlflow"], registered_model_name=s.name)
    return mlflow.pyfunc.load_model(f"models:/{s.name}/1").predict([1, 2])


@scenario(L, "the story of a version from the script to the archive")
def _(s):
    name = _registered(s, 2)
    s.client.transition_model_version_stage(name, "1", "Staging")
    s.client.transition_model_version_stage(name, "1", "Production", archive_existing_versions=True)
    s.client.transition_model_version_stage(name, "2", "Production", archive_existing_versions=True)
    s.client.update_model_version(name, "2", "better")
    s.client.set_model_version_tag(name, "2", "checked", "yes")
    return [[v.version, v.current_stage, v.description, v.tags] for v in s.client.search_model_versions(f"name = '{name}'")]


G = "logged models"
if CLIENT_MAJOR >= 3:

    def _model(s, experiment=None, **options):
        return s.client.create_logged_model(experiment or s.experiment(), **{"name": "model", **options})

    @scenario(G, "create, get, finish")
    def _(s):
        run = s.run()
        experiment = s.client.get_run(run).info.experiment_id
        made = _model(s, experiment, source_run_id=run, tags={"a": "1"}, params={"C": "1.0"}, model_type="agent")
        done = s.client.finalize_logged_model(made.model_id, "READY")
        return [made, done, s.client.get_logged_model(made.model_id)]

    @scenario(G, "on the wire")
    def _(s):
        experiment = s.experiment()
        made = s.rest("POST", "logged-models", {"experiment_id": experiment, "name": "x", "model_type": "t", "params": [{"key": "a", "value": "1"}], "tags": [{"key": "b", "value": "2"}]})
        model = made["body"]["model"]["info"]["model_id"]
        return [made, s.rest("PATCH", f"logged-models/{model}", {"model_id": model, "status": "LOGGED_MODEL_READY"}), s.rest("GET", f"logged-models/{model}"), s.rest("DELETE", f"logged-models/{model}"), s.rest("GET", f"logged-models/{model}")]

    @scenario(G, "failed upload")
    def _(s):
        return s.client.finalize_logged_model(_model(s).model_id, "FAILED").status

    @scenario(G, "a name is made up when there is none")
    def _(s):
        return len(_model(s, name=None).name.split("-"))

    @scenario(G, "tags: set, change, delete, delete again")
    def _(s):
        model = _model(s, tags={"a": "1"}).model_id
        s.client.set_logged_model_tags(model, {"a": "2", "b": "3"})
        before = s.client.get_logged_model(model).tags
        s.client.delete_logged_model_tag(model, "a")
        return [before, s.client.get_logged_model(model).tags, s.attempt(s.client.delete_logged_model_tag, model, "a")]

    @scenario(G, "params later, and again")
    def _(s):
        model = _model(s, params={"a": "1"}).model_id
        s.client.log_model_params(model, {"b": "2"})
        return [s.client.get_logged_model(model).params, s.attempt(s.client.log_model_params, model, {"b": "3"}), s.attempt(s.client.log_model_params, model, {"b": "2"})]

    @scenario(G, "delete, get, delete again")
    def _(s):
        model = _model(s).model_id
        s.client.delete_logged_model(model)
        return [s.attempt(s.client.get_logged_model, model), s.attempt(s.client.delete_logged_model, model)]

    @scenario(G, "artifacts of one")
    def _(s):
        model, folder = _model(s).model_id, s.folder()
        (folder / "a.txt").write_text("x")
        (folder / "sub").mkdir()
        (folder / "sub" / "b.txt").write_text("yy")
        s.client.log_model_artifacts(model, str(folder))
        return [s.client.list_logged_model_artifacts(model), s.client.list_logged_model_artifacts(model, "sub"), s.rest("GET", f"logged-models/{model}/artifacts/directories")]

    @scenario(G, "metrics of one, by run and data set")
    def _(s):
        run = s.run()
        model = _model(s, s.client.get_run(run).info.experiment_id, source_run_id=run).model_id
        s.client.log_metric(run, "acc", 0.5, timestamp=1, model_id=model, dataset_name="d", dataset_digest="1")
        s.client.log_metric(run, "acc", 0.75, timestamp=2, step=1, model_id=model)
        return [sorted([m.key, m.value, m.step, m.dataset_name] for m in s.client.get_logged_model(model).metrics), s.client.get_run(run).data.metrics]

    @scenario(G, "outputs of a run")
    def _(s):
        from mlflow.entities import LoggedModelOutput

        run = s.run()
        model = _model(s, s.client.get_run(run).info.experiment_id).model_id
        for _ in range(2):
            s.client.log_outputs(run, [LoggedModelOutput(model, step=3)])
        return s.client.get_run(run).outputs

    def _some(s):
        def make():
            experiment = s.client.create_experiment(f"slm-{s.label}")
            run = s.run(experiment)
            for name, params, tags, acc in [("one", {"C": "1"}, {"team": "a"}, 0.5), ("two", {"C": "2"}, {"team": "b"}, 0.75), ("Three", {}, {}, None), ("four", {"C": "1"}, {"my key": "x"}, 0.9)]:
                model = s.client.create_logged_model(experiment, name=name, source_run_id=run, params=params, tags=tags, model_type="agent" if name == "one" else None)
                if acc is not None:
                    s.client.log_metric(run, "acc", acc, timestamp=1, model_id=model.model_id, dataset_name="iris" if name == "two" else None, dataset_digest="d" if name == "two" else None)
                if name != "Three":
                    s.client.finalize_logged_model(model.model_id, "READY")
            return experiment, run

        return s.shared("logged models", make)

    def _search(filter_string="", **options):
        def run(s):
            experiment, run_id = _some(s)
            options.setdefault("order_by", [{"field_name": "name", "ascending": True}])
            return [m.name for m in s.client.search_logged_models([experiment], (filter_string or "").replace("RUN", run_id) or None, **options)]

        return run

    table(
        "search logged models",
        {
            f"filter {f!r}": _search(f)
            for f in ["", "name = 'one'", "name != 'one'", "name LIKE 't%'", "name ILIKE 't%'", "name IN ('one', 'two')", "params.C = '1'", "params.C != '1'", "params.C LIKE '%'", "tags.team = 'a'", "tags.`my key` = 'x'", "metrics.acc > 0.6", "metrics.acc <= 0.75", "metrics.acc = 0.5 AND params.C = '1'", "status = 'READY'", "status = 'PENDING'", "model_type = 'agent'", "source_run_id = 'RUN'", "creation_timestamp > 0", "creation_time > 0", "attributes.name = 'one'", "nonsense = 'a'", "metrics.acc > 'x'", "name = one", "name == 'a'", "name = 'a' OR name = 'b'", "experiment_id = '0'", "tags.team IS NULL"]
        },
    )
    table(
        "search logged models",
        {
            f"order by {o!r}": _search(order_by=[o])
            for o in [{"field_name": "name", "ascending": False}, {"field_name": "metrics.acc", "ascending": False}, {"field_name": "metrics.acc"}, {"field_name": "metrics.acc", "dataset_name": "iris"}, {"field_name": "creation_timestamp"}, {"field_name": "creation_time", "ascending": False}, {"field_name": "params.C"}, {"field_name": "nonsense"}, {"field_name": "last_updated_timestamp"}]
        },
    )
    table(
        "search logged models",
        {
            "by data set": _search("metrics.acc > 0", datasets=[{"dataset_name": "iris"}]),
            "by data set and digest": _search("metrics.acc > 0", datasets=[{"dataset_name": "iris", "dataset_digest": "d"}]),
            "by a data set that is not there": _search("metrics.acc > 0", datasets=[{"dataset_name": "none"}]),
            "max_results 2": _search(max_results=2),
            "a page token of nonsense": lambda s: s.rest("POST", "logged-models/search", {"experiment_ids": [_some(s)[0]], "page_token": "nonsense"})["status"],
            "nothing found is an empty object": lambda s: s.rest("POST", "logged-models/search", {"experiment_ids": [_some(s)[0]], "filter": "name = 'no such'"}),
            "without experiments": lambda s: s.rest("POST", "logged-models/search", {})["status"],
        },
    )

    @scenario("search logged models", "page by page to the end")
    def _(s):
        experiment, pages, token = _some(s)[0], [], None
        while True:
            page = s.client.search_logged_models([experiment], max_results=3, order_by=[{"field_name": "name"}], page_token=token)
            pages.append([m.name for m in page])
            token = page.token
            if not token:
                return pages

    table(
        G,
        {
            "get an unknown one": lambda s: s.rest("GET", "logged-models/m-none"),
            "create without an experiment": lambda s: s.rest("POST", "logged-models", {"name": "x"}),
            "create in an unknown experiment": lambda s: s.rest("POST", "logged-models", {"experiment_id": "99999999", "name": "x"}),
            "create with an empty name": lambda s: s.rest("POST", "logged-models", {"experiment_id": s.experiment(), "name": ""})["status"],
            "create with a slash in the name": lambda s: s.rest("POST", "logged-models", {"experiment_id": s.experiment(), "name": "a/b"}),
            "create with dots in the name": lambda s: s.rest("POST", "logged-models", {"experiment_id": s.experiment(), "name": "a.b:c%"}),
            "create of an unknown run": lambda s: s.rest("POST", "logged-models", {"experiment_id": s.experiment(), "name": "x", "source_run_id": "0" * 32})["status"],
            "create in a deleted experiment": lambda s: (lambda e: (s.client.delete_experiment(e), s.rest("POST", "logged-models", {"experiment_id": e, "name": "x"}))[1])(s.experiment()),
            "finish with an unknown status": lambda s: s.rest("PATCH", f"logged-models/{_model(s).model_id}", {"status": "DONE"}),
            "finish without a status": lambda s: s.rest("PATCH", f"logged-models/{_model(s).model_id}", {}),
            "finish an unknown one": lambda s: s.rest("PATCH", "logged-models/m-none", {"model_id": "m-none", "status": "LOGGED_MODEL_READY"}),
            "delete an unknown one": lambda s: s.rest("DELETE", "logged-models/m-none"),
            "tags of an unknown one": lambda s: s.rest("PATCH", "logged-models/m-none/tags", {"tags": [{"key": "a", "value": "1"}]}),
            "params of an unknown one": lambda s: s.rest("POST", "logged-models/m-none/params", {"params": [{"key": "a", "value": "1"}]}),
            "artifacts of an unknown one": lambda s: s.rest("GET", "logged-models/m-none/artifacts/directories"),
            "artifacts by a path that climbs": lambda s: s.rest("GET", f"logged-models/{_model(s).model_id}/artifacts/directories", params={"artifact_directory_path": "../../x"})["status"],
            "outputs without a run": lambda s: s.rest("POST", "runs/outputs", {"models": []}),
            "outputs of an unknown run": lambda s: s.rest("POST", "runs/outputs", {"run_id": "0" * 32, "models": [{"model_id": "m-0", "step": 0}]}),
        },
    )
