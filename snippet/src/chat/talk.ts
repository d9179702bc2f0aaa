// The conversation as far as it was read: a fold over the numbered log, without a page.

import type { Ask, Event, Mode, Person } from './wire';

export class Talk {
  mode: Mode = 'bot';
  agent: Person | null = null;
  /** The question that waits for an answer. */
  ask: Ask | null = null;
  /** Why the last answer was not taken, while the question is open again. */
  problem = '';
  isEnded = false;
  /** Asks how it was, until that is answered. */
  howWasIt_ = '';
  /** The question that was answered last. */
  answered: Ask | null = null;

  /** Takes the next event of the log. The log has no gaps when it comes here. */
  take({ body }: Event): void {
    switch (body.type) {
      case 'ask':
        this.ask = body;
        this.problem = '';
        return;
      case 'choice':
      case 'answer':
      case 'slot':
        if (this.ask?.question === body.question) this.answered = this.ask;
        this.ask = null;
        this.problem = '';
        return;
      case 'invalid':
        // The server asks the same question again without repeating it.
        if (!this.ask && this.answered?.question === body.question) this.ask = this.answered;
        this.problem = body.text;
        return;
      case 'status':
        this.mode = body.mode;
        this.agent = body.mode === 'human' ? body.agent || this.agent : null;
        if (body.mode !== 'bot') this.ask = null;
        if (body.mode === 'closed') this.isEnded = true;
        return;
      case 'end':
        this.ask = null;
        this.isEnded = true;
        return;
      case 'satisfaction':
        this.howWasIt_ = body.text;
        return;
      case 'rated':
        this.howWasIt_ = '';
        return;
      case 'text':
      case 'video':
      case 'image':
      case 'file':
      case 'card':
      case 'booked':
      case 'human_requested':
        return;
    }
  }
}
