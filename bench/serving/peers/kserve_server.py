"""KServe's Python server with the model class of its scikit-learn image. Its two lines for each request are switched off."""

import logging
import os
import socket

import kserve
from kserve.utils.utils import get_predict_input, get_predict_response

from model import estimator


class SKLearnModel(kserve.Model):
    def load(self):
        self.model = estimator()
        self.ready = True
        return True

    def predict(self, payload, headers=None):
        return get_predict_response(payload, self.model.predict(get_predict_input(payload)), self.name)


def bind_to_loopback():
    """KServe binds 0.0.0.0 and has no option for another address."""
    bind = socket.socket.bind

    def on_loopback(self, address):
        if isinstance(address, tuple) and address[0] in ("", "0.0.0.0", "::"):
            address = ("127.0.0.1", *address[1:2])
        return bind(self, address)

    socket.socket.bind = on_loopback


if __name__ == "__main__":
    bind_to_loopback()
    model = SKLearnModel("bench")
    model.load()
    server = kserve.ModelServer(
        http_port=int(os.environ["PORT"]),
        enable_grpc=False,
        enable_docs_url=False,
        enable_latency_logging=False,
        access_log_format=None,
        workers=1,
    )
    logging.getLogger("uvicorn.access").disabled = True
    logging.getLogger("kserve.trace").disabled = True
    server.start([model])
