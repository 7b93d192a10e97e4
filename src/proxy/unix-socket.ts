/** The file of a unix socket that is listened on: a process that died without closing it leaves it behind. */
import { lstatSync, type Stats, unlinkSync } from 'node:fs';
import { connect } from 'node:net';

/**
 * Removes a socket file that nobody listens on. One that answers stays, and so does what is no socket: binding then
 * fails, and says why.
 */
export async function removeStaleSocket(path: string): Promise<void> {
  const found = socketAt(path);
  if (found === null || !(await isDead(path))) return;
  // Another process that starts may have done the same and be listening already: then it is another file.
  if (socketAt(path)?.ino === found.ino) unlinkSync(path);
}

function socketAt(path: string): Stats | null {
  const found = lstatSync(path, { throwIfNoEntry: false });
  return found?.isSocket() ? found : null;
}

/** Only ECONNREFUSED says that nobody listens. */
function isDead(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(false);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'));
  });
}
