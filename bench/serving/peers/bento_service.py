"""BentoML + scikit-learn: one worker, without its line for each request."""

import bentoml

from model import answer, array, estimator
from records import Sample


@bentoml.service(workers=1, logging={"access": {"enabled": False}}, metrics={"enabled": True}, tracing={"sample_rate": 0.0})
class Classifier:
    def __init__(self) -> None:
        self.model = estimator()

    @bentoml.api
    def predict(self, samples: list[Sample]) -> dict:
        return answer(self.model.predict(array(samples)))
