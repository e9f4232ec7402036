"""
Converts folders one after the other, each in its own sandbox, with the libraries loaded once before: `convert_many.py
LIBRARIES FOLDER…`. The result is in `out` beside each folder's files; a line of JSON tells how each went.
"""

import json
import os
import sys
import warnings

warnings.simplefilter("ignore")


def main(libraries, *folders):
    """See above."""
    import lightgbm  # noqa: F401
    import onnxruntime  # noqa: F401
    import pandas  # noqa: F401
    import skl2onnx  # noqa: F401
    import sklearn.ensemble  # noqa: F401
    import xgboost  # noqa: F401
    from slipway_converter.__main__ import _convert
    from slipway_converter.outcome import ConversionFailed
    from slipway_converter.settings import Settings

    for folder in folders:
        output = f"{folder}-onnx"
        os.makedirs(output)
        try:
            message = _convert(Settings(folder, output, 240, None, libraries, "/dev/null"))
            told = {"folder": folder, "reason": "Converted", "message": message}
        except ConversionFailed as failed:
            told = {"folder": folder, "reason": failed.reason, "message": failed.message}
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
