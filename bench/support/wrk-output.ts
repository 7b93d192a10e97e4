/** What wrk 4 prints, as numbers. Pure. */

export interface WrkResult {
  readonly requests: number;
  /** Of answers, heads included. */
  readonly bytesRead: number;
  /** Answers other than 2xx and 3xx, and connections that failed. */
  readonly errors: number;
}

const UNITS: Readonly<Record<string, number>> = { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3, T: 1024 ** 4 };

/** Reads what wrk 4 prints. */
export function parseWrk(text: string): WrkResult {
  const failed =
    /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text)?.slice(1) ?? [];
  const refused = Number(/Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1] ?? 0);
  const [, requests = '0', size = '0', unit = ''] =
    /(\d+) requests in [^,]+, ([\d.]+)([KMGT]?)B read/.exec(text) ?? [];
  return {
    requests: Number(requests),
    bytesRead: Number(size) * (UNITS[unit] ?? 1),
    errors: failed.reduce((sum, count) => sum + Number(count), refused),
  };
}
