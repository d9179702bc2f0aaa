// A time of one's own: it stands while anything is being done, and goes on to the next timer when nothing is. What is
// awaited takes no real time, and how long the machine takes is seen by nobody.

/** Far from 0, which means "never" in many a place. */
const BEGINNING_MS = Date.UTC(2026, 10, 23);
/** Nothing that is played here lasts longer; what does goes round in a circle. */
const LONGEST_MS = 7 * 24 * 3_600_000;

export class Clock {
  now = BEGINNING_MS;
  timers = new Map();
  last = 0;

  /** Takes the place of the timers and of `Date.now` in this process. */
  constructor() {
    this.rest = globalThis.setImmediate;
    globalThis.setTimeout = (act, ms = 0, ...given) => this.add(act, ms, 0, given);
    globalThis.setInterval = (act, ms = 0, ...given) => this.add(act, ms, Math.max(1, ms), given);
    globalThis.clearTimeout = globalThis.clearInterval = (timer) => this.timers.delete(timer);
    Date.now = () => this.now;
  }

  add(act, ms, every, given) {
    const timer = ++this.last;
    this.timers.set(timer, { at: this.now + Math.max(0, ms), every, act: () => act(...given) });
    return timer;
  }

  /** The next timer: of those at one moment the one that was set first. */
  next() {
    let found;
    for (const [timer, { at }] of this.timers) if (!found || at < found.at) found = { timer, at };
    if (!found) return false;
    const { timer, at } = found;
    const { every, act } = this.timers.get(timer);
    this.timers.delete(timer);
    this.now = Math.max(this.now, at);
    if (every) this.timers.set(timer, { at: this.now + every, every, act });
    act();
    return true;
  }

  /** Plays something to its end, from the beginning of time; what it leaves behind is thrown away. */
  async play(act) {
    this.now = BEGINNING_MS;
    this.timers.clear();
    let isOver = false;
    const played = (async () => act())().finally(() => (isOver = true));
    // It is looked at below, after what else there is to do.
    played.catch(() => {});
    try {
      for (;;) {
        // Whatever was promised is kept before this is called.
        await new Promise((done) => this.rest(done));
        if (isOver) return await played;
        if (!this.next()) throw new Error('it waits for what will never be: there is no timer left');
        if (this.now - BEGINNING_MS > LONGEST_MS) throw new Error('it never ends');
      }
    } finally {
      this.timers.clear();
    }
  }
}
