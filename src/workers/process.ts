/** A worker process: the same Node with the same flags, a private channel, and its output as lines through us. */
import { type ChildProcess, fork } from 'node:child_process';
import type { Socket } from 'node:net';
import { LineRelay } from './line-relay.ts';
import type { ToPrimary, ToWorker } from './messages.ts';

export interface WorkerProcess {
  readonly pid: number;
  /** In order; to a process that is gone, nothing. A socket is the worker's from then on. */
  send(message: ToWorker, socket?: Socket): void;
  /** At once, whatever it is doing. */
  kill(): void;
}

export interface WorkerEvents {
  onMessage(message: ToPrimary): void;
  /** Once, also when it could not be started. `how`: `exit code 1`, `signal SIGKILL`. */
  onExit(how: string): void;
}

/** Makes a worker process. */
export type StartProcess = (events: WorkerEvents) => WorkerProcess;

/** Takes whole lines; false: dropped. */
type TakeLines = (lines: string) => boolean;

/** The descriptor that `sharedFile` has in the worker. */
export const SHARED_FILE = 4;

export interface StartOptions {
  /** The module that it runs. */
  readonly entry: string;
  /** What becomes of the lines on its stdout and stderr. */
  readonly output: { readonly stdout: TakeLines; readonly stderr: TakeLines };
  /** A descriptor that it gets as well, or null. */
  readonly sharedFile: number | null;
}

export function startProcess(
  { entry, output, sharedFile }: StartOptions,
  events: WorkerEvents,
): WorkerProcess {
  const child = tryFork(entry, sharedFile);
  if (child instanceof Error) {
    setImmediate(() => events.onExit(child.message));
    return { pid: 0, send: (_message, socket) => socket?.destroy(), kill: () => {} };
  }
  relay(child.stdout, output.stdout);
  relay(child.stderr, output.stderr);
  let isGone = false;
  const end = (how: string): void => {
    if (isGone) return;
    isGone = true;
    events.onExit(how);
  };
  child.on('message', (message) => events.onMessage(message as ToPrimary));
  // Not 'exit', which may come before the last lines of its output.
  child.on('close', (code, signal) => end(signal === null ? `exit code ${code}` : `signal ${signal}`));
  child.on('error', (error) => {
    if (child.pid === undefined) end(error.message);
  });
  return {
    pid: child.pid ?? 0,
    send: (message, socket) => send(child, message, socket),
    kill: () => void child.kill('SIGKILL'),
  };
}

/** Some of what the system may say to a start is thrown, and some comes as an event. */
function tryFork(entry: string, sharedFile: number | null): ChildProcess | Error {
  try {
    return fork(entry, [], {
      serialization: 'advanced',
      stdio: ['ignore', 'pipe', 'pipe', 'ipc', sharedFile ?? 'ignore'],
      // Two processes cannot have one inspector's port.
      execArgv: process.execArgv.filter((flag) => !flag.startsWith('--inspect')),
    });
  } catch (error) {
    return error as Error;
  }
}

function send(child: ChildProcess, message: ToWorker, socket: Socket | undefined): void {
  // The callback takes the error of a channel that is closed; the exit says the rest.
  const done = (error: Error | null): void => {
    if (error !== null) socket?.destroy();
  };
  if (!child.connected) socket?.destroy();
  else if (socket === undefined) child.send(message, done);
  else child.send(message, socket, { keepOpen: false }, done);
}

function relay(stream: NodeJS.ReadableStream | null, take: TakeLines): void {
  const lines = new LineRelay(take);
  stream?.on('data', (chunk: Buffer) => lines.receive(chunk));
  stream?.on('end', () => lines.end());
}
