from harness import scenario, table

R = "runs"


@scenario(R, "create with everything and get")
def _(s):
    run = s.client.create_run(s.experiment(), start_time=1000, tags={"a": "1", "mlflow.user": "me"}, run_name="läuft")
    return s.client.get_run(run.info.run_id)


@scenario(R, "what create answers")
def _(s):
    return s.rest("POST", "runs/create", {"experiment_id": s.experiment(), "user_id": "me", "run_name": "one", "start_time": 1000, "tags": [{"key": "k", "value": "v"}]})


@scenario(R, "a run without a name gets one, also as tag")
def _(s):
    run = s.client.create_run(s.experiment(), start_time=1000)
    return {"run": run, "same": run.info.run_name == run.data.tags["mlflow.runName"], "parts": len(run.info.run_name.split("-"))}


@scenario(R, "a name and a tag that differ")
def _(s):
    return s.rest("POST", "runs/create", {"experiment_id": s.experiment(), "run_name": "one", "tags": [{"key": "mlflow.runName", "value": "two"}]})


@scenario(R, "a name given as tag alone")
def _(s):
    return s.client.get_run(s.run(tags={"mlflow.runName": "by tag"})).info.run_name


@scenario(R, "without a start time")
def _(s):
    answer = s.rest("POST", "runs/create", {"experiment_id": s.experiment(), "run_name": "one"})
    return answer


@scenario(R, "create in experiment 0 when none is named")
def _(s):
    answer = s.rest("POST", "runs/create", {"run_name": "one", "start_time": 1})
    return [answer["status"], answer["body"].get("run", answer["body"])]


def _ended(status):
    def run(s):
        run = s.run(start_time=1000)
        s.client.set_terminated(run, status, end_time=5000)
        return s.client.get_run(run).info

    return run


table(R, {f"set_terminated {status}": _ended(status) for status in ["FINISHED", "FAILED", "KILLED"]})


@scenario(R, "rename by update_run: the tag follows")
def _(s):
    run = s.run(run_name="before")
    s.client.update_run(run, name="after")
    got = s.client.get_run(run)
    return [got.info.run_name, got.data.tags]


@scenario(R, "rename by the tag mlflow.runName")
def _(s):
    run = s.run(run_name="before")
    s.client.set_tag(run, "mlflow.runName", "after")
    got = s.client.get_run(run)
    return [got.info.run_name, got.data.tags["mlflow.runName"]]


@scenario(R, "rename to nothing")
def _(s):
    run = s.run(run_name="before")
    answer = s.rest("POST", "runs/update", {"run_id": run, "run_name": ""})
    return [answer, s.client.get_run(run).info.run_name]


@scenario(R, "delete the tag mlflow.runName")
def _(s):
    run = s.run(run_name="before")
    return [s.attempt(s.client.delete_tag, run, "mlflow.runName"), s.client.get_run(run).info.run_name]


@scenario(R, "update answers with the run's info")
def _(s):
    run = s.run(start_time=1000, run_name="one")
    return s.rest("POST", "runs/update", {"run_id": run, "status": "FINISHED", "end_time": 2000})


@scenario(R, "update by run_uuid alone")
def _(s):
    run = s.run(start_time=1000)
    return s.rest("POST", "runs/update", {"run_uuid": run, "status": "FAILED", "end_time": 2000})["status"]


@scenario(R, "an unknown status in update")
def _(s):
    run = s.run(start_time=1000)
    answer = s.rest("POST", "runs/update", {"run_id": run, "status": "DONE"})
    return [answer["status"], s.client.get_run(run).info.status]


@scenario(R, "SCHEDULED, RUNNING again after the end")
def _(s):
    run = s.run(start_time=1000)
    seen = []
    for body in [{"status": "SCHEDULED"}, {"status": "FINISHED", "end_time": 9000}, {"status": "RUNNING"}, {"status": "RUNNING", "end_time": 9000}]:
        s.rest("POST", "runs/update", {"run_id": run, **body})
        info = s.client.get_run(run).info
        seen.append([info.status, info.end_time])
    return seen


@scenario(R, "delete and restore")
def _(s):
    run = s.run()
    s.client.delete_run(run)
    gone = s.client.get_run(run).info.lifecycle_stage
    s.client.restore_run(run)
    return [gone, s.client.get_run(run).info.lifecycle_stage]


@scenario(R, "delete twice")
def _(s):
    run = s.run()
    s.client.delete_run(run)
    return s.attempt(s.client.delete_run, run)


@scenario(R, "restore an active one")
def _(s):
    return s.attempt(s.client.restore_run, s.run())


def _on_deleted(path, **body):
    def run(s):
        run = s.run()
        s.client.delete_run(run)
        return s.rest("POST", path, {"run_id": run, **body})

    return run


table(
    R,
    {
        "a deleted run takes no metric": _on_deleted("runs/log-metric", key="a", value=1.0, timestamp=1),
        "a deleted run takes no param": _on_deleted("runs/log-parameter", key="a", value="1"),
        "a deleted run takes no tag": _on_deleted("runs/set-tag", key="a", value="1"),
        "a deleted run takes no batch": _on_deleted("runs/log-batch", params=[{"key": "a", "value": "1"}]),
        "a deleted run takes no update": _on_deleted("runs/update", status="FINISHED"),
        "a deleted run takes no inputs": _on_deleted("runs/log-inputs", datasets=[]),
        "a deleted run loses no tag": _on_deleted("runs/delete-tag", key="a"),
    },
)

_nobody = "0" * 32
table(
    R,
    {
        "get an unknown one": lambda s: s.client.get_run(_nobody),
        "get without an id": lambda s: s.rest("GET", "runs/get"),
        "get an id of nonsense": lambda s: s.rest("GET", "runs/get", params={"run_id": "../../x"}),
        "get by run_uuid": lambda s: s.rest("GET", "runs/get", params={"run_uuid": s.run(start_time=1, run_name="x")}),
        "create in an unknown experiment": lambda s: s.client.create_run("99999999"),
        "create in experiment abc": lambda s: s.rest("POST", "runs/create", {"experiment_id": "abc"}),
        "create with a number for experiment": lambda s: s.rest("POST", "runs/create", {"experiment_id": 0}),
        "create with a word for start_time": lambda s: s.rest("POST", "runs/create", {"experiment_id": "0", "start_time": "now"}),
        "create with tags that are no list": lambda s: s.rest("POST", "runs/create", {"experiment_id": "0", "tags": "a"}),
        "update an unknown one": lambda s: s.rest("POST", "runs/update", {"run_id": _nobody, "status": "FINISHED"}),
        "update without an id": lambda s: s.rest("POST", "runs/update", {"status": "FINISHED"}),
        "delete an unknown one": lambda s: s.client.delete_run(_nobody),
        "restore an unknown one": lambda s: s.client.restore_run(_nobody),
        "delete without an id": lambda s: s.rest("POST", "runs/delete", {}),
    },
)

P = "params and tags"


@scenario(P, "the same param again, then another value")
def _(s):
    run = s.run()
    s.client.log_param(run, "C", "1.0")
    s.client.log_param(run, "C", "1.0")
    return s.attempt(lambda: s.rest("POST", "runs/log-parameter", {"run_id": run, "key": "C", "value": "2.0"}))


@scenario(P, "a changed param by the client")
def _(s):
    run = s.run()
    s.client.log_param(run, "C", 1.0)
    s.client.log_param(run, "C", 2.0)


@scenario(P, "params of every type and script")
def _(s):
    run = s.run()
    for key, value in {"n": None, "f": 0.1, "b": False, "l": [1, 2], "größe": "模型", "empty": "", "a/b c.d-e:f": "x"}.items():
        s.attempt(s.client.log_param, run, key, value)
    return s.client.get_run(run).data.params


def _param(key, value):
    def run(s):
        run = s.run()
        answer = s.rest("POST", "runs/log-parameter", {"run_id": run, "key": key, "value": value})
        kept = {k: len(v) for k, v in s.client.get_run(run).data.params.items()}
        return [answer, kept]

    return run


def _tag(key, value):
    def run(s):
        run = s.run(run_name="x")
        answer = s.rest("POST", "runs/set-tag", {"run_id": run, "key": key, "value": value})
        kept = {k: len(v) for k, v in s.client.get_run(run).data.tags.items()}
        return [answer, kept]

    return run


_keys = {
    "a key of 250 characters": "k" * 250,
    "a key of 251 characters": "k" * 251,
    "an empty key": "",
    "a key that climbs": "../up",
    "an absolute key": "/root",
    "a key with a question mark": "a?b",
    "a key with a double slash": "a//b",
    "a key that is a dot": ".",
    "a key that is a number": 7,
}
for where, make in [("param", _param), ("tag", _tag)]:
    table(P, {f"{where}: {name}": make(key, "1") for name, key in _keys.items()})
    table(
        P,
        {
            f"{where}: a value of {length} characters": make("k", "v" * length)
            for length in ([6000, 6001] if where == "param" else [5000, 5001, 8000, 8001])
        },
    )
    table(P, {f"{where}: an empty value": make("k", ""), f"{where}: a value that is a number": make("k", 3), f"{where}: no value": make("k", None)})


@scenario(P, "tags: set, change, delete, delete again")
def _(s):
    run = s.run(run_name="x")
    s.client.set_tag(run, "a", "1")
    s.client.set_tag(run, "a", "2")
    s.client.set_tag(run, "ö", "x" * 100)
    before = s.client.get_run(run).data.tags
    s.client.delete_tag(run, "a")
    return [before, s.client.get_run(run).data.tags, s.attempt(s.client.delete_tag, run, "a")]


table(
    P,
    {
        "a param of an unknown run": lambda s: s.client.log_param(_nobody, "a", "1"),
        "a tag of an unknown run": lambda s: s.client.set_tag(_nobody, "a", "1"),
        "delete a tag of an unknown run": lambda s: s.client.delete_tag(_nobody, "a"),
        "a param without a key": lambda s: s.rest("POST", "runs/log-parameter", {"run_id": s.run(), "value": "1"}),
        "a param without a run": lambda s: s.rest("POST", "runs/log-parameter", {"key": "a", "value": "1"}),
        "a tag without a run": lambda s: s.rest("POST", "runs/set-tag", {"key": "a", "value": "1"}),
        "a tag without a key": lambda s: s.rest("POST", "runs/set-tag", {"run_id": s.run(), "value": "1"}),
    },
)

D = "inputs"


def _inputs(s, run):
    got = s.client.get_run(run)
    return [
        {"name": i.dataset.name, "digest": i.dataset.digest, "source": i.dataset.source_type, "schema": i.dataset.schema, "profile": i.dataset.profile, "tags": {t.key: t.value for t in i.tags}}
        for i in sorted(got.inputs.dataset_inputs, key=lambda i: (i.dataset.name, i.dataset.digest))
    ]


@scenario(D, "mlflow.data.from_pandas and from_numpy")
def _(s):
    import mlflow
    import numpy
    import pandas

    mlflow.set_experiment(s.name)
    frame = pandas.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]})
    with mlflow.start_run() as run:
        mlflow.log_input(mlflow.data.from_pandas(frame, source="s3://data/a.csv", name="frame", targets="b"), context="training")
        mlflow.log_input(mlflow.data.from_numpy(numpy.arange(6.0).reshape(2, 3), name="array"), context="testing", tags={"x": "y"})
        mlflow.log_input(mlflow.data.from_pandas(frame, source="s3://data/a.csv", name="frame", targets="b"), context="training")
    return _inputs(s, run.info.run_id)


def _dataset(**changes):
    return {"tags": [{"key": "mlflow.data.context", "value": "train"}], "dataset": {"name": "d", "digest": "1", "source_type": "http", "source": "{}", **changes}}


@scenario(D, "the same data set twice, and in two runs")
def _(s):
    experiment = s.experiment()
    first, second = s.run(experiment), s.run(experiment)
    for run in (first, first, second):
        s.rest("POST", "runs/log-inputs", {"run_id": run, "datasets": [_dataset()]})
    return [_inputs(s, first), _inputs(s, second)]


@scenario(D, "the same data set with other tags")
def _(s):
    run = s.run()
    s.rest("POST", "runs/log-inputs", {"run_id": run, "datasets": [_dataset()]})
    s.rest("POST", "runs/log-inputs", {"run_id": run, "datasets": [{**_dataset(), "tags": [{"key": "mlflow.data.context", "value": "eval"}]}]})
    return _inputs(s, run)


@scenario(D, "as the run shows it")
def _(s):
    run = s.run(start_time=1, run_name="x")
    s.rest("POST", "runs/log-inputs", {"run_id": run, "datasets": [_dataset(schema="{}", profile='{"num_rows":1}')]})
    return s.rest("GET", "runs/get", params={"run_id": run})["body"]["run"]["inputs"]


def _refused_input(dataset):
    return lambda s: s.rest("POST", "runs/log-inputs", {"run_id": s.run(), "datasets": [dataset]})


table(
    D,
    {
        "no data sets": lambda s: s.rest("POST", "runs/log-inputs", {"run_id": s.run()}),
        "an empty list": lambda s: s.rest("POST", "runs/log-inputs", {"run_id": s.run(), "datasets": []}),
        "an unknown run": lambda s: s.rest("POST", "runs/log-inputs", {"run_id": _nobody, "datasets": [_dataset()]}),
        "no run": lambda s: s.rest("POST", "runs/log-inputs", {"datasets": [_dataset()]}),
        "a data set without a name": _refused_input(_dataset(name=None)),
        "a data set without a digest": _refused_input({"dataset": {"name": "d", "source_type": "http", "source": "{}"}}),
        "a data set without a source": _refused_input({"dataset": {"name": "d", "digest": "1", "source_type": "http"}}),
        "an input without a data set": _refused_input({"tags": []}),
        "a name of 501 characters": _refused_input(_dataset(name="n" * 501)),
        "a digest of 37 characters": _refused_input(_dataset(digest="d" * 37)),
        "a tag key of 256 characters": _refused_input({**_dataset(), "tags": [{"key": "k" * 256, "value": "v"}]}),
    },
)
