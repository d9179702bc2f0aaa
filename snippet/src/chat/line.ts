// Receives the log: in order, without gaps, each event once, whatever the network does.

import { type Door, Refused } from './door';
import { backoff, pause } from './pause';
import { alone, type News, type Place, type Share, type Tab } from './tabs';
import type { Asked, Event } from './wire';

/** The server beats every 15 s. Two beats missed and some: nobody is there. */
const SILENCE_MS = 35_000;
/** The server speaks at once. A stream that says nothing for so long is held back by something on the way. */
const FIRST_MS = 8_000;
const POLL_S = 25;

export interface Listener {
  /** New events, in order. `isOld`: from before this page was there, so nobody waits for them. */
  heard(events: Event[], isOld: boolean): void;
  typing(who: string, name: string): void;
  /** Up to where the other side has read. */
  read(seq: number): void;
  /** The server wants to know who sits here. */
  asked(asked: Asked): void;
  /** Whether the server answers. */
  connected(isConnected: boolean): void;
  /** The conversation is not there any more. */
  gone(): void;
  /** It is, but its log is not the one that was read: the server was put back to an older state. */
  restored(): void;
}

export class Line implements Tab {
  /** The last event that was taken, and its time, by which its log is known from another one. */
  last = 0;
  private at = 0;
  private stop: AbortController | null = null;
  private place: Place | null = null;
  private mustPoll_ = false;
  /** Up to where the other side has read, as far as is known here. */
  private readTo_ = 0;
  private heardAt_ = 0;
  private silence = 0;
  /** This tab listens for the others. */
  private isLeading_ = false;

  constructor(
    private door: Door,
    private listener: Listener,
    private share: Share = alone,
  ) {}

  open(): void {
    if (this.stop) {
      // A line that should have beaten by now is asked to prove that it lives.
      if (Date.now() - this.heardAt_ < 20_000) return;
      this.close();
    }
    this.heardAt_ = Date.now();
    const { signal } = (this.stop = new AbortController());
    this.place = this.share(`embudo.chat.${this.door.conversation}`, signal, this);
  }

  close(): void {
    this.stop?.abort();
    this.stop = this.place = null;
    clearTimeout(this.silence);
  }

  follow(signal: AbortSignal): void {
    // The tab that listens tells only what is new.
    void this.persist(signal, async () => {
      await this.catchUp(signal);
      if (!signal.aborted) this.listener.connected(true);
    });
    this.expect();
    signal.addEventListener('abort', () => clearTimeout(this.silence));
  }

  told({ events, head, read, typing, connected }: News): void {
    const signal = this.stop?.signal;
    if (!signal) return;
    this.heardAt_ = Date.now();
    if (!this.isLeading_) this.expect();
    if (connected !== undefined) this.listener.connected(connected);
    if (typing) this.listener.typing(...typing);
    if (read) this.listener.read(read);
    if (events) this.takeAll_(events, false);
    const known = Math.max(head || 0, events?.[events.length - 1]?.seq || 0);
    if (known > this.last) void this.persist(signal, () => this.catchUp(signal));
  }

  /** Whoever listens for this tab has to say something soon. */
  private expect(): void {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => this.place?.takeOver_(), SILENCE_MS);
  }

  /** Takes one event from wherever it came. False: something before it is missing. */
  take(event: Event): boolean {
    if (event.seq > this.last + 1) return false;
    this.takeAll_([event], false);
    return true;
  }

  /** Reads on until the server says that there is no more. */
  async catchUp(signal: AbortSignal = this.stop?.signal ?? new AbortController().signal): Promise<void> {
    const isOld = this.last === 0;
    for (;;) {
      const { events, head, read, ask } = await this.door.events(this.last, 0, signal, this.at);
      if (signal.aborted) return;
      this.wasRead_(read);
      if (ask) this.listener.asked(ask);
      const before = this.last;
      this.takeAll_(events, isOld);
      this.place?.tell({ head });
      if (this.last >= head || this.last === before) return;
    }
  }

  /** The other side has read up to here; 0 or nothing says that it is not known. */
  private wasRead_(read = 0): void {
    if (!read) return;
    this.readTo_ = read;
    this.listener.read(read);
    if (this.isLeading_) this.place?.tell({ read });
  }

  private takeAll_(events: Event[], isOld: boolean): void {
    const fresh: Event[] = [];
    for (const event of events) {
      if (event.seq !== this.last + 1) continue;
      this.last = event.seq;
      this.at = event.at;
      fresh.push(event);
    }
    if (fresh.length) this.listener.heard(fresh, isOld);
  }

  async lead(signal: AbortSignal): Promise<void> {
    clearTimeout(this.silence);
    this.isLeading_ = true;
    signal.addEventListener('abort', () => (this.isLeading_ = false));
    while (!signal.aborted) {
      await this.persist(signal, async () => {
        await this.catchUp(signal);
        if (signal.aborted) return;
        this.connected(true);
        this.heardAt_ = Date.now();
        if (this.mustPoll_) await this.poll(signal);
        else await this.listen(signal);
      });
      // A stream that ends by itself is a server that restarts: the others come back now, too.
      await pause(Math.random() * 1000, signal);
    }
  }

  /** Does it again until it is done, with pauses that grow while the server is away. */
  private async persist(signal: AbortSignal, act: () => Promise<void>): Promise<void> {
    for (let tries = 0; !signal.aborted; ) {
      const before = this.heardAt_;
      try {
        return await act();
      } catch (problem) {
        if (signal.aborted) return;
        if (problem instanceof Refused && (problem.isGone || problem.isOther)) {
          this.close();
          return problem.isGone ? this.listener.gone() : this.listener.restored();
        }
        this.connected(false);
        // It was there meanwhile: the pauses begin anew.
        if (this.heardAt_ !== before) tries = 0;
        await pause(problem instanceof Refused && problem.wait_ms ? problem.wait_ms : backoff(tries++), signal);
      }
    }
  }

  private connected(isConnected: boolean): void {
    this.listener.connected(isConnected);
    if (this.isLeading_) this.place?.tell({ connected: isConnected });
  }

  private async poll(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const { events, head, read, typing } = await this.door.events(this.last, POLL_S, signal, this.at, this.readTo_);
      if (signal.aborted) return;
      this.wasRead_(read);
      this.heardAt_ = Date.now();
      this.takeAll_(events, false);
      this.place?.tell({ events, head });
      if (typing) this.types(typing);
    }
  }

  private async listen(outer: AbortSignal): Promise<void> {
    const stop = new AbortController();
    const end = () => stop.abort();
    outer.addEventListener('abort', end);
    let timer = setTimeout(end, FIRST_MS);
    let hasHeard = false;
    try {
      const answer = await this.door.stream(this.last, stop.signal, this.at);
      const reader = answer.body?.getReader?.();
      if (!reader || !/event-stream/.test(answer.headers.get('content-type') || '')) {
        this.mustPoll_ = true;
        return end();
      }
      const decoder = new TextDecoder();
      for (let rest = ''; ; ) {
        const { done, value } = await reader.read();
        if (done) return;
        hasHeard = true;
        this.heardAt_ = Date.now();
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
      if (!hasHeard) this.mustPoll_ = true;
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
    if (name === 'event') {
      if (!this.take(data)) await this.catchUp(signal);
      this.place?.tell({ events: [data] });
    }
    if (name === 'head') {
      this.wasRead_(data.read);
      if (data.head > this.last) await this.catchUp(signal);
      this.place?.tell({ head: data.head });
    }
    if (name === 'typing') {
      this.types(data);
    }
  }

  private types({ who, name }: { who: string; name: string }): void {
    this.listener.typing(who, name);
    this.place?.tell({ typing: [who, name] });
  }
}
