/** What a request shows of who sends it. Pure. */

export type Credentials =
  | { readonly kind: 'token'; readonly token: string }
  | { readonly kind: 'password'; readonly username: string; readonly password: string };

const BEARER = /^bearer +(\S+) *$/i;
const BASIC = /^basic +([A-Za-z0-9+/=_-]+) *$/i;

/** An Authorization header as MLflow's clients send it (MLFLOW_TRACKING_TOKEN, or …_USERNAME and …_PASSWORD); undefined for none and for another scheme. */
export function credentialsOf(header: string | undefined): Credentials | undefined {
  if (header === undefined) return undefined;
  const token = BEARER.exec(header)?.[1];
  if (token !== undefined) return { kind: 'token', token };
  const pair = Buffer.from(BASIC.exec(header)?.[1] ?? '', 'base64').toString('utf8');
  const colon = pair.indexOf(':');
  if (colon < 0) return undefined;
  return { kind: 'password', username: pair.slice(0, colon), password: pair.slice(colon + 1) };
}

/** The token of either form: a client that knows only user names and passwords sends its token as the password. */
export const tokenOf = (credentials: Credentials): string =>
  credentials.kind === 'token' ? credentials.token : credentials.password;
