/** A process of the cluster did not do its part; its log tells why. */
export class ProcessFailed extends Error {
  override readonly name = 'ProcessFailed';
  readonly process: string;

  constructor(process: string, complaint: string) {
    super(`${process} ${complaint}`);
    this.process = process;
  }
}

/** The cluster was started, but its node did not become usable in time. */
export class NotReady extends Error {
  override readonly name = 'NotReady';
}
