"""The conversion from the model's folder to four files, step by step."""

import resource
import sys
import time

import numpy as np

from .libraries import select, wanted
from .mlmodel import read_mlmodel
from .outcome import FORMAT_NOT_SERVABLE, PARITY_FAILED, ConversionFailed


# Of the rows, the part that may come to lie on the other side of a threshold when their numbers are rounded to 32 bits.
_MOST_BESIDE = 0.01


class Work:
    """One conversion; `stage` is told what goes on."""

    def __init__(self, settings, scratch, stage, started):
        self.settings = settings
        self.scratch = scratch
        self.stage = stage
        self.started = started

    def run(self):
        """Leaves the four files in the scratch folder; gives the message. Raises ConversionFailed."""
        self.mlmodel = read_mlmodel(self.settings.model_dir)
        self.wanted = wanted(self.mlmodel)
        self.libraries = select(self.settings.libraries_dir, self.wanted)
        self.stage("load")
        self._load()
        self.stage("convert")
        self._look()
        return self._try_layouts()

    def _load(self):
        from .boosters import BoosterModel, is_booster
        from .load import load_model

        model, _ = load_model(self.mlmodel)
        self.loaded = model
        _one_thread(model)
        self.model = BoosterModel(model) if is_booster(model) else model

    def _look(self):
        from .columns import columns_of, example_rows, width_of
        from .converters import impute_doubles, register_boosters, use_plain_distances
        from .knowledge import facts_of
        from .original import Original
        from .steps import check_steps

        register_boosters()
        use_plain_distances()
        impute_doubles()
        check_steps(self.model)
        self.facts = facts_of(self.model, width_of(self.model))
        names = getattr(getattr(self.model, "forest", None), "feature_names", ())
        self.columns = columns_of(self.model, self.mlmodel, self.facts, names)
        self.examples = example_rows(self.mlmodel, self.columns)
        self.original = Original(self.model, self.columns)
        self._probe()

    def _probe(self):
        """Finds out by asking which columns take missing values, and which take texts they do not know."""
        from .rows import draw

        row = draw(self.columns, self.facts, self.examples).take(np.array([-1]))
        self.unknown = set()
        self.missing = set()
        numeric = [i for i, column in enumerate(self.columns) if column.kind != "string"]
        every = _with(row, numeric, np.nan)
        if numeric and self.original.accepts(every):
            self.missing = set(numeric)
        elif len(numeric) <= 128:
            self.missing = {i for i in numeric if self.original.accepts(_with(row, [i], np.nan))}
        for i, column in enumerate(self.columns):
            column.optional = i in self.missing
            if column.kind == "string":
                self._probe_text(i, column, row)

    def _probe_text(self, i, column, row):
        if self.original.accepts(_with(row, [i], "slipway unknown category")):
            self.unknown.add(i)
        elif self.facts[i].categories is not None:
            column.categories = [value for value in self.facts[i].categories if isinstance(value, str)]

    def _try_layouts(self):
        from .convert import layouts

        failed = None
        for layout in layouts(self.columns, self.facts):
            try:
                return self._attempt(layout)
            except ConversionFailed as error:
                if error.reason not in (FORMAT_NOT_SERVABLE, PARITY_FAILED):
                    raise
                print(f"inputs {layout.name}: {error.reason}: {error.message}", file=sys.stderr)
                # A disagreement tells more than that another form could not be made.
                if failed is None or error.reason == PARITY_FAILED:
                    failed = error
        raise failed

    def _attempt(self, layout):
        from .convert import check_operators, convert, keep_outputs

        onnx_model = convert(self.model, layout)
        self.stage("proof")
        check_operators(onnx_model, self.model)
        outputs = [output.name for output in onnx_model.graph.output]
        try:
            table, expected, comparison = self._compared(layout, onnx_model, outputs, self.missing)
        except ConversionFailed as error:
            if error.reason != PARITY_FAILED or not self.missing:
                raise
            # It may be the missing values that ONNX sees otherwise: then a row has to have all its values.
            table, expected, comparison = self._compared(layout, onnx_model, outputs, set())
            for column in self.columns:
                column.optional = False
        if len(expected) < len(outputs):
            keep_outputs(onnx_model, set(expected))
        return self._write(layout, onnx_model, table, expected, comparison)

    def _compared(self, layout, onnx_model, outputs, missing):
        from .parity import compare, failure
        from .rows import draw

        drawn = draw(self.columns, self.facts, self.examples, self.unknown, missing)
        table = drawn if layout.is_double else drawn.rounded()
        expected = self.original.answers(table, outputs)
        given = _answers(onnx_model, outputs, layout.feed(table))
        comparison = compare(expected, given)
        if not comparison.agrees:
            raise failure(comparison, self.columns, table)
        if not layout.is_double:
            self._check_rounding(drawn, outputs, given)
        return table, expected, comparison

    def _check_rounding(self, drawn, outputs, given):
        """Clients send numbers with all their digits; a model that tells apart what 32 bits cannot is not served by those."""
        from .parity import compare, failure

        comparison = compare(self.original.answers(drawn, outputs), given)
        if comparison.bad.mean() > _MOST_BESIDE:
            raise failure(comparison, self.columns, drawn)

    def _write(self, layout, onnx_model, table, expected, comparison):
        from . import report
        from .parity import TOLERANCE
        from .steps import names_of_steps

        encoded = onnx_model.SerializeToString()
        with open(f"{self.scratch}/model.onnx", "wb") as file:
            file.write(encoded)
        rows = report.chosen_rows(comparison, len(self.examples), expected)
        report.write(self.scratch, "signature.json", report.signature(onnx_model, layout, self.original.classes))
        report.write(self.scratch, "examples.json", report.examples(self.columns, table, expected, rows))
        steps = names_of_steps(self.loaded)
        summary = self._summary(layout, onnx_model, comparison, steps)
        report.write(self.scratch, "conversion.json", summary)
        share = comparison.size * TOLERANCE
        return (
            f"{steps[0]} became ONNX with {layout.name} inputs; {comparison.rows} rows agree with Python "
            f"within {max(share, 1e-9):.0e} after {summary['seconds']} s"
        )

    def _summary(self, layout, onnx_model, comparison, steps):
        from .report import fitting, parity

        conf = self.mlmodel.conf
        return {
            "flavor": self.mlmodel.flavor,
            "format": fitting(conf.get("serialization_format") or conf.get("model_format") or "pickle"),
            "estimator": fitting(steps[0]),
            "steps": [fitting(step) for step in steps[1:1025]],
            "libraries": self._used(),
            "wanted": {library: fitting(version) for library, version in self.wanted.items()},
            "opset": max(entry.version for entry in onnx_model.opset_import if entry.domain == ""),
            "inputs": layout.name,
            "parity": parity(comparison),
            "seconds": round(time.monotonic() - self.started, 2),
            "peakMemory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        }

    def _used(self):
        """The libraries the model was loaded with, and those that converted it."""
        names = {"sklearn": "scikit-learn", "xgboost": "xgboost", "lightgbm": "lightgbm", "skl2onnx": "skl2onnx", "numpy": "numpy"}
        loaded = {name: sys.modules[module].__version__ for module, name in names.items() if module in sys.modules}
        return {name: str(version) for name, version in loaded.items()}


def _with(table, indexes, value):
    from .rows import Table

    arrays = [array.copy() for array in table.arrays]
    for i in indexes:
        arrays[i][:] = value
    return Table(arrays)


def _one_thread(model):
    """Processes cannot be started here, and threads would only fight for the processor."""
    try:
        names = [name for name in model.get_params(deep=True) if name == "n_jobs" or name.endswith("__n_jobs")]
        model.set_params(**dict.fromkeys(names, 1))
    except Exception:  # noqa: BLE001 - boosters and models of other people have no parameters
        return


def _answers(onnx_model, outputs, feeds):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(onnx_model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        given = session.run(None, feeds)
    except Exception as error:  # noqa: BLE001 - the runtime has many
        raise ConversionFailed(
            FORMAT_NOT_SERVABLE, f"the converted model cannot be run: {' '.join(str(error).split())[:300]}"
        ) from None
    return dict(zip(outputs, given, strict=True))
