/** The registry's own version, as in package.json (a test compares them). */
export const VERSION = '0.1.0';

/**
 * What `/version` says, which is for MLflow's clients: they compare it with releases of MLflow to know what a server can
 * do. 3.3 is the last whose clients and servers do without traces over OpenTelemetry (3.4 brought them), which are not
 * answered here.
 */
export const MLFLOW_VERSION = '3.3.2';
