// Receives the log: in order, without gaps, each event once, whatever the network does.

import { type Door, Refused } from './door';
import { backoff, pause } from './pause';
import type { Event } from './wire';

/** The server beats every 15 s. Two beats missed and some: nobody is there. */
const SILENCE_MS = 35_000;
const POLL_S = 25;

export interface Listener {
  /** New events, in order. `isOld`: from before this page was there, so nobody waits for them. */
  heard(events: Event[], isOld: boolean): void;
  typing(who: string, name: string): void;
  /** Up to where the other side has read. */
  read(seq: number): void;
  /** Whether the server answers. */
  connected(isConnected: boolean): void;
  /** The conversation is not there any more. */
  gone(): void;
}

export class Line {
  /** The last event that was taken. */
  last = 0;
  private stop: AbortController | null = null;
  private mustPoll = false;
  private heardAt = 0;

  constructor(
    private door: Door,
    private listener: Listener,
  ) {}

  open(): void {
    if (this.stop) {
      // A line that should have beaten by now is asked to prove that it lives.
      if (Date.now() - this.heardAt < 20_000) return;
      this.close();
    }
    this.heardAt = Date.now();
    const stop = (this.stop = new AbortController());
    void this.run(stop.signal);
  }

  close(): void {
    this.stop?.abort();
    this.stop = null;
  }

  /** Takes one event from wherever it came. False: something before it is missing. */
  take(event: Event): boolean {
    if (event.seq > this.last + 1) return false;
    if (event.seq === this.last + 1) {
      this.last = event.seq;
      this.listener.heard([event], false);
    }
    return true;
  }

  /** Reads on until the server says that there is no more. */
  async catchUp(signal: AbortSignal = this.stop?.signal ?? new AbortController().signal): Promise<void> {
    const isOld = this.last === 0;
    for (;;) {
      const { events, head, read } = await this.door.events(this.last, 0, signal);
      if (signal.aborted) return;
      if (read) this.listener.read(read);
      const before = this.last;
      this.takeAll(events, isOld);
      if (this.last >= head || this.last === before) return;
    }
  }

  private takeAll(events: Event[], isOld: boolean): void {
    const fresh: Event[] = [];
    for (const event of events) {
      if (event.seq !== this.last + 1) continue;
      this.last = event.seq;
      fresh.push(event);
    }
    if (fresh.length) this.listener.heard(fresh, isOld);
  }

  private async run(signal: AbortSignal): Promise<void> {
    for (let tries = 0; !signal.aborted; ) {
      try {
        await this.catchUp(signal);
        if (signal.aborted) return;
        tries = 0;
        this.listener.connected(true);
        this.heardAt = Date.now();
        if (this.mustPoll) await this.poll(signal);
        else await this.listen(signal);
        // A stream that ends by itself is a server that restarts: the others come back now, too.
        await pause(Math.random() * 1000, signal);
      } catch (problem) {
        if (signal.aborted) return;
        if (problem instanceof Refused && problem.isGone) return this.listener.gone();
        this.listener.connected(false);
        await pause(problem instanceof Refused && problem.wait_ms ? problem.wait_ms : backoff(tries++), signal);
      }
    }
  }

  private async poll(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const { events, read } = await this.door.events(this.last, POLL_S, signal);
      if (read) this.listener.read(read);
      this.heardAt = Date.now();
      this.takeAll(events, false);
    }
  }

  private async listen(outer: AbortSignal): Promise<void> {
    const stop = new AbortController();
    const end = () => stop.abort();
    outer.addEventListener('abort', end);
    let timer = setTimeout(end, SILENCE_MS);
    let hasHeard = false;
    try {
      const answer = await this.door.stream(this.last, stop.signal);
      const reader = answer.body?.getReader?.();
      if (!reader || !/event-stream/.test(answer.headers.get('content-type') || '')) {
        this.mustPoll = true;
        return end();
      }
      const decoder = new TextDecoder();
      for (let rest = ''; ; ) {
        const { done, value } = await reader.read();
        if (done) return;
        hasHeard = true;
        this.heardAt = Date.now();
        clearTimeout(timer);
        timer = setTimeout(end, SILENCE_MS);
        const blocks = (rest + decoder.decode(value, { stream: true })).split(/\r?\n\r?\n/);
        rest = blocks.pop()!;
        for (const block of blocks) await this.dispatch(block, stop.signal);
      }
    } catch (problem) {
      // Silence is not an error: the loop asks what was missed. A stream that never said a word is held back by
      // something on the way, so from now on we poll.
      if (outer.aborted || !stop.signal.aborted) throw problem;
      if (!hasHeard) this.mustPoll = true;
    } finally {
      clearTimeout(timer);
      outer.removeEventListener('abort', end);
      end();
    }
  }

  /** One block of the stream: `id`, `event` and `data` lines (the event stream format of HTML). */
  private async dispatch(block: string, signal: AbortSignal): Promise<void> {
    let name = 'message';
    let text = '';
    for (const line of block.split(/\r?\n/)) {
      const [, field, value = ''] = /^(\w+):? ?(.*)$/.exec(line) || [];
      if (field === 'event') name = value;
      if (field === 'data') text += value;
    }
    if (!text) return;
    const data = JSON.parse(text);
    if (name === 'event' && !this.take(data)) await this.catchUp(signal);
    if (name === 'head' && data.read) this.listener.read(data.read);
    if (name === 'head' && data.head > this.last) await this.catchUp(signal);
    if (name === 'typing') this.listener.typing(data.who, data.name || '');
  }
}
