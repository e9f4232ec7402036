from concurrent.futures import ThreadPoolExecutor

from harness import scenario, table
from mlflow.entities import Metric, Param, RunTag

M = "metrics"
_nobody = "0" * 32


def _history(s, run, key):
    return [[m.value, m.timestamp, m.step] for m in s.client.get_metric_history(run, key)]


@scenario(M, "history in the order of steps and times")
def _(s):
    run = s.run()
    for value, timestamp, step in [(3.0, 30, 3), (1.0, 10, 1), (2.0, 20, 2), (9.0, 20, 1), (0.5, 5, -4)]:
        s.client.log_metric(run, "m", value, timestamp, step)
    return {"history": sorted(_history(s, run, "m")), "latest": s.client.get_run(run).data.metrics}


@scenario(M, "the latest has the highest step, then time, then value")
def _(s):
    run = s.run()
    points = {
        "step": [(1.0, 99, 1), (2.0, 10, 2)],
        "time": [(2.0, 10, 2), (1.0, 99, 2)],
        "value": [(1.0, 10, 2), (3.0, 10, 2), (2.0, 10, 2)],
        "negative step": [(1.0, 10, 0), (2.0, 99, -5)],
    }
    for key, logged in points.items():
        for value, timestamp, step in logged:
            s.client.log_metric(run, key, value, timestamp, step)
    return s.rest("GET", "runs/get", params={"run_id": run})["body"]["run"]["data"]["metrics"] and s.client.get_run(run).data.metrics


@scenario(M, "NaN, inf and the largest")
def _(s):
    run = s.run()
    for key, value in {"nan": float("nan"), "inf": float("inf"), "-inf": float("-inf"), "big": 1.7976931348623157e308, "small": 5e-324, "minus zero": -0.0}.items():
        s.client.log_metric(run, key, value, timestamp=1)
    return {"latest": s.client.get_run(run).data.metrics, "histories": {key: _history(s, run, key) for key in ("nan", "inf", "-inf", "small")}}


@scenario(M, "NaN and inf on the wire")
def _(s):
    run = s.run()
    sent = {str(value): s.rest("POST", "runs/log-metric", {"run_id": run, "key": f"k{index}", "value": value, "timestamp": 1}) for index, value in enumerate(["NaN", "Infinity", "-Infinity"])}
    metrics = s.rest("GET", "runs/get", params={"run_id": run})["body"]["run"]["data"]["metrics"]
    return [sent, sorted(metrics, key=lambda m: m["key"])]


@scenario(M, "NaN beside numbers: which is the latest")
def _(s):
    run = s.run()
    for value in (1.0, float("nan"), 2.0):
        s.client.log_metric(run, "a", value, timestamp=1, step=1)
    for step, value in enumerate([1.0, float("nan")]):
        s.client.log_metric(run, "b", value, timestamp=1, step=step)
    return s.client.get_run(run).data.metrics


@scenario(M, "the same point again is no other point")
def _(s):
    run = s.run()
    for _ in range(3):
        s.client.log_metric(run, "m", 1.5, timestamp=10, step=2)
        s.client.log_metric(run, "n", float("nan"), timestamp=10, step=2)
    return [_history(s, run, "m"), _history(s, run, "n")]


@scenario(M, "history page by page")
def _(s):
    run = s.run()
    s.client.log_batch(run, metrics=[Metric("m", float(i), i, i) for i in range(25)])
    sizes, seen, token = [], [], None
    while True:
        query = {"run_id": run, "metric_key": "m", "max_results": 10, **({"page_token": token} if token else {})}
        body = s.rest("GET", "metrics/get-history", params=query)["body"]
        sizes.append(len(body["metrics"]))
        seen += [m["step"] for m in body["metrics"]]
        token = body.get("next_page_token")
        if not token:
            return [sizes, sorted(seen) == list(range(25))]


@scenario(M, "history as it is written")
def _(s):
    run = s.run()
    s.client.log_metric(run, "m", 1.0, timestamp=7, step=3)
    return s.rest("GET", "metrics/get-history", params={"run_id": run, "metric_key": "m"})


@scenario(M, "a key with slashes and spaces")
def _(s):
    run = s.run()
    s.client.log_metric(run, "train/loss per epoch", 1.0, timestamp=1)
    return [s.client.get_run(run).data.metrics, _history(s, run, "train/loss per epoch")]


@scenario(M, "with a data set and a model", since=3)
def _(s):
    run = s.run()
    s.client.log_metric(run, "m", 1.0, timestamp=1, dataset_name="d", dataset_digest="1")
    return s.client.get_metric_history(run, "m")


@scenario(M, "many runs at once: get-history-bulk-interval", since=3)
def _(s):
    run = s.run()
    s.client.log_batch(run, metrics=[Metric("m", float(i), i, i) for i in range(50)])
    answer = s.rest("GET", "/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval", params={"run_ids": [run], "metric_key": "m", "max_results": 10})
    return [answer["status"], [[m["step"], m["value"], m["run_id"]] for m in answer["body"].get("metrics", [])] or answer["body"]]


@scenario(M, "many runs at once: get-history-bulk")
def _(s):
    experiment = s.experiment()
    runs = [s.run(experiment) for _ in range(2)]
    for index, run in enumerate(runs):
        s.client.log_metric(run, "m", float(index), timestamp=1)
    answer = s.rest("GET", "/ajax-api/2.0/mlflow/metrics/get-history-bulk", params={"run_id": runs, "metric_key": "m"})
    return [answer["status"], sorted(m["value"] for m in answer["body"]["metrics"])]


def _post(**body):
    return lambda s: s.rest("POST", "runs/log-metric", {"run_id": s.run(), "key": "m", "value": 1.0, "timestamp": 1, **body})


table(
    M,
    {
        "history of a key that is not there": lambda s: _history(s, s.run(), "none"),
        "history of an unknown run": lambda s: s.rest("GET", "metrics/get-history", params={"run_id": _nobody, "metric_key": "m"}),
        "history without a key": lambda s: s.rest("GET", "metrics/get-history", params={"run_id": s.run()}),
        "history without a run": lambda s: s.rest("GET", "metrics/get-history", params={"metric_key": "m"}),
        "history with a page token of nonsense": lambda s: s.rest("GET", "metrics/get-history", params={"run_id": s.run(), "metric_key": "m", "max_results": 5, "page_token": "?"})["status"],
        "history with max_results -1": lambda s: s.rest("GET", "metrics/get-history", params={"run_id": s.run(), "metric_key": "m", "max_results": -1})["status"],
        "of an unknown run": lambda s: s.client.log_metric(_nobody, "m", 1.0),
        "without a run": lambda s: s.rest("POST", "runs/log-metric", {"key": "m", "value": 1.0, "timestamp": 1}),
        "without a key": _post(key=None),
        "without a value": _post(value=None),
        "without a timestamp": _post(timestamp=None),
        "a value that is a word": _post(value="much"),
        "a value that is a bool": _post(value=True),
        "a value that is a number as text": _post(value="1.5"),
        "a value of null and a step": _post(value=None, step=3),
        "a step that is a fraction": _post(step=1.5),
        "a step that is a word": _post(step="one"),
        "a step of 2^63": _post(step=2**63),
        "a timestamp that is a word": _post(timestamp="now"),
        "a timestamp of zero": _post(timestamp=0),
        "a negative timestamp": _post(timestamp=-1),
        "a key of 250 characters": _post(key="k" * 250),
        "a key of 251 characters": _post(key="k" * 251),
        "a key that climbs": _post(key="../m"),
        "a key with a percent sign": _post(key="100%"),
        "a key of unicode": _post(key="größe"),
        "a key with a colon": _post(key="a:b"),
    },
)

B = "log_batch"


def _batch(make):
    """What a batch answered, and how much of it is there."""

    def run(s):
        run = s.run(run_name="x")
        answer = s.rest("POST", "runs/log-batch", {"run_id": run, **make()})
        data = s.client.get_run(run).data
        return [answer, len(data.metrics), len(data.params), len(data.tags)]

    return run


def _metrics(count, **changes):
    return [{"key": f"m{i}", "value": 1.0, "timestamp": 1, "step": 0, **changes} for i in range(count)]


def _pairs(count, prefix="p"):
    return [{"key": f"{prefix}{i}", "value": "v"} for i in range(count)]


table(
    B,
    {
        "nothing": _batch(lambda: {}),
        "a bit of each": _batch(lambda: {"metrics": _metrics(3), "params": _pairs(2), "tags": _pairs(4, "t")}),
        "1000 metrics": _batch(lambda: {"metrics": _metrics(1000)}),
        "1001 metrics": _batch(lambda: {"metrics": _metrics(1001)}),
        "100 params": _batch(lambda: {"params": _pairs(100)}),
        "101 params": _batch(lambda: {"params": _pairs(101)}),
        "100 tags": _batch(lambda: {"tags": _pairs(100, "t")}),
        "101 tags": _batch(lambda: {"tags": _pairs(101, "t")}),
        "1000 in all": _batch(lambda: {"metrics": _metrics(800), "params": _pairs(100), "tags": _pairs(100, "t")}),
        "1001 in all": _batch(lambda: {"metrics": _metrics(801), "params": _pairs(100), "tags": _pairs(100, "t")}),
        "a metric that is wrong keeps all out": _batch(lambda: {"metrics": [*_metrics(2), {"key": "w", "value": "much", "timestamp": 1}], "params": _pairs(2)}),
        "a param that is too long a key keeps all out": _batch(lambda: {"metrics": _metrics(2), "params": [{"key": "k" * 251, "value": "v"}], "tags": _pairs(1, "t")}),
        "a tag without a key keeps all out": _batch(lambda: {"metrics": _metrics(2), "tags": [{"value": "v"}]}),
        "the same param twice, same value": _batch(lambda: {"params": [{"key": "a", "value": "1"}, {"key": "a", "value": "1"}]}),
        "the same param twice, other value": _batch(lambda: {"params": [{"key": "a", "value": "1"}, {"key": "a", "value": "2"}]}),
        "the same tag twice": _batch(lambda: {"tags": [{"key": "a", "value": "1"}, {"key": "a", "value": "2"}]}),
        "the same metric point twice": _batch(lambda: {"metrics": _metrics(1) * 2}),
        "a metric without a timestamp": _batch(lambda: {"metrics": [{"key": "a", "value": 1.0}]}),
        "a metric without a value": _batch(lambda: {"metrics": [{"key": "a", "timestamp": 1}]}),
        "a metric without a key": _batch(lambda: {"metrics": [{"value": 1.0, "timestamp": 1}]}),
        "metrics that are no list": _batch(lambda: {"metrics": "all"}),
        "params that are null": _batch(lambda: {"params": None}),
        "an empty param value": _batch(lambda: {"params": [{"key": "a", "value": ""}]}),
        "a param value of 6001 characters": _batch(lambda: {"params": [{"key": "a", "value": "v" * 6001}]}),
        "a tag value of 8001 characters": _batch(lambda: {"tags": [{"key": "a", "value": "v" * 8001}]}),
        "the run's name as a tag": _batch(lambda: {"tags": [{"key": "mlflow.runName", "value": "y"}]}),
    },
)


@scenario(B, "an unknown run")
def _(s):
    return s.rest("POST", "runs/log-batch", {"run_id": _nobody, "metrics": _metrics(1)})


@scenario(B, "no run")
def _(s):
    return s.rest("POST", "runs/log-batch", {"metrics": _metrics(1)})


@scenario(B, "a changed param keeps all out")
def _(s):
    run = s.run(run_name="x")
    s.client.log_param(run, "a", "1")
    answer = s.rest("POST", "runs/log-batch", {"run_id": run, "metrics": _metrics(2), "params": [{"key": "b", "value": "1"}, {"key": "a", "value": "2"}], "tags": _pairs(1, "t")})
    return [answer, s.client.get_run(run).data]


@scenario(B, "the same batch again")
def _(s):
    run = s.run(run_name="x")
    for _ in range(2):
        s.client.log_batch(run, [Metric("m", 1.0, 1, 1), Metric("n", float("nan"), 1, 1)], [Param("p", "1")], [RunTag("t", "1")])
    return [s.client.get_run(run).data, len(s.client.get_metric_history(run, "m")), len(s.client.get_metric_history(run, "n"))]


@scenario(B, "the latest of many points of one key")
def _(s):
    run = s.run()
    s.client.log_batch(run, [Metric("m", float(v), t, st) for v, t, st in [(5, 1, 1), (9, 3, 2), (7, 3, 2), (8, 2, 2), (99, 50, 0)]])
    return s.client.get_run(run).data.metrics


@scenario(B, "more than a megabyte")
def _(s):
    run = s.run()
    answer = s.rest("POST", "runs/log-batch", {"run_id": run, "params": [{"key": f"p{i}", "value": "v" * 6000} for i in range(100)], "tags": [{"key": f"t{i}", "value": "v" * 7000} for i in range(100)]})
    return [answer["status"], len(s.client.get_run(run).data.params)]


C = "concurrency"


@scenario(C, "sixteen threads log to one run and nothing is lost", expected={"params": 48, "points": 320, "tags": 48, "latest": 19.0})
def _(s):
    run = s.run()

    def work(thread):
        for i in range(20):
            s.client.log_metric(run, "shared", float(i), timestamp=1000 + thread, step=i)
        for i in range(3):
            s.client.log_param(run, f"p-{thread}-{i}", "v")
            s.client.set_tag(run, f"t-{thread}-{i}", "v")

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(16)))
    data = s.client.get_run(run).data
    return {
        "params": len(data.params),
        "points": len(s.client.get_metric_history(run, "shared")),
        "tags": len([t for t in data.tags if t.startswith("t-")]),
        "latest": data.metrics["shared"],
    }


@scenario(C, "sixteen batches of the same keys", expected={"refused": [], "latest": {f"m{i}": 15.0 for i in range(10)}})
def _(s):
    run = s.run()

    def work(thread):
        keys = list(range(10)) if thread % 2 else list(reversed(range(10)))
        return s.rest("POST", "runs/log-batch", {"run_id": run, "metrics": [{"key": f"m{i}", "value": float(thread), "timestamp": thread, "step": thread} for i in keys], "tags": [{"key": f"t{i}", "value": str(thread)} for i in keys]})

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(work, range(16)))
    return {"refused": [a for a in answers if a["status"] != 200], "latest": s.client.get_run(run).data.metrics}


@scenario(C, "the same point from sixteen threads", expected={"statuses": [200], "points": 1})
def _(s):
    run = s.run()
    body = {"run_id": run, "key": "m", "value": 1.0, "timestamp": 5, "step": 5}
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: s.rest("POST", "runs/log-metric", body), range(16)))
    return {"statuses": sorted({a["status"] for a in answers}), "points": len(s.client.get_metric_history(run, "m"))}


@scenario(C, "the same param with sixteen values: one holds", expected={"won": 1, "codes": ["INVALID_PARAMETER_VALUE"], "params": 1})
def _(s):
    run = s.run()
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda i: s.rest("POST", "runs/log-parameter", {"run_id": run, "key": "p", "value": str(i)}), range(16)))
    lost = [a for a in answers if a["status"] != 200]
    return {"won": 16 - len(lost), "codes": sorted({a["body"]["error_code"] for a in lost}), "params": len(s.client.get_run(run).data.params)}


@scenario(C, "the same tag from sixteen threads", expected={"statuses": [200], "tags": 1})
def _(s):
    run = s.run()
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda i: s.rest("POST", "runs/set-tag", {"run_id": run, "key": "t", "value": str(i)}), range(16)))
    tags = s.client.get_run(run).data.tags
    return {"statuses": sorted({a["status"] for a in answers}), "tags": len([t for t in tags if t == "t"])}


@scenario(C, "sixteen create a version of one model: 1 to 16 without a gap", expected={"refused": [], "versions": list(range(1, 17))})
def _(s):
    model = s.model()

    def create(_):
        return s.rest("POST", "model-versions/create", {"name": model, "source": "s3://elsewhere/model"})

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(create, range(16)))
    refused = [a for a in answers if a["status"] != 200]
    return {"refused": refused, "versions": sorted(int(a["body"]["model_version"]["version"]) for a in answers if a["status"] == 200)}


@scenario(C, "sixteen create the same model: one wins", expected={"won": 1, "codes": ["RESOURCE_ALREADY_EXISTS"], "statuses": [400]})
def _(s):
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: s.rest("POST", "registered-models/create", {"name": s.name}), range(16)))
    lost = [a for a in answers if a["status"] != 200]
    return {"won": 16 - len(lost), "codes": sorted({a["body"]["error_code"] for a in lost}), "statuses": sorted({a["status"] for a in lost})}


@scenario(C, "eight promote eight versions: one stays in Production", expected={"statuses": [200], "Production": 1, "Archived": 7})
def _(s):
    model = s.model()
    versions = [s.version(model) for _ in range(8)]

    def promote(version):
        return s.rest("POST", "model-versions/transition-stage", {"name": model, "version": version, "stage": "Production", "archive_existing_versions": True})

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(promote, versions))
    stages = [s.client.get_model_version(model, v).current_stage for v in versions]
    return {"statuses": sorted({a["status"] for a in answers}), "Production": stages.count("Production"), "Archived": stages.count("Archived")}


@scenario(C, "sixteen runs are created in one experiment", expected=16)
def _(s):
    experiment = s.experiment()
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda _: s.run(experiment), range(16)))
    return len({r.info.run_id for r in s.client.search_runs([experiment])})


@scenario(C, "an alias moved by sixteen threads names one version", expected=1)
def _(s):
    model = s.model()
    versions = [s.version(model) for _ in range(4)]
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda i: s.client.set_registered_model_alias(model, "champion", versions[i % 4]), range(16)))
    return len([v for v in versions if "champion" in s.client.get_model_version(model, v).aliases])
