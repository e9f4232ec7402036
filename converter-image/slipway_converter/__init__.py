"""Turns an MLflow model folder that only Python can load into a proven ONNX model."""
