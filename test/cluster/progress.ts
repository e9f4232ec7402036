const started = Date.now();

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)}s`;
}

/** One line for people, with the time since the start. It goes to stderr, so that stdout carries results only. */
export function say(line: string): void {
  process.stderr.write(`[${seconds(Date.now() - started).padStart(7)}] ${line}\n`);
}

/** Does `work` and says afterwards that it is done and how long it took. A `hint` is said at once, for work that is slow. */
export async function step<T>(title: string, work: () => Promise<T>, hint?: string): Promise<T> {
  const begun = Date.now();
  if (hint) say(`${title}: ${hint}`);
  try {
    const result = await work();
    say(`${title}: done in ${seconds(Date.now() - begun)}`);
    return result;
  } catch (error) {
    say(`${title}: FAILED after ${seconds(Date.now() - begun)}`);
    throw error;
  }
}
