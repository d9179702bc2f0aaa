// What outlives the page: which conversation, how far it was read, and whether the visitor wants to see it.
// Without consent it lives only in this object.

import type { Host } from '../shared/host';
import { read, write } from '../shared/store';
import type { Person, Said } from './wire';

export interface Kept {
  conversation?: string;
  token?: string;
  /** True while the panel is open. */
  open?: boolean;
  closed_at?: number;
  /** The last event that the visitor saw. */
  seen?: number;
  bot?: Person | null;
  language?: string;
  /** The server knows who this is: then it may also be somebody else. */
  known?: boolean;
}

/** Something the visitor said that the server has not confirmed yet. */
export interface Unsent {
  client_id: string;
  conversation: string;
  body: Said;
  /** In the visitor's words: a choice is sent by its id. */
  shown: string;
  at: number;
}

export class Memory {
  kept: Kept;
  unsent: Unsent[];

  constructor(private host: Host) {
    this.kept = parse(read('chat'), {});
    this.unsent = this.written();
  }

  keep(change: Kept): void {
    Object.assign(this.kept, change);
    this.write('chat', this.kept.conversation || this.kept.closed_at ? this.kept : null);
  }

  /** The visitor closed the panel. A talk that is over is not taken up again on the next page. */
  rest(isEnded: boolean): void {
    const { conversation, token } = this.kept;
    if (isEnded) this.kept.conversation = this.kept.token = undefined;
    this.keep({ open: false, closed_at: Date.now() });
    Object.assign(this.kept, { conversation, token });
  }

  /** Another conversation begins: only how the panel stood is carried over. */
  begin(change: Kept): void {
    const { open, closed_at } = this.kept;
    this.kept = {};
    this.keep({ open, closed_at, ...change });
  }

  /** Reads again what another tab wrote; gives back what was known until now. */
  reread_(): Kept {
    const before = this.kept;
    this.kept = { ...before, ...parse<Kept>(read('chat'), {}) };
    return before;
  }

  addUnsent_(item: Unsent): void {
    this.unsent.push(item);
    this.write('outbox', [...this.written(), item]);
  }

  dropUnsent_(client_id: string): void {
    const others = (item: Unsent) => item.client_id !== client_id;
    this.unsent = this.unsent.filter(others);
    // Another tab may have written meanwhile: only this one item is ours to take away.
    const left = this.written().filter(others);
    this.write('outbox', left.length ? left : null);
  }

  clear(): void {
    this.kept = {};
    this.unsent = [];
    write('chat', null);
    write('outbox', null);
  }

  private written(): Unsent[] {
    const items = parse<Unsent[]>(read('outbox'), []);
    return Array.isArray(items) ? items : [];
  }

  private write(key: string, value: unknown): void {
    if (this.host.consent() !== 'none') write(key, value ? JSON.stringify(value) : null);
  }
}

function parse<T>(text: string | undefined, otherwise: T): T {
  try {
    return (text && JSON.parse(text)) || otherwise;
  } catch {
    return otherwise;
  }
}
