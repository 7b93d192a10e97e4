/**
 * A connection beyond a listener's limit, told so at once: the answer goes out before anything is read, and what the
 * client sends meanwhile is dropped, so that the answer is not lost to a reset. Bounded in time; the listener bounds
 * how many there are.
 */
import type { Socket } from 'node:net';
import { overloadAnswer } from './answer.ts';
import type { DataPlane } from './data-plane.ts';
import type { Timed } from './deadlines.ts';

/** How long a client may take to read its answer and go. */
const LINGER_MS = 1000;

export class TurnedAway implements Timed {
  deadlineMs: number;
  timedIndex = -1;
  readonly #socket: Socket;

  /** `onGone` is called once, when the socket is closed. */
  constructor(plane: DataPlane, socket: Socket, connectionsMax: number, onGone: (self: TurnedAway) => void) {
    this.#socket = socket;
    this.deadlineMs = plane.clock.now() + LINGER_MS;
    plane.deadlines.add(this);
    // 'close' follows every error and does the work.
    socket.on('error', () => {});
    socket.on('close', () => {
      plane.deadlines.remove(this);
      onGone(this);
    });
    socket.resume();
    socket.end(overloadAnswer(connectionsMax), 'latin1');
  }

  onDeadline(): void {
    this.destroy();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
