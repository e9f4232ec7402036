"""Asks a server through unmodified clients and prints, as one JSON object, what they made of the answers.

Usage: ask_clients.py <url of the iris model> <url of the model with a column of every type>
"""

import asyncio
import json
import sys

import numpy as np
import tritonclient.http as triton
from kserve import InferenceRESTClient, InferInput, InferRequest
from kserve.inference_client import RESTConfig
from kserve.protocol.infer_type import RequestedOutput

IRIS, TYPES = sys.argv[1], sys.argv[2]
FLOWERS = np.array([[5.1, 3.5, 1.4, 0.2], [6.0, 2.7, 5.1, 1.6], [7.7, 3.8, 6.7, 2.2]], dtype=np.float32)

COLUMNS = {
    "float16": ("FP16", np.array([1.5, -65504], dtype=np.float16)),
    "float32": ("FP32", np.array([0.1, -3e38], dtype=np.float32)),
    "float64": ("FP64", np.array([0.1, 1e300], dtype=np.float64)),
    "int8": ("INT8", np.array([-128, 127], dtype=np.int8)),
    "int16": ("INT16", np.array([-(2**15), 2**15 - 1], dtype=np.int16)),
    "int32": ("INT32", np.array([-(2**31), 2**31 - 1], dtype=np.int32)),
    "int64": ("INT64", np.array([-(2**63), 2**63 - 1], dtype=np.int64)),
    "uint8": ("UINT8", np.array([0, 255], dtype=np.uint8)),
    "uint16": ("UINT16", np.array([0, 2**16 - 1], dtype=np.uint16)),
    "uint32": ("UINT32", np.array([0, 2**32 - 1], dtype=np.uint32)),
    "uint64": ("UINT64", np.array([0, 2**64 - 1], dtype=np.uint64)),
    "bool": ("BOOL", np.array([True, False], dtype=np.bool_)),
    "string": ("BYTES", np.array(["grün".encode(), b""], dtype=np.object_)),
}


def shown(values):
    """Integers as text: JavaScript would round them."""
    return [one(value) for value in np.asarray(values).flatten().tolist()]


def one(value):
    if isinstance(value, bytes):
        return value.decode()
    return str(value) if isinstance(value, int) else value


def failure(work):
    try:
        work()
        return None
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def client_of(url):
    return triton.InferenceServerClient(url.removeprefix("http://"))


def flowers(binary):
    tensor = triton.InferInput("features", list(FLOWERS.shape), "FP32")
    tensor.set_data_from_numpy(FLOWERS, binary_data=binary)
    return [tensor]


def iris_by_triton(client):
    told = {
        "live": client.is_server_live(),
        "ready": client.is_server_ready(),
        "model ready": client.is_model_ready("iris"),
        "version ready": client.is_model_ready("iris", "2"),
        "other version ready": client.is_model_ready("iris", "3"),
        "other model ready": client.is_model_ready("other"),
        "server": client.get_server_metadata(),
        "model": client.get_model_metadata("iris"),
        "version": client.get_model_metadata("iris", "2"),
        "index": client.get_model_repository_index(),
        "load": failure(lambda: client.load_model("iris")),
        "unload": failure(lambda: client.unload_model("iris")),
        "infer": [],
    }
    for binary_in in (True, False):
        for binary_out in (True, False, None):
            for version in ("", "2"):
                outputs = None
                if binary_out is not None:
                    outputs = [triton.InferRequestedOutput(n, binary_data=binary_out) for n in ("probabilities", "label")]
                result = client.infer("iris", flowers(binary_in), model_version=version, outputs=outputs, request_id="r-7")
                response = result.get_response()
                told["infer"].append(
                    {
                        "how": [binary_in, binary_out, version],
                        "id": response["id"],
                        "version": response["model_version"],
                        "names": [output["name"] for output in response["outputs"]],
                        "label": shown(result.as_numpy("label")),
                        "probabilities": result.as_numpy("probabilities").tolist(),
                    }
                )
    top = [triton.InferRequestedOutput("probabilities", class_count=2)]
    told["top"] = [text.decode() for text in client.infer("iris", flowers(True), outputs=top).as_numpy("probabilities").flatten()]
    return told


def errors_by_triton(client):
    def ask(values, shape=None, datatype="FP32", name="features", model="iris", version=""):
        tensor = triton.InferInput(name, list(shape or values.shape), datatype)
        tensor.set_data_from_numpy(values)
        return failure(lambda: client.infer(model, [tensor], model_version=version))

    return {
        "not finite": ask(np.array([[1, 2, np.nan, 4]], dtype=np.float32)),
        "shape": ask(np.zeros((1, 5), dtype=np.float32)),
        "datatype": ask(np.zeros((1, 4), dtype=np.float64), datatype="FP64"),
        "name": ask(np.zeros((1, 4), dtype=np.float32), name="other"),
        "rows": ask(np.zeros((5000, 4), dtype=np.float32)),
        "model": ask(FLOWERS, model="other"),
        "version": ask(FLOWERS, version="3"),
        "output": failure(lambda: client.infer("iris", flowers(True), outputs=[triton.InferRequestedOutput("other")])),
        "config": failure(lambda: client.get_model_config("iris")),
    }


def types_by_triton(client, binary):
    inputs = []
    for name, (datatype, values) in COLUMNS.items():
        tensor = triton.InferInput(name, [2], datatype)
        tensor.set_data_from_numpy(values, binary_data=binary or datatype == "FP16")
        inputs.append(tensor)
    outputs = [
        triton.InferRequestedOutput(f"{name}_out", binary_data=binary or datatype == "FP16")
        for name, (datatype, _) in COLUMNS.items()
    ]
    result = client.infer("iris", inputs, outputs=outputs)
    return {
        name: [shown(result.as_numpy(f"{name}_out")), result.as_numpy(f"{name}_out").dtype.name]
        for name in COLUMNS
    }


async def by_kserve(protocol):
    client = InferenceRESTClient(RESTConfig(protocol=protocol))
    told = {"ready": await client.is_model_ready(IRIS, "iris")}
    if protocol == "v2":
        told["live"] = await client.is_server_live(IRIS)
        told["server ready"] = await client.is_server_ready(IRIS)
        for binary in (True, False):
            tensor = InferInput("features", list(FLOWERS.shape), "FP32")
            tensor.set_data_from_numpy(FLOWERS, binary_data=binary)
            outputs = [RequestedOutput(name, parameters={"binary_data": binary}) for name in ("label", "probabilities")]
            request = InferRequest("iris", [tensor], request_id="k-1", request_outputs=outputs)
            response = await client.infer(IRIS, request, model_name="iris")
            told["binary" if binary else "json"] = {
                "id": response.id,
                "label": shown(response.outputs[0].as_numpy()),
                "probabilities": response.outputs[1].as_numpy().tolist(),
            }
        bad = InferInput("features", [1, 5], "FP32")
        bad.set_data_from_numpy(np.zeros((1, 5), dtype=np.float32), binary_data=True)
        try:
            await client.infer(IRIS, InferRequest("iris", [bad]), model_name="iris")
        except Exception as error:
            told["error"] = f"{type(error).__name__}: {error}"
    else:
        told["answer"] = await client.infer(IRIS, {"instances": FLOWERS.tolist()}, model_name="iris")
        try:
            await client.infer(IRIS, {"instances": [[1, 2]]}, model_name="iris")
        except Exception as error:
            told["error"] = f"{type(error).__name__}: {error}"
    await client.close()
    return told


def main():
    iris, types = client_of(IRIS), client_of(TYPES)
    print(
        json.dumps(
            {
                "iris": iris_by_triton(iris),
                "errors": errors_by_triton(iris),
                "sent": {name: shown(values) for name, (_, values) in COLUMNS.items()},
                "binary": types_by_triton(types, True),
                "json": types_by_triton(types, False),
                "v2": asyncio.run(by_kserve("v2")),
                "v1": asyncio.run(by_kserve("v1")),
            }
        )
    )


main()
