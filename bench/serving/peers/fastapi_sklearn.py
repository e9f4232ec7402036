"""FastAPI + scikit-learn, as its documentation would have it. `async def`: a thread pool only costs where one processor serves."""

from fastapi import FastAPI
from fastapi.responses import JSONResponse

from model import answer, array, estimator
from records import Body

app = FastAPI()
model = estimator()


@app.get("/health")
async def health():
    return {"status": "ok"}


# An answer that is a Response already is not checked and copied by FastAPI once more, which for long lists costs a lot.
@app.post("/predict")
async def predict(body: Body):
    return JSONResponse(answer(model.predict(array(body.samples))))
