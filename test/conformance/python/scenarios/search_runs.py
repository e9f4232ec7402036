from harness import scenario, table
from mlflow.entities import Metric, Param, RunTag, ViewType

S = "search_runs"


def _runs(s):
    """Eight runs of known names; the tests only read them."""

    def make():
        experiment = s.client.create_experiment(f"grammar-{s.label}")
        rows = [
            # name, status, start, end, metrics, params, tags, data set
            ("alpha", "FINISHED", 1000, 1500, {"acc": 0.5, "loss per epoch": 1.0}, {"C": "1.0", "solver": "lbfgs"}, {"team": "a", "note": "it's fine"}, "iris"),
            ("beta", "FINISHED", 2000, 2500, {"acc": 0.75}, {"C": "0.1", "solver": "LBFGS"}, {"team": "b", "my key": "x"}, "iris"),
            ("Gamma", "FAILED", 3000, 3100, {"acc": float("nan")}, {"C": "10"}, {"team": "a"}, "abalone"),
            ("delta 50%", "KILLED", 4000, None, {"acc": float("inf")}, {}, {}, None),
            ("epsilon_1", "RUNNING", 5000, None, {"acc": float("-inf")}, {"solver": "saga"}, {"team": ""}, None),
            ("zeta", "RUNNING", 6000, None, {}, {"C": "1.0"}, {"team": "A", "ünï": "模型"}, None),
            ("eta", "SCHEDULED", 7000, 9000, {"acc": 0.75, "f1": 0.0}, {"C": "", "q\"uote": "1"}, {"a.b": "dotted"}, None),
            ("theta", "FINISHED", 8000, 8000, {"acc": -3.5}, {}, {"team": "c"}, None),
        ]
        for name, status, start, end, metrics, params, tags, dataset in rows:
            run = s.client.create_run(experiment, start_time=start, run_name=name).info.run_id
            s.client.log_batch(run, [Metric(k, v, 1, 0) for k, v in metrics.items()], [Param(k, v) for k, v in params.items() if '"' not in k], [RunTag(k, v) for k, v in tags.items()])
            if dataset:
                s.rest("POST", "runs/log-inputs", {"run_id": run, "datasets": [{"tags": [{"key": "mlflow.data.context", "value": "train" if dataset == "iris" else "eval"}], "dataset": {"name": dataset, "digest": f"d-{dataset}", "source_type": "http", "source": "{}"}}]})
            s.rest("POST", "runs/update", {"run_id": run, "status": status, **({"end_time": end} if end else {})})
            if name == "theta":
                s.client.delete_run(run)
        return experiment

    return s.shared("grammar", make)


def _found(filter_string="", **options):
    def run(s):
        experiment = _runs(s)
        return [r.info.run_name for r in s.client.search_runs([experiment], filter_string, **options)]

    return run


comparators = ["=", "!=", ">", ">=", "<", "<="]
texts = ["=", "!=", "LIKE", "ILIKE"]
filters = [
    "",
    *[f"metrics.acc {c} 0.75" for c in comparators],
    *[f"params.solver {c} 'lbfgs'" for c in texts],
    *[f"tags.team {c} 'a'" for c in texts],
    *[f"attributes.run_name {c} 'beta'" for c in texts],
    *[f"attributes.status {c} 'FINISHED'" for c in ["=", "!="]],
    *[f"attributes.start_time {c} 3000" for c in comparators],
    *[f"attributes.end_time {c} 2500" for c in comparators],
    *[f"datasets.name {c} 'iris'" for c in texts],
    "datasets.digest = 'd-iris'",
    "dataset.context = 'eval'",
    "datasets.name IN ('iris', 'abalone')",
    "datasets.nonsense = 'a'",
    # every word for the same kind
    "metric.acc > 0.5",
    "param.C = '1.0'",
    "params.C = '1.0'",
    "parameter.C = '1.0'",
    "parameters.C = '1.0'",
    "tag.team = 'a'",
    "attr.status = 'FAILED'",
    "attribute.status = 'FAILED'",
    "run.status = 'FAILED'",
    "status = 'FAILED'",
    "run_name = 'alpha'",
    "attributes.`run name` = 'alpha'",
    'attributes."Run name" = \'alpha\'',
    "attributes.Created > 4000",
    "attributes.run_name = 'alpha'",
    "tags.mlflow.runName = 'alpha'",
    "tags.`mlflow.runName` = 'alpha'",
    # quoting
    "metrics.`loss per epoch` > 0.5",
    'metrics."loss per epoch" > 0.5',
    "tags.`my key` = 'x'",
    'tags."my key" = "x"',
    "tags.note = \"it's fine\"",
    "tags.note LIKE '%s fine'",
    "tags.ünï = '模型'",
    "tags.`ünï` = '模型'",
    "tags.a.b = 'dotted'",
    "tags.`a.b` = 'dotted'",
    "params.C = \"1.0\"",
    # patterns
    "run_name LIKE '%a'",
    "run_name LIKE 'gam%'",
    "run_name ILIKE 'gam%'",
    "run_name LIKE 'delta 50%'",
    "run_name LIKE 'epsilon_1'",
    "run_name LIKE '%\\%'",
    "params.C LIKE '1%'",
    # lists
    "run_name IN ('alpha', 'beta')",
    "attributes.run_id IN ('0', '1')",
    "attributes.run_id NOT IN ('0', '1')",
    "attributes.status IN ('FAILED', 'KILLED')",
    "run_name NOT IN ('alpha')",
    "attributes.run_id IN ()",
    "attributes.run_id IN ('a'",
    "tags.team IN ('a')",
    "params.C IN ('1.0', '10')",
    "metrics.acc IN (1)",
    # missing
    "tags.team IS NULL",
    "tags.team IS NOT NULL",
    "params.solver IS NULL",
    "params.solver IS NOT NULL AND params.C = '0.1'",
    "metrics.acc IS NULL",
    "attributes.end_time IS NULL",
    # and
    "metrics.acc > 0 AND params.C = '1.0' AND tags.team = 'a'",
    "metrics.acc > 0 and tags.team = 'b'",
    "metrics.acc >= 0.5   AND   metrics.acc<0.7",
    "params.C='1.0' AND params.solver='lbfgs'",
    "metrics.acc > 0 AND metrics.f1 = 0",
    # numbers
    "metrics.acc = .75",
    "metrics.acc > -4",
    "metrics.acc > 1e-1",
    "metrics.acc < 1e308",
    "metrics.acc > 0.5e0",
    "metrics.f1 = 0",
    "metrics.acc = inf",
    "metrics.acc = 'NaN'",
    "metrics.none = 1",
    "params.none = 'x'",
    "params.none != 'x'",
    "tags.none != 'x'",
    # not a filter
    "metrics.acc",
    "metrics.acc >",
    "> 0.5",
    "metrics.acc == 0.5",
    "metrics.acc LIKE '0%'",
    "metrics.acc > 'high'",
    "metrics.acc > abc",
    "params.C = 1.0",
    "params.C > '0'",
    "params.C = lbfgs",
    "tags.team == 'a'",
    "tags.team = a",
    "attributes.status > 'A'",
    "attributes.status = FINISHED",
    "attributes.status = 'finished'",
    "attributes.nonsense = 'a'",
    "attributes.lifecycle_stage = 'active'",
    "attributes.start_time = 'x'",
    "attributes.start_time LIKE '1%'",
    "nonsense.acc > 0",
    "nonsense > 0",
    "a.b.c = 'd'",
    "metrics.acc > 0 OR metrics.acc < 1",
    "NOT metrics.acc > 0",
    "(metrics.acc > 0)",
    "metrics.acc > 0 AND",
    "AND metrics.acc > 0",
    "metrics.acc > 0; DROP TABLE runs",
    "metrics.acc > 0 metrics.acc < 1",
    "metrics.acc > 0 AND AND metrics.acc < 1",
    "tags.team = 'a",
    "tags.`team = 'a'",
    "tags. = 'a'",
    "metrics.acc BETWEEN 0 AND 1",
    "tags.team = 'a' -- comment",
    "   ",
    "1 = 1",
    "'a' = 'a'",
    "attributes.user_id = 'nobody'",
    "attributes.artifact_uri LIKE 'mlflow-artifacts:%'",
    "attributes.artifact_uri = 'x'",
]
table(S, {f"filter {f!r}": _found(f) for f in filters})
table(
    S,
    {
        f"order by {order!r}": _found(order_by=order if isinstance(order, list) else [order])
        for order in [
            "metrics.acc",
            "metrics.acc ASC",
            "metrics.acc DESC",
            "metrics.`loss per epoch` DESC",
            "metrics.none ASC",
            "params.C",
            "params.C DESC",
            "params.solver ASC",
            "tags.team",
            "tags.team DESC",
            "tags.`my key`",
            "attributes.start_time",
            "start_time ASC",
            "start_time DESC",
            "end_time ASC",
            "end_time DESC",
            "run_name ASC",
            "attributes.run_name DESC",
            "attributes.`Run name` ASC",
            "status",
            "attribute.Created DESC",
            ["status ASC", "metrics.acc DESC"],
            ["tags.team", "params.C DESC", "start_time ASC"],
            ["metrics.acc", "metrics.acc DESC"],
            "metrics.acc SIDEWAYS",
            "nonsense",
            "nonsense.acc",
            "datasets.name",
            "metrics.acc, params.C",
            "metrics.acc ASC DESC",
            "",
            "attributes.nonsense",
            "`metrics`.acc",
        ]
    },
)
table(
    S,
    {
        "deleted ones only": _found(run_view_type=ViewType.DELETED_ONLY),
        "all of them": _found(run_view_type=ViewType.ALL),
        "max_results 3": _found(max_results=3),
    },
)


def _paged(filter_string, order_by, size):
    def run(s):
        experiment, pages, token = _runs(s), [], None
        while True:
            page = s.client.search_runs([experiment], filter_string, max_results=size, order_by=order_by, page_token=token)
            pages.append([r.info.run_name for r in page])
            token = page.token
            if not token or len(pages) > 20:
                return pages

    return run


table(
    S,
    {
        "page by page, default order": _paged("", None, 3),
        "page by page by a metric": _paged("", ["metrics.acc DESC"], 2),
        "page by page by a param that some lack": _paged("", ["params.C ASC"], 1),
        "page by page by a tag with ties": _paged("", ["tags.team DESC", "start_time DESC"], 2),
        "page by page with a filter": _paged("metrics.acc > -10", ["metrics.acc ASC"], 2),
        "pages of exactly all": _paged("", None, 7),
    },
)


@scenario(S, "what a found run holds")
def _(s):
    return s.rest("POST", "runs/search", {"experiment_ids": [_runs(s)], "filter": "run_name = 'alpha'", "max_results": 1})


@scenario(S, "several experiments, and none of them")
def _(s):
    first, second = s.experiment(), s.experiment()
    s.run(first, run_name="one", start_time=1)
    s.run(second, run_name="two", start_time=2)
    return [
        [r.info.run_name for r in s.client.search_runs([first, second])],
        [r.info.run_name for r in s.client.search_runs([])],
        [r.info.run_name for r in s.client.search_runs(["99999999"])],
    ]


@scenario(S, "by the run's own id")
def _(s):
    experiment = s.experiment()
    run, other = s.run(experiment, run_name="one"), s.run(experiment, run_name="two")
    names = lambda f: sorted(r.info.run_name for r in s.client.search_runs([experiment], f))
    return [names(f"attributes.run_id = '{run}'"), names(f"run_id != '{run}'"), names(f"run_id IN ('{run}', '{other}')"), names(f"run_id NOT IN ('{run}')"), names(f"run_id LIKE '{run[:12]}%'")]


@scenario(S, "by metric of the latest step only")
def _(s):
    experiment = s.experiment()
    run = s.run(experiment, run_name="one")
    for step, value in enumerate([0.9, 0.1]):
        s.client.log_metric(run, "acc", value, timestamp=1, step=step)
    return [len(s.client.search_runs([experiment], f"metrics.acc {c} 0.5")) for c in "<>"]


@scenario(S, "mlflow.search_runs as a frame")
def _(s):
    import mlflow

    frame = mlflow.search_runs([_runs(s)], filter_string="metrics.acc > 0", order_by=["metrics.acc ASC"])
    columns = sorted(c for c in frame.columns if c.startswith(("metrics.", "params.", "tags.")))
    return [columns, list(frame["tags.mlflow.runName"]), [str(v) for v in frame["metrics.acc"]]]


def _search(**body):
    return lambda s: s.rest("POST", "runs/search", {"experiment_ids": [_runs(s)], **body})


def _status(**body):
    return lambda s: _search(**body)(s)["status"]


table(
    S,
    {
        "max_results 0": _search(max_results=0),
        "max_results -1": _search(max_results=-1),
        "max_results 50000": _status(max_results=50000),
        "max_results 50001": _search(max_results=50001),
        "max_results a word": _search(max_results="many"),
        "a page token of nonsense": _status(page_token="nonsense"),
        "a page token of another kind": _status(page_token="eyJvZmZzZXQiOiAxfQ=="),
        "an unknown view type": _search(run_view_type="SOME"),
        "order_by that is a text": _search(order_by="metrics.acc"),
        "experiment_ids that is a text": lambda s: s.rest("POST", "runs/search", {"experiment_ids": "0"}),
        "experiment_ids of letters": lambda s: s.rest("POST", "runs/search", {"experiment_ids": ["abc"]}),
        "experiment_ids of numbers": lambda s: s.rest("POST", "runs/search", {"experiment_ids": [0]}),
        "nothing asked": lambda s: s.rest("POST", "runs/search", {}),
        "a filter that is a number": _search(filter=5),
    },
)
