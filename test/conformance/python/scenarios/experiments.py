from concurrent.futures import ThreadPoolExecutor

from harness import scenario, table
from mlflow.entities import ViewType

E = "experiments"


@scenario(E, "create and get")
def _(s):
    made = s.client.create_experiment(s.name, tags={"team": "a", "ümlaut": "ja"})
    return s.client.get_experiment(made)


@scenario(E, "create with an artifact location of one's own")
def _(s):
    return s.client.get_experiment(s.client.create_experiment(s.name, artifact_location="s3://elsewhere/folder"))


@scenario(E, "get by name")
def _(s):
    s.client.create_experiment(s.name)
    return s.client.get_experiment_by_name(s.name)


@scenario(E, "rename, then the old name is free")
def _(s):
    made = s.experiment()
    before = s.client.get_experiment(made)
    s.client.rename_experiment(made, f"{s.name}-new")
    return {
        "after": s.client.get_experiment(made),
        "old name": s.client.get_experiment_by_name(before.name),
        "again": s.attempt(s.client.create_experiment, before.name) is not None,
    }


@scenario(E, "rename to a name that is taken")
def _(s):
    taken = s.client.get_experiment(s.experiment()).name
    answer = s.rest("POST", "experiments/update", {"experiment_id": s.experiment(), "new_name": taken})
    return {"status": answer["status"], "error_code": answer["body"].get("error_code")}


@scenario(E, "rename a deleted one")
def _(s):
    made = s.experiment()
    s.client.delete_experiment(made)
    s.client.rename_experiment(made, f"{s.name}-new")


@scenario(E, "delete, get, search by view, restore")
def _(s):
    made = s.client.create_experiment(s.name)
    s.client.delete_experiment(made)
    found = {
        view: [e.lifecycle_stage for e in s.client.search_experiments(number, filter_string=f"name = '{s.name}'")]
        for view, number in [("active", ViewType.ACTIVE_ONLY), ("deleted", ViewType.DELETED_ONLY), ("all", ViewType.ALL)]
    }
    deleted = s.client.get_experiment(made).lifecycle_stage
    s.client.restore_experiment(made)
    return {"found": found, "deleted": deleted, "restored": s.client.get_experiment(made)}


@scenario(E, "deleting takes its runs along, restoring brings them back")
def _(s):
    experiment = s.experiment()
    run = s.run(experiment)
    s.client.delete_experiment(experiment)
    gone = s.client.get_run(run).info.lifecycle_stage
    s.client.restore_experiment(experiment)
    return [gone, s.client.get_run(run).info.lifecycle_stage]


@scenario(E, "delete twice")
def _(s):
    made = s.experiment()
    s.client.delete_experiment(made)
    s.client.delete_experiment(made)


@scenario(E, "restore an active one")
def _(s):
    s.client.restore_experiment(s.experiment())


@scenario(E, "the same name twice")
def _(s):
    s.client.create_experiment(s.name)
    s.client.create_experiment(s.name)


@scenario(E, "the name of a deleted one")
def _(s):
    s.client.delete_experiment(s.client.create_experiment(s.name))
    s.client.create_experiment(s.name)


@scenario(E, "a run in a deleted one")
def _(s):
    made = s.experiment()
    s.client.delete_experiment(made)
    s.client.create_run(made)


@scenario(E, "tags: set, change, delete, delete again")
def _(s):
    made = s.experiment()
    s.client.set_experiment_tag(made, "a", "1")
    s.client.set_experiment_tag(made, "a", "2")
    s.client.set_experiment_tag(made, "b", "")
    tags = s.client.get_experiment(made).tags
    remove = lambda: s.rest("POST", "experiments/delete-experiment-tag", {"experiment_id": made, "key": "a"})
    return {"tags": tags, "removed": remove(), "left": s.client.get_experiment(made).tags, "again": remove()}


@scenario(E, "a tag of a deleted one")
def _(s):
    made = s.experiment()
    s.client.delete_experiment(made)
    s.client.set_experiment_tag(made, "a", "1")


@scenario(E, "the one called Default is there from the start")
def _(s):
    return {key: value for key, value in s.client.get_experiment("0") if key in ("name", "lifecycle_stage", "artifact_location")}


@scenario(E, "a name of unicode, quotes and a slash")
def _(s):
    name = f"{s.name} 模型 \"zwei\" 'drei' a/b 🎉"
    s.client.create_experiment(name)
    return s.client.get_experiment_by_name(name)


@scenario(E, "sixteen create the same name: one wins", expected={"won": 1, "codes": ["RESOURCE_ALREADY_EXISTS"], "statuses": [400]})
def _(s):
    def create(_):
        return s.rest("POST", "experiments/create", {"name": s.name})

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(create, range(16)))
    lost = [a for a in answers if a["status"] != 200]
    return {
        "won": len(answers) - len(lost),
        "codes": sorted({a["body"]["error_code"] for a in lost}),
        "statuses": sorted({a["status"] for a in lost}),
    }


table(
    E,
    {
        "create without a name": lambda s: s.rest("POST", "experiments/create", {}),
        "create with an empty name": lambda s: s.rest("POST", "experiments/create", {"name": ""}),
        "create with a number for a name": lambda s: s.rest("POST", "experiments/create", {"name": 12}),
        "create with null for a name": lambda s: s.rest("POST", "experiments/create", {"name": None}),
        "a name of 500 characters": lambda s: s.rest("POST", "experiments/create", {"name": s.name.ljust(500, "x")})["status"],
        "a name of 501 characters": lambda s: s.rest("POST", "experiments/create", {"name": s.name.ljust(501, "x")}),
        "get an unknown one": lambda s: s.client.get_experiment("99999999"),
        "get one whose id is no number": lambda s: s.rest("GET", "experiments/get", params={"experiment_id": "abc"}),
        "get without an id": lambda s: s.rest("GET", "experiments/get"),
        "get by an unknown name": lambda s: s.rest("GET", "experiments/get-by-name", params={"experiment_name": "no such"}),
        "get by name without a name": lambda s: s.rest("GET", "experiments/get-by-name"),
        "delete an unknown one": lambda s: s.client.delete_experiment("99999999"),
        "restore an unknown one": lambda s: s.client.restore_experiment("99999999"),
        "rename an unknown one": lambda s: s.client.rename_experiment("99999999", "x"),
        "rename without a new name": lambda s: s.rest("POST", "experiments/update", {"experiment_id": s.experiment()}),
        "a tag of an unknown one": lambda s: s.client.set_experiment_tag("99999999", "a", "1"),
        "a tag without a key": lambda s: s.rest("POST", "experiments/set-experiment-tag", {"experiment_id": s.experiment(), "value": "1"}),
        "a tag key of 251 characters": lambda s: s.rest("POST", "experiments/set-experiment-tag", {"experiment_id": s.experiment(), "key": "k" * 251, "value": "1"}),
        "a tag value of 5001 characters": lambda s: s.rest("POST", "experiments/set-experiment-tag", {"experiment_id": s.experiment(), "key": "k", "value": "v" * 5001}),
    },
)

S = "search experiments"


def _some(s):
    def make():
        names = [f"se-{s.label}-iris", f"se-{s.label}-Iris", f"se-{s.label}-abalone", f"se-{s.label}-wine 50%"]
        for index, name in enumerate(names):
            s.client.create_experiment(name, tags={"team": "ab"[index % 2], "quoted key": "it's", **({"only": "one"} if index == 2 else {})})
        return f"name LIKE 'se-{s.label}-%'"

    return s.shared("experiments", make)


def _found(filter_string, **options):
    def run(s):
        every = _some(s)
        options.setdefault("order_by", ["name ASC"])
        both = f"{every} AND {filter_string.format(p='se-' + s.label)}" if filter_string else every
        return [e.name for e in s.client.search_experiments(filter_string=both, **options)]

    return run


table(
    S,
    {
        name: _found(name)
        for name in [
            "",
            "name = '{p}-iris'",
            "name != '{p}-iris'",
            "name LIKE '%iris'",
            "name ILIKE '%IRIS'",
            "name LIKE '%50\\%'",
            "attribute.name = '{p}-iris'",
            "attr.name = '{p}-iris'",
            "tags.team = 'a'",
            "tags.team != 'a'",
            "tag.team LIKE 'A'",
            "tags.team ILIKE 'A'",
            "tags.`quoted key` LIKE '%s'",
            'tags."quoted key" != \'x\'',
            "tags.only = 'one'",
            "tags.only != 'two'",
            "tags.only IS NULL",
            "tags.only IS NOT NULL",
            "creation_time > 0",
            "last_update_time >= 0 AND creation_time < 1",
            "name IN ('{p}-iris', '{p}-abalone')",
            "tags.team IN ('a')",
            "name > 'a'",
            "metrics.x > 1",
            "nonsense = 'a'",
            "name == 'a'",
            "name = a",
            "name = 'a' OR name = 'b'",
            "creation_time = 'x'",
            "tags.team = 5",
        ]
    },
)

table(
    S,
    {
        "order by name DESC": _found("", order_by=["name DESC"]),
        "order by creation_time ASC": _found("", order_by=["creation_time ASC"]),
        "order by experiment_id DESC": _found("", order_by=["experiment_id DESC"]),
        "order by last_update_time": _found("", order_by=["last_update_time ASC", "name ASC"]),
        "order by what it has not": _found("", order_by=["size"]),
        "order by a tag": _found("", order_by=["tags.team"]),
        "order by name SIDEWAYS": _found("", order_by=["name SIDEWAYS"]),
        "max_results 0": lambda s: s.rest("POST", "experiments/search", {"max_results": 0}),
        "max_results -1": lambda s: s.rest("POST", "experiments/search", {"max_results": -1}),
        "max_results 50001": lambda s: s.rest("POST", "experiments/search", {"max_results": 50001}),
        "max_results of letters": lambda s: s.rest("POST", "experiments/search", {"max_results": "many"}),
        "a page token of nonsense": lambda s: s.rest("POST", "experiments/search", {"max_results": 1, "page_token": "nonsense"})["status"],
        "an unknown view type": lambda s: s.rest("POST", "experiments/search", {"max_results": 1, "view_type": "SOME"}),
    },
)


@scenario(S, "page by page to the end")
def _(s):
    every, pages, token = _some(s), [], None
    while True:
        page = s.client.search_experiments(filter_string=every, max_results=3, order_by=["name ASC"], page_token=token)
        pages.append([e.name for e in page])
        token = page.token
        if not token:
            return pages


@scenario(S, "GET answers as POST does")
def _(s):
    every = _some(s)
    answer = s.rest("GET", "experiments/search", params={"max_results": 2, "filter": every, "order_by": ["name ASC"]})
    return [e["name"] for e in answer["body"]["experiments"]] + [answer["status"], "next_page_token" in answer["body"]]


@scenario(S, "without max_results")
def _(s):
    every = _some(s)
    return s.rest("GET", "experiments/search", params={"filter": every})["status"]


@scenario(S, "nothing found is an empty object")
def _(s):
    return s.rest("POST", "experiments/search", {"max_results": 5, "filter": "name = 'no such'"})
