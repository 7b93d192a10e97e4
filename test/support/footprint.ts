/** What a process takes of the machine, read from /proc (Linux). */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** Resident bytes; 0 when it is gone. */
export function residentBytes(pid: number): number {
  try {
    const [, kibi = '0'] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1')) ?? [];
    return Number(kibi) * 1024;
  } catch {
    return 0;
  }
}

/** Open sockets; 0 when it is gone. */
export function socketCount(pid: number): number {
  let count = 0;
  try {
    for (const fd of readdirSync(`/proc/${pid}/fd`)) if (isSocket(`/proc/${pid}/fd/${fd}`)) count++;
  } catch {
    return count;
  }
  return count;
}

function isSocket(link: string): boolean {
  try {
    return readlinkSync(link).startsWith('socket:');
  } catch {
    return false;
  }
}
