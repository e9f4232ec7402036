/** What a search asks for, after its text was parsed: one type per entity, in the names of MLflow's search grammar. */

export type TextComparator = '=' | '!=' | 'LIKE' | 'ILIKE';
export type NumberComparator = '=' | '!=' | '<' | '<=' | '>' | '>=';

/** What a field is compared with. */
export type Test =
  | { readonly kind: 'text'; readonly comparator: TextComparator; readonly value: string }
  | { readonly kind: 'number'; readonly comparator: NumberComparator; readonly value: number }
  | { readonly kind: 'list'; readonly comparator: 'IN' | 'NOT IN'; readonly values: readonly string[] }
  | { readonly kind: 'presence'; readonly comparator: 'IS NULL' | 'IS NOT NULL' };

/** One of the comparisons that must all hold. */
export interface Condition<Field> {
  readonly field: Field;
  readonly test: Test;
}

export interface Order<Field> {
  readonly field: Field;
  readonly ascending: boolean;
}

export interface Attribute<Key extends string> {
  readonly kind: 'attribute';
  readonly key: Key;
}
export interface Tag {
  readonly kind: 'tag';
  readonly key: string;
}
export interface Param {
  readonly kind: 'param';
  readonly key: string;
}
export interface Metric {
  readonly kind: 'metric';
  readonly key: string;
}

export type ViewType = 'ACTIVE_ONLY' | 'DELETED_ONLY' | 'ALL';

export type RunAttribute = 'run_id' | 'run_name' | 'user_id' | 'status' | 'artifact_uri' | 'start_time' | 'end_time';
export interface RunDataset {
  readonly kind: 'dataset';
  readonly key: 'name' | 'digest' | 'context';
}
export type RunField = Attribute<RunAttribute> | Metric | Param | Tag | RunDataset;
export interface RunQuery {
  /** Ids as clients name them; none finds nothing. */
  readonly experimentIds: readonly number[];
  readonly view: ViewType;
  readonly where: readonly Condition<RunField>[];
  readonly orderBy: readonly Order<Exclude<RunField, RunDataset>>[];
}

export type ExperimentAttribute = 'name' | 'experiment_id' | 'creation_time' | 'last_update_time';
export type ExperimentField = Attribute<ExperimentAttribute> | Tag;
export interface ExperimentQuery {
  readonly view: ViewType;
  readonly where: readonly Condition<ExperimentField>[];
  readonly orderBy: readonly Order<Attribute<ExperimentAttribute>>[];
}

export type ModelField = Attribute<'name'> | Tag;
export interface RegisteredModelQuery {
  readonly where: readonly Condition<ModelField>[];
  readonly orderBy: readonly Order<Attribute<'name' | 'last_updated_timestamp'>>[];
}

export type VersionAttribute = 'name' | 'version_number' | 'run_id' | 'source_path';
export type VersionOrderAttribute = 'name' | 'version_number' | 'creation_timestamp' | 'last_updated_timestamp';
export type VersionField = Attribute<VersionAttribute> | Tag;
export interface ModelVersionQuery {
  /** The bucket whose objects clients know as `mlflow-artifacts:/…`: a source is found by the name clients see. */
  readonly bucket: string;
  readonly where: readonly Condition<VersionField>[];
  readonly orderBy: readonly Order<Attribute<VersionOrderAttribute>>[];
}

export type LoggedModelAttribute =
  | 'model_id'
  | 'experiment_id'
  | 'name'
  | 'artifact_location'
  | 'status'
  | 'model_type'
  | 'source_run_id'
  | 'creation_timestamp_ms'
  | 'last_updated_timestamp_ms';
export type LoggedModelField = Attribute<LoggedModelAttribute> | Metric | Param | Tag;
export interface DatasetReference {
  readonly name: string;
  readonly digest?: string | undefined;
}
export interface LoggedModelQuery {
  readonly experimentIds: readonly number[];
  readonly where: readonly Condition<LoggedModelField>[];
  /** Metrics count only when they were logged for one of these; without a condition on metrics: models with any such metric. */
  readonly datasets: readonly DatasetReference[];
  readonly orderBy: readonly (Order<Attribute<LoggedModelAttribute> | Metric> & {
    /** The metric logged for this data set only. */
    readonly dataset?: Partial<DatasetReference> | undefined;
  })[];
}
