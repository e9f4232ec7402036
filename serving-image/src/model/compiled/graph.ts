/** A graph as the compiler sees it: nodes in an order in which they can be computed, with everything they carry in memory. */
import type { Tensor, TensorType } from '../tensor.ts';
import type { Ensemble } from './tree-ensemble.ts';

/** What a node says beside its inputs; each kind under its own name, as ONNX has them. */
export interface Attribute {
  readonly float?: number;
  readonly int?: number;
  readonly text?: string;
  readonly tensor?: Tensor;
  readonly floats?: Float32Array;
  /** Whole numbers that a double holds exactly. */
  readonly ints?: Float64Array;
  readonly texts?: readonly string[];
}

export interface GraphNode {
  /** With its domain: `ai.onnx.ml.Scaler`. */
  readonly operator: string;
  /** Of its operator set. */
  readonly version: number;
  /** `''` stands for one that is left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, Attribute>;
  /** Of a tree operator in a graph that was prepared. */
  readonly trees?: Ensemble;
}

/** `dims` are absent where the file does not say them; -1 stands for an open size. */
export interface GraphInput {
  readonly name: string;
  readonly type: TensorType;
  readonly dims: readonly number[] | undefined;
}

export interface Graph {
  readonly inputs: readonly GraphInput[];
  readonly outputs: readonly string[];
  readonly constants: ReadonlyMap<string, Tensor>;
  readonly nodes: readonly GraphNode[];
}
