// The line at the bottom: for free words, or for the answer to an open question with the keyboard that fits it.

import { h, icon } from '../shared/dom';
import { icons } from './icons';
import type { Words } from './words';
import type { Ask, Input } from './wire';

const AT_MOST = 2000;

interface Kind {
  type: string;
  inputmode?: string;
  autocomplete?: string;
  placeholder: string;
  look?: string;
}

export class Composer {
  readonly element: HTMLElement;
  private field: HTMLInputElement | HTMLTextAreaElement;
  private readonly problem_ = h('p', { class: 'problem', id: 'problem', role: 'alert' });
  private readonly button: HTMLButtonElement;
  private readonly place_ = h('div', { class: 'line' });
  private shape_ = '';

  constructor(
    private words: Words,
    private send: (text: string) => void,
    private typing: () => void,
  ) {
    this.button = h('button', { type: 'submit', class: 'send', 'aria-label': words.send, title: words.send }, icon(icons.send));
    this.field = this.make_({ type: 'words', placeholder: words.write }, words.write);
    this.element = h(
      'form',
      {
        class: 'composer',
        novalidate: true,
        onsubmit: (event: Event) => {
          event.preventDefault();
          this.submit_();
        },
      },
      this.problem_,
      this.place_,
    );
  }

  /** Takes the form that the question needs; what was typed so far is kept. */
  fit(ask: Ask | null): void {
    const { words } = this;
    const input = ask?.input;
    const hint = (input && 'placeholder' in input && input.placeholder) || '';
    const kind: Kind = input ? { placeholder: hint || words.answer, ...this.kindOf_(input) } : { type: 'words', placeholder: words.write };
    const isOpen = !input || input.kind === 'choice' || input.kind === 'slot';
    if (hint) kind.placeholder = hint;
    const label = isOpen ? words.write : ask!.text;
    const shape = JSON.stringify([kind, label]);
    if (shape === this.shape_) return;
    this.shape_ = shape;
    const before = this.field;
    const root = before.getRootNode() as ShadowRoot;
    const hadFocus = root.activeElement === before;
    this.make_(kind, label);
    this.field.value = before.value;
    this.changed_();
    if (hadFocus) this.field.focus();
  }

  /** The keyboard and the help that suit an answer. */
  private kindOf_(input: Input): Partial<Kind> & { type: string } {
    const { words } = this;
    switch (input.kind) {
      case 'email':
        return { type: 'email', inputmode: 'email', autocomplete: 'email', placeholder: words.email };
      case 'phone':
        return { type: 'tel', inputmode: 'tel', autocomplete: 'tel', placeholder: words.phone };
      case 'url':
        return { type: 'url', inputmode: 'url', autocomplete: 'url', placeholder: words.url };
      case 'number': {
        const { min, max } = input;
        const bounds =
          min != null && max != null ? `${min} – ${max}` : min != null ? words.atLeast(min) : max != null ? words.atMost(max) : words.answer;
        // The keyboard of digits has no minus on many a phone.
        return { type: 'text', inputmode: min != null && min >= 0 ? 'decimal' : undefined, placeholder: bounds };
      }
      case 'code':
        return { type: 'text', inputmode: 'numeric', autocomplete: 'one-time-code', placeholder: words.code(input.digits), look: 'code' };
      case 'date':
        return { type: 'text', placeholder: words.date };
      case 'time':
        return { type: 'text', placeholder: words.clock };
      case 'rating':
        return { type: 'text', inputmode: 'numeric' };
      case 'text':
        return { type: 'words' };
      default:
        return { type: 'words', placeholder: words.write };
    }
  }

  /** Says beside the field why an answer was not taken. */
  explain(problem: string): void {
    if (this.problem_.textContent === problem) return;
    this.problem_.textContent = problem;
    if (problem) this.field.setAttribute('aria-invalid', 'true');
    else this.field.removeAttribute('aria-invalid');
  }

  get draft(): string {
    return this.field.value;
  }

  /** Puts back what was not taken, so that it can be mended. */
  restore(text: string): void {
    if (!text || this.field.value) return;
    this.field.value = text;
    this.changed_();
  }

  focus(): void {
    this.field.focus();
  }

  private make_(kind: Kind, label: string) {
    const isWords = kind.type === 'words';
    const values = {
      class: kind.look ? `field ${kind.look}` : 'field',
      placeholder: kind.placeholder,
      inputmode: kind.inputmode,
      autocomplete: kind.autocomplete || 'off',
      name: kind.autocomplete || 'message',
      enterkeyhint: 'send',
      'aria-label': label,
      'aria-describedby': 'problem',
      oninput: () => {
        this.changed_();
        this.typing();
      },
      onkeydown: (event: KeyboardEvent) => {
        if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
        event.preventDefault();
        this.submit_();
      },
    };
    this.field = isWords ? h('textarea', { ...values, rows: 1 }) : h('input', { ...values, type: kind.type });
    this.place_.replaceChildren(this.field, this.button);
    this.changed_();
    return this.field;
  }

  private changed_(): void {
    const { field } = this;
    this.button.toggleAttribute('data-ready', !!field.value.trim());
    if (field.localName === 'textarea') {
      // Grows with the text, up to the height that the style sheet allows.
      field.style.setProperty('height', 'auto');
      if (field.scrollHeight) field.style.setProperty('height', `${field.scrollHeight}px`);
    }
  }

  private submit_(): void {
    const text = this.field.value.trim();
    if (!text) return this.field.focus();
    // Cut by the browser it would go without its end, and nobody would know.
    if (text.length > AT_MOST) return this.explain(this.words.tooLong(text.length));
    this.field.value = '';
    this.explain('');
    this.changed_();
    this.send(text);
  }
}
