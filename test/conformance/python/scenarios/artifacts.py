import hashlib
import os

from harness import scenario, table

A = "artifacts"
PROXY = "/api/2.0/mlflow-artifacts/artifacts"


def _tree(s, run, path=None):
    found = []
    for entry in s.client.list_artifacts(run, path):
        found.append([entry.path, entry.is_dir, entry.file_size])
        if entry.is_dir:
            found += _tree(s, run, entry.path)
    return sorted(found)


def _place(s, run):
    """<experiment>/<run>/artifacts, as the proxy's paths begin."""
    info = s.client.get_run(run).info
    return f"{info.experiment_id}/{run}/artifacts"


@scenario(A, "one file, into the root and into a folder")
def _(s):
    run, folder = s.run(), s.folder()
    (folder / "a.txt").write_text("hello")
    s.client.log_artifact(run, str(folder / "a.txt"))
    s.client.log_artifact(run, str(folder / "a.txt"), "deep/er")
    return _tree(s, run)


@scenario(A, "a folder with folders")
def _(s):
    run, folder = s.run(), s.folder()
    for name in ["x.txt", "a/y.txt", "a/b/z.bin"]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    s.client.log_artifacts(run, str(folder))
    s.client.log_artifacts(run, str(folder), "under")
    return _tree(s, run)


@scenario(A, "text, dict, figure, image, table")
def _(s):
    import matplotlib.pyplot as plt
    import numpy
    import pandas

    run = s.run()
    s.client.log_text(run, "größe 模型", "notes/text.txt")
    s.client.log_dict(run, {"a": [1, 2]}, "data.json")
    s.client.log_dict(run, {"a": [1, 2]}, "data.yaml")
    figure, axes = plt.subplots()
    axes.plot([1, 2])
    s.client.log_figure(run, figure, "plots/figure.png")
    s.client.log_image(run, numpy.zeros((4, 4, 3), dtype=numpy.uint8), "image.png")
    s.client.log_table(run, pandas.DataFrame({"a": [1, 2]}), "table.json")
    tags = s.client.get_run(run).data.tags
    return [[[path, is_dir] for path, is_dir, _size in _tree(s, run)], tags.get("mlflow.loggedArtifacts")]


@scenario(A, "an image at a step")
def _(s):
    import numpy

    run = s.run()
    s.client.log_image(run, numpy.zeros((4, 4, 3), dtype=numpy.uint8), key="dogs", step=3)
    return [len(_tree(s, run)), s.client.get_run(run).data.tags.get("mlflow.loggedImages")]


@scenario(A, "what comes back is what was sent")
def _(s):
    run, folder = s.run(), s.folder()
    for name, content in {"empty": b"", "text.txt": "ä\n".encode(), "binary.bin": bytes(range(256)) * 50, "sub/deep/x.json": b"{}"}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    s.client.log_artifacts(run, str(folder))
    target = s.client.download_artifacts(run, "", str(s.folder()))
    back = {}
    for directory, _folders, files in os.walk(target):
        for name in files:
            path = os.path.join(directory, name)
            back[os.path.relpath(path, target)] = hashlib.sha256(open(path, "rb").read()).hexdigest()[:16]
    return [back, [[path, size] for path, is_dir, size in _tree(s, run) if not is_dir]]


@scenario(A, "one folder and one file are fetched")
def _(s):
    run = s.run()
    for path in ["a/1.txt", "a/b/2.txt", "c.txt"]:
        s.client.log_text(run, path, path)
    folder = s.client.download_artifacts(run, "a", str(s.folder()))
    single = s.client.download_artifacts(run, "a/b/2.txt", str(s.folder()))
    return [sorted(os.path.relpath(os.path.join(d, f), folder) for d, _x, fs in os.walk(folder) for f in fs), open(single).read()]


@scenario(A, "names of unicode, spaces and signs")
def _(s):
    run = s.run()
    names = ["größe.txt", "模型.txt", "with space.txt", "100%.txt", "a+b.txt", "a&b=c.txt", "#hash.txt", "it's.txt", "semi;colon.txt", "%41.txt", "🎉.txt", "ques?tion.txt", "(x) [y].txt"]
    answers = {name: s.attempt(s.client.log_text, run, name, name) for name in names}
    listed = sorted(entry.path for entry in s.client.list_artifacts(run))
    back = {}
    for name in names:
        got = s.attempt(s.client.download_artifacts, run, name, str(s.folder()))
        back[name] = open(got).read() == name if isinstance(got, str) else "refused"
    return [answers, listed, back]


@scenario(A, "overwritten by the same name")
def _(s):
    run = s.run()
    s.client.log_text(run, "before", "a.txt")
    s.client.log_text(run, "after, longer", "a.txt")
    return [open(s.client.download_artifacts(run, "a.txt", str(s.folder()))).read(), _tree(s, run)]


@scenario(A, "a hundred megabytes come back as they were")
def _(s):
    run, folder = s.run(), s.folder()
    digest = hashlib.sha256()
    with open(folder / "big.bin", "wb") as file:
        for block in range(100):
            content = hashlib.sha512(str(block).encode()).digest() * (1024 * 1024 // 64)
            digest.update(content)
            file.write(content)
    s.client.log_artifact(run, str(folder / "big.bin"))
    back = hashlib.sha256()
    with open(s.client.download_artifacts(run, "big.bin", str(s.folder())), "rb") as file:
        while block := file.read(1 << 20):
            back.update(block)
    return [_tree(s, run), digest.hexdigest() == back.hexdigest()]


@scenario(A, "hundreds of files in one folder are listed")
def _(s):
    run, folder = s.run(), s.folder()
    for index in range(250):
        (folder / f"{index:04}.txt").write_text("x")
    s.client.log_artifacts(run, str(folder), "many")
    return [len(s.client.list_artifacts(run, "many")), len(s.client.list_artifacts(run))]


@scenario(A, "of a deleted run are still there")
def _(s):
    run = s.run()
    s.client.log_text(run, "x", "a.txt")
    s.client.delete_run(run)
    return _tree(s, run)


@scenario(A, "artifacts/list on the wire")
def _(s):
    run = s.run()
    s.client.log_text(run, "x", "a.txt")
    s.client.log_text(run, "", "empty.txt")
    s.client.log_text(run, "x", "sub/b.txt")
    return [s.rest("GET", "artifacts/list", params={"run_id": run}), s.rest("GET", "artifacts/list", params={"run_id": run, "path": "sub"}), s.rest("GET", "artifacts/list", params={"run_id": run, "path": "a.txt"}), s.rest("GET", "artifacts/list", params={"run_id": run, "path": "none"})]


@scenario(A, "the proxy's list on the wire")
def _(s):
    run = s.run()
    s.client.log_text(run, "x", "a.txt")
    s.client.log_text(run, "x", "sub/b.txt")
    place = _place(s, run)
    return [s.rest("GET", PROXY, params={"path": f"{place}{below}"}) for below in ["", "/", "/sub", "/a.txt", "/none"]]


@scenario(A, "PUT, GET and DELETE on the wire")
def _(s):
    import requests

    run = s.run()
    url = f"{s.uri}{PROXY}/{_place(s, run)}/dir/a.json"
    put = requests.put(url, data=b'{"a":1}', headers={"Content-Type": "application/json"})
    got = requests.get(url)
    headers = {name: got.headers.get(name) for name in ["Content-Type", "Content-Length", "Content-Disposition", "X-Content-Type-Options", "Accept-Ranges"]}
    removed = requests.delete(url)
    gone = requests.get(url)
    return [put.status_code, put.text, got.status_code, got.text, headers, removed.status_code, removed.text, gone.status_code, gone.json().get("error_code")]


def _range(value):
    def run(s):
        import requests

        run = s.run()
        s.client.log_text(run, "0123456789", "a.txt")
        got = requests.get(f"{s.uri}{PROXY}/{_place(s, run)}/a.txt", headers={"Range": value})
        return [got.status_code, got.text if got.status_code < 300 else None, got.headers.get("Content-Range"), got.headers.get("Content-Length") if got.status_code < 300 else None]

    return run


table(A, {f"Range {value!r}": _range(value) for value in ["bytes=0-3", "bytes=4-", "bytes=-3", "bytes=0-0", "bytes=5-100", "bytes=100-", "bytes=3-1", "lines=1-2", "bytes=a-b"]})


def _type(name):
    def run(s):
        import requests

        run = s.run()
        url = f"{s.uri}{PROXY}/{_place(s, run)}/{name}"
        requests.put(url, data=b"{}")
        got = requests.get(url)
        return [got.headers.get("Content-Type"), got.headers.get("Content-Disposition")]

    return run


table(A, {f"content type of {name}": _type(name) for name in ["a.txt", "a.json", "a.yaml", "MLmodel", "a.png", "a.html", "a.pkl", "a.onnx", "noextension", "a.csv", "a.svg", "a.pdf", "a.js"]})


@scenario(A, "delete a folder by its path")
def _(s):
    run = s.run()
    s.client.log_text(run, "x", "sub/a.txt")
    s.client.log_text(run, "x", "sub2.txt")
    answer = s.rest("DELETE", f"{PROXY}/{_place(s, run)}/sub")
    return [answer["status"], _tree(s, run)]


@scenario(A, "delete what is not there")
def _(s):
    return s.rest("DELETE", f"{PROXY}/{_place(s, s.run())}/none.txt")


@scenario(A, "get what is not there")
def _(s):
    answer = s.rest("GET", f"{PROXY}/{_place(s, s.run())}/none.txt")
    return [answer["status"], answer["body"].get("error_code")]


@scenario(A, "a file through its model's folder and through the run's")
def _(s):
    import mlflow

    run = s.run()
    s.client.log_text(run, "x", "a/b.txt")
    return [open(mlflow.artifacts.download_artifacts(f"runs:/{run}/a/b.txt")).read(), mlflow.artifacts.load_text(f"{s.client.get_run(run).info.artifact_uri}/a/b.txt")]


@scenario(A, "list and get of a run that is not there")
def _(s):
    return [s.attempt(s.client.list_artifacts, "0" * 32), s.attempt(s.client.download_artifacts, "0" * 32, "a")]


@scenario(A, "a file that is not there is asked for by the client")
def _(s):
    answer = s.attempt(s.client.download_artifacts, s.run(), "none.txt", str(s.folder()))
    return isinstance(answer, dict)


for path in ["../x", "..%2fx", "%2e%2e/x", "%252e%252e%252fx", "/etc/passwd", "%2fetc%2fpasswd", "a/../../../x", "a//b", "a%00b", "..\\x", "file:%2f%2f%2fetc%2fpasswd", "./x", "a/%2e/b"]:

    def _forms(s, path=path):
        place = _place(s, s.run())
        return [
            s.literally("GET", f"{PROXY}/{place}/{path}"),
            s.literally("PUT", f"{PROXY}/{place}/{path}"),
            s.literally("GET", f"{PROXY}?path={path}"),
        ]

    scenario("bad paths", f"the proxy and {path}")(_forms)

    def _listed(s, path=path):
        return s.literally("GET", f"/api/2.0/mlflow/artifacts/list?run_id={s.run()}&path={path}")

    scenario("bad paths", f"artifacts/list and {path}")(_listed)

for path in ["../x", "/etc/passwd", "file:///etc/passwd", "a/../../b"]:
    scenario("bad paths", f"log_text to {path}")(lambda s, path=path: isinstance(s.attempt(s.client.log_text, s.run(), "x", path), dict))


@scenario(A, "list without a run")
def _(s):
    return s.rest("GET", "artifacts/list")


@scenario(A, "the root of all artifacts is not listed")
def _(s):
    return s.rest("GET", PROXY)["status"]
