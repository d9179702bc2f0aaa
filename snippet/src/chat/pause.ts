/** Waits; an abort ends the wait early, without an error. */
export const pause = (ms: number, signal?: AbortSignal): Promise<void> =>
  new Promise((done) => {
    if (signal?.aborted) return done();
    const timer = setTimeout(end, ms);
    function end() {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      done();
    }
    signal?.addEventListener('abort', end);
  });

/** How long to wait before try number `tries` (from 0): doubling, at most 30 s, spread so that clients do not march in step. */
export const backoff = (tries: number): number => Math.min(30_000, 700 * 2 ** tries) * (0.6 + Math.random() * 0.8);
