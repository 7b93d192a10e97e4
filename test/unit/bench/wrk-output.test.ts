import { expect, test } from 'vitest';
import { parseWrk } from '../../../bench/support/wrk-output.ts';

test('wrk’s report is read, with the units it writes', () => {
  const text = `Running 2s test @ http://127.0.0.1:9500/api/items
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.51ms  310.00us  12.01ms   93.12%
    Req/Sec    42.71k     1.02k   44.10k    85.00%
  85012 requests in 2.00s, 21.50MB read
Requests/sec:  42493.11
Transfer/sec:     10.75MB
`;
  expect(parseWrk(text)).toEqual({ requests: 85012, bytesRead: 21.5 * 1024 * 1024, errors: 0 });
  expect(parseWrk('  3 requests in 1.01s, 1.02GB read\n').bytesRead).toBe(1.02 * 1024 ** 3);
  expect(parseWrk('  3 requests in 1.01s, 640.00B read\n').bytesRead).toBe(640);
});

test('refused answers and broken connections are errors', () => {
  const text = `  100 requests in 1.00s, 1.00KB read
  Socket errors: connect 1, read 2, write 3, timeout 4
  Non-2xx or 3xx responses: 50
`;
  expect(parseWrk(text).errors).toBe(60);
});

test('a report that is not there is no request', () => {
  expect(parseWrk('unable to connect to 127.0.0.1:9500 Connection refused\n')).toEqual({
    requests: 0,
    bytesRead: 0,
    errors: 0,
  });
});
