/**
 * How long a request may take, as its fields say it: `grpc-timeout` (the gRPC protocol over HTTP/2, "Timeout"), and a
 * field of one's own choice, in milliseconds or with a unit. Pure.
 */

/** The units of `grpc-timeout` in milliseconds. */
const GRPC_UNITS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 0.001,
  n: 0.000_001,
};

/** The largest number of 8 digits. */
const GRPC_MAX = 99_999_999;

/** Milliseconds, with a fraction; null: it is malformed. At most 8 digits and a unit. */
export function readGrpcTimeout(value: string): number | null {
  const match = /^([0-9]{1,8})([HMSmun])$/.exec(value);
  return match === null ? null : Number(match[1]) * GRPC_UNITS[match[2]!]!;
}

/** `leftMs` (not negative) as `grpc-timeout`, never longer than that, in the finest unit that has room for it. */
export function writeGrpcTimeout(leftMs: number): string {
  for (const unit of ['u', 'm', 'S', 'M'] as const) {
    const count = Math.floor(leftMs / GRPC_UNITS[unit]!);
    if (count <= GRPC_MAX) return `${count}${unit}`;
  }
  return `${Math.min(GRPC_MAX, Math.floor(leftMs / GRPC_UNITS.H!))}H`;
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/**
 * Milliseconds of `1500` (milliseconds, as Envoy's fields have it), `1500ms` or `1.5s`; 0: no limit; null: it is
 * malformed. At most 9 digits before the point.
 */
export function readTimeout(value: string): number | null {
  const match = /^([0-9]{1,9}(?:\.[0-9]{1,6})?)(ms|s|m|h)?$/.exec(value);
  if (match === null) return null;
  return Number(match[1]) * (match[2] === undefined ? 1 : UNITS[match[2]]!);
}

/** `leftMs` (not negative) in the form that `like` has, in whole milliseconds; a rest of less than one is one. */
export function writeTimeout(leftMs: number, like: string): string {
  const text = String(Math.max(1, Math.floor(leftMs)));
  return /[a-z]$/.test(like) ? `${text}ms` : text;
}
