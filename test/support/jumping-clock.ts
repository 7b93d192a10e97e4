/**
 * Loaded into a process before its program: the wall clock of that process jumps to `now` plus the number in the file
 * FAIRLEAD_TEST_CLOCK at each SIGUSR2, as it does when somebody sets it or a virtual machine wakes up.
 */
import { readFileSync, writeFileSync } from 'node:fs';

const file = process.env.FAIRLEAD_TEST_CLOCK!;
const RealDate = Date;
let offsetMs = 0;

globalThis.Date = new Proxy(RealDate, {
  construct: (_, args: []) =>
    args.length === 0 ? new RealDate(RealDate.now() + offsetMs) : new RealDate(...args),
  get: (target, key) => (key === 'now' ? () => RealDate.now() + offsetMs : Reflect.get(target, key)),
});

process.on('SIGUSR2', () => {
  offsetMs = Number(readFileSync(file, 'utf8'));
  writeFileSync(`${file}.done`, String(offsetMs));
});
