from harness import scenario, table

M = "search registered models"


def _models(s):
    def make():
        prefix = f"srm-{s.label}-"
        for name, tags in [("iris", {"team": "a", "my key": "x"}), ("Iris", {"team": "b"}), ("abalone", {}), ("wine 50%", {"team": "A"}), ("it's", {"team": ""})]:
            s.client.create_registered_model(prefix + name, tags=tags)
        return prefix

    return s.shared("models", make)


def _found(filter_string="", **options):
    def run(s):
        prefix = _models(s)
        options.setdefault("order_by", ["name ASC"])
        own = f"name LIKE '{prefix}%'"
        both = f"{own} AND {filter_string.replace('PREFIX-', prefix)}" if filter_string else own
        return [m.name for m in s.client.search_registered_models(both, **options)]

    return run


table(
    M,
    {
        f"filter {f!r}": _found(f)
        for f in [
            "",
            "name = 'PREFIX-iris'",
            "name != 'PREFIX-iris'",
            "name LIKE '%iris'",
            "name ILIKE '%IRIS'",
            "name = \"PREFIX-it's\"",
            "tags.team = 'a'",
            "tags.team != 'a'",
            "tag.team = 'a'",
            "tags.team LIKE 'A'",
            "tags.team ILIKE 'A'",
            "tags.`my key` = 'x'",
            "tags.none != 'x'",
            "tags.none = 'x'",
            "tags.team = 'a' AND tags.`my key` = 'x'",
            "tags.team IS NULL",
            "tags.`mlflow.prompt.is_prompt` != 'true'",
            "name IN ('PREFIX-iris')",
            "name > 'a'",
            "name == 'a'",
            "name = iris",
            "nonsense = 'a'",
            "metrics.acc > 1",
            "version_number = 1",
            "name = 'a' OR name = 'b'",
            "attribute.name = 'PREFIX-iris'",
            "tags.team = 5",
            "creation_timestamp > 0",
        ]
    },
)
table(
    M,
    {
        f"order by {order!r}": _found(order_by=[order])
        for order in ["name ASC", "name DESC", "timestamp ASC", "last_updated_timestamp ASC", "last_updated_timestamp DESC", "creation_timestamp", "nonsense", "name SIDEWAYS", "tags.team"]
    },
)


@scenario(M, "page by page to the end")
def _(s):
    prefix, pages, token = _models(s), [], None
    while True:
        page = s.client.search_registered_models(f"name LIKE '{prefix}%'", max_results=2, order_by=["name DESC"], page_token=token)
        pages.append([m.name for m in page])
        token = page.token
        if not token:
            return pages


@scenario(M, "what a found model holds")
def _(s):
    model = s.model(tags={"a": "1"}, description="d")
    s.version(model), s.version(model)
    s.client.set_registered_model_alias(model, "champion", "1")
    s.client.transition_model_version_stage(model, "1", "Production")
    return s.rest("GET", "registered-models/search", params={"filter": f"name = '{model}'"})


@scenario(M, "a prompt is no model", since=3)
def _(s):
    s.model()
    hidden = s.client.create_registered_model(s.fresh("prompt"), tags={"mlflow.prompt.is_prompt": "true"}) if False else s.rest("POST", "registered-models/create", {"name": s.fresh("prompt"), "tags": [{"key": "mlflow.prompt.is_prompt", "value": "true"}]})
    found = [m.name for m in s.client.search_registered_models(f"name LIKE '{s.name}%'")]
    prompts = s.rest("GET", "registered-models/search", params={"filter": f"name LIKE '{s.name}%' AND tags.`mlflow.prompt.is_prompt` = 'true'"})["body"]
    return [hidden["status"], found, [m["name"] for m in prompts["registered_models"]]]


table(
    M,
    {
        "max_results 0": lambda s: s.rest("GET", "registered-models/search", params={"max_results": 0})["status"],
        "max_results -1": lambda s: s.rest("GET", "registered-models/search", params={"max_results": -1}),
        "max_results 1000": lambda s: s.rest("GET", "registered-models/search", params={"max_results": 1000})["status"],
        "max_results 1001": lambda s: s.rest("GET", "registered-models/search", params={"max_results": 1001}),
        "max_results a word": lambda s: s.rest("GET", "registered-models/search", params={"max_results": "many"})["status"],
        "a page token of nonsense": lambda s: s.rest("GET", "registered-models/search", params={"page_token": "nonsense"})["status"],
        "nothing found is an empty object": lambda s: s.rest("GET", "registered-models/search", params={"filter": "name = 'no such model'"}),
    },
)

V = "search model versions"


def _versions(s):
    def make():
        prefix = f"smv-{s.label}-"
        run = s.client.create_run(s.client.create_experiment(f"smv-{s.label}")).info.run_id
        for name, source, tags, stage in [
            ("one", "s3://b/one", {"team": "a"}, "Production"),
            ("one", "s3://b/two", {"team": "b", "my key": "x"}, None),
            ("two", "s3://b/three", {}, "Staging"),
        ]:
            if tags == {"team": "a"} or name == "two":
                s.client.create_registered_model(prefix + name)
            made = s.client.create_model_version(prefix + name, source, run_id=run if name == "one" else None, tags=tags)
            if stage:
                s.client.transition_model_version_stage(prefix + name, made.version, stage)
        s.client.set_registered_model_alias(prefix + "one", "champion", "1")
        return prefix, run

    return s.shared("versions", make)


def _those(filter_string, **options):
    def run(s):
        prefix, run_id = _versions(s)
        options.setdefault("order_by", ["name ASC", "version_number ASC"])
        both = filter_string.replace("PREFIX-", prefix).replace("RUN", run_id)
        found = s.client.search_model_versions(both, **options)
        return [[v.name.removeprefix(prefix), v.version] for v in found if v.name.startswith(prefix)]

    return run


table(
    V,
    {
        f"filter {f!r}": _those(f)
        for f in [
            "name = 'PREFIX-one'",
            "name LIKE 'PREFIX-%'",
            "name ILIKE 'PREFIX-ONE'",
            "name != 'PREFIX-one' AND name LIKE 'PREFIX-%'",
            "run_id = 'RUN'",
            "run_id IN ('RUN')",
            "run_id IN ('RUN', 'other')",
            "run_id != 'RUN' AND name LIKE 'PREFIX-%'",
            "run_id IN ()",
            "source_path = 's3://b/one' AND name = 'PREFIX-one'",
            "source_path LIKE 's3://b/t%' AND name LIKE 'PREFIX-%'",
            "version_number = 2 AND name = 'PREFIX-one'",
            "version_number > 1 AND name = 'PREFIX-one'",
            "version_number <= 1 AND name LIKE 'PREFIX-%'",
            "version_number = '2'",
            "version_number LIKE '1'",
            "tags.team = 'a' AND name = 'PREFIX-one'",
            "tags.team != 'a' AND name = 'PREFIX-one'",
            "tags.`my key` = 'x' AND name = 'PREFIX-one'",
            "tags.team LIKE 'b%' AND name = 'PREFIX-one'",
            "tags.team ILIKE 'B' AND name = 'PREFIX-one'",
            "tags.team IS NULL",
            "stage = 'Production'",
            "current_stage = 'Production' AND name LIKE 'PREFIX-%'",
            "nonsense = 'a'",
            "name = one",
            "name == 'a'",
            "name IN ('PREFIX-one')",
            "creation_timestamp > 0",
            "name = 'a' OR name = 'b'",
        ]
    },
)
table(
    V,
    {
        f"order by {order!r}": _those("name LIKE 'PREFIX-%'", order_by=[order] if order else [])
        for order in ["name ASC", "name DESC", "version_number ASC", "version_number DESC", "last_updated_timestamp DESC", "creation_timestamp ASC", "timestamp ASC", "nonsense", "version"]
    },
)


@scenario(V, "what a found version holds")
def _(s):
    prefix, _run = _versions(s)
    return s.rest("GET", "model-versions/search", params={"filter": f"name = '{prefix}one'"})


@scenario(V, "the newest first")
def _(s):
    model = s.model()
    for _ in range(3):
        s.version(model)
    return [v.version for v in s.client.search_model_versions(f"name = '{model}'")]


@scenario(V, "page by page to the end")
def _(s):
    model, pages, token = s.model(), [], None
    for _ in range(5):
        s.version(model)
    while True:
        page = s.client.search_model_versions(f"name = '{model}'", max_results=2, page_token=token)
        pages.append([v.version for v in page])
        token = page.token
        if not token:
            return pages


table(
    V,
    {
        "max_results 0": lambda s: s.rest("GET", "model-versions/search", params={"max_results": 0})["status"],
        "max_results -1": lambda s: s.rest("GET", "model-versions/search", params={"max_results": -1}),
        "max_results 200000": lambda s: s.rest("GET", "model-versions/search", params={"max_results": 200000})["status"],
        "max_results 200001": lambda s: s.rest("GET", "model-versions/search", params={"max_results": 200001}),
        "a page token of nonsense": lambda s: s.rest("GET", "model-versions/search", params={"page_token": "nonsense"})["status"],
        "nothing found is an empty object": lambda s: s.rest("GET", "model-versions/search", params={"filter": "name = 'no such model'"}),
    },
)
