/** Which addresses an https:// input may be fetched from: the public ones, and ranges the administrator names. */
import { BlockList, isIP } from 'node:net';

/** Both families are kept apart: a rule for IPv4 also matches IPv6 addresses that hold one, and the other way round. */
type Ranges = Readonly<Record<4 | 6, BlockList>>;

function rangesOf(cidrs: readonly string[]): Ranges {
  const ranges: Ranges = { 4: new BlockList(), 6: new BlockList() };
  for (const cidr of cidrs) {
    const [address = '', prefix = ''] = cidr.split('/');
    const family = isIP(address);
    if (family !== 4 && family !== 6) throw new RangeError(`${cidr}: expected an address range like 10.0.0.0/8`);
    if (!/^\d{1,3}$/.test(prefix) || Number(prefix) > (family === 4 ? 32 : 128)) {
      throw new RangeError(`${cidr}: expected an address range like 10.0.0.0/8`);
    }
    ranges[family].addSubnet(address, Number(prefix), family === 4 ? 'ipv4' : 'ipv6');
  }
  return ranges;
}

function isIn(ranges: Ranges, address: string): boolean {
  const family = isIP(address);
  return (family === 4 || family === 6) && ranges[family].check(address, family === 4 ? 'ipv4' : 'ipv6');
}

/**
 * What no setting opens: this host, link-local addresses and the metadata services of clouds (also as NAT64 spells them),
 * IPv4 inside IPv6.
 */
const NEVER = rangesOf([
  '0.0.0.0/8',
  '169.254.0.0/16',
  '100.100.100.200/32',
  '168.63.129.16/32',
  '192.0.0.192/32',
  '::/128',
  '::ffff:0:0/96',
  '64:ff9b::a9fe:0/112',
  '64:ff9b::6464:64c8/128',
  'fe80::/10',
  'fd00:ec2::/32',
  'fd20:ce::/32',
]);

/** IANA's special-purpose registries (RFC 6890 and its successors), multicast, and what is reserved. */
const NOT_PUBLIC_V4 = rangesOf([
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
]);
const GLOBAL_V6 = rangesOf(['2000::/3']);
/** Inside global unicast, but no host's own: protocol assignments (Teredo, ORCHID), documentation, 6to4. */
const NOT_PUBLIC_V6 = rangesOf(['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20']);

const isPublic = (address: string): boolean =>
  isIP(address) === 4
    ? !isIn(NOT_PUBLIC_V4, address)
    : isIP(address) === 6 && isIn(GLOBAL_V6, address) && !isIn(NOT_PUBLIC_V6, address);

/** True for an address that may be connected to. */
export type MayConnect = (address: string) => boolean;

/** Public addresses, and those in `cidrs`; never link-local ones or a metadata service. Throws RangeError for what is no range. */
export function mayConnectTo(cidrs: readonly string[]): MayConnect {
  const allowed = rangesOf(cidrs);
  return (address) => !isIn(NEVER, address) && (isPublic(address) || isIn(allowed, address));
}
