from harness import scenario, table

M = "registered models"


@scenario(M, "create with everything and get")
def _(s):
    s.client.create_registered_model(s.name, tags={"a": "1"}, description="eine Beschreibung")
    return s.client.get_registered_model(s.name)


@scenario(M, "what create answers")
def _(s):
    return s.rest("POST", "registered-models/create", {"name": s.name, "description": "d", "tags": [{"key": "a", "value": "1"}]})


@scenario(M, "what create answers to a name alone")
def _(s):
    return s.rest("POST", "registered-models/create", {"name": s.name})


@scenario(M, "the same name twice")
def _(s):
    s.client.create_registered_model(s.name)
    s.client.create_registered_model(s.name)


@scenario(M, "rename takes versions, tags and aliases along")
def _(s):
    model = s.model(tags={"a": "1"})
    version = s.version(model, tags={"b": "2"})
    s.client.set_registered_model_alias(model, "champion", version)
    s.client.rename_registered_model(model, f"{s.name}-new")
    return [
        s.client.get_registered_model(f"{s.name}-new"),
        s.client.get_model_version(f"{s.name}-new", version),
        s.client.get_model_version_by_alias(f"{s.name}-new", "champion").version,
        s.attempt(s.client.get_registered_model, model),
    ]


@scenario(M, "rename to a name that is taken")
def _(s):
    s.client.rename_registered_model(s.model(), s.model())


@scenario(M, "rename to its own name")
def _(s):
    model = s.model()
    s.client.rename_registered_model(model, model)


@scenario(M, "update the description, then empty it")
def _(s):
    model = s.model(description="before")
    first = s.client.update_registered_model(model, "after")
    second = s.rest("PATCH", "registered-models/update", {"name": model, "description": ""})
    return [first, second]


@scenario(M, "update without a description")
def _(s):
    return s.rest("PATCH", "registered-models/update", {"name": s.model()})


@scenario(M, "delete takes everything along")
def _(s):
    model = s.model(tags={"a": "1"})
    version = s.version(model)
    s.client.set_registered_model_alias(model, "champion", version)
    s.client.delete_registered_model(model)
    gone = [s.attempt(s.client.get_registered_model, model), s.attempt(s.client.get_model_version, model, version)]
    s.client.create_registered_model(model)
    return [gone, s.client.get_registered_model(model), s.version(model)]


@scenario(M, "tags: set, change, delete, delete again")
def _(s):
    model = s.model()
    s.client.set_registered_model_tag(model, "a", "1")
    s.client.set_registered_model_tag(model, "a", "2")
    s.client.set_registered_model_tag(model, "ö", "")
    before = s.client.get_registered_model(model).tags
    s.client.delete_registered_model_tag(model, "a")
    return [before, s.client.get_registered_model(model).tags, s.attempt(s.client.delete_registered_model_tag, model, "a")]


def _latest(stages=None):
    def run(s):
        model = s.model()
        for stage in ["None", "Staging", "Production", "Production", "Archived", "None"]:
            version = s.version(model)
            if stage != "None":
                s.client.transition_model_version_stage(model, version, stage)
        return [[v.version, v.current_stage] for v in sorted(s.client.get_latest_versions(model, stages), key=lambda v: int(v.version))]

    return run


table(
    M,
    {
        f"latest versions of {stages}": _latest(stages)
        for stages in [None, ["Production"], ["production", "STAGING"], ["None"], ["Archived", "None"], ["Prod"], []]
    },
)
table(
    M,
    {
        "create without a name": lambda s: s.rest("POST", "registered-models/create", {}),
        "create with an empty name": lambda s: s.rest("POST", "registered-models/create", {"name": ""}),
        "create with a number": lambda s: s.rest("POST", "registered-models/create", {"name": 5}),
        "create with a slash": lambda s: s.rest("POST", "registered-models/create", {"name": f"{s.name}/x"}),
        "create with a colon": lambda s: s.rest("POST", "registered-models/create", {"name": f"{s.name}:x"}),
        "create with dots and spaces": lambda s: s.rest("POST", "registered-models/create", {"name": f"{s.name} .. x"}),
        "create with unicode": lambda s: s.client.create_registered_model(f"{s.name} 模型 🎉"),
        "create with quotes": lambda s: s.client.create_registered_model(f"{s.name} it's \"x\"").name,
        "create with 256 characters": lambda s: s.rest("POST", "registered-models/create", {"name": s.name.ljust(256, "x")})["status"],
        "create with 257 characters": lambda s: s.rest("POST", "registered-models/create", {"name": s.name.ljust(257, "x")})["status"],
        "create with tags that are no list": lambda s: s.rest("POST", "registered-models/create", {"name": s.name, "tags": "a"}),
        "create with a tag without a key": lambda s: s.rest("POST", "registered-models/create", {"name": s.name, "tags": [{"value": "a"}]})["status"],
        "get an unknown one": lambda s: s.client.get_registered_model("no such model"),
        "get without a name": lambda s: s.rest("GET", "registered-models/get"),
        "get with an empty name": lambda s: s.rest("GET", "registered-models/get", params={"name": ""}),
        "rename an unknown one": lambda s: s.rest("POST", "registered-models/rename", {"name": "no such model", "new_name": "x"}),
        "rename without a new name": lambda s: s.rest("POST", "registered-models/rename", {"name": s.model()}),
        "rename to an empty name": lambda s: s.rest("POST", "registered-models/rename", {"name": s.model(), "new_name": ""}),
        "rename to a name with a slash": lambda s: s.rest("POST", "registered-models/rename", {"name": s.model(), "new_name": "a/b"}),
        "update an unknown one": lambda s: s.rest("PATCH", "registered-models/update", {"name": "no such model", "description": "x"}),
        "delete an unknown one": lambda s: s.rest("DELETE", "registered-models/delete", {"name": "no such model"}),
        "delete without a name": lambda s: s.rest("DELETE", "registered-models/delete", {}),
        "a tag of an unknown one": lambda s: s.rest("POST", "registered-models/set-tag", {"name": "no such model", "key": "a", "value": "1"}),
        "a tag without a key": lambda s: s.rest("POST", "registered-models/set-tag", {"name": s.model(), "value": "1"}),
        "a tag with an empty key": lambda s: s.rest("POST", "registered-models/set-tag", {"name": s.model(), "key": "", "value": "1"}),
        "a tag key of 251 characters": lambda s: s.rest("POST", "registered-models/set-tag", {"name": s.model(), "key": "k" * 251, "value": "1"}),
        "a tag value of 5001 characters": lambda s: s.rest("POST", "registered-models/set-tag", {"name": s.model(), "key": "k", "value": "v" * 5001})["status"],
        "a tag value of 100001 characters": lambda s: s.rest("POST", "registered-models/set-tag", {"name": s.model(), "key": "k", "value": "v" * 100001}),
        "latest versions of an unknown one": lambda s: s.rest("POST", "registered-models/get-latest-versions", {"name": "no such model"}),
        "latest versions by GET": lambda s: s.rest("GET", "registered-models/get-latest-versions", params={"name": s.model()}),
        "delete a tag of an unknown one": lambda s: s.rest("DELETE", "registered-models/delete-tag", {"name": "no such model", "key": "a"}),
    },
)

V = "model versions"


@scenario(V, "create with everything and get")
def _(s):
    model, run = s.model(), s.run()
    made = s.client.create_model_version(model, "s3://elsewhere/m", run_id=run, tags={"a": "1"}, run_link="http://x/y", description="d")
    return [made, s.client.get_model_version(model, made.version)]


@scenario(V, "what create answers")
def _(s):
    return s.rest("POST", "model-versions/create", {"name": s.model(), "source": "s3://elsewhere/m"})


@scenario(V, "numbers are not given twice")
def _(s):
    model = s.model()
    numbers = [s.version(model) for _ in range(3)]
    s.client.delete_model_version(model, "2")
    numbers.append(s.version(model))
    s.client.delete_model_version(model, "4")
    return [numbers, s.version(model)]


@scenario(V, "a version is what the model shows as its latest")
def _(s):
    model = s.model()
    s.version(model)
    s.version(model, description="second")
    return s.rest("GET", "registered-models/get", params={"name": model})


@scenario(V, "update the description")
def _(s):
    model = s.model()
    version = s.version(model)
    return [s.client.update_model_version(model, version, "d"), s.rest("PATCH", "model-versions/update", {"name": model, "version": version, "description": ""})]


@scenario(V, "delete, get, delete again")
def _(s):
    model = s.model()
    version = s.version(model)
    s.client.delete_model_version(model, version)
    return [s.attempt(s.client.get_model_version, model, version), s.attempt(s.client.delete_model_version, model, version)]


@scenario(V, "tags: set, change, delete, delete again")
def _(s):
    model = s.model()
    version = s.version(model)
    s.client.set_model_version_tag(model, version, "a", "1")
    s.client.set_model_version_tag(model, version, "a", "2")
    s.client.set_model_version_tag(model, version, key="ö", value="")
    before = s.client.get_model_version(model, version).tags
    s.client.delete_model_version_tag(model, version, "a")
    return [before, s.client.get_model_version(model, version).tags, s.attempt(s.client.delete_model_version_tag, model, version, "a")]


@scenario(V, "download uri of a run's model")
def _(s):
    model, run = s.model(), s.run()
    root = s.client.get_run(run).info.artifact_uri
    version = s.client.create_model_version(model, f"{root}/model", run_id=run).version
    return [s.client.get_model_version_download_uri(model, version), s.client.get_model_version(model, version).source]


@scenario(V, "a source of the form runs:/")
def _(s):
    model, run = s.model(), s.run()
    made = s.client.create_model_version(model, f"runs:/{run}/model", run_id=run)
    return [made, s.client.get_model_version_download_uri(model, made.version)]


@scenario(V, "copy to another model")
def _(s):
    first, second = s.model(), s.fresh("copy")
    s.version(first, tags={"a": "1"}, description="d")
    copied = s.client.copy_model_version(f"models:/{first}/1", second)
    again = s.client.copy_model_version(f"models:/{second}/1", second)
    return [copied, again, s.client.get_model_version_download_uri(second, "2")]


@scenario(V, "copy by alias and from nowhere")
def _(s):
    first, second = s.model(), s.fresh("copy")
    s.client.set_registered_model_alias(first, "champion", s.version(first))
    return [s.client.copy_model_version(f"models:/{first}@champion", second).version, s.attempt(s.client.copy_model_version, "models:/no such model/1", second)]


@scenario(V, "the version of a deleted run stays")
def _(s):
    model, run = s.model(), s.run()
    version = s.version(model, run_id=run)
    s.client.delete_run(run)
    return s.client.get_model_version(model, version).run_id == run


def _source(source, with_run=False):
    def run(s):
        model = s.model()
        body = {"name": model, "source": source}
        if with_run:
            body["run_id"] = s.run()
            body["source"] = source.replace("RUN", body["run_id"]).replace("ROOT", s.client.get_run(body["run_id"]).info.artifact_uri)
        answer = s.rest("POST", "model-versions/create", body)
        if answer["status"] == 200:
            return [200, answer["body"]["model_version"]["source"]]
        return answer

    return run


table(
    V,
    {
        **{f"source {source!r}": _source(source) for source in ["/etc", "file:///etc", "/", "./x", "relative/path", "", "http://example.com/m", "https://example.com/m", "ftp://x/y", "hdfs://x/y", "s3://b/k", "gs://b/k", "dbfs:/x", "wasbs://c@a/x", "runs:/0/model", "mlflow-artifacts:/0/x/artifacts/m", "models:/m-0", "models:/no such model/1", "models:/nonsense", "s3://b/../k", "s3://b/%2e%2e/k", "S3://b/k", "http:/x", "javascript:alert(1)", "nonsense:/x"]},
        **{f"source {source!r} of a run": _source(source, True) for source in ["/etc", "ROOT/model", "ROOT", "ROOT/../x", "ROOT/%2e%2e/x", "ROOT/a/../b", "runs:/RUN/model", "runs:/RUN/../x", "runs:/other/model", "mlflow-artifacts:/0/other/artifacts/m", "mlflow-artifacts://host/0/RUN/artifacts/m", "file:///etc/passwd", "s3://b/k"]},
        "a run that is not there": lambda s: s.rest("POST", "model-versions/create", {"name": s.model(), "source": "s3://b/k", "run_id": "0" * 32})["status"],
        "of an unknown model": lambda s: s.rest("POST", "model-versions/create", {"name": "no such model", "source": "s3://b/k"}),
        "without a source": lambda s: s.rest("POST", "model-versions/create", {"name": s.model()}),
        "without a name": lambda s: s.rest("POST", "model-versions/create", {"source": "s3://b/k"}),
        "with a source that is a number": lambda s: s.rest("POST", "model-versions/create", {"name": s.model(), "source": 1}),
        "with a model_id that is not there": lambda s: s.rest("POST", "model-versions/create", {"name": s.model(), "source": "models:/m-0", "model_id": "m-0"}),
    },
)


def _on_version(method, path, query=False, **body):
    def run(s):
        model = s.model()
        s.version(model)
        full = {"name": model, **body}
        return s.rest(method, path, params=full) if query else s.rest(method, path, full)

    return run


for verb, method, path, query, extra in [
    ("get", "GET", "model-versions/get", True, {}),
    ("download uri of", "GET", "model-versions/get-download-uri", True, {}),
    ("update", "PATCH", "model-versions/update", False, {"description": "x"}),
    ("delete", "DELETE", "model-versions/delete", False, {}),
    ("tag", "POST", "model-versions/set-tag", False, {"key": "a", "value": "1"}),
    ("untag", "DELETE", "model-versions/delete-tag", False, {"key": "a"}),
    ("move", "POST", "model-versions/transition-stage", False, {"stage": "Production"}),
]:
    table(
        V,
        {
            f"{verb} version 77": _on_version(method, path, query, version="77", **extra),
            f"{verb} version abc": _on_version(method, path, query, version="abc", **extra),
            f"{verb} no version": _on_version(method, path, query, **extra),
            f"{verb} of an unknown model": _on_version(method, path, query, **{"name": "no such model", "version": "1", **extra}),
        },
    )
table(
    V,
    {
        "get version 0": _on_version("GET", "model-versions/get", True, version="0"),
        "get version -1": _on_version("GET", "model-versions/get", True, version="-1"),
        "get version 1.0": _on_version("GET", "model-versions/get", True, version="1.0"),
        "get version 99999999999": _on_version("GET", "model-versions/get", True, version="99999999999"),
        "set a tag without a key": _on_version("POST", "model-versions/set-tag", version="1", value="x"),
        "a version that is a number": _on_version("POST", "model-versions/set-tag", version=1, key="a", value="x"),
    },
)

S = "stages"


def _stages(s, model):
    return {v.version: v.current_stage for v in s.client.search_model_versions(f"name = '{model}'")}


def _move(stage, archive):
    def run(s):
        model = s.model()
        for _ in range(3):
            s.version(model)
        for version, held in [("1", "Staging"), ("2", "Production"), ("3", "Archived")]:
            s.client.transition_model_version_stage(model, version, held)
        s.version(model)
        answer = s.rest("POST", "model-versions/transition-stage", {"name": model, "version": "4", "stage": stage, "archive_existing_versions": archive})
        return [answer, _stages(s, model)]

    return run


table(S, {f"to {stage}, archiving {archive}": _move(stage, archive) for stage in ["None", "Staging", "Production", "Archived"] for archive in (False, True)})
table(S, {f"to {stage!r}": _move(stage, False) for stage in ["production", "STAGING", "Prod", "", "none", None, 3]})


@scenario(S, "every way from one to the other")
def _(s):
    model = s.model()
    version, seen = s.version(model), []
    for before in ["None", "Staging", "Production", "Archived"]:
        for after in ["None", "Staging", "Production", "Archived"]:
            s.client.transition_model_version_stage(model, version, before)
            seen.append(s.client.transition_model_version_stage(model, version, after).current_stage)
    return seen


@scenario(S, "archiving leaves the version itself where it goes")
def _(s):
    model = s.model()
    s.version(model)
    for _ in range(2):
        s.client.transition_model_version_stage(model, "1", "Production", archive_existing_versions=True)
    return _stages(s, model)


@scenario(S, "the ones that are archived get a new time")
def _(s):
    model = s.model()
    s.version(model), s.version(model)
    first = s.client.transition_model_version_stage(model, "1", "Production")
    second = s.client.transition_model_version_stage(model, "2", "Production", archive_existing_versions=True)
    archived = s.client.get_model_version(model, "1")
    return [archived.current_stage, archived.last_updated_timestamp > first.last_updated_timestamp, archived.last_updated_timestamp == second.last_updated_timestamp]


@scenario(S, "without a stage")
def _(s):
    model = s.model()
    return s.rest("POST", "model-versions/transition-stage", {"name": model, "version": s.version(model)})


@scenario(S, "without archive_existing_versions")
def _(s):
    model = s.model()
    return s.rest("POST", "model-versions/transition-stage", {"name": model, "version": s.version(model), "stage": "Staging"})["status"]


@scenario(S, "archive_existing_versions that is a word")
def _(s):
    model = s.model()
    return s.rest("POST", "model-versions/transition-stage", {"name": model, "version": s.version(model), "stage": "Staging", "archive_existing_versions": "yes"})


A = "aliases"


@scenario(A, "set, get, move, delete")
def _(s):
    model = s.model()
    s.version(model), s.version(model)
    s.client.set_registered_model_alias(model, "champion", "1")
    s.client.set_registered_model_alias(model, "Champion_2-x", "1")
    first = s.client.get_model_version_by_alias(model, "champion")
    s.client.set_registered_model_alias(model, "champion", "2")
    second = s.client.get_model_version_by_alias(model, "champion")
    shown = s.client.get_registered_model(model).aliases
    s.client.delete_registered_model_alias(model, "champion")
    return [first, second, shown, s.attempt(s.client.get_model_version_by_alias, model, "champion"), s.client.get_model_version(model, "1").aliases]


@scenario(A, "what the wire shows")
def _(s):
    model = s.model()
    s.version(model)
    made = s.rest("POST", "registered-models/alias", {"name": model, "alias": "a", "version": "1"})
    got = s.rest("GET", "registered-models/alias", params={"name": model, "alias": "a"})
    return [made, got, s.rest("GET", "registered-models/get", params={"name": model})["body"]["registered_model"]["aliases"]]


@scenario(A, "goes with its version")
def _(s):
    model = s.model()
    s.version(model)
    s.client.set_registered_model_alias(model, "champion", "1")
    s.client.delete_model_version(model, "1")
    return [s.attempt(s.client.get_model_version_by_alias, model, "champion"), s.client.get_registered_model(model).aliases]


@scenario(A, "is told apart by case")
def _(s):
    model = s.model()
    s.version(model)
    s.client.set_registered_model_alias(model, "champion", "1")
    return s.attempt(s.client.get_model_version_by_alias, model, "CHAMPION")


@scenario(A, "delete one that is not there")
def _(s):
    return s.rest("DELETE", "registered-models/alias", {"name": s.model(), "alias": "nope"})


def _alias(alias, version="1"):
    def run(s):
        model = s.model()
        s.version(model)
        return s.rest("POST", "registered-models/alias", {"name": model, "alias": alias, "version": version})

    return run


table(
    A,
    {
        **{f"called {alias!r}": _alias(alias) for alias in ["latest", "Latest", "v1", "V12", "v1a", "1", "a b", "a.b", "", "a/b", "a@b", "größe", "-", None, 5]},
        "of 255 characters": _alias("a" * 255),
        "of 256 characters": _alias("a" * 256),
        "of version 77": _alias("a", "77"),
        "of version abc": _alias("a", "abc"),
        "of no version": _alias("a", None),
        "get 'latest'": lambda s: s.rest("GET", "registered-models/alias", params={"name": s.model(), "alias": "latest"}),
        "get an unknown one": lambda s: s.rest("GET", "registered-models/alias", params={"name": s.model(), "alias": "nope"}),
        "get of an unknown model": lambda s: s.rest("GET", "registered-models/alias", params={"name": "no such model", "alias": "nope"}),
        "get without a name": lambda s: s.rest("GET", "registered-models/alias", params={"alias": "nope"}),
        "set of an unknown model": lambda s: s.rest("POST", "registered-models/alias", {"name": "no such model", "alias": "a", "version": "1"}),
        "delete of an unknown model": lambda s: s.rest("DELETE", "registered-models/alias", {"name": "no such model", "alias": "a"}),
    },
)
