// The line at the bottom: for free words, or for the answer to an open question with the keyboard that fits it.

import { h, icon } from '../shared/dom';
import { icons } from './icons';
import type { Words } from './words';
import type { Ask } from './wire';

const AT_MOST = 2000;

interface Kind {
  type: string;
  inputmode?: string;
  autocomplete?: string;
  placeholder: string;
}

export class Composer {
  readonly element: HTMLElement;
  private field: HTMLInputElement | HTMLTextAreaElement;
  private readonly problem = h('p', { class: 'problem', id: 'problem', role: 'alert' });
  private readonly button: HTMLButtonElement;
  private readonly place = h('div', { class: 'line' });
  private shape = '';

  constructor(
    private words: Words,
    private send: (text: string) => void,
    private typing: () => void,
  ) {
    this.button = h('button', { type: 'submit', class: 'send', 'aria-label': words.send, title: words.send }, icon(icons.send));
    this.field = this.make({ type: 'words', placeholder: words.write }, words.write);
    this.element = h(
      'form',
      {
        class: 'composer',
        novalidate: true,
        onsubmit: (event: Event) => {
          event.preventDefault();
          this.submit();
        },
      },
      this.problem,
      this.place,
    );
  }

  /** Takes the form that the question needs; what was typed so far is kept. */
  fit(ask: Ask | null): void {
    const { words } = this;
    const input = ask?.input;
    const hint = (input && 'placeholder' in input && input.placeholder) || '';
    const kind: Kind =
      input?.kind === 'email'
        ? { type: 'email', inputmode: 'email', autocomplete: 'email', placeholder: hint || words.email }
        : input?.kind === 'phone'
          ? { type: 'tel', inputmode: 'tel', autocomplete: 'tel', placeholder: hint || words.phone }
          : input?.kind === 'number'
            ? { type: 'text', inputmode: 'decimal', placeholder: hint || words.answer }
            : input?.kind === 'text'
              ? { type: 'words', placeholder: hint || words.answer }
              : { type: 'words', placeholder: words.write };
    const label = ask && input?.kind !== 'choice' && input?.kind !== 'slot' ? ask.text : words.write;
    const shape = JSON.stringify([kind, label]);
    if (shape === this.shape) return;
    this.shape = shape;
    const before = this.field;
    const root = before.getRootNode() as ShadowRoot;
    const hadFocus = root.activeElement === before;
    this.make(kind, label);
    this.field.value = before.value;
    this.changed();
    if (hadFocus) this.field.focus();
  }

  /** Says beside the field why an answer was not taken. */
  explain(problem: string): void {
    if (this.problem.textContent === problem) return;
    this.problem.textContent = problem;
    if (problem) this.field.setAttribute('aria-invalid', 'true');
    else this.field.removeAttribute('aria-invalid');
  }

  /** Puts back what was not taken, so that it can be mended. */
  restore(text: string): void {
    if (this.field.value) return;
    this.field.value = text;
    this.changed();
  }

  focus(): void {
    this.field.focus();
  }

  private make(kind: Kind, label: string) {
    const isWords = kind.type === 'words';
    const values = {
      class: 'field',
      placeholder: kind.placeholder,
      maxlength: AT_MOST,
      inputmode: kind.inputmode,
      autocomplete: kind.autocomplete || 'off',
      name: kind.autocomplete || 'message',
      enterkeyhint: 'send',
      'aria-label': label,
      'aria-describedby': 'problem',
      oninput: () => {
        this.changed();
        this.typing();
      },
      onkeydown: (event: KeyboardEvent) => {
        if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
        event.preventDefault();
        this.submit();
      },
    };
    this.field = isWords ? h('textarea', { ...values, rows: 1 }) : h('input', { ...values, type: kind.type });
    this.place.replaceChildren(this.field, this.button);
    this.changed();
    return this.field;
  }

  private changed(): void {
    const { field } = this;
    this.button.toggleAttribute('data-ready', !!field.value.trim());
    if (field.localName === 'textarea') {
      // Grows with the text, up to the height that the style sheet allows.
      field.style.setProperty('height', 'auto');
      if (field.scrollHeight) field.style.setProperty('height', `${field.scrollHeight}px`);
    }
  }

  private submit(): void {
    const text = this.field.value.trim();
    if (!text) return this.field.focus();
    this.field.value = '';
    this.explain('');
    this.changed();
    this.send(text);
  }
}
