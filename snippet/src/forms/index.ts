// forms.js: turns `<div data-embudo-form="white-paper">` into the form of that name.

import { address } from '../shared/address';
import { adopt } from '../shared/adopt';
import { completeAccent, follow, ground } from '../shared/colour';
import { complain, dress, guarded, h } from '../shared/dom';
import type { Host } from '../shared/host';
import tokens from '../shared/tokens.css';
import style from './style.css';
import { type Words, words } from './words';

interface Field {
  name: string;
  type: string;
  label: string;
  required?: boolean;
  placeholder?: string | null;
  /** Room for several lines. */
  multiline?: boolean;
  /** The browser's word for what belongs here; known names have one without it. */
  autocomplete?: string;
  /** For `select`: what can be chosen. */
  options?: (string | { value: string; label: string })[];
}

interface Definition {
  form: string;
  title?: string | null;
  intro?: string | null;
  fields: Field[];
  button: string;
  consent?: { id: string; text: string; required?: boolean } | null;
  privacy?: string | null;
  nonce: string;
}

interface Sent {
  visitor?: string;
  title?: string;
  message?: string;
  link?: string | null;
}

/** What the browser calls a field when it offers to fill it in. */
const AUTOFILL: Record<string, string> = {
  email: 'email',
  name: 'name',
  first_name: 'given-name',
  last_name: 'family-name',
  phone: 'tel',
  company: 'organization',
  job_title: 'organization-title',
  role: 'organization-title',
  country: 'country-name',
  website: 'url',
};

const host = window.embudo!.host!;
const FILLED = 'data-embudo-filled';

host.fill = guarded(() => {
  for (const place of document.querySelectorAll<HTMLElement>(`[data-embudo-form]:not([${FILLED}])`)) {
    place.setAttribute(FILLED, '');
    fill(host, place).catch((why) => {
      // What the page put inside the element (a link to the hosted form) stays in view.
      place.removeAttribute(FILLED);
      complain(why);
    });
  }
});

async function fill(host: Host, place: HTMLElement): Promise<void> {
  const name = place.dataset.embudoForm!;
  const language = place.dataset.language || host.language();
  const { site } = host.sender(language);
  const answer = await fetch(
    `${host.api}/v1/forms/${encodeURIComponent(name)}?${new URLSearchParams({ site, language })}`,
  );
  if (!answer.ok) throw `the form "${name}" is not there: ${answer.status}`;
  const root = place.shadowRoot || place.attachShadow({ mode: 'open' });
  dress(root, tokens, style);
  follow(place, place.dataset.embudoTheme, ground);
  completeAccent(place, root);
  show(host, root, await answer.json(), language);
}

function show(host: Host, root: ShadowRoot, definition: Definition, language: string): void {
  const text: Words = /^es/i.test(language) ? words.es : words.en;
  const inputs = new Map<string, { input: HTMLInputElement; error: HTMLElement }>();
  let isSending = false;

  const fields = definition.fields.map((field) => {
    const id = `f-${field.name}`;
    const values = {
      id,
      name: field.name,
      required: field.required,
      placeholder: field.placeholder,
      autocomplete: field.autocomplete || AUTOFILL[field.name] || (field.type === 'email' ? 'email' : field.type === 'tel' ? 'tel' : null),
      'aria-describedby': `${id}-error`,
    };
    const input =
      field.multiline || field.type === 'textarea'
        ? h('textarea', { ...values, rows: 4 })
        : field.type === 'select'
          ? h(
              'select',
              values,
              h('option', { value: '' }, text.choose),
              ...(field.options || []).map((option) =>
                typeof option === 'string' ? h('option', null, option) : h('option', { value: option.value }, option.label),
              ),
            )
          : h('input', { ...values, type: field.type === 'phone' ? 'tel' : field.type });
    const error = h('p', { id: `${id}-error`, class: 'error' });
    inputs.set(field.name, { input: input as HTMLInputElement, error });
    return h(
      'div',
      { class: 'field' },
      h('label', { for: id }, field.label, !field.required && h('small', null, ` (${text.optional})`)),
      input,
      error,
    );
  });

  const { consent } = definition;
  const disagreed = h('p', { id: 'agreed-error', class: 'error' });
  const agree =
    consent &&
    h('input', { type: 'checkbox', name: 'agreed', required: consent.required, 'aria-describedby': 'agreed-error' });
  // The server calls a missing agreement by this name.
  if (agree) inputs.set('agreed', { input: agree, error: disagreed });
  // A field that no person sees: who fills it in is a program.
  const trap = h('input', { name: 'website', tabindex: -1, autocomplete: 'off' });
  const button = h('button', { class: 'go', type: 'submit' }, definition.button);
  const trouble = h('p', { class: 'error', role: 'alert' });

  const complainAt = (errors: Record<string, string>) => {
    let first: HTMLElement | null = null;
    for (const [name, { input, error }] of inputs) {
      error.textContent = errors[name] || '';
      if (errors[name]) input.setAttribute('aria-invalid', 'true');
      else input.removeAttribute('aria-invalid');
      if (errors[name] && !first) first = input;
    }
    (first as HTMLElement | null)?.focus();
    return !!first;
  };

  const look = () => {
    const errors: Record<string, string> = {};
    for (const [name, { input }] of inputs) {
      const value = input.value.trim();
      if (input === agree) {
        if (input.required && !input.checked) errors[name] = text.agree;
      } else if (input.required && !value) errors[name] = text.required;
      else if (value && input.type === 'email' && !/^\S+@\S+\.\S+$/.test(value)) errors[name] = text.email;
    }
    return errors;
  };

  const send = async () => {
    if (isSending || complainAt(look())) return;
    isSending = true;
    trouble.textContent = '';
    button.setAttribute('aria-disabled', 'true');
    button.textContent = text.sending;
    const { site, visitor, consent: allowed, zone } = host.sender(language);
    const typed = [...inputs].filter(([, { input }]) => input !== agree);
    const values = Object.fromEntries(typed.map(([name, { input }]) => [name, input.value.trim()]));
    try {
      const answer = await host.post(`/v1/forms/${encodeURIComponent(definition.form)}`, {
        site,
        values,
        visitor,
        consent: allowed,
        page: location.href,
        language,
        zone,
        nonce: definition.nonce,
        agreed: agree?.checked ? [consent!.id] : [],
        website: trap.value,
      });
      if (answer.ok) return done(await answer.json(), visitor);
      const problem = await answer.json().catch(() => ({}));
      if (!problem.fields || !complainAt(problem.fields)) {
        trouble.textContent = answer.status === 429 ? text.busy : (answer.status < 500 && problem.detail) || text.away;
      }
    } catch (mistake) {
      complain(mistake);
      trouble.textContent = text.away;
    } finally {
      isSending = false;
      button.removeAttribute('aria-disabled');
      button.textContent = definition.button;
    }
  };

  const done = (sent: Sent, as: string | null) => {
    if (sent.visitor) adopt(host, sent.visitor, as);
    const title = h('h2', { class: 'title', tabindex: -1 }, sent.title);
    // The page may want to give it less room than the form.
    root.host.setAttribute('data-embudo-sent', '');
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
      'aria-label': definition.title,
      onsubmit: (event: Event) => {
        event.preventDefault();
        return send();
      },
      // A mistake is said when it is made and taken back as soon as it is mended.
      oninput: (event: Event) => {
        const at = inputs.get((event.target as HTMLInputElement).name);
        if (at?.error.textContent && !look()[at.input.name]) {
          at.error.textContent = '';
          at.input.removeAttribute('aria-invalid');
        }
      },
    },
    definition.title && h('h2', { class: 'title' }, definition.title),
    definition.intro && h('p', { class: 'intro' }, definition.intro),
    ...fields,
    agree && h('div', { class: 'field' }, h('label', { class: 'agree' }, agree, h('span', null, consent!.text)), disagreed),
    h('div', { class: 'trap', 'aria-hidden': 'true' }, h('label', null, 'Website', trap)),
    trouble,
    button,
    definition.privacy && h('p', { class: 'privacy' }, definition.privacy),
  );
  root.replaceChildren(form);
}
