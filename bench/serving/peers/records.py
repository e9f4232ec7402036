"""The request of /predict as pydantic checks it: `{"samples": [{feature: number}]}`."""

from pydantic import BaseModel, create_model

from model import FEATURES

Sample = create_model("Sample", **{name: (float, ...) for name in FEATURES})


class Body(BaseModel):
    samples: list[Sample]
