"""LitServe + scikit-learn: one API server and one worker, which is the least it can run with."""

import os

import litserve

from model import answer, array, estimator
from records import Body


class Classifier(litserve.LitAPI):
    def setup(self, device):
        self.model = estimator()

    def decode_request(self, request: Body):
        return array(request.samples)

    def predict(self, rows):
        return self.model.predict(rows)

    def encode_response(self, classes):
        return answer(classes)


if __name__ == "__main__":
    server = litserve.LitServer(Classifier(), accelerator="cpu", workers_per_device=1)
    server.run(
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        num_api_servers=1,
        generate_client_file=False,
        log_level="warning",
    )
