/** A resource of the admin API that is shown: read again every now and then, one reading at a time. */
import { type Signal, signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { Problem, read } from './api.ts';

export class Resource<T> {
  /** What was read last; it stays when the next reading fails. */
  readonly data: Signal<T | null> = signal(null);
  /** Why the last reading failed; null: it did not. */
  readonly problem: Signal<Problem | null> = signal(null);
  readonly path: string;
  #isReading = false;
  #isWanted = false;

  constructor(path: string) {
    this.path = path;
  }

  /** Reads it; asked for while that is under way, once more afterwards. Never rejects. */
  async refresh(): Promise<void> {
    if (this.#isReading) {
      this.#isWanted = true;
      return;
    }
    this.#isReading = true;
    try {
      this.data.value = await read<T>(this.path);
      this.problem.value = null;
    } catch (error) {
      this.problem.value =
        error instanceof Problem ? error : new Problem(0, 'unreadable', 'The answer cannot be read.');
    }
    this.#isReading = false;
    if (!this.#isWanted) return;
    this.#isWanted = false;
    await this.refresh();
  }

  /** Such a sidecar does not have it, or has nothing of it. */
  get isMissing(): boolean {
    return this.problem.value?.status === 404;
  }
}

/** Keeps a resource fresh while a view shows it and the tab is to be seen. */
export function useResource<T>(resource: Resource<T>, everyMs: number): Resource<T> {
  useEffect(() => {
    const refresh = () => {
      if (document.visibilityState === 'visible') void resource.refresh();
    };
    refresh();
    const timer = setInterval(refresh, everyMs);
    document.addEventListener('visibilitychange', refresh);
    return () => {
      clearInterval(timer);
      document.removeEventListener('visibilitychange', refresh);
    };
  }, [resource, everyMs]);
  return resource;
}
