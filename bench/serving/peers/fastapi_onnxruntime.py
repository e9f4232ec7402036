"""FastAPI + onnxruntime: only the class is asked of the model, as only it is answered."""

import numpy as np
from fastapi import FastAPI
from fastapi.responses import JSONResponse

from model import FACTS, answer, array, session
from records import Body

app = FastAPI()
model = session()
label = [FACTS["outputs"][0]]


@app.get("/health")
async def health():
    return {"status": "ok"}


@app.post("/predict")
async def predict(body: Body):
    (classes,) = model.run(label, {"features": array(body.samples, np.float32)})
    return JSONResponse(answer(classes))
