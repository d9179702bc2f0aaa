// forms.js: turns `<div data-embudo-form="white-paper">` into the form of that name, and sends a `<form>` that is marked so.

import { address } from '../shared/address';
import { completeAccent, follow, ground } from '../shared/colour';
import { type Answers, holds } from '../shared/condition';
import { complain, dress, guarded, h } from '../shared/dom';
import type { Host } from '../shared/host';
import tokens from '../shared/tokens.css';
import { type Drawn, field } from './field';
import { own } from './own';
import { type Values, load, sender, teller } from './send';
import style from './style.css';
import type { Definition, Sent } from './wire';
import { type Words, words } from './words';

const host = window.embudo!.host!;
const FILLED = 'data-embudo-filled';

host.fill = guarded(() => {
  for (const place of document.querySelectorAll<HTMLElement>(`[data-embudo-form]:not([${FILLED}])`)) {
    place.setAttribute(FILLED, '');
    const language = place.dataset.language || host.language();
    const filled = place instanceof HTMLFormElement ? own(host, place, language) : fill(host, place, language);
    filled.catch((why) => {
      // What the page put inside the element (a link to the hosted form) stays in view.
      place.removeAttribute(FILLED);
      complain(why);
    });
  }
});

async function fill(host: Host, place: HTMLElement, language: string): Promise<void> {
  const name = place.dataset.embudoForm!;
  const answer = await load(host, name, language, false);
  if (!answer.ok) throw `the form "${name}" is not there: ${answer.status}`;
  const root = place.shadowRoot || place.attachShadow({ mode: 'open' });
  dress(root, tokens, style);
  follow(place, place.dataset.embudoTheme, ground);
  completeAccent(place, root);
  show(host, root, place, await answer.json(), language);
}

function show(host: Host, root: ShadowRoot, place: HTMLElement, definition: Definition, language: string): void {
  const text: Words = /^es/i.test(language) ? words.es : words.en;
  const fields = definition.fields.map((of) => field(of, text));
  const send = sender(host, definition, language, text);
  const begin = teller(host, definition, language);
  let isSending = false;

  const consents = (definition.consents || []).map(({ id, key = 'agreed', text, required }): Drawn => {
    const error = h('p', { id: `${key}-error`, class: 'error' });
    const box = h('input', { type: 'checkbox', name: key, required, 'aria-describedby': `${key}-error` });
    return {
      name: key,
      required,
      error,
      inputs: [box],
      place: h('div', { class: 'field' }, h('label', { class: 'agree' }, box, h('span', null, text)), error),
      typed: () => (box.checked ? id : ''),
      answer: () => box.checked,
    };
  });
  const shown = () => fields.filter(({ place }) => !place.hidden);

  // A field that no person sees: who fills it in is a program.
  const trap = h('input', { name: 'website', tabindex: -1, autocomplete: 'off' });
  const button = h('button', { class: 'go', type: 'submit' }, definition.button);
  const trouble = h('p', { class: 'error', role: 'alert' });

  /** Shows the fields that the answers before them call for. */
  const settle = () => {
    const answers: Answers = {};
    for (const of of fields) {
      of.place.hidden = !!of.condition && !holds(of.condition, answers);
      const answer = of.answer();
      const blank = answer === true ? false : Array.isArray(answer) ? [] : undefined;
      answers[`answers.${of.name}`] = of.place.hidden ? blank : answer;
    }
  };

  const complainAt = (errors: Record<string, string>) => {
    let first: HTMLElement | undefined;
    for (const { name, inputs, error } of [...shown(), ...consents]) {
      const wrong = errors[name];
      error.textContent = wrong || '';
      for (const input of inputs) {
        if (wrong) input.setAttribute('aria-invalid', 'true');
        else input.removeAttribute('aria-invalid');
      }
      if (wrong) first = first || inputs[0];
    }
    first?.focus();
    return !!first;
  };

  const look = () => {
    const errors: Record<string, string> = {};
    for (const { name, required, email, typed } of shown()) {
      const value = typed();
      if (required && !value.length) errors[name] = text.required;
      else if (email && value && !/^\S+@\S+\.\S+$/.test(value as string)) errors[name] = text.email;
    }
    for (const { name, required, typed } of consents) if (required && !typed()) errors[name] = text.agree;
    return errors;
  };

  const submit = async () => {
    if (isSending || complainAt(look())) return;
    isSending = true;
    trouble.textContent = '';
    button.setAttribute('aria-disabled', 'true');
    button.textContent = text.sending;
    const values: Values = {};
    for (const { name, typed } of shown()) values[name] = typed();
    const agreed = consents.map(({ typed }) => typed() as string).filter(Boolean);
    const outcome = await send(values, agreed, trap.value);
    isSending = false;
    button.removeAttribute('aria-disabled');
    button.textContent = definition.button;
    if (outcome.sent) done(outcome.sent);
    else if (!outcome.fields || !complainAt(outcome.fields)) trouble.textContent = outcome.trouble!;
  };

  const done = (sent: Sent) => {
    const title = h('h2', { class: 'title', tabindex: -1 }, sent.title);
    // The page may want to give it less room than the form.
    root.host.setAttribute('data-embudo-sent', '');
    const next = () => {
      root.host.removeAttribute('data-embudo-sent');
      return fill(host, place, language);
    };
    form.replaceWith(
      h(
        'div',
        { class: 'form done', lang: language },
        title,
        h('p', { class: 'message' }, sent.message),
        sent.link &&
          h(
            'a',
            { class: 'go', href: address(host, sent.link), target: '_blank', rel: 'noopener' },
            text.open,
            h('span', { class: 'trap' }, ` (${text.opens})`),
          ),
        definition.kiosk && h('button', { class: 'go', type: 'button', onclick: next }, text.next),
      ),
    );
    title.focus();
  };

  const form = h(
    'form',
    {
      class: 'form',
      novalidate: true,
      lang: language,
      autocomplete: definition.kiosk && 'off',
      'aria-label': definition.title,
      onsubmit: (event: Event) => {
        event.preventDefault();
        return submit();
      },
      // A mistake is said when it is made and taken back as soon as it is mended.
      oninput: (event: Event) => {
        begin();
        settle();
        const at = [...fields, ...consents].find(({ inputs }) => inputs.includes(event.target as HTMLInputElement));
        if (at?.error.textContent && !look()[at.name]) {
          at.error.textContent = '';
          for (const input of at.inputs) input.removeAttribute('aria-invalid');
        }
      },
    },
    definition.title && h('h2', { class: 'title' }, definition.title),
    definition.intro && h('p', { class: 'intro' }, definition.intro),
    ...fields.map(({ place }) => place),
    ...consents.map(({ place }) => place),
    h('div', { class: 'trap', 'aria-hidden': 'true' }, h('label', null, 'Website', trap)),
    trouble,
    button,
    definition.privacy && h('p', { class: 'privacy' }, definition.privacy),
  );
  settle();
  root.replaceChildren(form);
}
