/** The graph has something that is not compiled; the message says what, for people. */
export class NotCompiledError extends Error {
  override readonly name = 'NotCompiledError';
}
