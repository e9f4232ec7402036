/** Graphs that say in several operators what one kernel does. */
import type { Graph } from './graph.ts';

/** The graph as it is to be computed. */
export const fuseTables = (graph: Graph): Graph => graph;
