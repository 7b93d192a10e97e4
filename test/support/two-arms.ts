/** A plane with a control and a candidate on upstreams of their own, and a candidate that fails in a chosen way. */
import type { Socket } from 'node:net';
import { ForwardClock, forwarded } from './forward-clock.ts';
import type { TestPlane } from './plane.ts';
import { ok, type Received, type Rig, type Upstream } from './rig.ts';

/** What a candidate does with a request; `refuse`: it does not even accept. */
export type Mood = 'ok' | 'refuse' | 'reset' | 'end' | 'hang' | 'garbage' | 'half-head' | 'hints' | number;

export interface Arms extends TestPlane {
  readonly control: Upstream;
  readonly candidate: Upstream;
  /** What the candidate does from now on. */
  mood: Mood;
  /** So much later the plane has looked at its deadlines. */
  forward(ms: number): Promise<void>;
}

/** Everyone who sends this is in the candidate. */
export const CANDIDATE = 'x-experiment-override: always\r\n';

export interface ArmsSettings {
  /** Of the route. */
  readonly route?: object;
  /** Of the experiment. */
  readonly experiment?: object;
  /** Top-level. */
  readonly config?: object;
}

/** Both answer with their name and the body that they got, and so does the candidate while its mood is `ok`. */
export async function twoArms(rig: Rig, mood: Mood, settings: ArmsSettings = {}): Promise<Arms> {
  let present = mood;
  const control = await rig.upstream(({ socket, body }) => socket.write(ok(`control${body}`)));
  const candidate = await rig.upstream(
    (request) => behave(request, present),
    (socket) => {
      if (present === 'reset') socket.once('data', () => socket.resetAndDestroy());
    },
  );
  if (mood === 'refuse') candidate.stopListening();
  const clock = new ForwardClock();
  const settingsOf = {
    upstreams: { v1: { endpoints: [control.endpoint] }, v2: { endpoints: [candidate.endpoint] } },
    routes: [{ name: 'api', upstream: 'v1', experiments: ['ranking'], ...settings.route }],
    experiments: {
      ranking: {
        owner: 'o',
        hypothesis: 'h',
        variants: { control: { weight: '50%' }, candidate: { weight: '50%', upstream: 'v2' } },
        breaker: { minimumRequests: 1000 },
        ...settings.experiment,
      },
    },
    ...settings.config,
  };
  const plane = await rig.plane([], settingsOf, clock);
  const forward = (ms: number) => forwarded(plane, clock, ms);
  return Object.defineProperty({ ...plane, control, candidate, mood, forward }, 'mood', {
    get: () => present,
    set: (next: Mood) => {
      present = next;
    },
  });
}

function behave({ socket, body }: Received, mood: Mood): void {
  if (typeof mood === 'number') socket.write(`HTTP/1.1 ${mood} Bad\r\ncontent-length: 3\r\n\r\nbad`);
  else if (mood === 'ok') socket.write(ok(`candidate${body}`));
  else if (mood === 'end') socket.end();
  else if (mood === 'garbage') socket.write('SSH-2.0-OpenSSH_9.6\r\n\r\n');
  else if (mood === 'half-head') endWith(socket, 'HTTP/1.1 200 OK\r\ncontent-le');
  else if (mood === 'hints') endWith(socket, 'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n');
}

function endWith(socket: Socket, text: string): void {
  socket.end(text);
}
