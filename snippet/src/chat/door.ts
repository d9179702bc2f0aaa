// The server's chat doors. Every call is short but the stream; every refusal has a status and a stable code.

import type { Host } from '../shared/host';
import type { Asked, Event, Said, Started } from './wire';

export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly detail: string,
    /** How long the server wants to be left alone. */
    readonly wait_ms: number,
  ) {
    super(`${status} ${code}`);
  }

  /** The conversation or its token is not there any more. */
  get isGone(): boolean {
    return this.status === 401 || this.status === 403 || this.status === 404 || this.status === 410;
  }

  /** The log is not the one that was read. */
  get isOther(): boolean {
    return this.code === 'chat.sequence_unknown';
  }

  /** The same request would be refused in the same way. */
  get isFinal(): boolean {
    const isPassing = [408, 425, 429].includes(this.status) || this.code === 'store.conflict';
    return this.status >= 400 && this.status < 500 && !isPassing;
  }
}

async function checked(answer: Response): Promise<Response> {
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => ({}));
  const seconds = Number(answer.headers.get('retry-after')) || 0;
  throw new Refused(answer.status, problem.code || '', problem.detail || problem.title || '', seconds * 1000);
}

/** `POST /v1/chat`: begins a conversation, or gives back the one that this visitor has open. */
export async function start(host: Host, flow: string | null, language: string): Promise<Started> {
  const page = { url: location.href.split('#')[0], title: document.title };
  // The flow's trigger is looked at once more: it must see the same visitor as when it was offered.
  const { returning } = host.page();
  return (await checked(await host.post('/v1/chat', { ...host.sender(language), flow, page, returning }))).json();
}

/** What became of a message. An e-mail may tell that another person sits here: then the visitor is another one, too. */
export interface Taken {
  event?: Event;
  visitor?: string;
}

const CALL_MS = 15_000;

const place = (after: number, at: number) => `after=${after}${at ? `&at=${at}` : ''}`;

export class Door {
  constructor(
    private host: Host,
    readonly conversation: string,
    private token: string,
  ) {}

  /** The log after `after`, which was written `at`; the server may wait `wait` seconds for something to come. */
  async events(after: number, wait: number, signal: AbortSignal, at = 0, read = 0): Promise<{ events: Event[]; head: number; read?: number; typing?: { who: string; name: string }; ask?: Asked }> {
    return (await this.call(`/events?${place(after, at)}&wait=${wait}&read=${read}`, { signal }, CALL_MS + wait * 1000)).json();
  }

  stream(after: number, signal: AbortSignal, at = 0): Promise<Response> {
    return this.call(`/stream?${place(after, at)}`, { signal, headers: { accept: 'text/event-stream' }, cache: 'no-store' });
  }

  say(client_id: string, body: Said): Promise<Taken> {
    return this.post('/messages', { client_id, body });
  }

  /** Seconds that were seen since the last report. Outlives the page. */
  watch(recording: string, ranges: [number, number][], duration_s: number): Promise<{ percent: number }> {
    return this.post('/watch', { recording, ranges, duration_s }, true);
  }

  /** Whether it is she whom the link was mailed to. Who is not goes on as another visitor; `goes_on`: in this talk. */
  whose(answer: 'yes' | 'no'): Promise<{ visitor: string; goes_on: boolean }> {
    return this.post('/whose', { answer });
  }

  tell(name: string): Promise<unknown> {
    return this.post('/event', { name });
  }

  typing(): Promise<unknown> {
    return this.post('/typing', {});
  }

  rate(score: number, comment: string): Promise<Taken> {
    return this.post('/rating', comment ? { score, comment } : { score });
  }

  /** Has the conversation so far sent to the visitor's own address. */
  transcript(): Promise<unknown> {
    return this.post('/transcript', {});
  }

  read(seq: number): Promise<unknown> {
    return this.post('/read', { seq });
  }

  private async post(path: string, body: unknown, keepalive = false): Promise<any> {
    const answer = await this.call(path, { method: 'POST', body: JSON.stringify(body), keepalive }, CALL_MS);
    return answer.json().catch(() => ({}));
  }

  /** `within`: gives up after so many milliseconds; a call without it is ended by its signal alone. */
  private async call(path: string, how: RequestInit, within?: number): Promise<Response> {
    const stop = new AbortController();
    const end = () => stop.abort();
    how.signal?.addEventListener('abort', end);
    if (how.signal?.aborted) end();
    const timer = within ? setTimeout(end, within) : 0;
    try {
      return await checked(
        await fetch(`${this.host.api}/v1/chat/${encodeURIComponent(this.conversation)}${path}`, {
          ...how,
          // The token stands in a header only: never in an address that is logged.
          headers: { ...how.headers, authorization: `Bearer ${this.token}` },
          signal: stop.signal,
        }),
      );
    } finally {
      clearTimeout(timer);
      // A stream is still being read when its head is here; it must stay stoppable.
      if (within) how.signal?.removeEventListener('abort', end);
    }
  }
}
