/** The bundled Postgres, as its administrator: what the rows really say. */
import { connect } from '@slipway/database';
import { RELEASE_NAMESPACE } from './install.ts';
import { withPortForward } from './port-forward.ts';
import { secret } from './secret.ts';

/** The rows a query gives. */
export function rows<T>(sql: string, parameters: readonly unknown[] = []): Promise<T[]> {
  const { username = '', password = '', database = '' } = secret(RELEASE_NAMESPACE, 'slipway-postgres');
  return withPortForward(RELEASE_NAMESPACE, 'svc/slipway-postgres', 5432, async (url) => {
    const port = Number(new URL(url).port);
    const access = { host: '127.0.0.1', port, database, username, password, sslMode: 'disable' } as const;
    const pool = connect(access, { applicationName: 'e2e' });
    try {
      return (await pool.query(sql, [...parameters])).rows as T[];
    } finally {
      await pool.end();
    }
  });
}
