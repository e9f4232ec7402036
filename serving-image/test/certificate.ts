/** Self-signed certificates for tests, written as DER by hand: no program and no package is needed. */
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';

export interface TestPair {
  readonly cert: string;
  readonly key: string;
}

const der = (tag: number, ...parts: readonly Buffer[]): Buffer => {
  const body = Buffer.concat(parts);
  const { length } = body;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([tag, ...size]), body]);
};
const sequence = (...parts: readonly Buffer[]): Buffer => der(0x30, ...parts);
const octets = (part: Buffer): Buffer => der(0x04, part);
const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

const ECDSA_WITH_SHA256 = sequence(der(0x06, hex('2a 86 48 ce 3d 04 03 02')));
const COMMON_NAME = der(0x06, hex('55 04 03'));
const SUBJECT_ALT_NAME = der(0x06, hex('55 1d 11'));
const BASIC_CONSTRAINTS = der(0x06, hex('55 1d 13'));
const TRUE = der(0x01, Buffer.from([0xff]));

const time = (date: Date): Buffer =>
  der(0x17, Buffer.from(`${date.toISOString().slice(2, 19).replaceAll(/[-T:]/g, '')}Z`));

/** A pair for localhost, 127.0.0.1 and the given names, which is its own authority. */
export function certificate(
  commonName: string,
  { names = [], expires = new Date(Date.now() + 86_400_000) }: { names?: readonly string[]; expires?: Date } = {},
): TestPair {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const name = sequence(der(0x31, sequence(COMMON_NAME, der(0x0c, Buffer.from(commonName)))));
  const dns = ['localhost', ...names].map((text) => der(0x82, Buffer.from(text)));
  const extensions = sequence(
    sequence(SUBJECT_ALT_NAME, octets(sequence(...dns, der(0x87, Buffer.from([127, 0, 0, 1]))))),
    sequence(BASIC_CONSTRAINTS, TRUE, octets(sequence(TRUE))),
  );
  const signed = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.from([1]), randomBytes(8)),
    ECDSA_WITH_SHA256,
    name,
    sequence(time(new Date(Math.min(Date.now(), expires.getTime()) - 86_400_000)), time(expires)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, extensions),
  );
  const signature = der(0x03, Buffer.from([0]), sign('sha256', signed, privateKey));
  const text = sequence(signed, ECDSA_WITH_SHA256, signature).toString('base64').replaceAll(/.{64}/g, '$&\n');
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
  };
}
