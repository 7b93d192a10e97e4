/**
 * Closed, open, half-open: opossum keeps the state, and only moves when told.
 *
 * opossum's own judgement is switched off: no timeouts, no percentiles, no snapshots, no rotating statistics, and
 * `fire` is never called, so a request costs it nothing. Nor does it read a clock for us: it would arm a timer when
 * it opens, and that listener is taken off. docs/decisions/0003-opossum-keeps-the-circuit.md gives the reasons.
 */
import CircuitBreaker from 'opossum';

export type CircuitState = 'closed' | 'open' | 'half-open';

/** opossum subscribes to this instead of starting an interval; it never rotates, as nothing is ever counted. */
const stillStatistics = { on: () => {}, removeListener: () => {}, listenerCount: () => 1 };

/** One for all circuits: with `fire` never called its counts stay zero. */
const sharedStatus = CircuitBreaker.newStatus({
  rollingPercentilesEnabled: false,
  enableSnapshots: false,
  rotateBucketController: stillStatistics,
} as unknown as CircuitBreaker.StatusOptions);

/** opossum insists on an action; ours is never run. */
const noAction = (): Promise<never> => Promise.reject(new Error('A circuit is asked, not fired.'));

/**
 * The state of one circuit. `state` is opossum's, read once after each move so that the request path reads a field.
 * There is no opossum before the first move: of tens of thousands of circuits few ever make one.
 */
export class Circuit {
  #state: CircuitState = 'closed';
  #circuit: CircuitBreaker | null = null;
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
  }

  get state(): CircuitState {
    return this.#state;
  }

  /** Move to `state`; staying where one is, is a move without effect. */
  enter(state: CircuitState): void {
    let circuit = this.#circuit ?? createOpossum(this.#name, 'closed');
    if (state === 'open') circuit.open();
    else if (state === 'closed') circuit.close();
    // There is no public way into half-open but a circuit that starts there. A thousand a second would be cheap.
    else if (!circuit.halfOpen) circuit = createOpossum(this.#name, 'half-open');
    this.#circuit = circuit;
    this.#state = stateOf(circuit);
  }
}

function createOpossum(name: string, state: 'closed' | 'half-open'): CircuitBreaker {
  const circuit = new CircuitBreaker(noAction, {
    name,
    status: sharedStatus,
    timeout: false,
    rollingPercentilesEnabled: false,
    enableSnapshots: false,
    state: { closed: state === 'closed', halfOpen: state === 'half-open' },
  } as CircuitBreaker.Options);
  // The listener that would arm the timer back to half-open: `Breaker` decides when, and is told the time.
  circuit.removeAllListeners('open');
  return circuit;
}

function stateOf(circuit: CircuitBreaker): CircuitState {
  if (circuit.halfOpen) return 'half-open';
  return circuit.opened ? 'open' : 'closed';
}
