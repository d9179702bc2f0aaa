// Sends what the visitor says: one thing at a time, in order, until the server has it. The id of each makes a
// repeated try harmless.

import { uuid7 } from '../shared/uuid7';
import { type Door, Refused, type Taken } from './door';
import type { Memory, Unsent } from './memory';
import { backoff, pause } from './pause';
import type { Said } from './wire';

/** Between two messages. */
const APART_MS = 300;

export interface Clerk {
  /** The server has it. */
  sent(item: Unsent, taken: Taken): void;
  /** It waits for the network. */
  delayed(item: Unsent): void;
  /** The server will never take it. */
  refused(item: Unsent, why: Refused): void;
  gone(): void;
}

export class Outbox {
  private stop = new AbortController();
  private wake: AbortController | null = null;
  private isRunning = false;

  constructor(
    private door: Door,
    private memory: Memory,
    private clerk: Clerk,
  ) {}

  add(body: Said, shown: string): Unsent {
    const item = { client_id: uuid7(), conversation: this.door.conversation, body, shown, at: Date.now() };
    this.memory.addUnsent_(item);
    void this.run();
    return item;
  }

  /** Tries at once what waits for the next try. */
  nudge(): void {
    this.wake?.abort();
    void this.run();
  }

  close(): void {
    this.stop.abort();
    this.wake?.abort();
  }

  /** The log shows that the server has it, whatever became of the answer. */
  confirm(client_id: string): void {
    if (this.memory.unsent.some((item) => item.client_id === client_id)) this.memory.dropUnsent_(client_id);
  }

  private async run(): Promise<void> {
    if (this.isRunning) return;
    this.isRunning = true;
    for (let tries = 0; !this.stop.signal.aborted; ) {
      const item = this.memory.unsent.find(({ conversation }) => conversation === this.door.conversation);
      if (!item) break;
      try {
        const taken = await this.door.say(item.client_id, item.body);
        if (this.stop.signal.aborted) return;
        tries = 0;
        this.confirm(item.client_id);
        this.clerk.sent(item, taken);
        await pause(APART_MS, this.stop.signal); // the server takes no more from one person
      } catch (problem) {
        if (this.stop.signal.aborted) return;
        if (problem instanceof Refused && problem.isGone) {
          this.isRunning = false;
          return this.clerk.gone();
        }
        if (problem instanceof Refused && problem.isFinal) {
          this.confirm(item.client_id);
          this.clerk.refused(item, problem);
          continue;
        }
        this.clerk.delayed(item);
        this.wake = new AbortController();
        await pause(problem instanceof Refused && problem.wait_ms ? problem.wait_ms : backoff(tries++), this.wake.signal);
      }
    }
    this.isRunning = false;
  }
}
