/** A run as a person at a terminal sees it. Pure but for what is handed in. */
import type { Metrics, Progress } from '@slipway/contract';
import type { Watcher } from './progress.ts';

const BAR = 24;

/** `1h 2m`, `3m 4s`, `5s`. */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole >= 3600) return `${Math.floor(whole / 3600)}h ${Math.floor((whole % 3600) / 60)}m`;
  return whole >= 60 ? `${Math.floor(whole / 60)}m ${whole % 60}s` : `${whole}s`;
}

const left = ({ etaSeconds }: Progress): string => (etaSeconds === undefined ? '' : `  ${duration(etaSeconds)} left`);

/** One line, drawn over and over; it is wiped when the run is done. */
export function progressBar(write: (text: string) => void, columns: () => number): Watcher {
  return {
    show: (progress) => {
      if (progress.percent === 100) {
        write('\r\u001b[K');
        return;
      }
      const filled = Math.round((progress.percent / 100) * BAR);
      const bar = `[${'#'.repeat(filled)}${'.'.repeat(BAR - filled)}]`;
      const line = `${bar} ${String(Math.floor(progress.percent)).padStart(3)}%${left(progress)}  ${progress.message}`;
      write(`\r\u001b[K${line.slice(0, columns() - 1)}`);
    },
  };
}

/** A line whenever another tenth is done, for what is no terminal. */
export function progressLines(write: (text: string) => void): Watcher {
  let told = 0;
  return {
    show: (progress) => {
      if (progress.percent < told + 10 || progress.percent === 100) return;
      told = Math.floor(progress.percent / 10) * 10;
      write(`${String(told).padStart(3)}%${left(progress)}  ${progress.message}\n`);
    },
  };
}

const shown = (value: number | undefined): string =>
  value === undefined ? '' : Number.isInteger(value) ? String(value) : value.toPrecision(5);

function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  const lines = rows.map((row) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join('  '),
  );
  return `${lines.map((line) => line.trimEnd()).join('\n')}\n`;
}

/** One line for each measure: on the training rows, on the validation rows, and across folds where there are some. */
export function metricsTable(metrics: Metrics): string {
  const measures = Object.keys(metrics).flatMap((name) => (name.startsWith('train_') ? [name.slice(6)] : []));
  const hasFolds = Object.keys(metrics).some((name) => name.startsWith('cv_'));
  const rows = measures.map((name) => [
    name,
    shown(metrics[`train_${name}`]),
    shown(metrics[`validation_${name}`]),
    ...(hasFolds && metrics[`cv_${name}_mean`] !== undefined
      ? [`${shown(metrics[`cv_${name}_mean`])} ± ${shown(metrics[`cv_${name}_std`])}`]
      : []),
  ]);
  return table([['', 'train', 'validation', ...(hasFolds ? ['folds'] : [])], ...rows]);
}

function size(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/** Every file with its size. */
export const filesTable = (files: readonly { readonly path: string; readonly bytes: number }[]): string =>
  table(files.map(({ path, bytes }) => [path, size(bytes)]));
